"""Types of stored values by small numbers, told from the first long of a property block without decoding the value.

The names are those that Cypher's valueType() gives, without NOT NULL. A list has the number of its elements' type and
a bit more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from neokeep.neo4j.recovery.layout import DYNAMIC_HEAD
from neokeep.neo4j.store.values import Kind, TemporalKind

if TYPE_CHECKING:
    from neokeep.neo4j.store.pages import Numbers, RecordTable

BITS = 5
"""Bits that a type takes."""

UNKNOWN, NOTHING, BOOLEAN, INTEGER, FLOAT, STRING, POINT = range(7)
DATE, LOCAL_TIME, LOCAL_DATE_TIME, TIME, DATE_TIME, DURATION = range(7, 13)
LIST = 16

_NAMES = {
    UNKNOWN: "UNKNOWN",
    NOTHING: "NOTHING",
    BOOLEAN: "BOOLEAN",
    INTEGER: "INTEGER",
    FLOAT: "FLOAT",
    STRING: "STRING",
    POINT: "POINT",
    DATE: "DATE",
    LOCAL_TIME: "LOCAL TIME",
    LOCAL_DATE_TIME: "LOCAL DATETIME",
    TIME: "ZONED TIME",
    DATE_TIME: "ZONED DATETIME",
    DURATION: "DURATION",
}
_BY_KIND = np.zeros(16, np.int64)
_BY_KIND[[Kind.BYTE, Kind.SHORT, Kind.INTEGER, Kind.LONG]] = INTEGER
_BY_KIND[[Kind.FLOAT, Kind.DOUBLE]] = FLOAT
_BY_KIND[[Kind.CHARACTER, Kind.STRING, Kind.SHORT_STRING]] = STRING
_BY_KIND[Kind.BOOLEAN], _BY_KIND[Kind.POINT] = BOOLEAN, POINT
_BY_TEMPORAL_KIND = np.zeros(16, np.int64)
_BY_TEMPORAL_KIND[list(TemporalKind)] = [DATE, LOCAL_TIME, LOCAL_DATE_TIME, TIME, DATE_TIME, DURATION]
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
