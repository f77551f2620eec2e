"""A storage that is away says nothing about what it holds: nothing is marked damaged, and the error is what it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from helpers.backups import check, new_repository, put_back, take
from helpers.chains import commit_more, run_backup
from helpers.database import make_database
from helpers.storages import MemoryStorage, Wrapped
from neokeep.errors import ClockError, CredentialsError, NeokeepError, UnreachableError
from neokeep.repository.repository import Repository
from neokeep.storage.base import TransientError

if TYPE_CHECKING:
    from pathlib import Path

KINDS = (TransientError, UnreachableError, CredentialsError, ClockError)


@pytest.fixture
def filled(tmp_path: Path) -> MemoryStorage:
    repository, storage = new_repository()
    made = make_database(tmp_path / "home")
    take(made, repository)
    commit_more(made)
    run_backup(made, repository)
    return storage


def failing_from(memory: MemoryStorage, number: int, kind: type[NeokeepError]) -> tuple[Repository, list[str]]:
    """A repository whose storage goes away with the operation of this number."""
    done: list[str] = []

    def before(operation: str, name: str) -> None:
        done.append(f"{operation} {name}")
        if len(done) >= number:
            raise kind("away")

    return Repository.open(Wrapped(memory, before)), done


@pytest.mark.faults
@pytest.mark.parametrize("kind", KINDS)
def test_a_verification_ends_with_the_error_and_marks_nothing(filled: MemoryStorage, kind: type[NeokeepError]) -> None:
    assert check(Repository.open(filled)).ok
    repository, done = failing_from(filled, 1_000_000, kind)
    assert check(repository).ok
    # What was read to the end is told even when the storage goes away before that can be recorded.
    recording = len(done) - max(at for at, text in enumerate(done) if text == "list verified")
    for number in range(2, len(done) + 1 - recording):
        with pytest.raises(kind):
            check(failing_from(filled, number, kind)[0])
    for number in range(len(done) + 1 - recording, len(done) - 1):
        report = check(failing_from(filled, number, kind)[0])
        assert (report.ok, report.recorded, report.not_recorded_because) == (True, False, "away")
    assert filled.names("damaged/") == []


@pytest.mark.faults
def test_a_restore_ends_with_the_error(filled: MemoryStorage, tmp_path: Path) -> None:
    repository, done = failing_from(filled, 1_000_000, TransientError)
    put_back(repository, tmp_path / "restored", jobs=1)
    for number in range(2, len(done) + 1):
        with pytest.raises(TransientError):
            put_back(failing_from(filled, number, TransientError)[0], tmp_path / f"away-{number}", jobs=1)
