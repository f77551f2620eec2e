"""What a server tells of its graph through the driver is what is read from its stopped store, for values of every type.

The values are hypothesis's, sent in one statement to one server of each version; a graph that changed at random is read
too. Neo4j's formats of Community hold no vectors: the server says so.
"""

from __future__ import annotations

import datetime as dt
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import pytz
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from neo4j.spatial import CartesianPoint, WGS84Point
from neo4j.spatial import Point as DriverPoint
from neo4j.time import Date as DriverDate
from neo4j.time import DateTime as DriverDateTime
from neo4j.time import Duration as DriverDuration
from neo4j.time import Time as DriverTime

from conftest import VERSIONS
from neo4j import GraphDatabase
from neokeep.lab.bolt import Session
from neokeep.lab.home import lab_server
from neokeep.lab.random_graph import ALPHABETS, RandomGraph
from neokeep.neo4j.recovery.layout import Store
from neokeep.neo4j.store.graph import GraphReader
from neokeep.neo4j.store.neostore import read_store_id
from neokeep.neo4j.store.pages import DirectoryPages
from neokeep.neo4j.store.values import Date, DateTime, Duration, LocalDateTime, LocalTime, Point, Time
from neokeep.neo4j.store.zones import zone_names

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.real

STANDARD = "5.26.30"
"""The version whose databases are made in format standard."""

STEPS = 120
VALUES = 800
LONG = (1 << 63) - 1
DAY_ZERO = dt.date(1970, 1, 1).toordinal()
ZONES = ("Europe/Berlin", "America/New_York", "Asia/Tokyo", "Africa/Abidjan", "UTC")

texts = st.one_of(st.text(max_size=70), *(st.text(alphabet, max_size=64) for alphabet in ALPHABETS))
integers = st.one_of(
    st.integers(-LONG - 1, LONG), st.integers(-130, 130), st.integers(0, 63).map(lambda bits: (1 << bits) - 1)
)
offsets = st.integers(-72, 72).map(lambda quarters: pytz.FixedOffset(15 * quarters) if quarters else pytz.utc)
dates = st.dates().map(lambda date: DriverDate(date.year, date.month, date.day))
clocks = st.builds(DriverTime, st.integers(0, 23), st.integers(0, 59), st.integers(0, 59), st.integers(0, 999_999_999))
moments = st.builds(DriverDateTime.combine, dates, clocks)
# Noon is an hour of every day in every zone, and the driver knows the zones of these years.
noons = st.dates(dt.date(1990, 1, 1), dt.date(2035, 1, 1)).map(
    lambda day: DriverDateTime(day.year, day.month, day.day, 12)
)
coordinates = st.floats(-80, 80)
durations = st.builds(
    DriverDuration,
    months=st.integers(-(10**6), 10**6),
    days=st.integers(-(10**6), 10**6),
    seconds=st.integers(-(10**12), 10**12),
    nanoseconds=st.integers(0, 999_999_999),
)
scalars = (
    st.booleans(), integers, st.floats(allow_nan=False), texts, dates, clocks, moments, durations,
    st.builds(lambda clock, zone: clock.replace(tzinfo=zone), clocks, offsets),
    st.builds(lambda moment, zone: zone.localize(moment), noons, offsets),
    st.builds(lambda moment, name: pytz.timezone(name).localize(moment), noons, st.sampled_from(ZONES)),
    *(st.tuples(*[coordinates] * size).map(kind) for kind in (CartesianPoint, WGS84Point) for size in (2, 3)),
)  # fmt: skip
values = st.one_of(*scalars, st.binary(max_size=300), *(st.lists(one, max_size=40) for one in scalars))


def made_values() -> list[Any]:
    """Have hypothesis make values; none of them is an example of a failure, so they are only collected."""
    made: list[Any] = []

    @settings(max_examples=VALUES, phases=[Phase.generate], database=None, suppress_health_check=list(HealthCheck))
    @given(values)
    def collect(value: Any) -> None:
        made.append(value)

    collect()
    return made


