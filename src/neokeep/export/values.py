"""Values of one type as an Arrow array, by columns: numbers, texts and times without a Python object each.

Arrays, and whatever is irregular, go through the decoder of single values. Null is what is damaged, and told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from neokeep.export.kinds import EMPTY_LIST, LIST, Type, arrow_type
from neokeep.export.properties import day_numbers
from neokeep.export.texts import Weighed, texts_of
from neokeep.neo4j.recovery.layout import Store
from neokeep.neo4j.store.blocks import Decoder
from neokeep.neo4j.store.damage import Code, Damage
from neokeep.neo4j.store.kernels import are_in_order, read_doubles, read_integers
from neokeep.neo4j.store.values import DateTime, Kind, Point, Time
from neokeep.neo4j.store.zones import zone_names

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from neokeep.export.properties import Found
    from neokeep.neo4j.store.pages import Numbers, RecordTable

_DAY = 86_400 * 10**9
_SECOND = 10**9


def values_of(kind: int, found: Found, tables: Mapping[Store, RecordTable], damages: list[Damage]) -> pa.Array:
    """Decode values, all of one type; texts come as large_string."""
    if kind == Type.STRING:
        return texts_of(found, tables, damages)
    decode, regular = _BY_COLUMNS.get(kind), _REGULAR.get(kind)
    if decode is not None and (regular is None or regular(found)):
        return decode(found)
    return _one_by_one(kind, found, tables, damages)


def tell_unreadable(found: Found, tables: Mapping[Store, RecordTable], damages: list[Damage]) -> None:
    """Tell what is wrong with values that are of no type."""
    blocks = found.blocks()
    for column in Decoder(tables).columns(blocks, damages):
        damages.extend(
            Damage(Code.PROPERTY_VALUE, Store.PROPERTY, record, "a value is of no type that there is")
            for record in blocks.record[column.rows].tolist()
        )


def _integers(found: Found) -> pa.Array:
    values = np.empty(len(found), np.int64)
    read_integers(found.longs, found.kind, found.place, values)
    return pa.array(values)


def _floats(found: Found) -> pa.Array:
    bits = np.empty(len(found), np.int64)
    read_doubles(found.longs, found.place, bits)
    values = bits.view(np.float64)
    single = np.flatnonzero(found.kind != Kind.DOUBLE)
    if len(single):
        values[single] = found[single].bits(28, 32).astype(np.uint32).view(np.float32)
    return pa.array(values)


def _booleans(found: Found) -> pa.Array:
    return pa.array(found.bits(28, 1) != 0)


def _dates(found: Found) -> pa.Array:
    return pa.array(day_numbers(found).astype(np.int32)).view(pa.date32())


def _local_times(found: Found) -> pa.Array:
    return pa.array(day_numbers(found)).cast(pa.time64("ns"))


def _times(found: Found) -> pa.Array:
    offsets = found.bits(32, 32).astype(np.uint32).view(np.int32)
    clocks = (found.long(1).view(np.int64) + offsets.astype(np.int64) * _SECOND) % _DAY
    return _struct(Type.ZONED_TIME, [pa.array(clocks).cast(pa.time64("ns")), pa.array(offsets)])


def _local_moments(found: Found) -> pa.Array:
    return pa.array(found.long(1).view(np.int64) * _SECOND + found.bits(32, 32)).cast(pa.timestamp("ns"))


def _far_local_moments(found: Found) -> pa.Array:
    seconds = pa.array(found.long(1).view(np.int64))
    return _struct(Type.FAR_LOCAL_DATETIME, [seconds, pa.array(found.bits(32, 32))])


def _moments(found: Found) -> pa.Array:
    utc = found.long(1).view(np.int64) * _SECOND + found.bits(33, 31)
    return _struct(Type.ZONED_DATETIME, [pa.array(utc).cast(pa.timestamp("ns")), *_zones(found)])


def _far_moments(found: Found) -> pa.Array:
    nanoseconds = pa.array(found.bits(33, 31))
    parts = [pa.array(found.long(1).view(np.int64)), nanoseconds, *_zones(found)]
    return _struct(Type.FAR_ZONED_DATETIME, parts)


def _zones(found: Found) -> list[pa.Array]:
    """Give the offset, or the name of the zone: the other one is null."""
    encoded = found.long(2).view(np.int64)
    named = found.bits(32, 1) == 0
    offsets = pa.array(np.where(named, 0, encoded).astype(np.int32), mask=named)
    return [offsets, pa.array(zone_names(), pa.string()).take(pa.array(encoded, mask=~named))]


def _have_zones(found: Found) -> bool:
    encoded = found.long(2).view(np.int64)
    named = found.bits(32, 1) == 0
    return bool((~named | ((encoded >= 0) & (encoded < len(zone_names())))).all())


def _points(found: Found) -> pa.Array:
    spatial = found.bits(32, 4) == 3
    x, y, z = (np.ascontiguousarray(found.long(number)).view(np.float64) for number in (1, 2, 3))
    system = pa.array(found.bits(40, 16).astype(np.int32))
    return _struct(Type.POINT, [system, pa.array(x), pa.array(y), pa.array(z, mask=~spatial)])


def _are_points(found: Found) -> bool:
    dimensions = found.bits(32, 4)
    return bool(((found.bits(28, 4) == 1) & (dimensions >= 2) & (dimensions <= 3)).all())


def _durations(found: Found) -> pa.Array:
    parts = [pa.array(found.long(number).view(np.int64)) for number in (1, 2, 3)]
    return _struct(Type.DURATION, [*parts, pa.array(found.bits(32, 32))])


def _struct(kind: Type, parts: list[pa.Array]) -> pa.StructArray:
    return pa.StructArray.from_arrays(parts, fields=list(arrow_type(kind)))


_BY_COLUMNS: dict[int, Callable[[Found], pa.Array]] = {
    Type.BOOLEAN: _booleans,
    Type.INTEGER: _integers,
    Type.FLOAT: _floats,
    Type.DATE: _dates,
    Type.LOCAL_TIME: _local_times,
    Type.ZONED_TIME: _times,
    Type.LOCAL_DATETIME: _local_moments,
    Type.FAR_LOCAL_DATETIME: _far_local_moments,
    Type.DURATION: _durations,
    Type.FAR_DATE: lambda found: pa.array(day_numbers(found)),
    Type.ZONED_DATETIME: _moments,
    Type.FAR_ZONED_DATETIME: _far_moments,
    Type.POINT: _points,
}
_REGULAR: dict[int, Callable[[Found], bool]] = {
    Type.ZONED_DATETIME: _have_zones,
    Type.FAR_ZONED_DATETIME: _have_zones,
    Type.POINT: _are_points,
}
"""Where one value that cannot be may be among others: then they are decoded one by one, which tells it."""


def _one_by_one(kind: int, found: Found, tables: Mapping[Store, RecordTable], damages: list[Damage]) -> pa.Array:
    values: list[Any] = [None] * len(found)
    for column in Decoder(tables, met=Weighed(found, tables)).columns(found.blocks(), damages):
        for row, value in zip(column.rows.tolist(), column.values, strict=True):
            values[row] = value
    if kind == EMPTY_LIST:
        return pa.array([None if value is None else [] for value in values], arrow_type(kind))
    if kind == Type.BYTES:
        return pa.array([None if value is None else value.tobytes() for value in values], pa.binary())
    if kind > LIST:
        return _lists(kind, values)
    return pa.array([_plain(kind, value) for value in values], arrow_type(kind))


def _lists(kind: int, values: list[Any]) -> pa.Array:
    if kind - LIST in (Type.BOOLEAN, Type.INTEGER, Type.FLOAT):
        lengths = np.array([0 if value is None else len(value) for value in values], np.int64)
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
        own = [value for value in values if value is not None]
        elements = pa.array(np.concatenate(own) if own else np.zeros(0)).cast(arrow_type(kind - LIST))
        missing = np.array([value is None for value in values], np.bool_)
        return pa.ListArray.from_arrays(pa.array(offsets), elements, mask=pa.array(missing))
    plain = [None if value is None else [_plain(kind - LIST, item) for item in value] for value in values]
    return pa.array(plain, arrow_type(kind))


def _plain(kind: int, value: Any) -> Any:
    """Give a value of values.py as Arrow takes it."""
    if value is None or isinstance(value, int | float):
        return value
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, Point):
        names = ("x", "y", "z")
        return {"srid": value.system, **dict(zip(names, value.coordinates, strict=False))}
    return _moment(kind, value)


def _moment(kind: int, value: Any) -> Any:
    """Give a time or a duration as Arrow takes it."""
    parts = {name: getattr(value, name) for name in type(value).__slots__}
    if isinstance(value, DateTime):
        return _zoned(kind, value)
    if isinstance(value, Time):
        return {"time": value.nanoseconds, "offset": value.offset}
    if kind in (Type.FAR_LOCAL_DATETIME, Type.DURATION):
        return parts
    return parts["seconds"] * _SECOND + parts["nanoseconds"] if kind == Type.LOCAL_DATETIME else parts.popitem()[1]


def _zoned(kind: int, value: DateTime) -> dict[str, Any]:
    zone = {"zone": value.zone} if isinstance(value.zone, str) else {"offset": value.zone}
    if kind == Type.FAR_ZONED_DATETIME:
        return {"seconds": value.seconds, "nanoseconds": value.nanoseconds, **zone}
    return {"utc": value.seconds * _SECOND + value.nanoseconds, **zone}


def fitted(kind: int, array: pa.Array, wanted: pa.DataType) -> pa.Array:
    """Give values of a type as the column has it that they go to; empty lists go to lists of anything."""
    if kind != EMPTY_LIST:
        return array.cast(wanted)
    offsets = pa.array(np.zeros(len(array) + 1, np.int32))
    return pa.ListArray.from_arrays(offsets, pa.array([], wanted.value_type), mask=array.is_null())


def positions(rows: Numbers, count: int) -> pa.Array | None:
    """Say which value each of `count` rows takes, null for none; None where it is just one after the other."""
    if len(rows) == count and are_in_order(rows):
        return None
    taken = np.zeros(count, np.int64)
    missing = np.ones(count, np.bool_)
    # Of two values of one key, which only damage makes, the first one counts.
    taken[rows[::-1]] = np.arange(len(rows))[::-1]
    missing[rows] = False
    return pa.array(taken, mask=missing)
