"""Taking transactions off the pieces of a log file, as long as each follows on the one before.

What looks like a commit entry, kernel version and type, is found for a whole piece at once: `bytes.find` for one id is
slower than a disk where there are many zeros. Then a run of transactions is taken at once where nothing is odd, and one
by one where something is: fake commit entries, a transaction larger than the piece, damage. Both ways hold a
transaction to the same: a start entry that follows on, a commit entry with the next id, a CRC-32C over all between.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from crc32c import crc32c

from neokeep.neo4j.log import entries

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from neokeep.neo4j.log.header import LogHeader
    from neokeep.neo4j.log.scan import Scan

    Numbers = NDArray[np.int64]
    Truths = NDArray[np.bool_]

SUMMED_OF_COMMIT = entries.COMMIT_SIZE - entries.CHECKSUM_SIZE

LARGEST_START = 64
"""At least the bytes of a start entry in any kernel version, without the additional header."""

_STRIP = 256 * 1024
"""Bytes that are looked at in one go: so few that they and the answers stay in the processor's cache."""

_RUN = 4096
"""Transactions in a run, at most: what is found behind something odd is looked for again, and must not cost much."""

_MANY = 32
"""Transactions in a run that is worth its start."""

_BACK_TO_NOTHING = 0x9BE0_9BAB
"""The CRC-32C of these four bytes, in little endian, is 0, which is that of no bytes at all."""

_KINDS = {"I": "u4", "i": "i4", "q": "i8"}
"""Numbers as `struct` names them, and as numpy does."""


class Torn(Exception):
    """The transaction does not end within the file."""


class Damaged(Exception):
    """The bytes at a boundary cannot be a transaction; from `behind` on nothing that was read speaks for or against."""

    def __init__(self, reason: str, behind: int) -> None:
        super().__init__(reason)
        self.behind = behind


@dataclass(frozen=True, slots=True)
class Marks:
    """What looks like a commit entry, in order: offsets in the bytes that were searched, and transaction ids."""

    kernel_versions: range
    offsets: Numbers
    ids: Numbers


def find_marks(data: bytes, kernel_versions: range) -> Marks:
    """Find what looks like a whole commit entry of one of some kernel versions, which are of one byte order."""
    view = np.frombuffer(data, np.uint8)
    last = len(data) - entries.COMMIT_SIZE
    found = [np.empty(0, np.int64)]
    for at in range(0, last + 1, _STRIP):
        strip = view[at : min(at + _STRIP, last + 1) + 1]
        # Where a byte is smaller than the first version the difference is a large one: bytes have no sign.
        versions = strip[:-1] - np.uint8(kernel_versions[0]) < len(kernel_versions)
        found.append(np.flatnonzero(versions & (strip[1:] == entries.COMMIT)) + at)
    offsets = np.concatenate(found)
    code = entries.commit_layout(kernel_versions[0]).transaction.format
    return Marks(kernel_versions, offsets, _fields(data, offsets + 2, code))


class Window:
    """A sliding piece of the file: bytes from `base` on."""

    def __init__(self, read_at: Callable[[int, int], bytes], offset: int, piece: int) -> None:
        self._read_at = read_at
        self._piece = piece
        self._marks: Marks | None = None
        self.base = offset
        self.data = b""

    @property
    def end(self) -> int:
        """Offset behind the bytes that are held."""
        return self.base + len(self.data)

    def extend(self, keep_from: int) -> bool:
        """Drop what is before `keep_from` and read another piece; False at the end of the file."""
        piece = self._read_at(self.end, self._piece)
        if not piece:
            return False
        self.data = self.data[keep_from - self.base :] + piece
        self.base = keep_from
        self._marks = None
        return True

    def has_data(self, offset: int) -> bool:
        """Tell whether anything but zeros is held from `offset` on."""
        rest = self.data[offset - self.base :]
        return rest != bytes(len(rest))

    def marks(self, kernel_version: int) -> Marks:
        """Give all that looks like a commit entry of a kernel version; found once for these bytes."""
        wanted = range(kernel_version, kernel_version + 1)
        if self._marks is None or self._marks.kernel_versions != wanted:
            self._marks = find_marks(self.data, wanted)
        return self._marks

    def commits(self, kernel_version: int, transaction: int | None, search: int) -> Iterator[int]:
        """Give the offsets, from `search` on, of what looks like a commit entry of one transaction, or of any."""
        marks = self.marks(kernel_version)
        first = int(np.searchsorted(marks.offsets, search - self.base))
        # In steps: mostly the first one is it.
        for at in range(first, len(marks.offsets), _RUN):
            offsets, ids = marks.offsets[at : at + _RUN], marks.ids[at : at + _RUN]
            for offset in (offsets if transaction is None else offsets[ids == transaction]).tolist():
                yield self.base + offset


