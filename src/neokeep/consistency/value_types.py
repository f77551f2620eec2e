"""The types of values as property type constraints name them, since Neo4j 5.9: those of the schema store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from neokeep.neo4j.store.values import (
    Date,
    DateTime,
    Duration,
    Kind,
    LocalDateTime,
    LocalTime,
    Point,
    Time,
)

if TYPE_CHECKING:
    from neokeep.neo4j.store.blocks import Column
    from neokeep.neo4j.store.pages import Flags

_OF_KINDS = {
    Kind.BOOLEAN: "BOOLEAN",
    Kind.BYTE: "INTEGER",
    Kind.SHORT: "INTEGER",
    Kind.INTEGER: "INTEGER",
    Kind.LONG: "INTEGER",
    Kind.FLOAT: "FLOAT",
    Kind.DOUBLE: "FLOAT",
    Kind.CHARACTER: "STRING",
    Kind.STRING: "STRING",
    Kind.SHORT_STRING: "STRING",
    Kind.POINT: "POINT",
}
_OF_NUMBERS = {"b": "BOOLEAN", "i": "INTEGER", "u": "INTEGER", "f": "FLOAT"}
_OF_OBJECTS: dict[type, str] = {
    str: "STRING",
    Point: "POINT",
    Date: "DATE",
    LocalTime: "LOCAL_TIME",
    Time: "ZONED_TIME",
    LocalDateTime: "LOCAL_DATETIME",
    DateTime: "ZONED_DATETIME",
    Duration: "DURATION",
}
_SINGLE = {*_OF_KINDS.values(), *_OF_OBJECTS.values()}
_LIST = "LIST_"
_EMPTY_LIST = "an empty list"

KNOWN = frozenset({*_SINGLE, *(f"{_LIST}{name}" for name in _SINGLE)})
"""The names that can be judged. Others are of values that no record store holds."""


def allowed(column: Column, types: frozenset[str]) -> Flags:
    """Tell which values of a column are of one of some types; an empty list is of every type of list."""
    if column.kind in _OF_KINDS:
        return np.full(len(column.rows), _OF_KINDS[column.kind] in types)
    names = {*types, _EMPTY_LIST} if any(name.startswith(_LIST) for name in types) else types
    return np.fromiter((_type_of(value) in names for value in column.values), np.bool_, len(column.rows))


def _type_of(value: Any) -> str:
    if isinstance(value, np.ndarray | tuple):
        if not len(value):
            return _EMPTY_LIST
        inner = _OF_NUMBERS[value.dtype.kind] if isinstance(value, np.ndarray) else _OF_OBJECTS[type(value[0])]
        return f"{_LIST}{inner}"
    return _OF_OBJECTS[type(value)]
