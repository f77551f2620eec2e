"""Exports of a real store: what they hold is what the driver tells, and Neo4j imports its CSV to the same graph."""

from __future__ import annotations

import json
import struct
import subprocess
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from pyarrow import parquet as pq

from neo4j import GraphDatabase
from neokeep import api
from neokeep.export.csv import SEPARATOR
from neokeep.lab.bolt import Session
from neokeep.lab.embedded import EmbeddedNeo4j
from neokeep.lab.home import create_home, lab_server
from neokeep.lab.random_graph import RandomGraph
from neokeep.neo4j.admin import Admin
from neokeep.neo4j.store.values import Date, DateTime, LocalDateTime, LocalTime, Point, Time
from real.test_store_reader import made_values, told

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.real

VERSION = "5.26.30"
STEPS = 10
VALUES = 200
SECOND = 10**9
SCHEMA = (
    "CREATE CONSTRAINT `odd ``name` FOR (v:Value) REQUIRE (v.number, v.`other key`) IS UNIQUE",
    "CREATE CONSTRAINT tie FOR ()-[r:TIE]-() REQUIRE r.k IS UNIQUE",
    "CREATE INDEX several FOR (p:Person) ON (p.name, p.born)",
    "CREATE TEXT INDEX words FOR (p:Person) ON (p.about)",
    (
        "CREATE POINT INDEX places FOR (p:Person) ON (p.place) "
        "OPTIONS {indexConfig: {`spatial.cartesian.min`: [-100.0, -100.0]}}"
    ),
    (
        "CREATE FULLTEXT INDEX text FOR (p:Person|Film) ON EACH [p.title, p.text] "
        "OPTIONS {indexConfig: {`fulltext.analyzer`: 'english', `fulltext.eventually_consistent`: true}}"
    ),
    "CREATE FULLTEXT INDEX notes FOR ()-[r:TIE]-() ON EACH [r.note]",
    (
        "CREATE VECTOR INDEX vectors FOR (p:Person) ON (p.embedding) "
        "OPTIONS {indexConfig: {`vector.dimensions`: 3, `vector.similarity_function`: 'cosine'}}"
    ),
)
HARD: tuple[dict[str, Any], ...] = (
    {"t": 'a "quoted", text\nwith lines\r\nand \\ backslash\\'},
    {"t": ""},
    {"t": " blank "},
    {"t": "null"},
    {"list": ["", "a;b", 'say "x"', "c,d"]},
    {"list": []},
    {"list": ["", ""]},
    {"mixed": 1},
    {"mixed": "1"},
    {"mixed": 1.0},
    {"mixed": True},
    {"id": 7, "labels": "own"},
    {"number with blanks": 1, 'with "quotes"': 2, "with,comma": 3},
    {"f": [float("inf"), float("-inf"), 1e300, 5e-324, -0.0]},
    {"f": float("inf")},
)
"""What formats of text get wrong."""


@dataclass(frozen=True)
class Source:
    home: Path
    nodes: dict[int, tuple[frozenset[str], dict[str, Any]]]
    relationships: dict[int, tuple[int, int, str, dict[str, Any]]]
    schema: Counter[str]


SHOWN = (
    "SHOW INDEXES YIELD type, entityType, labelsOrTypes, properties, options, owningConstraint, name "
    "RETURN [type, entityType, name, labelsOrTypes, properties, owningConstraint] AS line, options"
)


def schema_of(session: Any) -> Counter[str]:
    return Counter(f"{row['line']} {sorted(row['options'].items())}" for row in session.run(SHOWN))


