"""Statistics are what Cypher counts itself: one server of 5.26.30 with a random graph of every kind of value."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from helpers.small_store import PARAMETERS, STATEMENTS
from neokeep import api
from neokeep.lab.bolt import connected
from neokeep.lab.home import create_home
from neokeep.lab.random_graph import RandomGraph

if TYPE_CHECKING:
    from neokeep.lab.bolt import Row
    from neokeep.reports import PropertyStatistics, StatisticsReport

pytestmark = pytest.mark.real

VERSION = "5.26.30"
STEPS = 60
EVERYTHING = 100_000
BARE = ("CREATE ()-[:KNOWS]->({lonely: true})", "CREATE (n) CREATE (n)-[:SELF {one: 1}]->(n)")

OR_NULL = "CASE labels({0}) WHEN [] THEN [null] ELSE labels({0}) END"
QUESTIONS = {
    "labels": "MATCH (n) UNWIND labels(n) AS label RETURN label, count(*) AS count",
    "combinations": "MATCH (n) RETURN labels(n) AS labels, count(*) AS count",
    "types": "MATCH ()-[r]->() RETURN type(r) AS type, count(*) AS count",
    "patterns": (
        f"MATCH (a)-[r]->(b) UNWIND {OR_NULL.format('a')} AS start UNWIND {OR_NULL.format('b')} AS end "
        "RETURN start, type(r) AS type, end, count(*) AS count"
    ),
    "node keys": (
        f"MATCH (n) UNWIND {OR_NULL.format('n')} AS of UNWIND keys(n) AS key "
        "RETURN of, key, valueType(n[key]) AS type, count(*) AS count"
    ),
    "relationship keys": (
        "MATCH ()-[r]->() UNWIND keys(r) AS key RETURN type(r) AS of, key, valueType(r[key]) AS type, count(*) AS count"
    ),
    "degrees": (
        "MATCH (n) RETURN id(n) AS node, count {(n)-->()} AS out, count {(n)<--()} AS incoming, count {(n)--()} AS all"
    ),
    "without": (
        "MATCH (n) "
        "RETURN count(CASE labels(n) WHEN [] THEN 1 END) AS label, count(CASE keys(n) WHEN [] THEN 1 END) AS key"
    ),
}


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory, quick_java: None) -> dict[str, Any]:
    """Give what Cypher answers, the statistics of the stopped database, and those of a backup of the running one."""
    directory = tmp_path_factory.mktemp("statistics")
    server, repository = create_home(directory / "home", VERSION), str(directory / "repository")
    api.init(repository)
    server.start()
    try:
        with connected(server.bolt_uri) as session:
            for statement in (*STATEMENTS, *BARE):
                session.run(statement, **PARAMETERS)
            random = RandomGraph(session, seed=11)
            for _ in range(STEPS):
                random.step()
            answers: dict[str, Any] = {name: session.run(question) for name, question in QUESTIONS.items()}
        (backup,) = api.backup(server.home, repository, ["neo4j"], gentle=False).backups
    finally:
        server.stop()
    kept = api.subject("neo4j", repository=repository, label=backup.label, scratch=directory)
    stopped = api.subject("neo4j", home=server.home)
    return answers | {"stopped": api.stats(stopped, most=EVERYTHING), "kept": api.stats(kept, most=EVERYTHING)}


@pytest.fixture(params=["stopped", "kept"])
def report(request: pytest.FixtureRequest, told: dict[str, Any]) -> StatisticsReport:
    found: StatisticsReport = told[request.param]
    return found


def counted(rows: list[Row], *names: str) -> dict[tuple[Any, ...], int]:
    return {tuple(row[name] for name in names): row["count"] for row in rows}


def typed(keys: tuple[PropertyStatistics, ...]) -> Counter[tuple[str | None, str, str]]:
    return Counter({(one.of, one.key, kind.type): kind.count for one in keys for kind in one.types})


def values(rows: list[Row]) -> Counter[tuple[str | None, str, str]]:
    found = Counter[tuple[str | None, str, str]]()
    for row in rows:
        found[row["of"], row["key"], row["type"].replace(" NOT NULL", "")] += row["count"]
    return found


def test_labels_and_their_combinations_are_those_of_cypher(told: dict[str, Any], report: StatisticsReport) -> None:
    nodes = report.nodes
    assert len(nodes.labels) > 20
    assert {(one.label,): one.nodes for one in nodes.labels} == counted(told["labels"], "label")
    combinations = Counter({one.labels: one.nodes for one in nodes.combinations})
    assert combinations == Counter({tuple(sorted(row["labels"])): row["count"] for row in told["combinations"]})
    (without,) = told["without"]
    assert (nodes.without_label, nodes.without_property) == (without["label"], without["key"])
    assert nodes.count == sum(row["count"] for row in told["combinations"])


def test_types_and_patterns_are_those_of_cypher(told: dict[str, Any], report: StatisticsReport) -> None:
    relationships = report.relationships
    assert {(one.type,): one.relationships for one in relationships.types} == counted(told["types"], "type")
    patterns = {(one.start, one.type, one.end): one.relationships for one in relationships.patterns}
    assert patterns == counted(told["patterns"], "start", "type", "end")
    assert (None, "SELF", None) in patterns


def test_keys_and_types_of_values_are_those_of_cypher(told: dict[str, Any], report: StatisticsReport) -> None:
    assert typed(report.nodes.property_keys) == values(told["node keys"])
    assert typed(report.relationships.property_keys) == values(told["relationship keys"])


def test_degrees_are_those_of_cypher(told: dict[str, Any], report: StatisticsReport) -> None:
    for degrees, name in zip(report.degrees, ("out", "incoming", "all"), strict=True):
        by_node = {row["node"]: row[name] for row in told["degrees"]}
        ordered = sorted(by_node.items(), key=lambda pair: (-pair[1], pair[0]))
        assert [(one.node, one.degree) for one in degrees.nodes] == ordered[:10]
        for bucket in degrees.buckets:
            assert bucket.nodes == sum(bucket.least <= degree <= bucket.most for degree in by_node.values())
        assert degrees.mean == round(sum(by_node.values()) / len(by_node), 3)


def test_nothing_of_a_healthy_store_is_damaged(report: StatisticsReport) -> None:
    assert report.damages == 0
    stores = {one.file: one for one in report.stores}
    assert stores["neostore.nodestore.db"].in_use == report.nodes.count
    assert stores["neostore.relationshipstore.db"].in_use == report.relationships.count
    assert all(min(one.in_use, one.free, one.unused, one.copy_frees) >= 0 for one in report.stores)
