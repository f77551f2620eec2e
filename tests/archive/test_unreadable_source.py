"""A source that cannot be read, at whatever access: told as an error of neokeep, never taken for a defect of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from helpers.backups import new_repository, take
from helpers.chains import commit_more, run_backup
from helpers.database import make_database
from helpers.failing_reads import failing_reads
from neokeep.capture import logs
from neokeep.errors import NeokeepError
from neokeep.neo4j.source import find_source

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.faults


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "_POLL_SECONDS", 0.001)


@pytest.mark.parametrize("kind", ["full", "incremental"])
@pytest.mark.parametrize("count", [1, 1_000_000])
def test_whatever_access_fails(tmp_path: Path, kind: str, count: int) -> None:
    made = make_database(tmp_path / "home")
    repository, _ = new_repository()
    take(made, repository)
    told: list[str] = []
    for number in range(1000):
        commit_more(made, 1)
        with failing_reads(made.home, number, count) as failing:
            try:
                run_backup(made, repository, kind)
            except NeokeepError as problem:
                told.append(problem.message)
        if failing.made <= number:
            break
    assert number > 10
    assert len(told) > number / 2
    assert all(told)


@pytest.mark.parametrize("count", [1, 1_000_000])
def test_a_server_that_cannot_be_looked_at(tmp_path: Path, count: int) -> None:
    made = make_database(tmp_path / "home")
    told: list[str] = []
    for number in range(100):
        with failing_reads(made.home, number, count) as failing:
            try:
                source = find_source(made.home)
                source.database("neo4j").store_id()
                source.lock()
            except NeokeepError as problem:
                told.append(problem.message)
        if failing.made <= number:
            break
    assert len(told) > 3
    assert all(str(made.home) in message for message in told)
