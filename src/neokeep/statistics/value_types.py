"""Types of stored values by small numbers, told from the first long of a property block without decoding the value.

The names are those that Cypher's valueType() gives, without NOT NULL. A list has the number of its elements' type and
a bit more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from neokeep.neo4j.recovery.layout import DYNAMIC_HEAD
from neokeep.neo4j.store.value_types import OF_KINDS, OF_TEMPORAL_KINDS, ValueType, by_number
from neokeep.neo4j.store.values import Kind

if TYPE_CHECKING:
    from neokeep.neo4j.store.pages import Numbers, RecordTable

BITS = 5
"""Bits that a type takes."""

UNKNOWN = 0
NOTHING = max(ValueType) + 1
"""What is in an empty list."""
LIST = 16

_NAMES = {UNKNOWN: "UNKNOWN", NOTHING: "NOTHING"} | {one: one.name.replace("_", " ") for one in ValueType}
_BY_KIND, _BY_TEMPORAL_KIND = by_number(OF_KINDS), by_number(OF_TEMPORAL_KINDS)
_NUMBERS_HEAD, _TEXTS_HEAD, _POINTS_HEAD, _TIMES_HEAD = 3, 5, 6, 2


def name_of(value_type: int) -> str:
    """Name a type; lists as LIST<INTEGER>."""
    return f"LIST<{_NAMES[value_type & ~LIST]}>" if value_type & LIST else _NAMES[value_type]


def types_of(heads: Numbers, arrays: RecordTable) -> Numbers:
    """Tell the types of values by the first longs of their blocks; `arrays` holds those that are not in a block.

    Where a list begins in a record that is not there, or with bytes that no list begins with, the type is UNKNOWN or a
    list of it.
    """
    kinds = heads >> 24 & 15
    found: Numbers = _BY_KIND[kinds]
    rows = np.flatnonzero(kinds == Kind.TEMPORAL)
    found[rows] = _BY_TEMPORAL_KIND[heads[rows] >> 28 & 15]
    rows = np.flatnonzero(kinds == Kind.SHORT_ARRAY)
    empty = heads[rows] >> 32 & 63 == 0
    found[rows] = LIST | np.where(empty, NOTHING, _BY_KIND[heads[rows] >> 28 & 15])
    rows = np.flatnonzero(kinds == Kind.ARRAY)
    found[rows] = LIST | _elements_of(heads[rows] >> 28 & (1 << 36) - 1, arrays)
    return found


def _elements_of(records: Numbers, arrays: RecordTable) -> Numbers:
    """Tell the types of the elements of arrays by the first dynamic record of each."""
    held = arrays.at(records)
    data, lengths = held[:, DYNAMIC_HEAD:], held[:, 1:4].astype(np.int64) @ np.array([1 << 16, 1 << 8, 1])
    if data.shape[1] < _POINTS_HEAD + _NUMBERS_HEAD:
        return np.full(len(records), UNKNOWN)
    kinds = data[:, 0].astype(np.int64) & 15
    found: Numbers = _BY_KIND[kinds]
    temporal = kinds == Kind.TEMPORAL
    found[temporal] = _BY_TEMPORAL_KIND[data[temporal, 1] & 15]
    bare = np.full(len(records), _NUMBERS_HEAD)
    bare[kinds == Kind.POINT] = _POINTS_HEAD + _NUMBERS_HEAD
    bare[temporal] = _TIMES_HEAD + _NUMBERS_HEAD
    bare[kinds == Kind.STRING] = _TEXTS_HEAD
    # An empty list is nothing but its head: nobody can tell what would have been in it.
    found[(lengths <= bare) & (found != UNKNOWN)] = NOTHING
    return found
