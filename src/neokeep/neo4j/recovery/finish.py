"""Making a store clean once the log is applied: nothing to replay, and nothing there that Neo4j would have to distrust.

What Neo4j rebuilds is removed: ids, counts, degrees, statistics, indexes. Then the checkpoint record is appended which
says that everything up to the end of the log is in the stores: last, after all else is durable.
"""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from neokeep.files import explained, fsync_directory, write_all
from neokeep.neo4j.log.checkpoint import CheckpointedTransaction, LogPosition, encode_checkpoint
from neokeep.neo4j.log.header import LARGEST, parse_header
from neokeep.neo4j.recovery.log import later_logs
from neokeep.neo4j.recovery.neostore import write_slots
from neokeep.neo4j.store.layout import NEOSTORE, TREES

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from neokeep.neo4j.recovery.log import LogPart

REASON = "Recovered by neokeep"


@dataclass(frozen=True, slots=True)
class LogEnd:
    """The end of a log: its position and its last transaction."""

    position: LogPosition
    transaction: CheckpointedTransaction


def log_end(parts: list[LogPart]) -> LogEnd | None:
    """Describe the end of a log; None where no transaction is in it."""
    holding = last_holding(parts)
    if holding is None:
        return None
    last, header = holding.last_transaction, holding.header
    kernel_version, checksum, index = holding.last_kernel_version, holding.last_checksum, header.last_append_index
    if kernel_version is None or checksum is None or holding.last_commit_time is None:
        raise AssertionError("a scan that found a transaction knows its kernel version and checksum")
    append_index = last if index is None else index + last - header.last_transaction
    return LogEnd(
        LogPosition(header.version, holding.end),
        CheckpointedTransaction(last, append_index, kernel_version, checksum, holding.last_commit_time),
    )


def last_holding(parts: list[LogPart]) -> LogPart | None:
    """Find the newest file that holds a transaction. Neo4j's recovery removes those behind it, too."""
    return next((part for part in reversed(parts) if part.last_commit_time is not None), None)


def finish(
    store_directory: Path,
    log_directory: Path,
    parts: list[LogPart],
    metadata: Mapping[int, int],
    checkpoint_file: str,
    records_end: int,
) -> None:
    """Make the store clean; the new checkpoint record follows the one at whose end, `records_end`, recovery started.

    `parts` is the log as it ends now. Killed before that record is complete, it is a store that recovery is due for.
    """
    remove_derived(store_directory)
    end = log_end(parts)
    if end is not None:
        write_slots(store_directory / NEOSTORE, metadata, end.position, end.transaction)
    fsync_directory(store_directory)
    kept = last_holding(parts) or parts[-1]
    _cut(kept)
    for path in later_logs(log_directory, kept):
        with explained("remove", path):
            path.unlink()
    fsync_directory(log_directory)
    if end is not None:
        _append_checkpoint(log_directory / checkpoint_file, records_end, end)
        fsync_directory(log_directory)


def remove_derived(directory: Path) -> None:
    """Remove what Neo4j makes anew from the records: an index that stayed would be taken for a good one."""
    for name in sorted(TREES):
        with explained("remove", directory / name):
            (directory / name).unlink(missing_ok=True)
    schema = directory / "schema"
    with explained("remove", schema):
        if schema.is_dir():
            shutil.rmtree(schema)


def _cut(part: LogPart) -> None:
    """Cut off what stands behind the last transaction: zeros, or part of another one."""
    with explained("cut", part.path):
        descriptor = os.open(part.path, os.O_RDWR | os.O_CLOEXEC)
        try:
            os.ftruncate(descriptor, part.end)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _append_checkpoint(path: Path, at: int, end: LogEnd) -> None:
    with explained("write", path):
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            header = parse_header(os.pread(descriptor, LARGEST, 0), str(path))
            if header is None:
                raise AssertionError("a checkpoint file that was read has a header")
            now = int(time.time() * 1000)
            record = encode_checkpoint(end.position, end.transaction, header.store_id, now, REASON)
            # What stood there was no complete record; none of it may stay behind this one.
            os.ftruncate(descriptor, max(at, header.size))
            write_all(descriptor, record, max(at, header.size))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
