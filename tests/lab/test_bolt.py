"""Statements that a server refuses for now: tried again, and not for ever."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import pytest
from neo4j.exceptions import ClientError, TransientError

from neokeep.lab.bolt import Session

if TYPE_CHECKING:
    import neo4j


@dataclass
class Refusing:
    """Stands for a driver's session whose first transactions are refused."""

    failure: Exception
    times: float
    begun: int = 0

    def begin_transaction(self) -> Refusing:
        self.begun += 1
        if self.begun <= self.times:
            raise self.failure
        return self

    def __enter__(self) -> Refusing:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def run(self, *_: Any) -> Refusing:
        return self

    def data(self) -> list[dict[str, int]]:
        return [{"number": 1}]

    def commit(self) -> None:
        pass


def session(driver: Refusing, patience: float = 60) -> Session:
    return Session(cast("neo4j.Session", driver), patience)


def test_a_statement_that_meets_a_deadlock_is_run_again() -> None:
    assert session(Refusing(TransientError("deadlock"), 3)).run("RETURN 1 AS number") == [{"number": 1}]


def test_a_database_that_stays_unavailable_is_given_up() -> None:
    driver = Refusing(TransientError("the database is not available"), float("inf"))
    with pytest.raises(TransientError, match="not available"):
        session(driver, patience=0.05).run("RETURN 1 AS number")
    assert driver.begun > 1


def test_a_wrong_statement_is_not_run_again() -> None:
    driver = Refusing(ClientError("syntax"), float("inf"))
    with pytest.raises(ClientError):
        session(driver).run("RETURN 1 AS number")
    assert driver.begun == 1
