"""Small graphs written as record stores in memory, for tests that compare what is read with what was meant.

A value is told by its type, and is as its first long and its bytes in the array store make it: readers that look at
types alone need no more. Records of nodes, relationships and properties lie in a random order with gaps.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from neokeep.neo4j.recovery.layout import DYNAMIC, FILES, PAGE, RECORD_BYTES, Geometry, Store
from neokeep.neo4j.store.graph import GraphReader

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

    from neokeep.neo4j.store.pages import Bytes

_NONE = 0xFFFFFFFF
DYNAMIC_BYTES = 64

# Of each type, blocks that a value of it may have: kind and the bits above it, longs behind, bytes of an array.
BLOCKS: dict[str, list[tuple[int, int, bytes | None]]] = {
    "BOOLEAN": [(1 | 1 << 4, 0, None)],
    "INTEGER": [(2 | 5 << 4, 0, None), (5 | 7 << 4, 0, None), (6 | 1 << 4 | 9 << 5, 0, None), (6, 1, None)],
    "FLOAT": [(7, 0, None), (8, 1, None)],
    "STRING": [(4 | 65 << 4, 0, None), (9 | 3 << 4, 0, None), (11 | 10 << 4 | 12 << 9, 2, None)],
    "POINT": [(13 | 1 << 4 | 2 << 8, 2, None), (13 | 1 << 4 | 3 << 8, 3, None)],
    "DATE": [(14 | 1 << 4 | 1 << 8, 0, None), (14 | 1 << 4, 1, None)],
    "LOCAL TIME": [(14 | 2 << 4, 1, None)],
    "LOCAL DATETIME": [(14 | 3 << 4, 1, None)],
    "ZONED TIME": [(14 | 4 << 4, 1, None)],
    "ZONED DATETIME": [(14 | 5 << 4, 2, None)],
    "DURATION": [(14 | 6 << 4, 3, None)],
    "LIST<INTEGER>": [(12 | 5 << 4 | 3 << 8 | 4 << 14, 0, None), (10, 0, bytes([6, 0, 8, 1, 2, 3]))],
    "LIST<STRING>": [(10, 0, b"\x09" + (1).to_bytes(4, "big") + (1).to_bytes(4, "big") + b"a")],
    "LIST<POINT>": [(10, 0, bytes([13, 1, 2, 0, 0, 1, 8, 0, 64]) + bytes(16))],
    "LIST<DATE>": [(10, 0, bytes([14, 1, 6, 0, 64]) + bytes(8))],
    "LIST<NOTHING>": [(12 | 5 << 4 | 1 << 14, 0, None), (10, 0, b"\x09" + bytes(4)), (10, 0, bytes([6, 0, 1]))],
}
TYPES = tuple(BLOCKS)


@dataclass(frozen=True)
class Entity:
    """A node: its labels; or a relationship: `ends` and `type`. Properties are types of values by keys."""

    properties: dict[int, str]
    labels: tuple[int, ...] = ()
    ends: tuple[int, int] = (0, 0)
    type: int = 0


@dataclass
class MemoryPages:
    """The files of one store in memory."""

    files: dict[str, bytes]

    def size(self, name: str) -> int | None:
        return len(self.files[name]) if name in self.files else None

    def read(self, name: str, offset: int, length: int) -> Bytes:
        return np.frombuffer(self.files[name][offset : offset + length], np.uint8)


@dataclass
class _Writer:
    random: Random
    records: dict[Store, dict[int, bytes]] = field(default_factory=lambda: {store: {} for store in Store})

    def free(self, store: Store) -> int:
        """Find a place for a record, not the next one."""
        known = self.records[store]
        while (place := self.random.randrange(1, 2 * len(known) + 40)) in known:
            pass
        known[place] = b""
        return place

    def array(self, content: bytes) -> int:
        return self.dynamic(Store.ARRAYS, content)

    def dynamic(self, store: Store, content: bytes) -> int:
        size = DYNAMIC_BYTES - 8
        parts = [content[at : at + size] for at in range(0, len(content), size)]
        places = [self.free(store) for _ in parts]
        for number, (place, part) in enumerate(zip(places, parts, strict=True)):
            following = places[number + 1] if number + 1 < len(places) else _NONE
            head = (1 << 28) | (1 << 31 if number else 0) | len(part)
            self.records[store][place] = head.to_bytes(4, "big") + following.to_bytes(4, "big") + part
        return places[0]

    def properties(self, values: dict[int, str]) -> int:
        """Write a chain of property records, some with room left; its first record."""
        chain: list[list[int]] = []
        for key, name in values.items():
            bits, more, content = self.random.choice(BLOCKS[name])
            if content is not None:
                bits |= self.array(content) << 4
            longs = [key | bits << 24, *[self.random.getrandbits(64) for _ in range(more)]]
            if not chain or len(chain[-1]) + len(longs) > 4 or self.random.random() < 0.2:
                chain.append([])
            chain[-1] += longs
        places = [self.free(Store.PROPERTY) for _ in chain]
        for number, (place, longs) in enumerate(zip(places, chain, strict=True)):
            previous = places[number - 1] if number else _NONE
            following = places[number + 1] if number + 1 < len(places) else _NONE
            head = b"\0" + previous.to_bytes(4, "big") + following.to_bytes(4, "big")
            body = b"".join(long.to_bytes(8, "big") for long in longs)
            self.records[Store.PROPERTY][place] = head + body
        return places[0] if places else _NONE

    def labels(self, node: int, labels: tuple[int, ...]) -> int:
        ordered = sorted(labels)
        width = 36 // max(1, len(ordered))
        if len(ordered) <= 7 and all(label < 1 << width for label in ordered):
            return len(ordered) << 36 | sum(label << width * place for place, label in enumerate(ordered))
        numbers = [node, *ordered]
        width = self.random.randint(max(1, max(numbers).bit_length()), 64)
        bits = sum(number << width * place for place, number in enumerate(numbers))
        used = width * len(numbers)
        content = bytes([6, used % 8, width]) + bits.to_bytes(-(-used // 8), "little")
        return 1 << 39 | self.dynamic(Store.NODE_LABELS, content)


def written(nodes: dict[int, Entity], relationships: dict[int, Entity], random: Random) -> GraphReader:
    """Write a graph by ids of its nodes and relationships, and give a reader of it."""
    writer = _Writer(random)
    for number, node in nodes.items():
        field_ = writer.labels(number, node.labels)
        record = b"\x01" + _NONE.to_bytes(4, "big") + writer.properties(node.properties).to_bytes(4, "big")
        writer.records[Store.NODE][number] = (
            record + (field_ & 0xFFFFFFFF).to_bytes(4, "big") + (field_ >> 32).to_bytes(1, "big") + b"\0"
        )
    for number, one in relationships.items():
        ends = b"".join(node.to_bytes(4, "big") for node in one.ends)
        links = _NONE.to_bytes(4, "big") * 4 + writer.properties(one.properties).to_bytes(4, "big")
        writer.records[Store.RELATIONSHIP][number] = b"\x01" + ends + one.type.to_bytes(4, "big") + links + b"\0"
    return GraphReader(
        MemoryPages({FILES[store]: _file(store, writer.records[store]) for store in Store}), aligned=True
    )


def _file(store: Store, records: dict[int, bytes]) -> bytes:
    size = DYNAMIC_BYTES if store in DYNAMIC else RECORD_BYTES[store]
    geometry = Geometry.of(size, aligned=True)
    content = bytearray(geometry.file_bytes(max(records, default=0)))
    if store in DYNAMIC:
        content[:4] = size.to_bytes(4, "big")
    for number, record in records.items():
        at = geometry.offset(number)
        content[at : at + len(record)] = record
    assert len(content) % PAGE == 0
    return bytes(content)


def tokens_of(names: Sequence[str]) -> dict[int, str]:
    """Number names, as tokens are."""
    return dict(enumerate(names))
