"""Where the bytes of record stores come from, and reading records out of them by number.

`StorePages` is anything that gives ranges of named files: a database directory, files of a backup that are fetched
on demand, an archive that was unpacked. A `RecordTable` reads the records of one file: stretches of it, or records by
their ids in any order. Memory is bounded by what a caller asks for at once and by PAGES_AT_ONCE.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from neokeep.errors import IntegrityError
from neokeep.files import explain, explained
from neokeep.neo4j.recovery.layout import DYNAMIC, DYNAMIC_HEAD, FILES, PAGE, RECORD_BYTES, Geometry, Store

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType
    from typing import Self

Bytes = NDArray[np.uint8]
Numbers = NDArray[np.int64]
Flags = NDArray[np.bool_]

PAGES_AT_ONCE = 4096
"""Pages that are read together when records are asked for by their ids: 32 MiB."""

_SPREAD = 8
"""Pages that a table may have for each of those that are looked for, instead of searching these."""

_READ_OVER = 4
"""One page that nobody asked for is read for so many others at most, where all are read in one piece then."""

RECORDS_AT_ONCE = 128 * 1024
"""Records of a batch, where a caller does not say otherwise."""

Bring = Callable[[str, int, int], None]
"""Is told a range of a file (name, offset, length) before it is read: where files are filled on demand."""


class StorePages(Protocol):
    """The files of one store, by their names."""

    def size(self, name: str) -> int | None:
        """Tell the bytes of a file; None where it is not there."""

    def read(self, name: str, offset: int, length: int) -> Bytes:
        """Read a range: uint8, shorter at the end of the file."""


class DirectoryPages:
    """The files of a database directory, held open until the block ends. Nothing is written; threads may share it."""

    def __init__(self, directory: Path, *, bring: Bring | None = None) -> None:
        self._directory = directory
        self._bring = bring
        self._open: dict[str, int] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for descriptor in self._open.values():
            os.close(descriptor)
        self._open = {}

    @property
    def directory(self) -> Path | None:
        """The directory, where whoever can read it finds the same files; None where they are filled on demand."""
        return self._directory if self._bring is None else None

    def size(self, name: str) -> int | None:
        """See StorePages.size."""
        path = self._directory / name
        with explained("read", path):
            return path.stat().st_size if path.is_file() else None

    def read(self, name: str, offset: int, length: int) -> Bytes:
        """See StorePages.read."""
        if self._bring is not None:
            with self._lock:
                self._bring(name, offset, length)
        buffer = np.empty(length, np.uint8)
        try:
            descriptor = self._descriptor(name)
            done = os.preadv(descriptor, [buffer.data], offset)
            while 0 < done < length:
                more = os.preadv(descriptor, [buffer.data[done:]], offset + done)
                if not more:
                    break
                done += more
        except OSError as error:
            raise explain(error, "read", self._directory / name) from error
        return buffer[:done]

    def _descriptor(self, name: str) -> int:
        with self._lock:
            if name not in self._open:
                self._open[name] = os.open(self._directory / name, os.O_RDONLY | os.O_CLOEXEC)
            return self._open[name]


@dataclass(frozen=True, slots=True)
class Batch:
    """Records that follow on one another: the id of the first, and uint8, a row each."""

    first: int
    records: Bytes

    @property
    def ids(self) -> Numbers:
        """The id of each record."""
        return np.arange(self.first, self.first + len(self.records), dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Held:
    """Pages that were read together, and records in them: `rows` are their places among the ids that were asked for.

    `offsets` are where these records begin in `content`.
    """

    content: Bytes
    rows: Numbers
    offsets: Numbers


@dataclass(frozen=True, slots=True)
class RecordTable:
    """The records of one store file; `count` is the number of places, in use or not, in whole and in partial pages."""

    pages: StorePages
    store: Store
    geometry: Geometry
    count: int

    @property
    def name(self) -> str:
        """The name of the file."""
        return FILES[self.store]

    @property
    def page_count(self) -> int:
        """How many pages the places are in."""
        return -(-self.count // self.geometry.per_page)

    def batches(self, most: int | None = None, *, start: int = 0, stop: int | None = None) -> Iterator[Batch]:
        """Read records from `start` to before `stop` (the end of the file when None), whole pages at a time."""
        for begin, end in self.stretches(most, start=start, stop=stop):
            yield Batch(begin, self.stretch(begin, end))

    def stretches(
        self, most: int | None = None, *, start: int = 0, stop: int | None = None
    ) -> Iterator[tuple[int, int]]:
        """Cut the records from `start` to before `stop` at pages, `most` (RECORDS_AT_ONCE when None) in a stretch."""
        per_page = self.geometry.per_page
        step = max(1, (most or RECORDS_AT_ONCE) // per_page) * per_page
        end = self.count if stop is None else min(stop, self.count)
        if start < end:
            edges = [start, *range(start // per_page * per_page + step, end, step), end]
            yield from pairwise(edges)

    def stretch(self, start: int, stop: int) -> Bytes:
        """Read the records from `start`, which is in the file, to before `stop` or its end: uint8, a row each."""
        page = start // self.geometry.per_page
        end, before = min(stop, self.count), page * self.geometry.per_page
        records = self._stretch(page, -(-(end - before) // self.geometry.per_page))
        return records[start - before : end - before]

    def pages_with(self, start: int, stop: int) -> Bytes:
        """Read whole pages, with the records from `start` to before `stop`: uint8, zeros behind the end of the file."""
        first, behind = start // self.geometry.per_page, -(-stop // self.geometry.per_page)
        return self._pages(first, behind - first)

    def at(self, ids: Numbers) -> Bytes:
        """Read records by their ids, in any order and as often as asked: uint8, a row each.

        Ids that no place in the file has give zeros, which is a record that is not in use.
        """
        return Window(self).at(ids)

    def read_pages(self, pages: Numbers) -> tuple[Bytes, Numbers]:
        """Read pages, sorted and each once: their bytes, and where each begins in these."""
        first, count = int(pages[0]), int(pages[-1]) - int(pages[0]) + 1
        if count <= len(pages) + len(pages) // _READ_OVER:
            return self._pages(first, count), (pages - first) * self.geometry.page_bytes
        edges = [0, *(np.flatnonzero(np.diff(pages) != 1) + 1).tolist(), len(pages)]
        parts = [self._pages(int(pages[begin]), end - begin) for begin, end in pairwise(edges)]
        return np.concatenate(parts), np.arange(len(pages)) * self.geometry.page_bytes

    def _stretch(self, page: int, pages: int) -> Bytes:
        """Read all records of pages that follow on one another; what lies behind the end of the file is zeros."""
        geometry = self.geometry
        used = self._pages(page, pages).reshape(pages, geometry.page_bytes)[
            :, : geometry.per_page * geometry.record_bytes
        ]
        return used.reshape(-1, geometry.record_bytes)

    def _pages(self, page: int, pages: int) -> Bytes:
        length = pages * self.geometry.page_bytes
        content = self.pages.read(self.name, page * self.geometry.page_bytes, length)
        if len(content) < length:
            content = np.concatenate([content, np.zeros(length - len(content), np.uint8)])
        return content


class Window:
    """Reads records of a table by their ids. The pages that were read last are kept: what follows is often in them."""

    def __init__(self, table: RecordTable) -> None:
        self._table = table
        self._content = np.zeros(0, np.uint8)
        self._low = 0
        self._starts = np.zeros(0, np.int64)

    def at(self, ids: Numbers) -> Bytes:
        """See RecordTable.at."""
        width = self._table.geometry.record_bytes
        found = np.zeros((len(ids), width), np.uint8)
        for held in self.held(ids):
            found[held.rows] = np.lib.stride_tricks.sliding_window_view(held.content, width)[held.offsets]
        return found

    def held(self, ids: Numbers) -> Iterator[Held]:
        """Read the pages that records are in, PAGES_AT_ONCE together, and tell where in them each record begins.

        Ids that no place in the file has are in none.
        """
        geometry = self._table.geometry
        rows = np.flatnonzero((ids >= 0) & (ids < self._table.count))
        if not len(rows):
            return
        inside = ids if len(rows) == len(ids) else ids[rows]
        pages = inside // geometry.per_page
        places = (inside - pages * geometry.per_page) * geometry.record_bytes
        starts = self._kept(pages)
        kept = starts >= 0
        if kept.all():
            yield Held(self._content, rows, starts + places)
            return
        if kept.any():
            yield Held(self._content, rows[kept], (starts + places)[kept])
            rows, pages, places = rows[~kept], pages[~kept], places[~kept]
        ordered = distinct(pages)
        if len(ordered) <= PAGES_AT_ONCE:
            starts = self._read(ordered, pages)
            yield Held(self._content, rows, starts + places)
            return
        for begin in range(0, len(ordered), PAGES_AT_ONCE):
            some = ordered[begin : begin + PAGES_AT_ONCE]
            own = np.flatnonzero((pages >= some[0]) & (pages <= some[-1]))
            starts = self._read(some, pages[own])
            yield Held(self._content, rows[own], starts + places[own])

    def _kept(self, pages: Numbers) -> Numbers:
        """Tell where pages begin in what is kept; -1 of those that are not."""
        if not len(self._starts):
            return np.full(len(pages), -1, np.int64)
        at = pages - self._low
        near = (at >= 0) & (at < len(self._starts))
        return np.where(near, self._starts[np.where(near, at, 0)], -1)

    def _read(self, ordered: Numbers, pages: Numbers) -> Numbers:
        """Read pages (`ordered`, each once), and tell where those of records begin in them."""
        self._content, starts = self._table.read_pages(ordered)
        self._low, self._starts = int(ordered[0]), np.zeros(0, np.int64)
        span = int(ordered[-1]) - self._low + 1
        if span > _SPREAD * len(pages):
            found: Numbers = starts[np.searchsorted(ordered, pages)]
            return found
        self._starts = np.full(span, -1, np.int64)
        self._starts[ordered - self._low] = starts
        looked_up: Numbers = self._starts[pages - self._low]
        return looked_up


def distinct(numbers: Numbers, spread: int = _SPREAD) -> Numbers:
    """Sort numbers, each once: by a mark for each where all lie close together, which is many times quicker.

    `spread` is how many marks there may be for each of them.
    """
    low, span = int(numbers.min()), int(numbers.max()) - int(numbers.min()) + 1
    if span > spread * len(numbers):
        return np.unique(numbers)
    marks = np.zeros(span, np.bool_)
    marks[numbers - low] = True
    return np.flatnonzero(marks) + low


def open_tables(pages: StorePages, *, aligned: bool) -> Mapping[Store, RecordTable]:
    """Open the record stores in format `aligned` or `standard`.

    Raises:
        IntegrityError: a store file is missing, or does not say how large its records are.
    """
    return {store: _open(pages, store, aligned=aligned) for store in Store}


def _open(pages: StorePages, store: Store, *, aligned: bool) -> RecordTable:
    name = FILES[store]
    size = pages.size(name)
    if size is None:
        raise _unreadable(name, "it is not there")
    geometry = Geometry.of(_record_bytes(pages, name) if store in DYNAMIC else RECORD_BYTES[store], aligned=aligned)
    whole, rest = divmod(size, geometry.page_bytes)
    count = whole * geometry.per_page + min(rest // geometry.record_bytes, geometry.per_page)
    return RecordTable(pages, store, geometry, count)


def _record_bytes(pages: StorePages, name: str) -> int:
    size = int.from_bytes(pages.read(name, 0, 4).tobytes(), "big")
    if not DYNAMIC_HEAD < size <= PAGE:
        raise _unreadable(name, f"it says that its records have {size} bytes")
    return size


def _unreadable(name: str, why: str) -> IntegrityError:
    return IntegrityError(f"{name} cannot be read: {why}", remedy="Restore a backup; this store is not whole.")
