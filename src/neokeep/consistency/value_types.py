"""The types of values as property type constraints name them, since Neo4j 5.9: those of the schema store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from neokeep.neo4j.store.value_types import OF_KINDS, ValueType
from neokeep.neo4j.store.values import Date, DateTime, Duration, LocalDateTime, LocalTime, Point, Time

if TYPE_CHECKING:
    from neokeep.neo4j.store.blocks import Column
    from neokeep.neo4j.store.pages import Flags

_OF_NUMBERS = {"b": ValueType.BOOLEAN, "i": ValueType.INTEGER, "u": ValueType.INTEGER, "f": ValueType.FLOAT}
_OF_OBJECTS: dict[type, ValueType] = {
    str: ValueType.STRING,
    Point: ValueType.POINT,
    Date: ValueType.DATE,
    LocalTime: ValueType.LOCAL_TIME,
    Time: ValueType.ZONED_TIME,
    LocalDateTime: ValueType.LOCAL_DATETIME,
    DateTime: ValueType.ZONED_DATETIME,
    Duration: ValueType.DURATION,
}
_SINGLE = [one.name for one in ValueType]
_LIST = "LIST_"
_EMPTY_LIST = "an empty list"

KNOWN = frozenset({*_SINGLE, *(f"{_LIST}{name}" for name in _SINGLE)})
"""The names that can be judged. Others are of values that no record store holds."""


def allowed(column: Column, types: frozenset[str]) -> Flags:
    """Tell which values of a column are of one of some types; an empty list is of every type of list."""
    known = OF_KINDS.get(column.kind)
    if known is not None:
        return np.full(len(column.rows), known.name in types)
    names = {*types, _EMPTY_LIST} if any(name.startswith(_LIST) for name in types) else types
    return np.fromiter((_type_of(value) in names for value in column.values), np.bool_, len(column.rows))


def _type_of(value: Any) -> str:
    if isinstance(value, np.ndarray | tuple):
        if not len(value):
            return _EMPTY_LIST
        inner = _OF_NUMBERS[value.dtype.kind] if isinstance(value, np.ndarray) else _OF_OBJECTS[type(value[0])]
        return f"{_LIST}{inner.name}"
    return _OF_OBJECTS[type(value)].name
