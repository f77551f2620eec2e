"""Checking a stopped database where it lies, and what is refused because a check of it would say nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from helpers.database import Synthetic, read_tree
from helpers.graph_home import break_it, home_of
from neokeep import api
from neokeep.cli.main import main
from neokeep.consistency import check as checking
from neokeep.consistency.run import check_store
from neokeep.errors import AccessError, IntegrityError, LockedError, RepositoryError, UsageError
from neokeep.neo4j import locks
from neokeep.neo4j.recovery.layout import FILES, Store

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path


@pytest.fixture
def made(tmp_path: Path) -> Synthetic:
    return home_of(tmp_path)


def test_a_healthy_database_is_clean_and_stays_as_it_is(made: Synthetic) -> None:
    before = read_tree(made.home)
    report = api.check_consistency(api.subject("NEO4J", home=made.home))
    assert (report.ok, report.kinds, report.findings) == (True, (), ())
    assert (report.database, report.label, report.subject) == ("neo4j", None, str(made.store_directory))
    assert report.nodes > 150
    assert read_tree(made.home) == before


def test_a_broken_database_is_told_with_what_it_means(made: Synthetic, tmp_path: Path) -> None:
    code, store, record = break_it(made, "a chain is cut")
    report = api.check_consistency(api.subject("neo4j", home=made.home), report_path=tmp_path / "report.txt")
    assert not report.ok
    assert report.inconsistencies == sum(kind.count for kind in report.kinds) == len(report.findings)
    assert (code, FILES[store], record) in {(one.code, one.store, one.record) for one in report.findings}
    text = (tmp_path / "report.txt").read_text()
    assert f"{code}: 1. The relationship before it in a chain does not lead to it." in text
    assert f"  {FILES[store]} {record}: " in text


@pytest.mark.parametrize(
    ("name", "status", "word"), [(None, 0, "No inconsistencies"), ("a chain is cut", 24, "is not")]
)
def test_the_exit_status_tells_whole_from_broken(
    made: Synthetic, capsys: pytest.CaptureFixture[str], name: str | None, status: int, word: str
) -> None:
    if name:
        break_it(made, name)
    assert main(["check-consistency", "neo4j", "--home", str(made.home)]) == status
    printed = capsys.readouterr()
    assert word in printed.out + printed.err


def test_an_open_database_is_refused(made: Synthetic) -> None:
    with locks.hold(made.opened.lock_path), pytest.raises(LockedError, match="open in a running server"):
        api.check_consistency(api.subject("neo4j", home=made.home))


def test_a_server_that_starts_meanwhile_voids_the_check(made: Synthetic, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[AbstractContextManager[None]] = []

    def start_and_check(*arguments: object, **options: object) -> object:
        started.append(locks.hold(made.opened.lock_path))
        started[0].__enter__()
        return check_store(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(checking, "check_store", start_and_check)
    try:
        with pytest.raises(LockedError):
            api.check_consistency(api.subject("neo4j", home=made.home))
    finally:
        started[0].__exit__(None, None, None)


def test_a_missing_store_file_is_no_inconsistency_but_an_error(made: Synthetic) -> None:
    (made.store_directory / FILES[Store.GROUP]).unlink()
    with pytest.raises(IntegrityError, match="relationshipgroupstore"):
        api.check_consistency(api.subject("neo4j", home=made.home))


def test_a_report_that_cannot_be_written_is_told_before_the_work(
    made: Synthetic, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checking, "check_store", lambda *_, **__: pytest.fail("it worked first"))
    with pytest.raises((AccessError, RepositoryError)):
        api.check_consistency(api.subject("neo4j", home=made.home), report_path=tmp_path / "nowhere" / "report.txt")


def test_what_to_check_has_to_be_said_once(made: Synthetic) -> None:
    with pytest.raises(UsageError):
        api.check_consistency(api.subject("neo4j"))
    with pytest.raises(UsageError):
        api.check_consistency(api.subject("neo4j", home=made.home, repository="/backup"))
