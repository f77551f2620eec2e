"""The records that a log file writes, in stretches of bounded size: forward what they became, backward what they were.

Forward the last row of a record in a stretch counts, backward the first; backward the stretches come from the end of
the log to its begin. `last_of` and `first_of` choose the rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from neokeep.neo4j.log.checkpoint import LogPosition
from neokeep.neo4j.log.commands import UnknownCommand, commands
from neokeep.neo4j.recovery.images import BAD, FULL, ROWS, UNDOING, UNKNOWN, USED, WRITE, WRITING
from neokeep.neo4j.recovery.walk import AT, DONE, METADATA, NUMBER, STATE_SIZE, walk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from neokeep.neo4j.recovery.compiled import Bytes, Numbers, Output, Rows
    from neokeep.neo4j.recovery.layout import Store
    from neokeep.neo4j.recovery.log import LogPart

OUTPUT_BYTES = 64 * 1024 * 1024
OUTPUT_ROWS = 1 << 20
METADATA_VALUES = 1024


@dataclass(frozen=True, slots=True)
class Records:
    """Records of one stretch of log, in its order: store, id and place of each, and the bytes.

    `metadata` has a row for each value of `neostore` that was set: key, value.
    """

    rows: Rows
    out: Output
    metadata: Rows


@dataclass(frozen=True, slots=True)
class Chosen:
    """The rows of one store that count, by rising id: ids and places (int64).

    `unknown` are ids of which the log does not tell what they were.
    """

    ids: Numbers
    places: Numbers
    unknown: Numbers


def require_understood(part: LogPart, stores: Rows) -> None:
    """Walk a log file without writing.

    Raises:
        UnknownCommand: something in it is not known.
    """
    state = np.zeros(STATE_SIZE, np.int64)
    log, begins, ends = part.content(), part.begins, part.ends
    out, rows, metadata = np.empty(0, np.uint8), np.empty((0, 3), np.int64), np.empty((0, 2), np.int64)
    until, size = 0, len(ends)
    while until < size:
        # As far as is kept in memory together, or one transaction.
        until = max(until + 1, int(np.searchsorted(ends, begins[until] + OUTPUT_BYTES)))
        if walk(log.data, begins[:until], ends[:until], out, rows, state, stores, metadata) != DONE:
            raise _not_understood(part, log.data, state)
        log.let_go(int(ends[until - 1]))


def forward(part: LogPart, stores: Rows) -> Iterator[Records]:
    """Give what the transactions of a part made of records, first to last. What was given is overwritten by the next.

    Raises:
        UnknownCommand: something in it is not known.
    """
    walker = _Walker(part, stores, undoing=False)
    while walker.goes_on:
        yield walker.stretch()


def backward(part: LogPart, stores: Rows) -> Iterator[Records]:
    """Give what records were before the transactions of a part, the last stretch first; each overwrites the last given.

    Raises:
        UnknownCommand: something in it is not known.
    """
    walker = _Walker(part, stores, undoing=True)
    begins: list[tuple[int, int]] = []
    while walker.goes_on:
        begins.append(walker.place)
        walker.stretch()
    for place in reversed(begins):
        walker.place = place
        yield walker.stretch()


def before(part: LogPart, stores: Rows) -> Iterator[Records]:
    """Give what records were before the transactions of a part, the first stretch first.

    Raises:
        UnknownCommand: something in it is not known.
    """
    walker = _Walker(part, stores, undoing=True)
    while walker.goes_on:
        yield walker.stretch()


def last_of(records: Records, store: Store) -> Chosen:
    """Choose what the records of a store became."""
    ours = np.flatnonzero(records.rows[:, 0] == store)[::-1]
    return _first(records, ours)


def first_of(records: Records, store: Store) -> Chosen:
    """Choose what the records of a store were; a row may say that this is not known."""
    ours = np.flatnonzero(records.rows[:, 0] % UNKNOWN == store)
    return _first(records, ours)


def _first(records: Records, ours: Numbers) -> Chosen:
    ids, first = np.unique(records.rows[ours, 1], return_index=True)
    chosen = records.rows[ours[first]]
    known = chosen[:, 0] < UNKNOWN
    return Chosen(ids[known], chosen[known, 2], ids[~known])


class _Walker:
    """Walks a part stretch by stretch, from any place where a stretch began."""

    def __init__(self, part: LogPart, stores: Rows, *, undoing: bool) -> None:
        self._part = part
        self._stores = stores
        self._log, self._begins = part.content(), part.begins
        self._state = np.zeros(STATE_SIZE, np.int64)
        self._state[UNDOING] = undoing
        self._out, self._rows = np.empty(OUTPUT_BYTES, np.uint8), np.empty((OUTPUT_ROWS, 3), np.int64)
        self._metadata = np.empty((METADATA_VALUES, 2), np.int64)
        self.goes_on = bool(len(part.ends))

    @property
    def place(self) -> tuple[int, int]:
        return int(self._state[NUMBER]), int(self._state[AT])

    @place.setter
    def place(self, place: tuple[int, int]) -> None:
        self._state[NUMBER], self._state[AT] = place

    def stretch(self) -> Records:
        state, begin = self._state, self.place
        while True:
            state[USED] = state[ROWS] = state[METADATA] = 0
            state[WRITING] = WRITE
            verdict = walk(
                self._log.data,
                self._begins,
                self._part.ends,
                self._out,
                self._rows,
                state,
                self._stores,
                self._metadata,
            )
            if verdict == BAD:
                raise _not_understood(self._part, self._log.data, state)
            if verdict == DONE or state[ROWS] or state[METADATA]:
                break
            # One command larger than all the room there is: a value of that size.
            self._out = np.empty(2 * len(self._out), np.uint8)
            self._rows = np.empty((2 * len(self._rows), 3), np.int64)
            self.place = begin
        self.goes_on = verdict == FULL
        self._log.let_go(int(self._begins[state[NUMBER]]) if self.goes_on else len(self._log.data))
        return Records(self._rows[: state[ROWS]], self._out[: state[USED]], self._metadata[: state[METADATA]])


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
