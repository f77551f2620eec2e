"""Keys of indexes of properties as columns: `range-1.0`, and `native-btree-1.0` of 4.4.

A key is an entity and a value for each property. Values become four numbers that are equal where the values are:
Points and arrays are told apart from others and not from one another, and of times with a
zone the zone is left out; what follows on a point or an array in a key is not read. Layouts: docs/neo4j-formats.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np

from neokeep.neo4j.store.tree import Layout

if TYPE_CHECKING:
    from neokeep.neo4j.store.pages import Bytes, Flags, Numbers
    from neokeep.neo4j.store.tree_entries import DynamicEntries

ENTITY_BYTES = 8
_LAYOUTS = {"range-1.0": (0x524C00000000, (0, 1)), "native-btree-1.0": (0x4E53494C00000000, (0, 5))}
ONLINE = b"\x01"


class ValueType(IntEnum):
    """Types of values in keys. From 10 to 19: arrays, which come before all others."""

    POINT = 0
    DATE_TIME = 1
    LOCAL_DATE_TIME = 2
    DATE = 3
    TIME = 4
    LOCAL_TIME = 5
    DURATION = 6
    TEXT = 7
    BOOLEAN = 8
    NUMBER = 9
    FIRST_ARRAY = 10
    LAST_ARRAY = 19


class NumberType(IntEnum):
    """Types of numbers, which stand before the bits of the number."""

    BYTE = 0
    SHORT = 1
    INTEGER = 2
    LONG = 3
    FLOAT = 4
    DOUBLE = 5


OPAQUE, UNREAD = 100, 101
"""In place of the type: what is told apart from others only, and what was not read."""
DAY = 86_400 * 10**9
"""Nanoseconds; times of day in UTC may be stored as those of the day before or after."""
_LENGTH = 0x7FFF
"""What of the length of a text is one: the bit above says that it is a character."""
NOT_A_NUMBER = 1
"""In place of the bits of a number that is none: those differ."""

_SIZES = {
    ValueType.DATE_TIME: 16,
    ValueType.LOCAL_DATE_TIME: 12,
    ValueType.DATE: 8,
    ValueType.TIME: 12,
    ValueType.LOCAL_TIME: 8,
    ValueType.DURATION: 28,
    ValueType.BOOLEAN: 1,
    ValueType.NUMBER: 9,
}
"""Bytes of a value behind its type."""


_PARTS = {
    ValueType.DATE_TIME: ((0, 8), (8, 4)),
    ValueType.LOCAL_DATE_TIME: ((0, 8), (8, 4)),
    ValueType.DATE: ((0, 8),),
    ValueType.TIME: ((0, 8),),
    ValueType.LOCAL_TIME: ((0, 8),),
    ValueType.DURATION: ((12, 8), (20, 8), (8, 4)),
    ValueType.BOOLEAN: ((0, 1),),
    ValueType.NUMBER: ((0, 1), (1, 8)),
}
"""The numbers of a value: where they begin behind its type, and their bytes."""


@dataclass(frozen=True, slots=True)
class Values:
    """One value of each key: the type, and three numbers; of texts `begins` is where they stand."""

    types: Numbers
    numbers: tuple[Numbers, Numbers, Numbers]
    begins: Numbers

    @property
    def columns(self) -> tuple[Numbers, ...]:
        """What is equal where values are."""
        return (np.where(_is_opaque(self.types), OPAQUE, self.types), *self.numbers)


@dataclass(frozen=True, slots=True)
class Keys:
    """Keys that were decoded: their pages, entities, values of each property; `content` holds the texts."""

    pages: Numbers
    entities: Numbers
    values: tuple[Values, ...]
    content: Bytes


def layout_of(provider: str, properties: int) -> Layout | None:
    """Give the layout of the index of a provider on so many properties; None where it is not known."""
    if provider not in _LAYOUTS:
        return None
    identifier, version = _LAYOUTS[provider]
    return Layout(identifier + properties, version)


def decode(entries: DynamicEntries, properties: int) -> tuple[Keys, Numbers]:
    """Decode keys; gives also the pages of those that cannot be decoded, which are left out."""
    content = np.concatenate([entries.content, np.zeros(ENTITY_BYTES, np.uint8)])
    ends = entries.begins + entries.lengths
    at, read_on = entries.begins + ENTITY_BYTES, np.ones(len(ends), np.bool_)
    good = at <= ends
    values = []
    for _ in range(properties):
        found, at, fine = _value(content, at, ends, read_on)
        good &= fine
        read_on = read_on & (found.types != UNREAD) & ~_is_opaque(found.types)
        values.append(found)
    good &= ~read_on | (at == ends)
    kept = tuple(
        Values(own.types[good], (own.numbers[0][good], own.numbers[1][good], own.numbers[2][good]), own.begins[good])
        for own in values
    )
    entities = _integer(content, entries.begins, ENTITY_BYTES)
    return Keys(entries.pages[good], entities[good], kept, content), entries.pages[~good]


def text_hashes(content: Bytes, begins: Numbers, lengths: Numbers) -> Numbers:
    """Give a number of 64 bits for each text, which depends on all bytes of it."""
    hashes = np.full(len(begins), 0x9E3779B9, np.uint64)
    rows = np.flatnonzero(lengths > 0)
    step = 0
    while len(rows):
        mixed = hashes[rows] ^ chunks(content, begins[rows] + step, lengths[rows] - step)
        mixed *= np.uint64(0xBF58476D1CE4E5B9)
        mixed ^= mixed >> np.uint64(29)
        hashes[rows] = mixed * np.uint64(0x94D049BB133111EB)
        step += 8
        rows = rows[lengths[rows] > step]
    return hashes.view(np.int64)


def chunks(content: Bytes, begins: Numbers, lengths: Numbers) -> np.ndarray[tuple[int], np.dtype[np.uint64]]:
    """Read eight bytes from each place as a number; what is behind the length is zeros."""
    offsets = np.arange(8)
    raw = content[np.clip(begins[:, None] + offsets, 0, len(content) - 1)]
    raw[offsets >= lengths[:, None]] = 0
    return np.ascontiguousarray(raw).view(">u8")[:, 0].astype(np.uint64)


def canonical_bits(kinds: Numbers, bits: Numbers) -> Numbers:
    """Give the bits of numbers of some types, the same for all that are no number."""
    none = (kinds == NumberType.FLOAT) & (bits & 0x7FFFFFFF > 0x7F800000)
    none |= (kinds == NumberType.DOUBLE) & (bits & 0x7FFFFFFFFFFFFFFF > 0x7FF0000000000000)
    return np.where(none, NOT_A_NUMBER, np.where(kinds == NumberType.FLOAT, bits & 0xFFFFFFFF, bits))


def _value(content: Bytes, at: Numbers, ends: Numbers, wanted: Flags) -> tuple[Values, Numbers, Flags]:
    """Read a value of each key that is wanted; gives where the next begins, and whether it can be read."""
    there = wanted & (at < ends)
    types = np.where(there, content[np.where(there, at, 0)].astype(np.int64), UNREAD)
    good, at = (~wanted | there) & ((types <= ValueType.LAST_ARRAY) | (types == UNREAD)), at + 1
    numbers = [np.zeros(len(at), np.int64) for _ in range(3)]
    begins, sizes = np.zeros(len(at), np.int64), np.zeros(len(at), np.int64)
    for kind, size in _SIZES.items():
        sizes[types == kind] = size
    texts = types == ValueType.TEXT
    sizes[texts] = 2 + (_unsigned(content, at[texts], 2) & _LENGTH)
    good &= at + sizes <= ends
    rows = np.flatnonzero(good & texts)
    begins[rows] = at[rows] + 2
    numbers[0][rows] = text_hashes(content, begins[rows], sizes[rows] - 2)
    numbers[1][rows] = sizes[rows] - 2
    for kind, parts in _PARTS.items():
        rows = np.flatnonzero(good & (types == kind))
        for number, (offset, length) in zip(numbers, parts, strict=False):
            number[rows] = _integer(content, at[rows] + offset, length)
    rows = np.flatnonzero(good & (types == ValueType.NUMBER))
    numbers[1][rows] = canonical_bits(numbers[0][rows], numbers[1][rows])
    rows = np.flatnonzero(good & (types == ValueType.TIME))
    numbers[0][rows] %= DAY
    return Values(types, (numbers[0], numbers[1], numbers[2]), begins), at + sizes, good


def _is_opaque(types: Numbers) -> Flags:
    opaque: Flags = (types == ValueType.POINT) | ((types >= ValueType.FIRST_ARRAY) & (types <= ValueType.LAST_ARRAY))
    return opaque


def _unsigned(content: Bytes, at: Numbers, size: int) -> Numbers:
    value = np.zeros(len(at), np.int64)
    for step in range(size):
        value = value << 8 | content[np.minimum(at + step, len(content) - 1)]
    return value


def _integer(content: Bytes, at: Numbers, size: int) -> Numbers:
    value = _unsigned(content, at, size)
    return value if size == 8 else value - (value >> 8 * size - 1 << 8 * size)