@dataclass(frozen=True)
class Graph:
    """What the driver told: nodes and relationships by their ids, with names; and where the store lies."""

    directory: Path
    aligned: bool
    nodes: dict[int, tuple[frozenset[str], dict[str, Any]]]
    relationships: dict[int, tuple[int, int, str, dict[str, Any]]]


@pytest.fixture(scope="module", params=VERSIONS)
def graph(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, quick_java: None) -> Graph:
    """A graph of one version, as the driver told it before its server stopped."""
    version = str(request.param)
    home = tmp_path_factory.mktemp("reader") / "home"
    settings = {"db.format": "standard"} if version == STANDARD else {}
    with (
        lab_server(version, home, settings) as server,
        GraphDatabase.driver(server.bolt_uri) as driver,
        driver.session(database="neo4j") as session,
    ):
        own = Session(session)
        rows = [{f"v{number % 7}": value} for number, value in enumerate(made_values())]
        own.run("UNWIND $rows AS row CREATE (n:Value) SET n = row", rows=rows)
        own.run("CREATE (:Far {day: date('+999999999-01-01'), first: datetime('-999999999-01-01T00:00:00Z')})")
        own.run(
            "UNWIND $names AS name CREATE (:Zone {name: name, at: datetime({year: 2000, timezone: name})})",
            names=list(ZONES),
        )
        random = RandomGraph(own, seed=11)
        for _ in range(STEPS):
            random.step()
        # Years that Python's dates do not have are not asked for through the driver.
        nodes = session.run("MATCH (n) WHERE NOT n:Far RETURN id(n), labels(n), properties(n)").values()
        ties = session.run("MATCH (a)-[r]->(b) RETURN id(r), id(a), id(b), type(r), properties(r)").values()
        if version.startswith("2026"):
            with pytest.raises(Exception, match="not supported in aligned store format"):
                session.run("CYPHER 25 CREATE (:V {v: vector([1, 2], 2, INTEGER8)})").consume()
    return Graph(
        home / "data" / "databases",
        version != STANDARD,
        {number: (frozenset(labels), told(properties)) for number, labels, properties in nodes},
        {number: (first, second, kind, told(properties)) for number, first, second, kind, properties in ties},
    )


def told(properties: dict[str, Any]) -> dict[str, Any]:
    return {key: value_of(value) for key, value in properties.items()}


def value_of(value: Any) -> Any:
    """Say what the driver gave in the words of the reader: floats by their bits, durations by their sums."""
    if isinstance(value, DriverDuration):
        return ("duration", value.months, value.days, value.seconds * 10**9 + value.nanoseconds)
    if isinstance(value, DriverPoint):
        return Point(value.srid or 0, tuple(value))
    if isinstance(value, bytes | bytearray):
        return [byte - 256 if byte > 127 else byte for byte in value]
    if isinstance(value, list):
        return [value_of(item) for item in value]
    if isinstance(value, DriverDateTime):
        return moment_of(value)
    if isinstance(value, DriverDate):
        return Date(value.to_ordinal() - DAY_ZERO)
    if isinstance(value, DriverTime):
        ahead = value.utcoffset()
        return LocalTime(value.ticks) if ahead is None else Time(value.ticks, int(ahead.total_seconds()))
    return ("float", struct.pack(">d", value)) if isinstance(value, float) else value


def moment_of(value: DriverDateTime) -> LocalDateTime | DateTime:
    seconds = (value.to_ordinal() - DAY_ZERO) * 86_400 + value.hour * 3600 + value.minute * 60 + value.second
    ahead = value.utcoffset()
    if ahead is None:
        return LocalDateTime(seconds, value.nanosecond)
    offset = int(ahead.total_seconds())
    return DateTime(seconds - offset, value.nanosecond, getattr(value.tzinfo, "zone", None) or offset)


