"""Ordinary events that make a capture hard, run beside a workload: schema changes and bulk loads.

They touch only labels and relationship types of their own, so the invariants of the workload hold meanwhile. Each runs
in a thread for as long as the block lasts; when the server dies they end quietly.
"""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

from neokeep.lab.bolt import GONE, REFUSED, Session, connected, is_shutdown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BULK_NODES = 20_000

CREATE_BULK = """
UNWIND range(1, $nodes) AS number
CREATE (b:Bulk {number: number, batch: $batch, text: 'bulk node ' + number + ' of batch ' + $batch})
WITH b WHERE b.number % 10 = 0 CREATE (b)-[:NEXT_TO {distance: b.number}]->(b)
"""
DELETE_BULK = "MATCH (b:Bulk {batch: $batch}) DETACH DELETE b"


@contextlib.contextmanager
def schema_churn(uri: str, database: str = "neo4j") -> Iterator[None]:
    """Create and drop a range index, a full-text index and a uniqueness constraint, with new tokens each time."""
    with _repeated(uri, database, _change_schema):
        yield


@contextlib.contextmanager
def bulk_load(uri: str, database: str = "neo4j", nodes: int = BULK_NODES) -> Iterator[None]:
    """Create many nodes in one transaction and delete them in another, again and again."""

    def load(session: Session, turn: int) -> None:
        session.run(CREATE_BULK, nodes=nodes, batch=turn)
        session.run(DELETE_BULK, batch=turn)

    with _repeated(uri, database, load):
        yield


def _change_schema(session: Session, turn: int) -> None:
    label, key = f"Churn{turn % 500}", f"key{turn % 500}"
    session.run(f"UNWIND range(1, 200) AS n CREATE (:{label} {{{key}: n, text: 'churn ' + n}})-[:{label.upper()}]->()")
    session.run(f"CREATE INDEX churn_range IF NOT EXISTS FOR (c:{label}) ON (c.text)")
    session.run(f"CREATE FULLTEXT INDEX churn_words IF NOT EXISTS FOR (c:{label}) ON EACH [c.text]")
    session.run(f"CREATE CONSTRAINT churn_unique IF NOT EXISTS FOR (c:{label}) REQUIRE c.{key} IS UNIQUE")
    session.run("CALL db.awaitIndexes(300)")
    session.run(f"MATCH (c:{label}) WHERE c.{key} % 2 = 0 SET c.text = 'changed ' + c.{key}")
    session.run("DROP INDEX churn_range IF EXISTS")
    session.run("DROP INDEX churn_words IF EXISTS")
    session.run("DROP CONSTRAINT churn_unique IF EXISTS")
    session.run(f"MATCH (c:{label})-[r]->(other) DELETE r, c, other")


@contextlib.contextmanager
def _repeated(uri: str, database: str, act: Callable[[Session, int], None]) -> Iterator[None]:
    stopping = threading.Event()
    failures: list[Exception] = []

    def repeat() -> None:
        turn = 0
        with contextlib.suppress(*GONE), connected(uri, database) as session:
            while not stopping.is_set():
                turn += 1
                try:
                    act(session, turn)
                except REFUSED as failure:
                    failures.append(failure)
                    return

    thread = threading.Thread(target=repeat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join()
    if failures and not is_shutdown(failures[0]):
        raise failures[0]
