"""Writing records to their pages in the store files: each page that is touched is read, changed and written once.

Memory is bounded by PAGES_AT_ONCE, however large the files. Files grow by whole pages of zeros, as Neo4j's do.
"""

from __future__ import annotations

import os
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
    """The record stores of one database directory, open for writing. All is durable once the block ends well."""

    def __init__(self, directory: Path, *, aligned: bool) -> None:
        self.geometries = geometries(directory, aligned=aligned)
        self._directory = directory
        self._open: dict[Store, int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            for store, descriptor in self._open.items() if kind is None else ():
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
            edges = np.append(first, len(records))
            for begin in range(0, len(pages), PAGES_AT_ONCE):
                end = min(begin + PAGES_AT_ONCE, len(pages))
                rows = slice(int(edges[begin]), int(edges[end]))
                _write_pages(descriptor, geometry, pages[begin:end], records[rows], places[rows], out)

    def _descriptor(self, store: Store) -> int:
        if store not in self._open:
            self._open[store] = os.open(self._directory / FILES[store], os.O_RDWR | os.O_CLOEXEC)
        return self._open[store]


def _write_pages(
    descriptor: int, geometry: Geometry, pages: Numbers, records: Numbers, places: Numbers, out: Output
) -> None:
    size = geometry.page_bytes
    buffer = np.zeros(len(pages) * size, np.uint8)
    view = buffer.data
    edges = [0, *(np.flatnonzero(np.diff(pages) != 1) + 1).tolist(), len(pages)]
    runs = [(edges[run], edges[run + 1]) for run in range(len(edges) - 1)]
    for begin, end in runs:
        _read_all(descriptor, view[begin * size : end * size], int(pages[begin]) * size)
    slots = np.searchsorted(pages, records // geometry.per_page)
    offsets = slots * size + records % geometry.per_page * geometry.record_bytes
    scatter(out, np.ascontiguousarray(places), buffer, offsets, geometry.record_bytes)
    for begin, end in runs:
        write_all(descriptor, view[begin * size : end * size], int(pages[begin]) * size)


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
            buffer[offset + step] = out[place + step]
