"""A graph as Arrow: all nodes, relationships and values, with their types, also after Parquet."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from helpers.small_store import MANY_LABELS, PARAMETERS, unpack
from neokeep.errors import ConfigurationError
from neokeep.neo4j.recovery.layout import Store
from neokeep.neo4j.store.arrow import nodes_to_arrow, properties_to_arrow, relationships_to_arrow
from neokeep.neo4j.store.graph import GraphReader
from neokeep.neo4j.store.pages import DirectoryPages

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOUR = 3600
LEAP_DAY = 18_321
MOMENT = (LEAP_DAY * 24 + 11) * HOUR + 1

VALUES = {
    "yes": (pa.bool_(), True),
    "negative": (pa.int64(), -5),
    "float": (pa.float64(), 1.5),
    "european": (pa.string(), "größer"),
    "long": (pa.string(), PARAMETERS["long"]),
    "none": (pa.list_(pa.null()), []),
    "booleans": (pa.list_(pa.bool_()), [True, False]),
    "many": (pa.list_(pa.int64()), list(range(1, 501))),
    "floats": (pa.list_(pa.float64()), [1.5, -2.5]),
    "texts": (pa.list_(pa.string()), ["a", PARAMETERS["long"]]),
    "high": (None, {"system": 9157, "coordinates": [1.0, 2.0, 3.0]}),
    "points": (None, [{"system": 7203, "coordinates": [1.0, 2.0]}]),
    "dates": (None, [{"days": LEAP_DAY}]),
    "time": (None, {"nanoseconds": (12 * HOUR + 1) * 10**9 + 500_000_000, "offset": HOUR}),
    "offset": (None, {"seconds": MOMENT, "nanoseconds": 0, "offset": HOUR, "zone": None}),
    "zone": (None, {"seconds": MOMENT, "nanoseconds": 0, "offset": None, "zone": "Europe/Berlin"}),
    "duration": (None, {"months": 14, "days": 3, "seconds": 4 * HOUR + 5, "nanoseconds": 600_000_000}),
}


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GraphReader]:
    with DirectoryPages(unpack(tmp_path_factory.mktemp("small"))) as pages:
        yield GraphReader(pages, aligned=True)


@pytest.fixture(scope="module")
def values(reader: GraphReader) -> list[pa.RecordBatch]:
    keys = reader.tokens(Store.PROPERTY_KEY)
    return [part for batch in reader.nodes() for part in properties_to_arrow(batch.ids, batch.properties, keys)]


@pytest.mark.parametrize("key", VALUES)
def test_values_come_with_their_types(values: list[pa.RecordBatch], key: str) -> None:
    ((found, kind),) = [
        (row["value"], part.schema.field("value").type)
        for part in values
        for row in part.to_pylist()
        if row["key"] == key
    ]
    expected, value = VALUES[key]
    assert found == value
    assert expected is None or kind == expected


def test_nodes_come_with_their_labels(reader: GraphReader) -> None:
    labels = reader.tokens(Store.LABEL)
    rows = [row for batch in reader.nodes(600) for row in nodes_to_arrow(batch, labels).to_pylist()]
    assert [row["id"] for row in rows] == [number for batch in reader.nodes() for number in batch.ids.tolist()]
    assert [set(row["labels"]) for row in rows if "Many0" in row["labels"]] == [set(MANY_LABELS)]
    assert sum(row["labels"] == ["Person"] for row in rows) == 40


def test_relationships_come_with_their_ends(reader: GraphReader) -> None:
    types = reader.tokens(Store.TYPE)
    (batch,) = reader.relationships()
    rows = relationships_to_arrow(batch, types).to_pylist()
    expected = zip(batch.ids.tolist(), batch.start.tolist(), batch.end.tolist(), batch.type.tolist(), strict=True)
    assert [(row["id"], row["start"], row["end"], row["type"]) for row in rows] == [
        (number, start, end, types[kind]) for number, start, end, kind in expected
    ]


def test_everything_goes_through_parquet(values: list[pa.RecordBatch], tmp_path: Path) -> None:
    for number, part in enumerate(values):
        path = tmp_path / f"{number}.parquet"
        parquet.write_table(pa.Table.from_batches([part]), path)
        assert parquet.read_table(path).to_pylist() == part.to_pylist()


def test_without_pyarrow_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    unavailable: dict[str, Any] = {"pyarrow": None}
    monkeypatch.delitem(sys.modules, "neokeep.neo4j.store.arrow")
    for name, module in unavailable.items():
        monkeypatch.setitem(sys.modules, name, module)
    with pytest.raises(ConfigurationError) as told:
        __import__("neokeep.neo4j.store.arrow")
    assert told.value.remedy == "pip install 'neokeep[export]'"
