"""Boundaries of transactions in one plain log file, without parsing commands, and a verdict on what is behind them.

The next transaction id is known, so the commit entry that carries it is searched for and confirmed by the CRC-32C over
the whole transaction: a match by chance is a matter of 2**-32. The file is read in pieces, so memory does not grow with
the file or with a transaction. Works on files that grow meanwhile: what is not complete is no error here.

The log is *damaged* where what follows can be no transaction, or where a transaction is not complete and a later one
stands behind it. Half a transaction, and one whose checksum does not fit with nothing behind it, are *torn*: a power
loss leaves them.
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

from neokeep.neo4j.log import entries
from neokeep.neo4j.log.boundaries import (
    LARGEST_START,
    Damaged,
    Torn,
    Window,
    find_marks,
    start_problem,
    take_all,
    take_one,
)

if TYPE_CHECKING:
    from neokeep.neo4j.log.header import LogHeader

ReadAt = Callable[[int, int], bytes]
"""Read up to `length` bytes at `offset`; fewer only at the end of the file."""

PIECE = 4 * 1024 * 1024
_ZEROS = bytes(1 << 20)
_LARGEST_ID = 1 << 62

_SMALLEST_TRANSACTION = 48
"""Bytes; a start entry and a commit entry without a command between them are as long in the oldest version."""

_SECOND_LOOKS = 16
"""How often bytes that were made to look like a commit entry, checksum and all, are seen through in one scan."""

_BIG_ENDIAN, _LITTLE_ENDIAN = range(entries.OLDEST_KERNEL, 5), range(5, entries.NEWEST_KERNEL + 1)
_LAST_BIG_ENDIAN_FORMAT = 7


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

    Behind a torn tail there is none; behind damage in the middle of a log there is. `kernel_version` is what stands at
    `offset`. It may be what is damaged, so its byte order is only the first that is tried.
    """
    for kernel_versions in sorted((_BIG_ENDIAN, _LITTLE_ENDIAN), key=lambda those: kernel_version not in those):
        window = Window(read_at, offset, PIECE)
        while window.extend(max(offset, window.end - entries.COMMIT_SIZE + 1)):
            if window.has_data(window.base) and (find_marks(window.data, kernel_versions).ids == transaction).any():
                return True
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
    if not 0 <= scan.last_transaction <= _LARGEST_ID:
        scan.tail, scan.reason = Tail.DAMAGED, f"no log follows on transaction {scan.last_transaction}"
        return scan
    for _ in range(_SECOND_LOOKS):
        if _take(read_at, scan, header):
            return scan
        behind = _look_behind(read_at, scan, header)
        if not any(_ends_later(read_at, scan, header, suspect) for suspect in behind.again[:_SECOND_LOOKS]):
            if scan.tail is Tail.TORN and (why := behind.goes_on or _wrong_header(read_at, scan, header)):
                scan.tail, scan.reason = Tail.DAMAGED, f"{scan.reason}; {why}"
            if len(behind.again) <= _SECOND_LOOKS:
                return scan
            break
    scan.tail = Tail.DAMAGED
    scan.reason = f"it cannot be told which bytes before {scan.end} end a transaction and which only seem to"
    return scan


def _take(read_at: ReadAt, scan: Scan, header: LogHeader) -> bool:
    """Take all transactions that follow and say what is behind the last one; True when that is a clean end."""
    window = Window(read_at, scan.end, PIECE)
    window.extend(scan.end)
    try:
        zeros = take_all(window, scan, header)
    except Torn as torn:
        scan.tail, scan.reason = Tail.TORN, str(torn)
    except Damaged as damaged:
        scan.tail, scan.reason = Tail.DAMAGED, str(damaged)
        if _only_zeros(read_at, damaged.behind):
            scan.tail, scan.reason = Tail.TORN, f"the transaction at {scan.end} is cut in its start entry"
    else:
        scan.tail, scan.reason = Tail.ZEROS if zeros else Tail.END_OF_FILE, ""
        return not window.has_data(scan.end)
    return False


