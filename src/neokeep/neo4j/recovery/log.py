"""The part of a transaction log that recovery applies: whole transactions from a position on, file by file."""

from __future__ import annotations

import mmap
import os
import tempfile
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from neokeep.errors import IntegrityError
from neokeep.files import explained
from neokeep.neo4j.log.header import LARGEST, LogHeader, expect_version, parse_header
from neokeep.neo4j.log.names import log_name, log_versions
from neokeep.neo4j.log.scan import Tail, has_data, scan_log

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from neokeep.neo4j.log.checkpoint import LogPosition


_LONG = 1 << 16
"""Transactions of a file from which on their ends are not kept in memory."""


@dataclass(frozen=True, slots=True)
class LogPart:
    """One log file: what is to be applied of it begins at `start`; `ends` (int64) tells where each transaction ends.

    `first_transaction` is the first that is to be applied, or would be. `end` is the offset behind the last transaction
    of the file, whether that is to be applied or not. Of that transaction are the other values; they are None where the
    file holds none.
    """

    path: Path
    header: LogHeader
    start: int
    ends: NDArray[np.int64]
    first_transaction: int
    end: int
    last_transaction: int
    last_checksum: int | None
    last_kernel_version: int | None
    last_commit_time: int | None

    @property
    def begins(self) -> NDArray[np.int64]:
        """Where each transaction begins."""
        begins = np.empty_like(self.ends)
        begins[:1], begins[1:] = self.start, self.ends[:-1]
        return begins

    def split(self, last: int) -> tuple[LogPart, LogPart]:
        """Part what is to be applied: up to transaction `last`, and behind it."""
        kept = max(0, min(len(self.ends), last - self.first_transaction + 1))
        at = int(self.ends[kept - 1]) if kept else self.start
        return (
            replace(self, ends=self.ends[:kept]),
            replace(self, start=at, ends=self.ends[kept:], first_transaction=self.first_transaction + kept),
        )

    def content(self) -> MappedLog:
        """Give the bytes of the file, mapped and not read."""
        with explained("read", self.path), self.path.open("rb") as file:
            return MappedLog(file.fileno())


class MappedLog:
    """The bytes of a log file: `data` (uint8) looks like all of them, and those that are let go take no memory."""

    def __init__(self, descriptor: int) -> None:
        self._map = mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ)
        self.data: NDArray[np.uint8] = np.frombuffer(self._map, np.uint8)

    def let_go(self, end: int) -> None:
        """Need what stands before `end` no more, for now."""
        whole = end // mmap.PAGESIZE * mmap.PAGESIZE
        if whole:
            self._map.madvise(mmap.MADV_DONTNEED, 0, whole)


def read_parts(directory: Path, position: LogPosition) -> list[LogPart]:
    """Find the transactions behind a position, verified: checksums, ids and headers follow on from file to file.

    Raises:
        IntegrityError: the log is damaged, has a gap, or no transaction ends at the position.
    """
    parts: list[LogPart] = []
    for version in (found for found in log_versions(directory) if found >= position.version):
        before = parts[-1] if parts else None
        path = directory / log_name(version)
        if before is None and version != position.version:
            break
        if before is not None:
            _require_next(before, version)
        part = _read_part(path, version, before)
        if part is None:
            _require_last(directory, version)
            break
        parts.append(part if before is not None else _from(part, position))
    if not parts:
        raise _damaged(directory / log_name(position.version), "recovery starts in it, and it is not there")
    return parts


def later_logs(directory: Path, part: LogPart) -> list[Path]:
    """Name the files behind a part: a server had made them and not begun to write transactions."""
    return [directory / log_name(version) for version in log_versions(directory) if version > part.header.version]


def _require_next(before: LogPart, version: int) -> None:
    """Only the newest file may end in anything else than a transaction."""
    if before.header.version + 1 != version:
        raise _damaged(before.path, f"the log file behind it, {log_name(before.header.version + 1)}, is missing")
    with explained("read", before.path), before.path.open("rb", buffering=0) as file:
        if has_data(file.fileno(), before.end):
            raise _damaged(before.path, f"part of a transaction stands at {before.end}, and another log file follows")


def _require_last(directory: Path, version: int) -> None:
    """A file without a header is one that a server has just made: nothing is in it, and nothing behind it."""
    for later in (found for found in log_versions(directory) if found >= version):
        path = directory / log_name(later)
        with explained("read", path), path.open("rb", buffering=0) as file:
            if has_data(file.fileno(), 0):
                raise _damaged(path, "there is no whole header at the begin of the log from here on")


def _read_part(path: Path, version: int, before: LogPart | None) -> LogPart | None:
    with explained("read", path), path.open("rb", buffering=0) as file:

        def read_at(offset: int, length: int) -> bytes:
            return os.pread(file.fileno(), length, offset)

        header = parse_header(read_at(0, LARGEST), str(path))
        if header is None:
            return None
        expect_version(header, version, str(path))
        if before is not None and header.last_transaction != before.last_transaction:
            last = before.last_transaction
            raise _damaged(path, f"it follows on transaction {header.last_transaction}, the file before ends {last}")
        scan = scan_log(read_at, header, previous_checksum=before.last_checksum if before else None)
        if scan.tail is Tail.DAMAGED or (scan.tail is Tail.ZEROS and has_data(file.fileno(), scan.end)):
            raise _damaged(path, scan.reason or f"behind {scan.end} come zeros and then data again")
    return LogPart(
        path,
        header,
        scan.start,
        _kept(np.array(scan.ends, np.int64)),
        scan.first_transaction,
        scan.end,
        scan.last_transaction,
        scan.last_checksum,
        scan.kernel_version,
        scan.commit_times[-1] if scan.commit_times else None,
    )


def _kept(ends: NDArray[np.int64]) -> NDArray[np.int64]:
    """Keep a long list in a scratch file: of a log of any length only what is walked right now is in memory."""
    if len(ends) < _LONG:
        return ends
    with tempfile.TemporaryFile() as file:
        ends.tofile(file)
        file.flush()
        return np.memmap(file, np.int64, "r").view(np.ndarray)


def _from(part: LogPart, position: LogPosition) -> LogPart:
    """Leave out what stands before the position."""
    offset = max(position.offset, part.header.size)
    if offset != part.start and not (part.ends == offset).any():
        raise _damaged(part.path, f"recovery starts at {offset}, where no transaction ends")
    kept = part.ends > offset
    first = part.first_transaction + int(len(kept) - kept.sum())
    return replace(part, start=offset, ends=part.ends[kept], first_transaction=first)


def _damaged(path: Path, why: str) -> IntegrityError:
    return IntegrityError(
        f"{path.name} cannot be applied: {why}",
        remedy="Restore another backup, or to a transaction before the damage.",
    )
