"""Putting archived log on top of a base, proving that it fits, and cutting it at the wanted moment.

The log directory is the staged one, which no server has seen. After the cut only the end of the file follows; later
files are removed. The checkpoint of the base lies before every point in its window, so none can point past the cut.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from neokeep.errors import IntegrityError
from neokeep.files import explained, fsync_directory, write_all
from neokeep.neo4j.log.header import LARGEST, expect_version, parse_header
from neokeep.neo4j.log.names import log_name, log_versions
from neokeep.neo4j.log.scan import Scan, Tail, scan_log
from neokeep.repository.archived import archived_log
from neokeep.repository.segment import unlinked

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from neokeep.progress import Progress
    from neokeep.repository.manifest import Manifest
    from neokeep.repository.segment import SegmentHeader, SegmentName
    from neokeep.restore.targets import Moment
    from neokeep.restore.write import Owner
    from neokeep.storage.base import Storage

_LOG_MODE = 0o644


@dataclass(frozen=True, slots=True)
class LogEnd:
    """The last transaction of a restored log, and when it was committed."""

    transaction: int
    commit_time: datetime | None


def apply_segments(
    storage: Storage,
    segments: Sequence[SegmentName],
    directory: Path,
    owner: Owner,
    base: Manifest,
    progress: Progress,
    spares: Sequence[Storage] = (),
) -> None:
    """Write the bytes of the segments of a base to their places in the log files.

    A segment that was merged meanwhile into one that holds more of the same is no loss, and none that `spares` have.

    Raises:
        IntegrityError: a segment is missing, damaged, of another store, or does not join on.
    """
    checksums = {segment.first - 1: base.end.checksum for segment in segments[:1]}
    for segment, header, data in archived_log(storage, base, segments, spares):
        if header.store_id != base.store_id:
            raise IntegrityError(
                f"{segment.name} is of store {header.store_id}, the base is of {base.store_id}",
                remedy="Restore to a moment before it.",
            )
        if unlinked(header, checksums.get(header.first - 1)):
            raise IntegrityError(
                f"{segment.name} follows on another transaction {header.first - 1} than that before it",
                remedy="Restore to a moment before it.",
            )
        checksums[header.last] = header.tail.checksum
        _write(header, data, directory, owner, segment.name)
        progress.advance(segment.size)


def _write(header: SegmentHeader, data: bytes, directory: Path, owner: Owner, name: str) -> None:
    at = 0
    for piece in header.pieces:
        path = directory / log_name(piece.version)
        with explained("write", path):
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, _LOG_MODE)
            try:
                if os.fstat(descriptor).st_size < piece.start:
                    raise IntegrityError(
                        f"{name} begins at {piece.version}:{piece.start}, behind the end of the log before it",
                        remedy="Run 'neokeep verify' to see what is missing.",
                    )
                write_all(descriptor, memoryview(data)[at : at + piece.length], piece.start)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            owner.apply(path)
        at += piece.length


@dataclass(frozen=True, slots=True)
class _Cut:
    """Where a log is to end: its last transaction, and the file and offset behind it; no version: nothing is cut."""

    end: LogEnd
    version: int | None = None
    offset: int = 0


def cut_log(directory: Path, moment: Moment, floor: int) -> LogEnd:
    """Verify every transaction of a restored log and cut it behind the wanted moment, but never before `floor`.

    `floor` is the end of the base: its store files may hold what any transaction up to there did, whatever their commit
    times, which do not always rise with the ids.

    Raises:
        IntegrityError: the log does not hold together, or does not reach the wanted transaction.
    """
    cut = _find(directory, moment, floor)
    if cut.version is not None:
        _truncate(directory / log_name(cut.version), cut.offset)
        _remove_after(directory, cut.version)
    fsync_directory(directory)
    return cut.end


def end_at(directory: Path, moment: Moment, floor: int) -> LogEnd:
    """Find the last transaction of a moment, not before `floor`, without cutting.

    Raises:
        IntegrityError: the log does not hold together, or does not reach the wanted transaction.
    """
    return _find(directory, moment, floor).end


def _find(directory: Path, moment: Moment, floor: int) -> _Cut:
    end: LogEnd | None = None
    cut: tuple[int, int] | None = None
    checksum: int | None = None
    for version in log_versions(directory):
        path = directory / log_name(version)
        scan = _scan(path, version, end, checksum)
        keep = _wanted(scan, moment, floor)
        if keep:
            time = datetime.fromtimestamp(scan.commit_times[keep - 1] / 1000, UTC)
            end = LogEnd(scan.first_transaction + keep - 1, time)
        elif end is None:
            end = LogEnd(scan.first_transaction - 1, None)
        if keep < len(scan.ends):
            cut = (version, scan.ends[keep - 1] if keep else scan.start)
            break
        checksum = scan.last_checksum
    if end is None or (moment.transaction is not None and end.transaction != moment.transaction):
        reached = end.transaction if end else "nothing"
        raise IntegrityError(
            f"the restored log reaches transaction {reached}, not {moment.transaction}",
            remedy="Run 'neokeep verify' to see what is missing.",
        )
    return _Cut(end, *cut) if cut else _Cut(end)


def _wanted(scan: Scan, moment: Moment, floor: int) -> int:
    """Count the transactions of a file that belong before the wanted moment."""
    kept = max(0, min(len(scan.ends), floor - scan.first_transaction + 1))
    if moment.transaction is not None:
        return max(kept, min(len(scan.ends), moment.transaction - scan.first_transaction + 1))
    if moment.time is not None:
        limit = moment.time.timestamp() * 1000
        later = (at for at in range(kept, len(scan.ends)) if scan.commit_times[at] > limit)
        return next(later, len(scan.ends))
    return len(scan.ends)


def _scan(path: Path, version: int, before: LogEnd | None, checksum: int | None) -> Scan:
    with path.open("rb", buffering=0) as file:

        def read_at(offset: int, length: int) -> bytes:
            return os.pread(file.fileno(), length, offset)

        header = parse_header(read_at(0, LARGEST), str(path))
        if header is None:
            raise _unfit(path.name, "it has no header")
        expect_version(header, version, str(path))
        if before is not None and header.last_transaction != before.transaction:
            raise _unfit(
                path.name, f"it follows on {header.last_transaction}, the one before ends {before.transaction}"
            )
        scan = scan_log(read_at, header, previous_checksum=checksum)
    if scan.tail is not Tail.END_OF_FILE:
        raise _unfit(path.name, scan.reason or f"behind {scan.end} come {scan.tail.value}")
    return scan


def _truncate(path: Path, length: int) -> None:
    with explained("cut", path):
        descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.ftruncate(descriptor, length)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _remove_after(directory: Path, version: int) -> None:
    for later in log_versions(directory):
        if later > version:
            (directory / log_name(later)).unlink()


def _unfit(name: str, why: str) -> IntegrityError:
    return IntegrityError(
        f"the restored {name} does not hold together: {why}",
        remedy="Restore to a moment before it; 'neokeep verify' tells which backups are whole.",
    )