@dataclass(frozen=True, slots=True)
class _Behind:
    """What a log holds behind the last transaction that was taken.

    `again`: transactions that were taken, and of which something like a commit entry stands there too. `goes_on`: where
    a later transaction begins.
    """

    again: tuple[int, ...]
    goes_on: str


def _look_behind(read_at: ReadAt, scan: Scan, header: LogHeader) -> _Behind:
    """Look for what tells damage from half a transaction, without knowing where any transaction begins."""
    window, last, again = Window(read_at, scan.end, PIECE), scan.last_transaction, dict[int, None]()
    kernel_versions = _BIG_ENDIAN if header.format <= _LAST_BIG_ENDIAN_FORMAT else _LITTLE_ENDIAN
    while window.extend(max(scan.end, window.end - entries.COMMIT_SIZE + 1)):
        if not window.has_data(window.base):
            continue
        marks = find_marks(window.data, kernel_versions)
        taken = marks.ids[(marks.ids >= scan.first_transaction) & (marks.ids <= last)]
        again.update(dict.fromkeys(taken.tolist()))
        # So many transactions fit between here and there: random numbers that look like an id are mostly larger.
        fitting = 1 + (marks.offsets + (window.base - scan.end)) // _SMALLEST_TRANSACTION
        plausible = (marks.ids > last) & (marks.ids <= last + fitting)
        for at, transaction in zip(marks.offsets[plausible].tolist(), marks.ids[plausible].tolist(), strict=True):
            end = at + entries.COMMIT_SIZE
            if _follows_on(read_at(window.base + end, LARGEST_START), window.data[at:end], transaction, header):
                place = window.base + end
                return _Behind(tuple(again), f"yet transaction {transaction + 1} follows behind it, at {place}")
    return _Behind(tuple(again), "")


def _follows_on(start: bytes, commit: bytes, transaction: int, header: LogHeader) -> bool:
    """Tell whether a start entry names what is in the commit entry before it, which cannot be chance."""
    if len(start) < 2 or start[1] != entries.START or not entries.is_known(start[0]):
        return False
    layout = entries.start_layout(start[0])
    chained = layout.previous_checksum is not None
    numbered = layout.append_index is not None and header.last_append_index is not None
    if len(start) < layout.size or not (chained or numbered):
        return False
    _, _, checksum = entries.commit_layout(commit[0]).fields.unpack_from(commit, 2)
    return not start_problem(layout, layout.fields.unpack_from(start, 2), transaction + 1, checksum, header)


def _ends_later(read_at: ReadAt, scan: Scan, header: LogHeader, transaction: int) -> bool:
    """Take another end of a transaction, if it has one further on where its checksum holds too.

    Then the first one was no commit entry but bytes inside of the transaction, made to look like one; and so is all
    that was taken behind it.
    """
    kept = transaction - scan.first_transaction
    ends, times, checksum = scan.ends[kept:], scan.commit_times[kept:], scan.last_checksum
    del scan.ends[kept:], scan.commit_times[kept:]
    scan.last_checksum = None
    try:
        take_one(Window(read_at, scan.end, PIECE), scan, header, search=ends[-1])
    except (Torn, Damaged):
        scan.ends.extend(ends)
        scan.commit_times.extend(times)
        scan.last_checksum = checksum
        return False
    return True


def _wrong_header(read_at: ReadAt, scan: Scan, header: LogHeader) -> str:
    """Say so if the file begins with another transaction than its header announces: headers have no checksum."""
    if scan.end > header.size:
        return ""
    probe = Scan(scan.start, scan.first_transaction, None)
    try:
        take_one(Window(read_at, scan.start, PIECE), probe, header, any_id=True)
    except (Torn, Damaged):
        return ""
    return f"another one stands there, up to {probe.end}: the header of the file is damaged"


def _only_zeros(read_at: ReadAt, offset: int) -> bool:
    """Tell whether there is nothing but zeros from `offset` on, if there is anything."""
    while piece := read_at(offset, PIECE):
        if piece != bytes(len(piece)):
            return False
        offset += len(piece)
    return True
