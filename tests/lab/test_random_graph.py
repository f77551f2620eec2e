"""A random graph is the same for the same seed, and has one of everything."""

from __future__ import annotations

import datetime as dt
from random import Random
from typing import TYPE_CHECKING, Any, cast

import pytest
from neo4j.spatial import CartesianPoint, WGS84Point
from neo4j.time import DateTime, Duration

from neokeep.lab.random_graph import RandomGraph, random_value

if TYPE_CHECKING:
    from neokeep.lab.bolt import Session

KINDS = (bool, int, float, str, bytes, CartesianPoint, WGS84Point, dt.date, dt.time, dt.datetime, DateTime, Duration)

STATEMENTS = (
    "CREATE (n:", "DETACH DELETE", "REMOVE n:", "SET n +=", "CREATE INDEX", "DROP INDEX", "CREATE CONSTRAINT",
    "DROP CONSTRAINT", "DELETE r", "(n)-[:T", "UNWIND range(1, $count)",
)  # fmt: skip


class Listening:
    """A session that only remembers."""

    def __init__(self) -> None:
        self.ran: list[tuple[str, dict[str, Any]]] = []

    def run(self, statement: str, **parameters: Any) -> list[Any]:
        self.ran.append((statement, parameters))
        return []


def ran(seed: int, steps: int) -> list[tuple[str, dict[str, Any]]]:
    session = Listening()
    graph = RandomGraph(cast("Session", session), seed, prefix="x")
    for _ in range(steps):
        graph.step()
    return session.ran


def test_the_same_seed_makes_the_same_statements() -> None:
    once, again, other = (repr(ran(seed, steps=60)) for seed in (3, 3, 4))
    assert once == again
    assert once != other


@pytest.mark.slow
def test_every_kind_of_statement_comes() -> None:
    statements = "\n".join(statement for statement, _ in ran(1, steps=1500))
    for words in STATEMENTS:
        assert words in statements
    assert "CREATE (n)" in statements
    assert any(statement.count(":L") >= 39 for statement in statements.splitlines())


@pytest.mark.slow
def test_every_kind_of_value_comes_alone_and_in_arrays() -> None:
    random = Random(1)
    values = [random_value(random) for _ in range(5000)]
    alone = {type(value) for value in values}
    in_arrays = {type(item) for value in values if isinstance(value, list) for item in value}
    assert set(KINDS) <= alone
    assert set(KINDS) - {bytes} <= in_arrays
    assert [] in values
    assert all(len({type(item) for item in value}) <= 1 for value in values if isinstance(value, list))
    whole = [value for value in values if type(value) is int]
    assert min(whole) < -(1 << 62)
    assert max(whole) > 1 << 62