def read(value: Any) -> Any:
    """Say what the reader gave in the same words."""
    if isinstance(value, Duration):
        return ("duration", value.months, value.days, value.seconds * 10**9 + value.nanoseconds)
    if isinstance(value, np.ndarray):
        return [read(item) for item in value.tolist()]
    if isinstance(value, tuple):
        return [read(item) for item in value]
    return ("float", struct.pack(">d", value)) if isinstance(value, float) else value


def test_every_node_is_read_as_the_driver_tells_it(graph: Graph) -> None:
    with DirectoryPages(graph.directory / "neo4j") as pages:
        reader = GraphReader(pages, aligned=graph.aligned)
        labels, keys = reader.tokens(Store.LABEL), reader.tokens(Store.PROPERTY_KEY)
        seen = 0
        for batch in reader.nodes(600):
            assert batch.damages == ()
            own: list[set[str]] = [set() for _ in batch.ids]
            for row, label in zip(batch.labels.rows.tolist(), batch.labels.labels.tolist(), strict=True):
                own[row].add(labels[label])
            found = batch.properties.by_row(len(batch.ids))
            for number, names, properties in zip(batch.ids.tolist(), own, found, strict=True):
                if "Far" in names:
                    continue
                expected_labels, expected = graph.nodes[number]
                seen += 1
                assert names == expected_labels
                assert {keys[key]: read(value) for key, value in properties.items()} == expected
        assert reader.token_damages == []
    assert seen == len(graph.nodes) > VALUES / 2


def test_every_relationship_is_read_as_the_driver_tells_it(graph: Graph) -> None:
    with DirectoryPages(graph.directory / "neo4j") as pages:
        reader = GraphReader(pages, aligned=graph.aligned)
        types, keys = reader.tokens(Store.TYPE), reader.tokens(Store.PROPERTY_KEY)
        found = {}
        for batch in reader.relationships(500):
            assert batch.damages == ()
            properties = batch.properties.by_row(len(batch.ids))
            columns = (batch.ids, batch.start, batch.end, batch.type)
            for *numbers, values in zip(*(column.tolist() for column in columns), properties, strict=True):
                number, first, second, kind = numbers
                own = {keys[key]: read(value) for key, value in values.items()}
                found[number] = (first, second, types[kind], own)
    assert found == graph.relationships
    assert found


def test_years_that_python_does_not_know_are_read(graph: Graph) -> None:
    with DirectoryPages(graph.directory / "neo4j") as pages:
        reader = GraphReader(pages, aligned=graph.aligned)
        keys = {name: key for key, name in reader.tokens(Store.PROPERTY_KEY).items()}
        all_of_them = [own for batch in reader.nodes() for own in batch.properties.by_row(len(batch.ids))]
        far = next(own for own in all_of_them if keys["day"] in own)
    assert far[keys["day"]] == Date(365_241_780_107)
    assert far[keys["first"]].zone in (0, "UTC", "Z")
    assert far[keys["first"]].seconds == -31_557_014_135_596_800


def test_zones_have_the_same_numbers_in_every_version(graph: Graph) -> None:
    assert set(ZONES) <= set(zone_names())
    assert len(zone_names()) == len(set(zone_names()))


def test_the_format_is_the_one_that_was_asked_for(graph: Graph) -> None:
    assert (read_store_id(graph.directory / "neo4j").store_format == "aligned") is graph.aligned


def test_the_system_database_is_read_without_damage(graph: Graph) -> None:
    aligned = read_store_id(graph.directory / "system").store_format == "aligned"
    with DirectoryPages(graph.directory / "system") as pages:
        reader = GraphReader(pages, aligned=aligned)
        assert "Database" in reader.tokens(Store.LABEL).values()
        damages = [*reader.token_damages]
        assert reader.schema_rules(damages)
        for nodes in reader.nodes():
            damages += nodes.damages
        for relationships in reader.relationships():
            damages += relationships.damages
    assert damages == []
