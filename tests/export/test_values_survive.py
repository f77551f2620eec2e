"""A value of any type that can stand in a property block goes through its Arrow column and Parquet without loss."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from export.test_same_values import plain, said
from neokeep.export.kinds import EMPTY_LIST, LIST, Type, arrow_type
from neokeep.export.properties import Found, types_of
from neokeep.export.values import fitted, positions, values_of
from neokeep.neo4j.store.values import (
    Date,
    DateTime,
    Duration,
    Kind,
    LocalDateTime,
    LocalTime,
    Point,
    TemporalKind,
    Time,
)
from neokeep.neo4j.store.zones import zone_names

DAY = 86_400 * 10**9
ALL = (1 << 64) - 1
ZONES = [name for name in zone_names() if not name.startswith("unknown")]

nanoseconds = st.integers(0, 10**9 - 1)
clocks = st.integers(0, DAY - 1)
offsets = st.integers(-64_800, 64_800)
seconds = st.one_of(st.integers(-31_557_014_167_219_200, 31_556_889_864_403_199), st.integers(-(10**9), 10**10))
numbers = st.integers(-(2**63), 2**63 - 1)
coordinates = st.floats(allow_nan=False)
values = st.one_of(
    st.booleans(),
    numbers,
    st.floats(allow_nan=False),
    st.text(max_size=6),
    st.builds(Date, st.one_of(st.integers(-365_243_219_162, 365_241_780_471), st.integers(-100_000, 100_000))),
    st.builds(LocalTime, clocks),
    st.builds(Time, clocks, offsets),
    st.builds(LocalDateTime, seconds, nanoseconds),
    st.builds(DateTime, seconds, nanoseconds, st.one_of(offsets, st.sampled_from(ZONES))),
    st.builds(Duration, numbers, numbers, numbers, nanoseconds),
    st.builds(lambda *at: Point(7203, at), coordinates, coordinates),
    st.builds(lambda *at: Point(4979, at), coordinates, coordinates, coordinates),
)


def block_of(value: Any) -> list[int]:
    """Lay a value out in longs, without its key; see docs/neo4j-formats.md."""
    if isinstance(value, bool):
        return [Kind.BOOLEAN << 24 | value << 28]
    if isinstance(value, int):
        return [Kind.LONG << 24, value & ALL]
    if isinstance(value, float):
        return [Kind.DOUBLE << 24, *bits_of(value)]
    if isinstance(value, str):
        content = value.encode()
        whole = Kind.SHORT_STRING << 24 | len(content) << 33 | int.from_bytes(content, "little") << 39
        return [whole >> at & ALL for at in range(0, 256, 64)]
    if isinstance(value, Point):
        head = Kind.POINT << 24 | 1 << 28 | len(value.coordinates) << 32 | value.system << 40
        return [head, *bits_of(*value.coordinates)]
    return time_block(value)


def bits_of(*coordinates: float) -> list[int]:
    return [int(bits) for bits in np.array(coordinates, np.float64).view(np.uint64)]


def time_block(value: Any) -> list[int]:
    if isinstance(value, Date):
        return [head(TemporalKind.DATE, 0), value.days & ALL]
    if isinstance(value, LocalTime):
        return [head(TemporalKind.LOCAL_TIME, 0), value.nanoseconds]
    if isinstance(value, Time):
        return [head(TemporalKind.TIME, value.offset), (value.nanoseconds - value.offset * 10**9) & ALL]
    if isinstance(value, LocalDateTime):
        return [head(TemporalKind.LOCAL_DATE_TIME, value.nanoseconds), value.seconds & ALL]
    if isinstance(value, DateTime):
        named = isinstance(value.zone, str)
        zone = zone_names().index(str(value.zone)) if named else int(value.zone)
        return [head(TemporalKind.DATE_TIME, value.nanoseconds << 1 | (not named)), value.seconds & ALL, zone & ALL]
    parts = (value.months, value.days, value.seconds)
    return [head(TemporalKind.DURATION, value.nanoseconds), *(part & ALL for part in parts)]


def head(kind: TemporalKind, rest: int) -> int:
    return Kind.TEMPORAL << 24 | kind << 28 | (rest & 0xFFFF_FFFF) << 32


def found_of(made: list[Any]) -> Found:
    """Give each value a record of its own."""
    blocks = [block_of(value) for value in made]
    longs = np.array([[*block, 0, 0, 0][:4] for block in blocks], np.uint64)
    rows, none = np.arange(len(made)), np.zeros(len(made), np.int64)
    kinds = (longs[:, 0] >> np.uint64(24) & np.uint64(15)).astype(np.int64)
    return Found(rows, none, kinds, 4 * rows, longs, rows)


@given(st.lists(values, min_size=1, max_size=8))
def test_values_come_out_of_parquet_as_they_were(made: list[Any]) -> None:
    found = found_of(made)
    types = types_of(found, {})
    for kind in np.unique(types).tolist():
        rows = np.flatnonzero(types == kind)
        damages: list[Any] = []
        array = values_of(kind, found[rows], {}, damages).cast(arrow_type(kind))
        assert damages == []
        file = BytesIO()
        pq.write_table(pa.table({"value": array}), file)
        back = pq.read_table(file)["value"].combine_chunks()
        assert back.type == array.type
        assert repr(plain(back)) == repr([said(made[row]) for row in rows])


@given(st.integers(0, 12), st.data())
def test_each_row_takes_its_first_value_or_none(count: int, data: st.DataObject) -> None:
    rows = data.draw(st.lists(st.integers(0, count - 1), max_size=12)) if count else []
    own = pa.array([f"value {place}" for place in range(len(rows))])
    taken = positions(np.array(rows, np.int64), count)
    found = own.to_pylist() if taken is None else own.take(taken).to_pylist()
    expected: list[str | None] = [None] * count
    for place, row in reversed(list(enumerate(rows))):
        expected[row] = f"value {place}"
    assert found == expected


@pytest.mark.parametrize("kind", [one for one in Type if one is not Type.BYTES])
def test_an_empty_list_fits_every_list(kind: Type) -> None:
    wanted = arrow_type(LIST + kind)
    empty = pa.array([[], None, []], arrow_type(EMPTY_LIST)).slice(1)
    assert fitted(EMPTY_LIST, empty, wanted).equals(pa.array([None, []], wanted))
