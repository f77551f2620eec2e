"""Boundaries of transactions in one plain log file, without parsing commands.

The next transaction id is known, so the commit entry that carries it is searched for and confirmed by the CRC-32C over
the whole transaction: a match by chance is a matter of 2**-32. The file is read in pieces, so memory does not grow with
the file or with a transaction. Works on files that grow meanwhile: what is not complete is *torn*, never an error here.
"""

from __future__ import annotations

import errno
import os
from array import array
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from crc32c import crc32c

from neokeep.neo4j.log import entries

if TYPE_CHECKING:
    from neokeep.neo4j.log.header import LogHeader

ReadAt = Callable[[int, int], bytes]
"""Read up to `length` bytes at `offset`; fewer only at the end of the file."""

PIECE = 4 * 1024 * 1024
_ZEROS = bytes(1 << 20)
_SUMMED_OF_COMMIT = entries.COMMIT_SIZE - entries.CHECKSUM_SIZE


class Tail(Enum):
    """What stands behind the last complete transaction."""

    END_OF_FILE = "the file ends"
    ZEROS = "zeros"
    TORN = "part of a transaction"
    DAMAGED = "bytes that are no transaction"


@dataclass(slots=True)
class Scan:
    """What was found in one file from `start` on.

    `ends[i]` is the offset behind the commit entry of transaction `first_transaction + i`; `commit_times[i]` its commit
    time in ms since the epoch (both int64). `reason` explains a TORN or DAMAGED tail.
    """

    start: int
    first_transaction: int
    last_checksum: int | None
    tail: Tail = Tail.END_OF_FILE
    reason: str = ""
    kernel_version: int | None = None
    ends: array[int] = field(default_factory=lambda: array("q"))
    commit_times: array[int] = field(default_factory=lambda: array("q"))

    @property
    def end(self) -> int:
        """Offset behind the last complete transaction."""
        return self.ends[-1] if self.ends else self.start

    @property
    def last_transaction(self) -> int:
        """Id of the last complete transaction, or of the one before the file when there is none."""
        return self.first_transaction + len(self.ends) - 1

    def is_boundary(self, offset: int) -> bool:
        """Tell whether a transaction starts or ends at `offset`."""
        position = bisect_left(self.ends, offset)
        return offset == self.start or (position < len(self.ends) and self.ends[position] == offset)


def has_commit(read_at: ReadAt, offset: int, kernel_version: int, transaction: int) -> bool:
    """Tell whether a commit entry of this transaction seems to stand somewhere behind `offset`.

    Behind a torn tail there is none; behind damage in the middle of a log there is.
    """
    layout = entries.commit_layout(kernel_version)
    needle = layout.prefix + layout.transaction.pack(transaction)
    overlap = b""
    while piece := read_at(offset, PIECE):
        if needle in overlap + piece:
            return True
        overlap = piece[-len(needle) :]
        offset += len(piece)
    return False


def has_data(descriptor: int, offset: int) -> bool:
    """Tell whether anything but zeros stands behind `offset` of an open file; its holes are not read."""
    size = os.fstat(descriptor).st_size
    while offset < size:
        try:
            offset = os.lseek(descriptor, offset, os.SEEK_DATA)
        except OSError as problem:
            if problem.errno == errno.ENXIO:
                return False
            raise
        piece = os.pread(descriptor, len(_ZEROS), offset)
        # A preallocated file has a quarter of a gigabyte of them: one comparison is far quicker than looking at each.
        if piece != _ZEROS[: len(piece)]:
            return True
        offset += max(1, len(piece))
    return False


class _Window:
    """A sliding piece of the file: bytes from `base` on."""

    def __init__(self, read_at: ReadAt, offset: int) -> None:
        self._read_at = read_at
        self.base = offset
        self.data = b""

    def extend(self, keep_from: int) -> bool:
        """Drop what is before `keep_from` and read another piece; False at the end of the file."""
        piece = self._read_at(self.base + len(self.data), PIECE)
        if not piece:
            return False
        self.data = self.data[keep_from - self.base :] + piece
        self.base = keep_from
        return True


class _Torn(Exception):
    """The transaction does not end within the file."""


class _Damaged(Exception):
    """The bytes at a boundary cannot be a transaction."""


def scan_log(
    read_at: ReadAt,
    header: LogHeader,
    *,
    previous_checksum: int | None = None,
    resume: Scan | None = None,
) -> Scan:
    """Find every complete transaction from the header on, or go on where an earlier scan of the same file ended.

    `previous_checksum` is the checksum of the last transaction of the file before, where that is known; versions that
    chain transactions (4.x, 5.x) are held to it.
    """
    scan = resume or Scan(header.size, header.last_transaction + 1, previous_checksum)
    window = _Window(read_at, scan.end)
    window.extend(scan.end)
    try:
        while _one_transaction(window, scan, header):
            pass
    except _Torn as torn:
        scan.tail, scan.reason = Tail.TORN, str(torn)
    except _Damaged as damaged:
        scan.tail, scan.reason = Tail.DAMAGED, str(damaged)
    return scan


