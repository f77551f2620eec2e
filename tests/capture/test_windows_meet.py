"""A full backup in the course of incremental ones: the restore window before it reaches up to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from helpers.backups import SILENT, new_repository, put_back, take
from helpers.chains import checkpoint_in_the_last_file, commit_more, run_backup
from helpers.database import make_database
from neokeep.capture import chain as chains
from neokeep.neo4j.log.names import log_name
from neokeep.progress import Silent
from neokeep.repository.chains import chain_of
from neokeep.restore.restore import restore
from neokeep.restore.targets import Moment

if TYPE_CHECKING:
    from pathlib import Path

    from helpers.database import Synthetic
    from neokeep.repository.repository import Repository


class Heard(Silent):
    """Progress that remembers what was said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, message: str) -> None:
        self.said.append(message)


@pytest.fixture(autouse=True)
def _soon_sure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chains, "_LIVE_TRIES", 2)
    monkeypatch.setattr(chains, "_LIVE_PAUSE_SECONDS", 0.001)


def chain_reaches(repository: Repository, label: str) -> int:
    return chain_of(repository, repository.manifest(label)).last_transaction


@pytest.fixture
def made(tmp_path: Path) -> Synthetic:
    return make_database(tmp_path / "home")


def test_every_transaction_between_two_full_backups_can_be_restored_to(made: Synthetic, tmp_path: Path) -> None:
    repository, _ = new_repository()
    base = take(made, repository)
    commit_more(made, 3)
    run_backup(made, repository)
    commit_more(made, 4, rotate=True)
    newer = take(made, repository)
    assert chain_reaches(repository, base.label) == newer.last_tx == base.last_tx + 7
    for transaction in range(base.last_tx, newer.last_tx + 1):
        report = restore(
            repository, tmp_path / "target", "neo4j", from_source="test", overwrite=True, jobs=1, progress=SILENT,
            moment=Moment(transaction=transaction),
        )  # fmt: skip
        assert report.last_tx == transaction


def test_where_only_full_backups_are_taken_no_log_is_archived(made: Synthetic) -> None:
    repository, storage = new_repository()
    take(made, repository)
    commit_more(made, 3)
    take(made, repository)
    assert storage.names("segments/") == []


def test_a_chain_that_is_broken_ends_where_it_ended_and_that_is_told(made: Synthetic, tmp_path: Path) -> None:
    repository, _ = new_repository()
    base = take(made, repository)
    commit_more(made, 3)
    run_backup(made, repository)
    commit_more(made, 2, rotate=True)
    commit_more(made, 2, rotate=True)
    for log in made.logs[:-1]:
        (made.source.database(made.database).log_directory / log_name(log.version)).unlink()
    del made.logs[:-1]
    checkpoint_in_the_last_file(made)
    heard = Heard()
    newer = take(made, repository, progress=heard)
    assert chain_reaches(repository, base.label) == base.last_tx + 3
    (said,) = [text for text in heard.said if "no restore goes" in text]
    assert f"between transaction {base.last_tx + 3} and {newer.label}" in said
    assert put_back(repository, tmp_path / "target", newer.label).last_tx == newer.last_tx