def has_separator(value: Any) -> bool:
    """Tell whether CSV cannot hold a value, which an export refuses."""
    return isinstance(value, list) and any(isinstance(one, str) and SEPARATOR in one for one in value)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory, quick_java: None) -> Source:
    home = tmp_path_factory.mktemp("export") / "home"
    with (
        lab_server(VERSION, home, {}) as server,
        GraphDatabase.driver(server.bolt_uri) as driver,
        driver.session(database="neo4j") as session,
    ):
        for statement in SCHEMA:
            session.run(statement).consume()
        kept = [value for value in made_values() if not has_separator(value)][:VALUES]
        rows = [{"number": number, f"v{number % 2}": value} for number, value in enumerate(kept)]
        for number, hard in enumerate(HARD):
            rows.append({"number": 100_000 + number, **hard})
        session.run("UNWIND $rows AS row CREATE (n:Value) SET n = row", rows=rows[: -len(HARD)]).consume()
        session.run("UNWIND $rows AS row CREATE (n:Value:`Odd:La bel`) SET n = row", rows=rows[-len(HARD) :]).consume()
        session.run(
            "MATCH (a:Value), (b:Value {number: a.number + 1}) CREATE (a)-[r:TIE]->(b) SET r = properties(a)"
        ).consume()
        random = RandomGraph(Session(session), seed=5)
        for _ in range(STEPS):
            random.step()
        nodes = session.run("MATCH (n) RETURN id(n), labels(n), properties(n)").values()
        ties = session.run("MATCH (a)-[r]->(b) RETURN id(r), id(a), id(b), type(r), properties(r)").values()
        schema = schema_of(session)
    return Source(
        home,
        {number: (frozenset(labels), of_driver(properties)) for number, labels, properties in nodes},
        {number: (first, second, kind, of_driver(properties)) for number, first, second, kind, properties in ties},
        schema,
    )


def of_driver(properties: dict[str, Any]) -> dict[str, Any]:
    return {key: number_of(value) for key, value in told(properties).items()}


def number_of(value: Any) -> Any:
    """Say a value of the reader's words as the numbers of Arrow's types."""
    if isinstance(value, list):
        return [number_of(one) for one in value]
    if isinstance(value, Point):
        return ("point", value.system, *value.coordinates)
    if isinstance(value, Date):
        return ("date", value.days)
    if isinstance(value, LocalTime):
        return ("clock", value.nanoseconds)
    if isinstance(value, Time):
        return ("clock", value.nanoseconds, value.offset)
    if isinstance(value, LocalDateTime):
        return ("moment", value.seconds * SECOND + value.nanoseconds)
    if isinstance(value, DateTime):
        return ("moment", value.seconds * SECOND + value.nanoseconds, value.zone)
    return value


def of_arrow(kind: Any, value: Any) -> Any:
    """Say a value of an exported column in the same words."""
    if value is None:
        return None
    if pa.types.is_list(kind):
        return [of_arrow(kind.value_type, one) for one in value.values] if value.values is not None else None
    if pa.types.is_struct(kind):
        return of_struct(kind, value)
    if pa.types.is_date32(kind):
        return ("date", value.cast(pa.int32()).as_py())
    if pa.types.is_time64(kind):
        return ("clock", value.value)
    if pa.types.is_timestamp(kind):
        return ("moment", value.value)
    if pa.types.is_binary(kind):
        return [byte - 256 if byte > 127 else byte for byte in value.as_py()]
    return ("float", struct.pack(">d", value.as_py())) if pa.types.is_float64(kind) else value.as_py()


def of_struct(kind: Any, value: Any) -> Any:
    parts = {field.name: value[field.name] for field in kind}
    plain = {name: one.value if hasattr(one, "value") else one.as_py() for name, one in parts.items()}
    if "srid" in parts:
        own = ("point", *(one.as_py() for one in parts.values()))
        return own[:-1] if own[-1] is None else own
    if "months" in parts:
        return ("duration", plain["months"], plain["days"], plain["seconds"] * SECOND + plain["nanoseconds"])
    if "time" in parts:
        return ("clock", plain["time"], plain["offset"])
    zone = [plain["zone"] or plain["offset"]] if "zone" in parts else []
    nanoseconds = plain["utc"] if "utc" in parts else plain["seconds"] * SECOND + plain["nanoseconds"]
    return ("moment", nanoseconds, *zone)


