"""What is exported by columns is what the reader of single values reads, on a whole store and on damaged ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import strategies as st

from helpers.flipped import FlippedPages
from helpers.properties import examples
from helpers.small_store import unpack
from neokeep.export.batches import read_parts
from neokeep.export.entities import Side
from neokeep.export.run import planned
from neokeep.neo4j.recovery.layout import FILES, Store
from neokeep.neo4j.store.graph import GraphReader
from neokeep.neo4j.store.pages import DirectoryPages
from neokeep.neo4j.store.values import Date, DateTime, Duration, LocalDateTime, LocalTime, Point, Time
from neokeep.progress import Silent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from neokeep.neo4j.store.damage import Damage

SECOND = 10**9
Rows = dict[int, dict[str, Any]]


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DirectoryPages]:
    with DirectoryPages(unpack(tmp_path_factory.mktemp("store"))) as opened:
        yield opened


def exported(reader: GraphReader, side: Side, damages: list[Damage]) -> Rows:
    """Read all rows by columns: values by keys, with what tables say of them."""
    layout = planned(reader, side, jobs=1, progress=Silent())
    found: Rows = {}
    for part in read_parts(reader, layout, damages, jobs=1, progress=Silent()):
        table = layout.tables[part.table]
        keys = {column.name: column.key_name for column in table.columns}
        for row in raw(part.rows):
            own: dict[str, Any] = {"": table.names, **{name: row[name] for name in ("start", "end") if name in row}}
            for name, value in row.items():
                if name in keys and value is not None:
                    own.setdefault(f"={keys[name]}", value)
            found[row["id"]] = own
    return found


def raw(rows: Any) -> list[dict[str, Any]]:
    """Give rows with dates and times as the numbers that they are made of: Python's own have no nanoseconds."""
    return [dict(zip(rows.schema.names, values, strict=True)) for values in zip(*map(plain, rows.columns), strict=True)]


def plain(array: Any) -> list[Any]:
    import pyarrow as pa

    kind = array.type
    if pa.types.is_list(kind):
        return [None if one is None else plain(one) for one in (scalar.values for scalar in array)]
    if pa.types.is_struct(kind):
        columns = {field.name: plain(array.field(field.name)) for field in kind}
        rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
        return [row if valid else None for row, valid in zip(rows, array.is_valid().to_pylist(), strict=True)]
    if pa.types.is_date32(kind):
        return list(array.cast(pa.int32()).to_pylist())
    if pa.types.is_timestamp(kind) or pa.types.is_time64(kind):
        return list(array.cast(pa.int64()).to_pylist())
    return list(array.to_pylist())


def said(value: Any) -> Any:
    """Say what the reader of single values gave as Arrow has it."""
    if isinstance(value, np.ndarray):
        return value.tobytes() if value.dtype == np.int8 else value.tolist()
    if isinstance(value, tuple):
        return [said(item) for item in value]
    if isinstance(value, Point):
        return {"srid": value.system, **dict(zip("xyz", (*value.coordinates, None), strict=False))}
    if isinstance(value, Date):
        return value.days
    if isinstance(value, LocalTime):
        return value.nanoseconds
    if isinstance(value, Time):
        return {"time": value.nanoseconds, "offset": value.offset}
    if isinstance(value, LocalDateTime | DateTime):
        return moment(value)
    if isinstance(value, Duration):
        return {name: getattr(value, name) for name in ("months", "days", "seconds", "nanoseconds")}
    return value


def moment(value: LocalDateTime | DateTime) -> Any:
    near = (value.seconds - 1) * SECOND > -(2**63) and (value.seconds + 1) * SECOND < 2**63
    zone: dict[str, Any] = {}
    if isinstance(value, DateTime):
        named = isinstance(value.zone, str)
        zone = {"offset": None if named else value.zone, "zone": value.zone if named else None}
    if not near:
        return {"seconds": value.seconds, "nanoseconds": value.nanoseconds, **zone}
    nanoseconds = value.seconds * SECOND + value.nanoseconds
    return {"utc": nanoseconds, **zone} if zone else nanoseconds


def one_by_one(reader: GraphReader, side: Side) -> Rows:
    """Read all rows with the reader of single values."""
    names, keys = reader.tokens(side.tokens), reader.tokens(Store.PROPERTY_KEY)
    found: Rows = {}
    for batch in reader.nodes() if side is Side.NODES else reader.relationships():
        values = batch.properties.by_row(len(batch.ids))
        for row, number in enumerate(batch.ids.tolist()):
            if hasattr(batch, "labels"):
                own = batch.labels.labels[batch.labels.rows == row].tolist()
                ends: dict[str, Any] = {}
            else:
                own = [int(batch.type[row])]
                ends = {"start": int(batch.start[row]), "end": int(batch.end[row])}
            said_values = {
                f"={keys.get(key, f'key {key}')}": said(value)
                for key, value in values[row].items()
                if value is not None
            }
            found[number] = {"": tuple(sorted(names.get(one, f"token {one}") for one in own)), **ends, **said_values}
    return found


def texts(rows: Rows) -> dict[int, str]:
    """Write rows so that they can be compared: NaN is NaN."""
    return {number: repr(sorted(row.items())) for number, row in rows.items()}


@pytest.mark.parametrize("side", list(Side))
def test_a_whole_store_is_exported_as_it_is_read(pages: DirectoryPages, side: Side) -> None:
    damages: list[Damage] = []
    reader = GraphReader(pages, aligned=True)
    found = exported(reader, side, damages)
    assert damages == []
    assert len(found) > 100
    assert texts(found) == texts(one_by_one(reader, side))


def has_a_key_twice(batch: Any) -> bool:
    """Tell whether damage gave an entity two values of one key: the reader knows one of them, a table may have both."""
    blocks = batch.properties.blocks
    return len(set(zip(blocks.chain.tolist(), blocks.key.tolist(), strict=True))) < len(blocks)


places = st.dictionaries(
    st.tuples(st.sampled_from([FILES[store] for store in Store]), st.integers(0, 40_000)),
    st.integers(0, 255),
    max_size=25,
)


@examples(300, HealthCheck.too_slow)
@example(flips={("neostore.propertystore.db", 952): 128})
@given(flips=places)
def test_damage_is_told_by_both_and_what_is_whole_is_the_same(
    pages: DirectoryPages, flips: dict[tuple[str, int], int]
) -> None:
    from neokeep.errors import IntegrityError

    try:
        reader = GraphReader(FlippedPages(pages, flips), aligned=True)
    except IntegrityError:
        return
    for side in Side:
        damages: list[Damage] = []
        found = exported(reader, side, damages)
        batches: list[Any] = list(reader.nodes() if side is Side.NODES else reader.relationships())
        told = {(damage.code, damage.store, damage.record) for batch in batches for damage in batch.damages}
        assert {(damage.code, damage.store, damage.record) for damage in damages} == told
        expected = one_by_one(reader, side)
        assert found.keys() == expected.keys()
        if not told and not any(has_a_key_twice(batch) for batch in batches):
            assert texts(found) == texts(expected)
