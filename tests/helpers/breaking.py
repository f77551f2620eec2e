"""Breaking a store on purpose: one field of one record at a time, by the layouts of docs/neo4j-formats.md.

`Breaker` reads the whole store (a small one), finds records that fit, and says which bytes are to be other ones: as a
map for FlippedPages, or written into files.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from neokeep.neo4j.recovery.layout import FILES, Store
from neokeep.neo4j.store import records as columns
from neokeep.neo4j.store.graph import GraphReader

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from neokeep.neo4j.store.pages import Bytes, StorePages

NOTHING = 0xFFFFFFFF


@dataclass
class Breaker:
    """What is in a store, and what is to be changed in it."""

    pages: StorePages
    flips: dict[tuple[str, int], int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.reader = GraphReader(self.pages, aligned=True)
        self.raw = {store: self._whole(store) for store in Store}
        self.nodes = columns.nodes(self.raw[Store.NODE])
        self.relationships = columns.relationships(self.raw[Store.RELATIONSHIP])
        self.groups = columns.groups(self.raw[Store.GROUP])
        self.properties = columns.properties(self.raw[Store.PROPERTY])

    def _whole(self, store: Store) -> Bytes:
        return np.concatenate([batch.records for batch in self.reader.tables[store].batches()])

    def labelled(self, label: str) -> int:
        """Find the first node with a label."""
        (number,) = (token for token, name in self.reader.tokens(Store.LABEL).items() if name == label)
        (batch,) = self.reader.nodes()
        return int(batch.ids[batch.labels.rows[batch.labels.labels == number][0]])

    def put(self, store: Store, record: int, at: int, value: bytes) -> None:
        """Change bytes of a record."""
        offset = self.reader.tables[store].geometry.offset(record) + at
        self.flips.update({(FILES[store], offset + step): byte for step, byte in enumerate(value)})

    def put_in(self, name: str, offset: int, value: bytes) -> None:
        """Change bytes of a file."""
        self.flips.update({(name, offset + step): byte for step, byte in enumerate(value)})

    def put4(self, store: Store, record: int, at: int, value: int) -> None:
        """Change a number of four bytes."""
        self.put(store, record, at, (value & NOTHING).to_bytes(4, "big"))

    def flip(self, store: Store, record: int, at: int, mask: int) -> None:
        """Flip bits of a byte."""
        self.put(store, record, at, bytes([int(self.raw[store][record, at]) ^ mask]))

    def block(self, record: int, place: int, change: Callable[[int], int]) -> None:
        """Change one of the longs of a property record."""
        long = int(self.properties.longs[record, place])
        self.put(Store.PROPERTY, record, 9 + 8 * place, (change(long) & (1 << 64) - 1).to_bytes(8, "big"))

    def block_of(self, kind: int) -> tuple[int, int]:
        """Find a property of a node, by the type of its block: the record and the place."""
        (batch,) = self.reader.nodes()
        blocks = batch.properties.blocks
        row = int(np.flatnonzero(blocks.kind == kind)[0])
        record = int(blocks.record[row])
        place = int(np.flatnonzero(self.properties.longs[record] == blocks.longs[row, 0])[0])
        return record, place

    def long_value(self, kind: int, length: int) -> int:
        """Find the first record of a text (9) or an array (10) that has so many records or more."""
        store = Store.STRINGS if kind == 9 else Store.ARRAYS
        held = columns.dynamic(self.raw[store])
        for record in np.flatnonzero(held.used & held.starts).tolist():
            count, at = 1, int(held.next[record])
            while at >= 0:
                count, at = count + 1, int(held.next[at])
            if record and count >= length:
                return int(record)
        raise AssertionError("no value is so long")

    def write(self, directory: Path) -> None:
        """Change the files of a store."""
        write_flips(directory, self.flips)


def write_flips(directory: Path, flips: Mapping[tuple[str, int], int]) -> None:
    """Change bytes of files, by name and offset."""
    for (name, offset), byte in flips.items():
        with (directory / name).open("r+b") as file:
            file.seek(offset)
            file.write(bytes([byte]))


Expected = tuple[str, Store, int]
"""Code, store, record."""

FREE = 10**8
"""A record that no store of a test has."""


@dataclass(frozen=True)
class Breaking:
    """One way to break a store; it gives what a check has to find."""

    name: str
    apply: Callable[[Breaker], Expected]


BREAKINGS: list[Breaking] = []


def breaking(function: Callable[[Breaker], Expected]) -> Callable[[Breaker], Expected]:
    """Note a way, named as its function is."""
    BREAKINGS.append(Breaking(function.__name__.replace("_", " "), function))
    return function
