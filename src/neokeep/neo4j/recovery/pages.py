"""Writing records to their pages in the store files: each page that is touched is read, changed and written once.

Memory is bounded by PAGES_AT_ONCE, however large the files. Files grow by whole pages of zeros, as Neo4j's do.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from neokeep.errors import IntegrityError
from neokeep.files import explained, write_all
from neokeep.neo4j.recovery.compiled import Bytes, Numbers, Output, compiled
from neokeep.neo4j.recovery.layout import (
    DYNAMIC,
    DYNAMIC_HEAD,
    FILES,
    ID_BITS,
    PAGE,
    RECORD_BYTES,
    WITH_HEADER,
    Geometry,
    Store,
)

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType
    from typing import Self

PAGES_AT_ONCE = 4096

Bring = Callable[[str, "Numbers", int], None]
"""See StoreFiles."""


def geometries(directory: Path, *, aligned: bool) -> dict[Store, Geometry]:
    """Tell how the records of each store lie; those of dynamic stores are as large as their file says.

    Raises:
        IntegrityError: a store file is missing, or does not say how large its records are.
    """
    found = {store: Geometry.of(size, aligned=aligned) for store, size in RECORD_BYTES.items()}
    for store in Store:
        path = directory / FILES[store]
        if not path.is_file():
            raise _unusable(path, "it is not there")
        if store in DYNAMIC:
            found[store] = Geometry.of(_record_bytes(path), aligned=aligned)
    return found


def _record_bytes(path: Path) -> int:
    with explained("read", path), path.open("rb") as file:
        size = int.from_bytes(file.read(4), "big")
    if not DYNAMIC_HEAD < size <= PAGE:
        raise _unusable(path, f"it says that its records have {size} bytes")
    return size


def _unusable(path: Path, why: str) -> IntegrityError:
    return IntegrityError(
        f"{path.name} cannot be recovered: {why}", remedy="Restore another backup; this store is not whole."
    )


class StoreFiles:
    """The record stores of one database directory, open for writing. All is durable once the block ends well.

    `bring` is told which pages of a file (its name, page numbers, bytes of a page) will be looked at: where files are
    filled on demand, this is the demand. Such files are scratch, so nothing of them is made durable.
    """

    def __init__(self, directory: Path, *, aligned: bool, bring: Bring | None = None) -> None:
        self._directory = directory
        self._bring = bring
        for store in DYNAMIC if bring else ():
            self._demand(store, np.zeros(1, np.int64), PAGE)
        self.geometries = geometries(directory, aligned=aligned)
        self._open: dict[Store, int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            for store, descriptor in self._open.items() if kind is None and self._bring is None else ():
                with explained("write", self._directory / FILES[store]):
                    os.fsync(descriptor)
        finally:
            for descriptor in self._open.values():
                os.close(descriptor)
            self._open = {}

    def table(self) -> Numbers:
        """Describe the stores to compiled code: bytes of a record, lowest id, and the first id that is too large."""
        return np.array(
            [(self.geometries[store].record_bytes, store in WITH_HEADER, 1 << ID_BITS[store]) for store in Store],
            np.int64,
        )

    def write(self, store: Store, records: Numbers, places: Numbers, out: Output) -> None:
        """Write records (ids, sorted, each once) whose bytes stand at `places` in `out`."""
        geometry = self.geometries[store]
        needed = geometry.file_bytes(int(records[-1]))
        with explained("write", self._directory / FILES[store]):
            descriptor = self._descriptor(store)
            if os.fstat(descriptor).st_size < needed:
                os.ftruncate(descriptor, needed)
            pages, first = np.unique(records // geometry.per_page, return_index=True)
            self._demand(store, pages, geometry.page_bytes)
            edges = np.append(first, len(records))
            for begin in range(0, len(pages), PAGES_AT_ONCE):
                end = min(begin + PAGES_AT_ONCE, len(pages))
                rows = slice(int(edges[begin]), int(edges[end]))
                _write_pages(descriptor, geometry, pages[begin:end], records[rows], places[rows], out)

    def read(self, store: Store, records: Numbers) -> Bytes:
        """Read records (ids, sorted, each once): uint8, a row each; zeros where the file does not reach."""
        geometry = self.geometries[store]
        found = np.empty((len(records), geometry.record_bytes), np.uint8)
        pages, first = np.unique(records // geometry.per_page, return_index=True)
        self._demand(store, pages, geometry.page_bytes)
        edges = np.append(first, len(records))
        with explained("read", self._directory / FILES[store]):
            descriptor = self._descriptor(store)
            for begin in range(0, len(pages), PAGES_AT_ONCE):
                end = min(begin + PAGES_AT_ONCE, len(pages))
                rows = slice(int(edges[begin]), int(edges[end]))
                found[rows] = _read_records(descriptor, geometry, pages[begin:end], records[rows])
        return found

    def _demand(self, store: Store, pages: Numbers, page_bytes: int) -> None:
        if self._bring is not None:
            self._bring(FILES[store], pages, page_bytes)

    def _descriptor(self, store: Store) -> int:
        if store not in self._open:
            self._open[store] = os.open(self._directory / FILES[store], os.O_RDWR | os.O_CLOEXEC)
        return self._open[store]


def _write_pages(
    descriptor: int, geometry: Geometry, pages: Numbers, records: Numbers, places: Numbers, out: Output
) -> None:
    size = geometry.page_bytes
    buffer = _read_pages(descriptor, pages, size)
    scatter(out, np.ascontiguousarray(places), buffer, _offsets(geometry, pages, records), geometry.record_bytes)
    view = buffer.data
    for begin, end in _runs(pages):
        write_all(descriptor, view[begin * size : end * size], int(pages[begin]) * size)


def _read_records(descriptor: int, geometry: Geometry, pages: Numbers, records: Numbers) -> Bytes:
    buffer = _read_pages(descriptor, pages, geometry.page_bytes)
    offsets = _offsets(geometry, pages, records)
    found: Bytes = buffer[offsets[:, None] + np.arange(geometry.record_bytes)]
    return found


def _offsets(geometry: Geometry, pages: Numbers, records: Numbers) -> Numbers:
    """Give the offsets of records in a buffer that holds these pages, one behind the other."""
    slots = np.searchsorted(pages, records // geometry.per_page)
    return slots * geometry.page_bytes + records % geometry.per_page * geometry.record_bytes


def _read_pages(descriptor: int, pages: Numbers, size: int) -> Output:
    buffer = np.zeros(len(pages) * size, np.uint8)
    view = buffer.data
    for begin, end in _runs(pages):
        _read_all(descriptor, view[begin * size : end * size], int(pages[begin]) * size)
    return buffer


def _runs(pages: Numbers) -> list[tuple[int, int]]:
    """Find stretches of pages that follow on one another."""
    edges = [0, *(np.flatnonzero(np.diff(pages) != 1) + 1).tolist(), len(pages)]
    return [(edges[run], edges[run + 1]) for run in range(len(edges) - 1)]


def _read_all(descriptor: int, view: memoryview, offset: int) -> None:
    """Read until the view is full or the file ends."""
    while view:
        count = os.preadv(descriptor, [view], offset)
        if not count:
            return
        view, offset = view[count:], offset + count


@compiled
def scatter(out: Bytes, places: Numbers, buffer: Output, offsets: Numbers, size: int) -> None:
    """Copy records of `size` bytes from `places` in `out` to `offsets` in `buffer`."""
    for row in range(len(places)):
        place, offset = places[row], offsets[row]
        for step in range(size):
            buffer[np.uint64(offset + step)] = out[np.uint64(place + step)]
