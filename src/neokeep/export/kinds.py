"""The types of exported values, which are those of Cypher, and the Arrow type of each.

The width in which a number is stored is not kept: Cypher does not show it. What Arrow's own types are too narrow for is
a struct, or, for years far away, a type of its own, so that the type of a value never depends on other values.
"""

from __future__ import annotations

from enum import IntEnum

import pyarrow as pa

LIST = 16
"""Added to a type, it is that of a list of such values."""

EMPTY_LIST = LIST
"""The type of a list without elements, which fits every list."""

BITS = 5
"""Bits that a type takes."""


class Type(IntEnum):
    """What one value can be; 0 is no value."""

    BOOLEAN = 1
    INTEGER = 2
    FLOAT = 3
    STRING = 4
    BYTES = 5
    POINT = 6
    DATE = 7
    LOCAL_TIME = 8
    ZONED_TIME = 9
    LOCAL_DATETIME = 10
    ZONED_DATETIME = 11
    DURATION = 12
    FAR_DATE = 13
    FAR_LOCAL_DATETIME = 14
    FAR_ZONED_DATETIME = 15


_ARROW: dict[int, pa.DataType] = {
    Type.BOOLEAN: pa.bool_(),
    Type.INTEGER: pa.int64(),
    Type.FLOAT: pa.float64(),
    Type.STRING: pa.string(),
    Type.BYTES: pa.binary(),
    Type.POINT: pa.struct([("srid", pa.int32()), ("x", pa.float64()), ("y", pa.float64()), ("z", pa.float64())]),
    Type.DATE: pa.date32(),
    Type.LOCAL_TIME: pa.time64("ns"),
    Type.ZONED_TIME: pa.struct([("time", pa.time64("ns")), ("offset", pa.int32())]),
    Type.LOCAL_DATETIME: pa.timestamp("ns"),
    Type.ZONED_DATETIME: pa.struct([("utc", pa.timestamp("ns")), ("offset", pa.int32()), ("zone", pa.string())]),
    Type.DURATION: pa.struct(
        [("months", pa.int64()), ("days", pa.int64()), ("seconds", pa.int64()), ("nanoseconds", pa.int64())]
    ),
    Type.FAR_DATE: pa.int64(),
    Type.FAR_LOCAL_DATETIME: pa.struct([("seconds", pa.int64()), ("nanoseconds", pa.int64())]),
    Type.FAR_ZONED_DATETIME: pa.struct(
        [("seconds", pa.int64()), ("nanoseconds", pa.int64()), ("offset", pa.int32()), ("zone", pa.string())]
    ),
}

NEAR_SECONDS = (-(1 << 63) // 10**9 + 1, (1 << 63) // 10**9 - 1)
"""The first and the last second since 1970 whose nanoseconds fit into 64 bits: the years 1677 to 2262."""

NEAR_DAYS = (-(1 << 31), (1 << 31) - 1)


def arrow_type(kind: int) -> pa.DataType:
    """Give the Arrow type of a type, or of a list."""
    if kind == EMPTY_LIST:
        return pa.list_(pa.string())
    return pa.list_(_ARROW[kind - LIST]) if kind > LIST else _ARROW[kind]


def name_of(kind: int) -> str:
    """Name a type as columns and manifests do: `integer`, `list_string`."""
    if kind == EMPTY_LIST:
        return "list_empty"
    return f"list_{Type(kind - LIST).name.lower()}" if kind > LIST else Type(kind).name.lower()
