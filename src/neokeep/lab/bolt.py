"""Talk to a lab server through the `neo4j` driver, which is an extra: nothing outside the lab needs it.

`Session` runs one statement per transaction and never repeats one whose outcome is unknown: the driver's own retry
does, and that would falsify what a workload believes to be committed.
"""

from __future__ import annotations

import contextlib
import random
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from neokeep.extras import MissingExtra

try:
    from neo4j.exceptions import DriverError, Neo4jError, ServiceUnavailable, SessionExpired, TransientError

    from neo4j import GraphDatabase
except ImportError as missing:
    raise MissingExtra("the lab", "the neo4j driver", "lab") from missing

if TYPE_CHECKING:
    from collections.abc import Iterator

    import neo4j

Row = dict[str, Any]

GONE: tuple[type[Exception], ...] = (ServiceUnavailable, SessionExpired, DriverError, OSError)
REFUSED: tuple[type[Exception], ...] = (Neo4jError,)

PATIENCE = 60
"""Seconds of trying again. A database that Neo4j could not start answers every statement as if it were passing."""


@dataclass(frozen=True, slots=True)
class Session:
    """A driver's session with the one method that the lab needs."""

    session: neo4j.Session
    patience: float = PATIENCE

    def run(self, statement: str, **parameters: Any) -> list[Row]:
        """Run a statement in a transaction of its own; deadlocks and the like are tried again, within the patience."""
        deadline = time.monotonic() + self.patience
        while True:
            try:
                return self._once(statement, parameters)
            except TransientError:
                if time.monotonic() >= deadline:
                    raise
                time.sleep(random.uniform(0.001, 0.02))  # noqa: S311 -- only to get out of step

    def _once(self, statement: str, parameters: Row) -> list[Row]:
        with self.session.begin_transaction() as transaction:
            rows = transaction.run(statement, parameters).data()
            transaction.commit()
        return rows

    def run_alone(self, statement: str, **parameters: Any) -> None:
        """Run a statement that wants to open its transactions itself, as `CALL { } IN TRANSACTIONS` does."""
        self.session.run(statement, parameters).consume()


@contextlib.contextmanager
def connected(uri: str, database: str = "neo4j", patience: float = PATIENCE) -> Iterator[Session]:
    """Open one session on a server without authentication."""
    with GraphDatabase.driver(uri, connection_timeout=10) as driver, driver.session(database=database) as session:
        yield Session(session, patience)


def is_shutdown(failure: Exception) -> bool:
    """Tell a statement that failed because the server is stopping from one that is wrong."""
    words = str(failure).lower()
    return any(word in words for word in ("shutdown", "shutting down", "unavailable", "not available", "stopped"))