def read_back(directory: Path) -> tuple[dict[int, Any], dict[int, Any]]:
    """Read an export in Parquet: nodes and relationships by their ids."""
    manifest = json.loads((directory / "manifest.json").read_text())
    assert manifest["whole"]
    nodes: dict[int, Any] = {}
    relationships: dict[int, Any] = {}
    for table in manifest["tables"]:
        rows = pq.ParquetFile(directory / table["files"][0]).read()
        keys = {column["name"]: column["key"] for column in table["columns"]}
        values = {
            name: [of_arrow(rows.schema.field(name).type, one if one.is_valid else None) for one in rows[name]]
            for name in keys
        }
        for row, number in enumerate(rows["id"].to_pylist()):
            own = {keys[name]: column[row] for name, column in values.items() if column[row] is not None}
            if table["kind"] == "nodes":
                assert set(rows["labels"][row].as_py()) == set(table["names"])
                nodes[number] = (frozenset(table["names"]), own)
            else:
                relationships[number] = (rows["start"][row].as_py(), rows["end"][row].as_py(), table["names"][0], own)
    return nodes, relationships


def test_an_export_holds_what_the_driver_tells(source: Source, tmp_path: Path) -> None:
    api.export(api.subject("neo4j", home=source.home), tmp_path / "out")
    nodes, relationships = read_back(tmp_path / "out")
    assert nodes.keys() == source.nodes.keys()
    for number, node in nodes.items():
        assert node == source.nodes[number]
    assert relationships == source.relationships


def as_imported(source: Source) -> tuple[dict[int, Any], dict[int, Any]]:
    """Leave out what Neo4j does not import: an empty list, also one of an empty text."""

    def kept(own: dict[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in own.items() if value not in ([], [""])}

    nodes = {number: (labels, kept(own)) for number, (labels, own) in source.nodes.items()}
    return nodes, {number: (*ends, kept(own)) for number, (*ends, own) in source.relationships.items()}


def imported(value: Any) -> Any:
    """Give a point as the importer of 2026 makes it: a longitude has no negative zero."""
    if isinstance(value, list):
        return [imported(one) for one in value]
    if isinstance(value, tuple) and value[0] == "point":
        return (*value[:2], *(number + 0.0 for number in value[2:]))
    return value


def without_ids(nodes: dict[int, Any], relationships: dict[int, Any]) -> tuple[Counter[str], Counter[str]]:
    def items(own: dict[str, Any]) -> list[tuple[str, Any]]:
        return sorted((key, imported(value)) for key, value in own.items())

    words = {number: repr((sorted(labels), items(own))) for number, (labels, own) in nodes.items()}
    ties = (repr((words[a], words[b], kind, items(own))) for a, b, kind, own in relationships.values())
    return Counter(words.values()), Counter(ties)


@pytest.mark.parametrize("version", ["5.26.30", "2026.08.1"])
def test_neo4j_imports_the_csv_to_the_same_graph(source: Source, tmp_path: Path, version: str) -> None:
    out = tmp_path / "csv"
    report = api.export(api.subject("neo4j", home=source.home), out, format="csv")
    target = create_home(tmp_path / "home", version, {}, lambda _: None)
    admin = Admin(target.distribution, target.home)
    command = admin.command("database", "import", "full", "neo4j", "@import.args")
    done = subprocess.run(command, env=admin.environment, cwd=out, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    api.export(api.subject("neo4j", home=target.home), tmp_path / "again")
    found, expected = without_ids(*read_back(tmp_path / "again")), without_ids(*as_imported(source))
    for own, wanted in zip(found, expected, strict=True):
        assert (own - wanted, wanted - own) == (Counter(), Counter())
    assert report.not_kept > 0
    with EmbeddedNeo4j(target.distribution) as neo4j:
        counts = ("MATCH (n) RETURN count(n) AS number", "MATCH ()-[r]->() RETURN count(r) AS number")
        ((nodes,), (ties,)) = neo4j.run(target.home, "neo4j", counts)
    assert (nodes["number"], ties["number"]) == (len(source.nodes), len(source.relationships))


def test_the_schema_is_made_anew_by_its_cypher(source: Source, tmp_path: Path) -> None:
    api.export(api.subject("neo4j", home=source.home), tmp_path / "out")
    statements = (tmp_path / "out" / "schema.cypher").read_text().split(";\n")
    with (
        lab_server(VERSION, tmp_path / "home", {}) as server,
        GraphDatabase.driver(server.bolt_uri) as driver,
        driver.session(database="neo4j") as session,
    ):
        for _ in range(2):
            for statement in filter(None, statements):
                session.run(statement).consume()
        assert schema_of(session) == source.schema