def take_all(window: Window, scan: Scan, header: LogHeader) -> bool:
    """Take every transaction up to the end of the log; True when zeros are behind it, False at the end of the file.

    Raises:
        Torn: the file ends inside of a transaction.
        Damaged: no transaction can begin like what follows on the last one.
    """
    while True:
        taken = _take_run(window, scan, header)
        # A run that is cut short soon costs more than its transactions one by one.
        for _ in range(1 if taken >= _MANY else _MANY):
            start = scan.end
            if len(window.data) - (start - window.base) < 2:
                window.extend(start)
            if window.end <= start:
                return False
            if window.data[start - window.base] == 0:
                return True
            take_one(window, scan, header)


def take_one(window: Window, scan: Scan, header: LogHeader, *, search: int = 0, any_id: bool = False) -> None:
    """Take one transaction, which begins where the scan is, and whose commit entry is not before `search`.

    With `any_id` a transaction with another id than the next one is taken too.
    """
    start = scan.end
    while window.end - start < LARGEST_START and window.extend(start):
        pass
    if window.end <= start:
        raise Torn(f"the file ends before {start}")
    kernel_version = window.data[start - window.base]
    body = _start_entry(window, scan, header)
    _commit_entry(window, scan, max(body, search), kernel_version, None if any_id else scan.last_transaction + 1)
    scan.kernel_version = kernel_version


def _start_entry(window: Window, scan: Scan, header: LogHeader) -> int:
    """Check the start entry; return the offset behind it."""
    start = scan.end
    data, at = window.data, start - window.base
    kernel_version = data[at]
    if not entries.is_known(kernel_version):
        raise Damaged(f"unknown kernel version {kernel_version} at {start}", start)
    if len(data) - at < 2:
        raise Torn(f"the transaction at {start} is cut in its first bytes")
    if data[at + 1] != entries.START:
        name = entries.ENTRY_NAMES.get(data[at + 1], f"type {data[at + 1]}")
        raise Damaged(f"a {name} entry where a transaction must start, at {start}", start + 1)
    layout = entries.start_layout(kernel_version)
    if len(data) - at < layout.size:
        raise Torn(f"the transaction at {start} is cut in its start entry")
    values = layout.fields.unpack_from(data, at + 2)
    if problem := start_problem(layout, values, scan.last_transaction + 1, scan.last_checksum, header):
        raise Damaged(f"the transaction at {start} {problem}", start + layout.size)
    return start + layout.size + int(values[-1])


def start_problem(
    layout: entries.StartLayout, values: tuple[int, ...], transaction: int, previous: int | None, header: LogHeader
) -> str:
    """Hold a start entry to what must come here: a possible length, the chain of checksums, the next append index."""
    if not 0 <= values[-1] <= entries.MAX_ADDITIONAL_HEADER:
        return f"has an impossible additional header length, {values[-1]}"
    if layout.previous_checksum is not None and previous is not None and values[layout.previous_checksum] != previous:
        return "does not follow on the one before: its previous checksum differs"
    if layout.append_index is not None and header.last_append_index is not None:
        index = header.last_append_index + transaction - header.last_transaction
        if values[layout.append_index] != index:
            return f"has append index {values[layout.append_index]} where {index} must come"
    return ""


def _commit_entry(window: Window, scan: Scan, search: int, kernel_version: int, transaction: int | None) -> None:
    """Find the commit entry of a transaction, or of any, whose checksum covers all from the start entry on."""
    layout = entries.commit_layout(kernel_version)
    start, checksum, summed, unfit = scan.end, 0, scan.end, 0
    while True:
        view = memoryview(window.data)
        for commit in window.commits(kernel_version, transaction, search):
            found = commit - window.base
            checksum = crc32c(view[summed - window.base : found], checksum)
            summed = commit
            _, commit_time, stored = layout.fields.unpack_from(view, found + 2)
            if crc32c(view[found : found + SUMMED_OF_COMMIT], checksum) == stored:
                scan.ends.append(commit + entries.COMMIT_SIZE)
                scan.commit_times.append(commit_time)
                scan.last_checksum = stored
                return
            unfit = commit
        # Sum what cannot be part of a commit entry any more, and read on.
        keep = max(summed, window.end - entries.COMMIT_SIZE + 1)
        checksum = crc32c(view[summed - window.base : keep - window.base], checksum)
        summed, search = keep, max(search, keep)
        if not window.extend(keep):
            why = f"the checksum in its commit entry at {unfit} does not fit" if unfit else "it has no commit entry"
            raise Torn(f"transaction {scan.last_transaction + 1} at {start} is not complete: {why}")


