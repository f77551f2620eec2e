"""Ingesting that is killed at any call, or whose storage fails at any call: a whole backup or none, and no harm."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from helpers.artifacts import whole, write
from helpers.backups import check, content, copied, expected, new_repository, put_back, take
from helpers.database import make_database
from helpers.faulty import AFTER, BEFORE, Faulty, Nth
from helpers.victim import Victim, steps
from neokeep import api
from neokeep.errors import NeokeepError
from neokeep.repository import pack
from neokeep.repository.open import init_repository, open_repository
from neokeep.repository.repository import Repository

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from helpers.database import Synthetic

pytestmark = pytest.mark.faults


@pytest.fixture
def victim() -> Iterator[Victim]:
    """A process that does what it is told, until it is killed."""
    process = Victim()
    yield process
    process.close()


def ingested(repository: Repository) -> list[str]:
    return [item.label for item in api.info(repository).backups if item.ingested]


def restores(repository: Repository, label: str, home: Path, source: str) -> tuple[dict[str, bytes], dict[str, bytes]]:
    api.restore(repository, home, "neo4j", label=label, from_source=source)
    found = content(home)
    shutil.rmtree(home)
    return found


def test_whatever_call_it_is_killed_at(tmp_path: Path, victim: Victim) -> None:
    base, made = tmp_path / "base", make_database(tmp_path / "home")
    first = take(made, init_repository(str(base))).label
    other = make_database(tmp_path / "other", seed=50)
    archive = write(tmp_path / "neo4j.dump", whole(other))
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    shutil.copytree(base, tmp_path / "whole")
    options = {"scratch": str(scratch), "pack_size": 70_000}
    calls = victim.calls_of("ingest", tmp_path / "whole", archive, **options)
    existed: list[bool] = []
    for step in steps(calls):
        place = tmp_path / "killed"
        shutil.copytree(base, place)
        answer = victim.order("ingest", place, archive, **options, kill_at=step)
        assert answer == "killed" or answer.startswith("done")
        repository = open_repository(str(place))
        existed.append(bool(ingested(repository)))
        assert check(repository).ok, step
        put_back(repository, tmp_path / "restored", first)
        assert content(tmp_path / "restored") == expected(made)
        shutil.rmtree(tmp_path / "restored")
        api.ingest(archive, repository)
        (label,) = ingested(repository)
        assert restores(repository, label, tmp_path / "restored", "archives") == expected(other)
        assert check(repository).ok
        shutil.rmtree(place)
    assert existed[0] is False
    assert existed == sorted(existed)


@pytest.mark.parametrize("how", [BEFORE, AFTER])
def test_whatever_call_the_storage_fails_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str, made: Synthetic
) -> None:
    monkeypatch.setattr(pack, "TARGET_SIZE", 70_000)
    archive = write(tmp_path / "neo4j.dump", whole(made))
    number, failed = 0, True
    while failed:
        number += 1
        _, inner = new_repository()
        storage = copied(inner)
        faulty = Faulty(storage, Nth(number, how))
        try:
            (backup,) = api.ingest(archive, Repository.open(faulty), jobs=1).backups
        except NeokeepError:
            backup = None
        failed = faulty.failed > 0
        repository = Repository.open(storage)
        assert check(repository).ok, number
        if backup is not None:
            assert ingested(repository) == [backup.label]
        api.ingest(archive, repository)
        labels = ingested(repository)
        assert len(labels) == 1, number
        assert restores(repository, labels[0], tmp_path / "restored", "archives") == expected(made)
    assert number > 10


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Synthetic:
    """The database that is in the archive."""
    return make_database(tmp_path_factory.mktemp("made") / "home")
