"""The graph that a server left behind is read as it was written: values, labels, relationships, tokens and rules."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from helpers.small_store import MANY_LABELS, PARAMETERS, PEOPLE, SPOKES, unpack
from neokeep.errors import IntegrityError
from neokeep.neo4j.recovery.layout import FILES, Store
from neokeep.neo4j.store.graph import GraphReader
from neokeep.neo4j.store.pages import DirectoryPages
from neokeep.neo4j.store.values import Date, DateTime, Duration, LocalDateTime, LocalTime, Point, Time

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOUR = 3600
LEAP_DAY = 18_321
NOON = 12 * HOUR * 10**9 + 1_500_000_000

EVERY_VALUE = {
    "yes": True, "small": 1, "big": 1 << 60, "negative": -5, "float": 1.5, "short": "short", "empty": "", "none": [],
    "european": "größer", "long": PARAMETERS["long"], "booleans": [True, False], "ints": [1, 2, 3],
    "many": list(range(1, 501)), "floats": [1.5, -2.5], "texts": ["a", PARAMETERS["long"]],
    "bytes": [byte - 256 if byte > 127 else byte for byte in range(200)], "flat": Point(7203, (1.0, 2.0)),
    "high": Point(9157, (1.0, 2.0, 3.0)), "globe": Point(4326, (2.0, 1.0)), "points": [Point(7203, (1.0, 2.0))],
    "date": Date(LEAP_DAY), "dates": [Date(LEAP_DAY)], "clock": LocalTime(NOON), "time": Time(NOON, HOUR),
    "local": LocalDateTime(LEAP_DAY * 24 * HOUR + 12 * HOUR + 1, 0),
    "offset": DateTime(LEAP_DAY * 24 * HOUR + 11 * HOUR + 1, 0, HOUR),
    "zone": DateTime(LEAP_DAY * 24 * HOUR + 11 * HOUR + 1, 0, "Europe/Berlin"),
    "duration": Duration(14, 3, 4 * HOUR + 5, 600_000_000),
}  # fmt: skip


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unpack(tmp_path_factory.mktemp("small"))


@pytest.fixture
def reader(directory: Path) -> Iterator[GraphReader]:
    with DirectoryPages(directory) as pages:
        yield GraphReader(pages, aligned=True)


def plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray) else list(value) if isinstance(value, tuple) else value


def nodes_of(reader: GraphReader, most: int = 1 << 20) -> dict[int, tuple[frozenset[str], dict[str, Any]]]:
    """Give the labels and properties of all nodes."""
    labels, keys = reader.tokens(Store.LABEL), reader.tokens(Store.PROPERTY_KEY)
    found = {}
    for batch in reader.nodes(most):
        assert batch.damages == ()
        own: list[set[str]] = [set() for _ in batch.ids]
        for row, label in zip(batch.labels.rows.tolist(), batch.labels.labels.tolist(), strict=True):
            own[row].add(labels[label])
        values = batch.properties.by_row(len(batch.ids))
        for number, names, properties in zip(batch.ids.tolist(), own, values, strict=True):
            found[number] = (frozenset(names), {keys[key]: plain(value) for key, value in properties.items()})
    return found


def labelled(reader: GraphReader, label: str) -> list[dict[str, Any]]:
    return [properties for labels, properties in nodes_of(reader).values() if label in labels]


@pytest.mark.parametrize("key", EVERY_VALUE)
def test_every_type_of_value_is_read(reader: GraphReader, key: str) -> None:
    (properties,) = labelled(reader, "Every")
    assert set(properties) == set(EVERY_VALUE)
    assert repr(properties[key]) == repr(EVERY_VALUE[key])


def test_all_nodes_come_with_their_texts(reader: GraphReader) -> None:
    people = {properties["number"]: properties for properties in labelled(reader, "Person")}
    assert people == {
        number: {"number": number, "name": f"person {number}", "about": f"{PARAMETERS['long']}{number}"}
        for number in range(1, PEOPLE + 1)
    }


def test_labels_in_dynamic_records_are_read(reader: GraphReader) -> None:
    assert [labels for labels, _ in nodes_of(reader).values() if "Many0" in labels] == [frozenset(MANY_LABELS)]


def test_removed_nodes_do_not_come(reader: GraphReader) -> None:
    assert labelled(reader, "Gone") == []
    assert "Gone" in reader.tokens(Store.LABEL).values()


def test_relationships_come_with_their_ends_and_properties(reader: GraphReader) -> None:
    types, keys, nodes = reader.tokens(Store.TYPE), reader.tokens(Store.PROPERTY_KEY), nodes_of(reader)
    found = []
    for batch in reader.relationships():
        values = batch.properties.by_row(len(batch.ids))
        for kind, start, end, own in zip(
            batch.type.tolist(), batch.start.tolist(), batch.end.tolist(), values, strict=True
        ):
            if types[kind] == "KNOWS":
                ends = [nodes[node][1]["number"] for node in (start, end)]
                found.append((*ends, {keys[key]: value for key, value in own.items()}))
    pairs = [(a, a + step) for step in (1, 3) for a in range(1, PEOPLE + 1) if a + step <= PEOPLE]
    assert sorted(found, key=str) == sorted(((a, b, {"since": a}) for a, b in pairs), key=str)
    assert sum(len(batch.ids) for batch in reader.relationships()) == len(pairs) + 3 * SPOKES + 4


@pytest.mark.parametrize("most", [1, 546, 600, 100_000])
def test_batches_of_any_size_give_the_same(reader: GraphReader, most: int) -> None:
    assert repr(nodes_of(reader, most)) == repr(nodes_of(reader))


def test_ranges_of_ids_add_up_to_the_whole(reader: GraphReader) -> None:
    whole = [number for batch in reader.relationships() for number in batch.ids.tolist()]
    parts = [
        number
        for start, stop in ((0, 7), (7, 100), (100, 240), (240, 5000))
        for batch in reader.relationships(start=start, stop=stop)
        for number in batch.ids.tolist()
    ]
    assert parts == whole


def test_rules_of_the_schema_are_read(reader: GraphReader) -> None:
    damages: list[Any] = []
    rules = {
        (rule.properties["schemaRuleType"], rule.properties["name"]): rule for rule in reader.schema_rules(damages)
    }
    assert {("CONSTRAINT", "person_number"), ("INDEX", "person_number"), ("INDEX", "person_name")} <= set(rules)
    index = rules["INDEX", "person_name"].properties
    labels, keys = reader.tokens(Store.LABEL), reader.tokens(Store.PROPERTY_KEY)
    assert [labels[label] for label in plain(index["schemaEntityIds"])] == ["Person"]
    assert [keys[key] for key in plain(index["schemaPropertyIds"])] == ["name"]
    assert damages == []


def test_numbers_keep_their_types(reader: GraphReader) -> None:
    types = {
        column.values.dtype
        for batch in reader.nodes()
        for column in batch.properties.columns
        if column.values.dtype != np.object_
    }
    assert types == {np.dtype(np.int64), np.dtype(np.float64), np.dtype(np.bool_)}


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    unpack(tmp_path)
    (tmp_path / FILES[Store.STRINGS]).unlink()
    with DirectoryPages(tmp_path) as pages, pytest.raises(IntegrityError, match=r"strings cannot be read: it is not"):
        GraphReader(pages, aligned=True)


@pytest.mark.parametrize("size", [0, 8, 8193, 1 << 31])
def test_a_size_of_records_that_cannot_be_is_refused(tmp_path: Path, size: int) -> None:
    path = unpack(tmp_path) / FILES[Store.ARRAYS]
    content = path.read_bytes()
    path.write_bytes(size.to_bytes(4, "big") + content[4:])
    with DirectoryPages(tmp_path) as pages, pytest.raises(IntegrityError, match="its records have"):
        GraphReader(pages, aligned=True)


@pytest.mark.parametrize("bytes_left", [0, 1, 8191, 8192 + 15, 8192 + 8190])
def test_a_file_that_was_cut_gives_the_records_that_are_left(tmp_path: Path, bytes_left: int) -> None:
    path = unpack(tmp_path) / FILES[Store.NODE]
    whole = path.read_bytes()
    path.write_bytes(whole.ljust(3 * 8192, b"\0")[:bytes_left])
    places = min(bytes_left // 8192 * 546 + bytes_left % 8192 // 15, math.ceil(bytes_left / 8192) * 546)
    with DirectoryPages(tmp_path) as pages:
        table = GraphReader(pages, aligned=True).tables[Store.NODE]
        assert table.count == places
        assert sum(len(batch.records) for batch in table.batches()) == places
