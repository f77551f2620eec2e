"""Redo: what the log says from a position on, done to the record stores of a directory.

The log is walked twice: first to see that all of it is understood, then to write. So nothing is applied in part because
of something that is not known. Of the images in a stretch of log the last one of each record is written, in the order
of the pages. Redo may be repeated: the images are whole records.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from neokeep.neo4j.log.checkpoint import LogPosition
from neokeep.neo4j.log.commands import UnknownCommand, commands
from neokeep.neo4j.recovery.images import BAD, FULL, ROWS, USED, WRITING
from neokeep.neo4j.recovery.layout import Store
from neokeep.neo4j.recovery.log import LogPart, read_parts
from neokeep.neo4j.recovery.pages import StoreFiles
from neokeep.neo4j.recovery.walk import AT, DONE, METADATA, NUMBER, STATE_SIZE, walk

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from neokeep.neo4j.recovery.compiled import Bytes, Numbers, Output, Rows

OUTPUT_BYTES = 64 * 1024 * 1024
OUTPUT_ROWS = 1 << 20
METADATA_VALUES = 1024


@dataclass(slots=True)
class Redone:
    """What was applied. `parts` is the log; `metadata` holds the last value of each key that was set."""

    parts: list[LogPart]
    transactions: int = 0
    records: int = 0
    metadata: dict[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Records:
    """Records of one stretch of log, in its order: store, id and place of each, and the bytes."""

    rows: Rows
    out: Output


def redo(store_directory: Path, log_directory: Path, position: LogPosition, *, aligned: bool) -> Redone:
    """Apply the log behind a position to the stores.

    Raises:
        IntegrityError: the log is damaged.
        UnknownCommand: it holds what neokeep does not understand; nothing was written.
    """
    done = Redone(read_parts(log_directory, position))
    with StoreFiles(store_directory, aligned=aligned) as files:
        stores = files.table()
        for part in done.parts:
            require_understood(part, stores)
        for part in done.parts:
            for records in records_of(part, stores, done.metadata):
                _write(files, records)
                done.records += len(records.rows)
            done.transactions += len(part.ends)
    return done


def require_understood(part: LogPart, stores: Rows) -> None:
    """Walk a log file without writing.

    Raises:
        UnknownCommand: something in it is not known.
    """
    state = np.zeros(STATE_SIZE, np.int64)
    data = part.content()
    out, rows, metadata = np.empty(0, np.uint8), np.empty((0, 3), np.int64), np.empty((0, 2), np.int64)
    if walk(data, part.begins, part.ends, out, rows, state, stores, metadata) != DONE:
        raise _not_understood(part, data, state)


def records_of(part: LogPart, stores: Rows, metadata: dict[int, int]) -> Iterator[Records]:
    """Give all records that a log file writes, in stretches of bounded size; `metadata` gets the values it sets.

    What was given is overwritten by the next.
    """
    state = np.zeros(STATE_SIZE, np.int64)
    out, rows = np.empty(OUTPUT_BYTES, np.uint8), np.empty((OUTPUT_ROWS, 3), np.int64)
    values = np.empty((METADATA_VALUES, 2), np.int64)
    data, begins, verdict = part.content(), part.begins, FULL
    while verdict == FULL:
        state[USED] = state[ROWS] = state[METADATA] = 0
        state[WRITING] = 1
        verdict = walk(data, begins, part.ends, out, rows, state, stores, values)
        if verdict == BAD:
            raise _not_understood(part, data, state)
        if verdict == FULL and not state[ROWS] and not state[METADATA]:
            # One command larger than all the room there is: a value of that size.
            out, rows = np.empty(2 * len(out), np.uint8), np.empty((2 * len(rows), 3), np.int64)
        metadata.update((int(key), int(value)) for key, value in values[: state[METADATA]])
        yield Records(rows[: state[ROWS]], out[: state[USED]])


def _write(files: StoreFiles, records: Records) -> None:
    for store in Store:
        ours = np.flatnonzero(records.rows[:, 0] == store)
        if len(ours):
            # The last image of each record counts: the first one met from the end.
            backwards = ours[::-1]
            ids, last = np.unique(records.rows[backwards, 1], return_index=True)
            files.write(store, ids, records.rows[backwards[last], 2], records.out)


def _not_understood(part: LogPart, data: Bytes, state: Numbers) -> UnknownCommand:
    """Say what it is: the other parser gives the reason."""
    number = int(state[NUMBER])
    begin, end = int(part.begins[number]), int(part.ends[number])
    version = part.header.version
    try:
        for _ in commands(data[begin:end].tobytes(), LogPosition(version, begin)):
            continue
    except UnknownCommand as unknown:
        return unknown
    return UnknownCommand(LogPosition(version, int(state[AT])), "a record that does not fit its store")