def _take_run(window: Window, scan: Scan, header: LogHeader) -> int:
    """Take the transactions of the window that follow on one another with nothing odd; return how many."""
    data, first = window.data, scan.end - window.base
    if len(data) - first < LARGEST_START or not entries.is_known(data[first]):
        return 0
    kernel_version = data[first]
    commits = _in_a_row(window.marks(kernel_version), first, scan.last_transaction + 1)
    starts = np.concatenate(([first], commits[:-1] + entries.COMMIT_SIZE))[: len(commits)]
    layout = entries.start_layout(kernel_version)
    count = _so_far(starts + layout.size <= commits)
    commits, starts = commits[:count], starts[:count]
    order = layout.fields.format[0]
    stored = _fields(data, commits + SUMMED_OF_COMMIT, f"{order}I")
    count = _so_far(_starts_follow_on(data, starts, commits, stored, scan, header))
    count = _with_right_checksum(data, starts[:count], commits[:count], stored[:count])
    if count:
        scan.ends.frombytes((commits[:count] + (window.base + entries.COMMIT_SIZE)).tobytes())
        scan.commit_times.frombytes(_fields(data, commits[:count] + 10, f"{order}q").tobytes())
        scan.last_checksum = int(stored[count - 1])
        scan.kernel_version = kernel_version
    return count


def _in_a_row(marks: Marks, first: int, transaction: int) -> Numbers:
    """Give the offsets of commit entries from `first` on whose ids are the next ones, each once."""
    begin = int(np.searchsorted(marks.offsets, first))
    offsets, numbers = marks.offsets[begin : begin + _RUN], marks.ids[begin : begin + _RUN] - transaction
    mine = (numbers >= 0) & (numbers < len(numbers))
    offsets, numbers = offsets[mine], numbers[mine]
    return offsets[: _so_far(numbers == np.arange(len(numbers)))]


def _starts_follow_on(
    data: bytes, starts: Numbers, commits: Numbers, stored: Numbers, scan: Scan, header: LogHeader
) -> Truths:
    """Tell of each start entry what `start_problem` tells of one."""
    if not len(starts):
        return np.empty(0, np.bool_)
    kernel_version = data[int(starts[0])]
    layout = entries.start_layout(kernel_version)
    order = layout.fields.format[0]
    view = np.frombuffer(data, np.uint8)
    extra = _fields(data, starts + layout.size - 4, f"{order}i")
    room = np.minimum(commits - starts - layout.size, entries.MAX_ADDITIONAL_HEADER)
    good: Truths = (view[starts] == kernel_version) & (view[starts + 1] == entries.START)
    good &= (extra >= 0) & (extra <= room)
    if layout.previous_checksum is not None:
        previous = _fields(data, starts + _place(layout, layout.previous_checksum), f"{order}I")
        good[1:] &= previous[1:] == stored[:-1]
        good[0] &= scan.last_checksum is None or bool(previous[0] == scan.last_checksum)
    if layout.append_index is not None and header.last_append_index is not None:
        index = header.last_append_index + scan.last_transaction + 1 - header.last_transaction
        found = _fields(data, starts + _place(layout, layout.append_index), f"{order}q")
        good &= found - index == np.arange(len(starts))
    return good


def _with_right_checksum(data: bytes, starts: Numbers, commits: Numbers, stored: Numbers) -> int:
    """Count how many transactions from the first one on have the checksum that their commit entries hold.

    One call of `crc32c` for all of them, in place of one for each: behind a transaction the sum depends on what the
    transaction says its checksum is, if that is right, and on nothing else. So other bytes in the place of the checksum
    take the sum back to where it began, ready for the next transaction, and at the end of all it is that of no bytes.
    """
    if not len(starts):
        return 0
    begin, end = int(starts[0]), int(commits[-1]) + entries.COMMIT_SIZE
    run = bytearray(data[begin:end])
    everywhere = np.ndarray((len(run) - 3,), np.dtype("<u4"), run, 0, (1,))
    everywhere[commits + (SUMMED_OF_COMMIT - begin)] = stored ^ _BACK_TO_NOTHING
    if crc32c(run) == 0:
        return len(starts)
    view = memoryview(data)
    places = zip(starts.tolist(), (commits + SUMMED_OF_COMMIT).tolist(), stored.tolist(), strict=True)
    wrong = (number for number, (at, until, sum_) in enumerate(places) if crc32c(view[at:until]) != sum_)
    return next(wrong, 0)


def _place(layout: entries.StartLayout, field: int) -> int:
    """Tell where a field of a start entry stands."""
    return 2 + struct.calcsize(layout.fields.format[: 1 + field])


def _fields(data: bytes, offsets: Numbers, code: str) -> Numbers:
    """Read a number of one format at each of some offsets, wherever they are aligned."""
    size = struct.calcsize(code)
    if len(data) < size:
        return np.empty(0, np.int64)
    everywhere = np.ndarray((len(data) - size + 1,), np.dtype(code[0] + _KINDS[code[1]]), data, 0, (1,))
    return everywhere[offsets].astype(np.int64)


def _so_far(good: Truths) -> int:
    """Count how many are good from the first one on."""
    return len(good) if good.all() else int(good.argmin())
