"""A storage that answers with less than it has: no restore is ever wrong by it, and a verification does not pass."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from helpers.backups import check, content, copied, expected, new_repository, put_back, take
from helpers.chains import commit_more, run_backup
from helpers.database import make_database
from helpers.encrypted import encrypted_repository
from neokeep.errors import NeokeepError
from neokeep.storage.layer import Layer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from helpers.storages import MemoryStorage
    from neokeep.repository.repository import Repository
    from neokeep.storage.base import Storage

pytestmark = pytest.mark.faults


class Short(Layer):
    """Answers one read, the one of a number, with its first half; all others as they are."""

    def __init__(self, inner: Storage, number: int) -> None:
        super().__init__(inner)
        self.reads = 0
        self._number = number

    def read(self, name: str, offset: int = 0, length: int | None = None) -> bytes:
        data = self.inner.read(name, offset, length)
        self.reads += 1
        return data[: len(data) // 2] if self.reads == self._number else data


def reopened(repository: Repository, storage: Storage) -> Repository:
    """The same repository over another storage, with the same keys."""
    from helpers.encrypted import SECRETS
    from neokeep.encryption.sealed import Sealed
    from neokeep.repository.repository import Repository

    sealed = repository.storage.content_keys is not None
    return Repository(Sealed(storage, SECRETS) if sealed else storage, repository.config)


@pytest.mark.parametrize("make", [new_repository, encrypted_repository])
def test_a_restore_is_right_or_fails_whichever_read_is_short(
    tmp_path: Path, make: Callable[[], tuple[Repository, MemoryStorage]]
) -> None:
    repository, storage = make()
    made = make_database(tmp_path / "home")
    take(made, repository)
    commit_more(made)
    label = run_backup(made, repository).backups[0].label
    home, wanted, number, failed = tmp_path / "restored", expected(made), 0, 0
    while True:
        number += 1
        short = Short(copied(storage), number)
        try:
            put_back(reopened(repository, short), home, label, jobs=1)
        except NeokeepError:
            failed += 1
            assert not (home / "data" / "databases" / "neo4j").exists()
        else:
            assert content(home) == wanted, number
        shutil.rmtree(home, ignore_errors=True)
        if short.reads < number:
            break
    assert number > 5
    assert failed


@pytest.mark.parametrize("make", [new_repository, encrypted_repository])
def test_a_verification_does_not_pass_over_a_short_read_of_content(
    tmp_path: Path, make: Callable[[], tuple[Repository, MemoryStorage]]
) -> None:
    repository, storage = make()
    take(make_database(tmp_path / "home"), repository)

    class ShortPacks(Layer):
        """Answers every read of a pack with less than it is."""

        def read(self, name: str, offset: int = 0, length: int | None = None) -> bytes:
            data = self.inner.read(name, offset, length)
            return data[:-100] if name.startswith("packs/") else data

    try:
        report = check(reopened(repository, ShortPacks(storage)))
    except NeokeepError:
        return
    assert not report.ok
