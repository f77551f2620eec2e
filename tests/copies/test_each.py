"""Several repositories are asked one after the other; one that does not answer is told beside the others' answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from helpers.backups import take
from helpers.database import make_database
from neokeep import api
from neokeep.copies.each import ask_first
from neokeep.errors import RepositoryError, UsageError
from neokeep.repository.open import init_repository
from neokeep.storage.base import ObjectMissing

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def places(tmp_path: Path) -> list[Path]:
    """Two repositories, the first with one backup, the second with that of another database."""
    found = [tmp_path / "a", tmp_path / "b"]
    for place, name in zip(found, ("neo4j", "movies"), strict=True):
        take(make_database(tmp_path / name, database=name), init_repository(str(place)))
    return found


def test_info_and_verify_ask_each_in_turn(places: list[Path]) -> None:
    for report in (api.info(places), api.verify(list(places), jobs=1)):
        assert [report.repository, *(one.repository for one in report.others)] == [str(place) for place in places]
        assert not report.failures
        assert [len(one.backups) for one in (report, *report.others)] == [1, 1]


def test_one_that_does_not_answer_is_told(places: list[Path], tmp_path: Path) -> None:
    report = api.info([tmp_path / "nowhere", places[1]])
    assert report.repository == str(places[1])
    assert [failure.subject for failure in report.failures] == [str(tmp_path / "nowhere")]


def test_a_backup_is_looked_for_in_all_and_missed_only_when_none_has_it(places: list[Path]) -> None:
    label = api.info(places[1]).backups[0].label
    report = api.info(places, label=label)
    assert (report.repository, report.failures) == (str(places[1]), ())
    with pytest.raises(ObjectMissing):
        api.info(places, label="neo4j-20200101-000000F")


def test_where_none_answers_the_first_error_is_raised(tmp_path: Path) -> None:
    with pytest.raises(RepositoryError, match="one"):
        api.verify([tmp_path / "one", tmp_path / "two"])


def test_only_the_first_that_has_an_answer_is_asked_where_one_is_enough() -> None:
    asked: list[str] = []

    def ask(name: str) -> str:
        asked.append(name)
        if name != "b":
            raise ObjectMissing(f"there is no such backup in {name}")
        return name

    openers: Any = [(name, lambda name=name: name) for name in "abc"]
    assert ask_first(openers, ask) == "b"  # type: ignore[arg-type]
    assert asked == ["a", "b"]


def test_what_is_wrong_with_one_says_more_than_that_another_lacks_the_backup() -> None:
    def ask(name: str) -> str:
        raise ObjectMissing("there is none") if name == "a" else RepositoryError("its disk is gone")

    openers: Any = [(name, lambda name=name: name) for name in "ab"]
    with pytest.raises(RepositoryError, match="its disk is gone"):
        ask_first(openers, ask)  # type: ignore[arg-type]


def test_an_empty_list_of_repositories_is_refused() -> None:
    with pytest.raises(UsageError, match="no repository in the list"):
        api.info([])