def _one_transaction(window: _Window, scan: Scan, header: LogHeader) -> bool:
    """Take one transaction; False at the end of the log."""
    start = scan.end
    data, at = window.data, start - window.base
    if len(data) - at < 2:
        window.extend(start)
        data, at = window.data, start - window.base
        if len(data) <= at:
            scan.tail, scan.reason = Tail.END_OF_FILE, ""
            return False
    kernel_version = data[at]
    if kernel_version == 0:
        scan.tail, scan.reason = Tail.ZEROS, ""
        return False
    body = _start_entry(window, scan, start, header)
    _commit_entry(window, scan, start, body, kernel_version)
    scan.kernel_version = kernel_version
    return True


def _start_entry(window: _Window, scan: Scan, start: int, header: LogHeader) -> int:
    """Check the start entry; return the offset behind it."""
    while len(window.data) - (start - window.base) < 64 and window.extend(start):
        pass
    data, at = window.data, start - window.base
    kernel_version = data[at]
    if not entries.is_known(kernel_version):
        raise _Damaged(f"unknown kernel version {kernel_version} at {start}")
    if len(data) - at < 2:
        raise _Torn(f"the transaction at {start} is cut in its first bytes")
    if data[at + 1] == 0:
        raise _Torn(f"the transaction at {start} is cut behind its first byte")
    if data[at + 1] != entries.START:
        name = entries.ENTRY_NAMES.get(data[at + 1], f"type {data[at + 1]}")
        raise _Damaged(f"a {name} entry where a transaction must start, at {start}")
    layout = entries.start_layout(kernel_version)
    if len(data) - at < layout.size:
        raise _Torn(f"the transaction at {start} is cut in its start entry")
    values = layout.fields.unpack_from(data, at + 2)
    _check_start(layout, values, scan, start, header)
    return start + layout.size + int(values[-1])


def _check_start(
    layout: entries.StartLayout, values: tuple[int, ...], scan: Scan, start: int, header: LogHeader
) -> None:
    """Hold a start entry to what must come here: a possible length, the chain of checksums, the next append index."""
    if not 0 <= values[-1] <= entries.MAX_ADDITIONAL_HEADER:
        raise _Damaged(f"impossible additional header length {values[-1]} at {start}")
    expected = scan.last_checksum
    if layout.previous_checksum is not None and expected is not None and values[layout.previous_checksum] != expected:
        raise _Damaged(f"the transaction at {start} does not follow on the one before: its previous checksum differs")
    if layout.append_index is not None and header.last_append_index is not None:
        index = header.last_append_index + scan.last_transaction + 1 - header.last_transaction
        if values[layout.append_index] != index:
            raise _Damaged(f"append index {values[layout.append_index]} at {start} where {index} must come")


def _commit_entry(window: _Window, scan: Scan, start: int, body: int, kernel_version: int) -> None:
    """Find the commit entry that carries the next id and whose checksum covers all from `start` on."""
    layout = entries.commit_layout(kernel_version)
    transaction = scan.last_transaction + 1
    needle = layout.prefix + layout.transaction.pack(transaction)
    checksum, summed, search = 0, start, body
    while True:
        found = window.data.find(needle, search - window.base)
        if found >= 0 and len(window.data) - found >= entries.COMMIT_SIZE:
            commit = window.base + found
            view = memoryview(window.data)
            checksum = crc32c(view[summed - window.base : found], checksum)
            summed, search = commit, commit + 1
            _, commit_time, stored = layout.fields.unpack_from(window.data, found + 2)
            if crc32c(view[found : found + _SUMMED_OF_COMMIT], checksum) == stored:
                scan.ends.append(commit + entries.COMMIT_SIZE)
                scan.commit_times.append(commit_time)
                scan.last_checksum = stored
                return
            continue
        # Nothing complete here: sum what cannot be part of a commit entry any more, and read on.
        keep = (
            max(search, window.base + len(window.data) - entries.COMMIT_SIZE + 1) if found < 0 else window.base + found
        )
        keep = max(summed, min(keep, window.base + len(window.data)))
        checksum = crc32c(memoryview(window.data)[summed - window.base : keep - window.base], checksum)
        summed = search = keep
        if not window.extend(keep):
            raise _Torn(f"transaction {transaction} at {start} has no commit entry")
