"""Compare two store directories record by record: what is in use in each, and nothing else.

Free records, the bytes behind the end of a dynamic record and those behind the last block of a property record are
left over from earlier and say nothing. Memory is bounded by PAGES_AT_ONCE, however large the stores.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from neokeep.neo4j.recovery.layout import DYNAMIC_HEAD, FILES, WITH_HEADER, Geometry, Store
from neokeep.neo4j.recovery.meaning import different_rows, records_in_use
from neokeep.neo4j.recovery.pages import geometries
from neokeep.neo4j.store.layout import NEOSTORE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]
    Flags = NDArray[np.bool_]

PAGES_AT_ONCE = 2048
SHOWN = 20
"""Differences of a store that are told in full."""

_SLOT_BYTES = 9
_SLOTS = 100
_TOKENS = {
    Store.LABEL: Store.LABEL_NAMES,
    Store.TYPE: Store.TYPE_NAMES,
    Store.PROPERTY_KEY: Store.PROPERTY_KEY_NAMES,
}


@dataclass(frozen=True, slots=True)
class Difference:
    """A record that differs, with its bytes in both directories; None where it is not in use."""

    store: str
    id: int
    first: bytes | None
    second: bytes | None

    def __str__(self) -> str:
        sides = ["not in use" if side is None else side.hex() for side in (self.first, self.second)]
        return f"{self.store} {self.id}: {sides[0]} / {sides[1]}"


@dataclass(frozen=True, slots=True)
class Comparison:
    """How many records are in use in the first directory and how many differ, by file; the first differences."""

    in_use: Mapping[str, int]
    different: Mapping[str, int]
    differences: tuple[Difference, ...]

    @property
    def same(self) -> bool:
        """Whether nothing differs."""
        return not self.differences


def compare_stores(first: Path, second: Path, *, aligned: bool) -> Comparison:
    """Compare the record stores, the slots of `neostore` and the names of tokens in two directories."""
    in_use, different, told = dict[str, int](), dict[str, int](), list[Difference]()
    geometry = geometries(first, aligned=aligned)
    for store, name in FILES.items():
        used = count = 0
        for ours, theirs, start in _pieces(first / name, second / name, geometry[store]):
            found = _compare(store, ours, theirs, start)
            used += found.used
            count += len(found.different)
            told += found.told[: max(0, SHOWN - count + len(found.different))]
        in_use[name], different[name] = used, count
    told += [*_slots(first / NEOSTORE, second / NEOSTORE), *_names(first, second, geometry)]
    return Comparison(in_use, {name: number for name, number in different.items() if number}, tuple(told))


@dataclass(frozen=True, slots=True)
class _Piece:
    used: int
    different: NDArray[np.int64]
    told: list[Difference]


def _compare(store: Store, first: Bytes, second: Bytes, start: int) -> _Piece:
    used = [records_in_use(store, records) for records in (first, second)]
    if start == 0 and store in WITH_HEADER:
        for flags in used:
            flags[:1] = True
    different = different_rows(store, first, second, used)
    told = [
        Difference(
            FILES[store],
            start + int(row),
            *(side[row].tobytes() if flags[row] else None for side, flags in zip((first, second), used, strict=True)),
        )
        for row in different[:SHOWN]
    ]
    return _Piece(int(used[0].sum()), different, told)


def _pieces(first: Path, second: Path, geometry: Geometry) -> Iterator[tuple[Bytes, Bytes, int]]:
    """Give the records of both files, so many pages at a time, with the id of the first; the shorter one has zeros."""
    size = PAGES_AT_ONCE * geometry.page_bytes
    with first.open("rb") as ours, second.open("rb") as theirs:
        length = max(os.fstat(ours.fileno()).st_size, os.fstat(theirs.fileno()).st_size)
        for number in range(-(-length // size)):
            pages = min(PAGES_AT_ONCE, -(-(length - number * size) // geometry.page_bytes))
            held = [_records(file.read(size), pages, geometry) for file in (ours, theirs)]
            yield held[0], held[1], number * PAGES_AT_ONCE * geometry.per_page


def _records(content: bytes, pages: int, geometry: Geometry) -> Bytes:
    whole = np.frombuffer(content.ljust(pages * geometry.page_bytes, b"\0"), np.uint8)
    page = whole.reshape(pages, geometry.page_bytes)[:, : geometry.per_page * geometry.record_bytes]
    return page.reshape(-1, geometry.record_bytes)


def _slots(first: Path, second: Path) -> Iterator[Difference]:
    pages = [path.read_bytes()[: _SLOTS * _SLOT_BYTES].ljust(_SLOTS * _SLOT_BYTES, b"\0") for path in (first, second)]
    for slot in range(_SLOTS):
        sides = [page[slot * _SLOT_BYTES : (slot + 1) * _SLOT_BYTES] for page in pages]
        ours, theirs = (side if side[0] else None for side in sides)
        if ours != theirs:
            yield Difference(NEOSTORE, slot, ours, theirs)


def _names(first: Path, second: Path, geometry: Mapping[Store, Geometry]) -> Iterator[Difference]:
    for store in _TOKENS:
        ours, theirs = (token_names(directory, store, geometry) for directory in (first, second))
        for number in sorted({*ours, *theirs}):
            if ours.get(number) != theirs.get(number):
                yield Difference(f"names of {FILES[store]}", number, ours.get(number), theirs.get(number))


def token_names(directory: Path, store: Store, geometry: Mapping[Store, Geometry]) -> dict[int, bytes]:
    """Read the names of all labels, relationship types or property keys, as UTF-8, by their ids."""
    tokens, chains = (_all(directory / FILES[each], geometry[each]) for each in (store, _TOKENS[store]))
    names = dict[int, bytes]()
    for number in np.flatnonzero(records_in_use(store, tokens)).tolist():
        at, name = int.from_bytes(tokens[number, -4:].tobytes(), "big"), b""
        for _ in range(len(chains)):
            record = chains[at].tobytes() if at < len(chains) else b""
            name += record[DYNAMIC_HEAD : DYNAMIC_HEAD + int.from_bytes(record[1:4], "big")]
            at = int.from_bytes(record[4:8], "big")
            if not record or at == 0xFFFFFFFF:
                break
        names[number] = name
    return names


def _all(path: Path, geometry: Geometry) -> Bytes:
    content = path.read_bytes()
    return _records(content, -(-len(content) // geometry.page_bytes), geometry)
