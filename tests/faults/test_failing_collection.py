"""Storage that fails at any call of expiry and collection, before or after the effect, costs no backup anything."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from helpers.backups import SILENT, check, content, copied, expected, put_back, take
from helpers.chains import commit_more, run_backup
from helpers.database import make_database, some_bytes, write_tree
from helpers.storages import MemoryStorage, Wrapped
from neokeep.errors import NeokeepError, RepositoryError
from neokeep.repository.collect import collect
from neokeep.repository.expire import expire
from neokeep.repository.expiry import Policy
from neokeep.repository.repository import Repository
from neokeep.repository.writer import BlockWriter

if TYPE_CHECKING:
    from pathlib import Path

    from typing_extensions import Buffer

pytestmark = pytest.mark.faults
NOON = datetime(2027, 1, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


class Failing(Wrapped):
    """Fails at one call that changes something: before its effect, or after it, as a timeout does."""

    def __init__(self, inner: MemoryStorage, at: int, *, after: bool) -> None:
        super().__init__(inner, lambda *_: None)
        self.changes = 0
        self._at = at
        self._after = after

    def create(self, name: str, data: Buffer) -> None:
        self._guarded(lambda: self.inner.create(name, data), name)

    def delete(self, name: str) -> None:
        self._guarded(lambda: self.inner.delete(name), name)

    def _guarded(self, change, name: str) -> None:  # type: ignore[no-untyped-def]
        self.changes += 1
        fails = self.changes == self._at
        if fails and not self._after:
            raise RepositoryError(f"{name}: no answer")
        change()
        if fails:
            raise RepositoryError(f"{name}: no answer, but it was done")


@pytest.mark.parametrize("after", [False, True], ids=["before", "after the effect"])
def test_at_whatever_call_the_storage_fails(tmp_path: Path, after: bool) -> None:
    made = make_database(tmp_path / "home")
    begin = MemoryStorage()
    begin.now = lambda: NOON - 9 * DAY
    repository = Repository.create(begin)
    take(made, repository)
    commit_more(made)
    run_backup(made, repository)
    writer = BlockWriter(repository)
    with writer.worker() as worker:
        worker.put([memoryview(b"garbage" * 500)])
    writer.finish()
    writer.close()
    replaced = {"neostore.nodestore.db": some_bytes(5, 200_000)}
    made.store |= replaced
    write_tree(made.store_directory, replaced)
    newest = take(made, repository).label
    at, calls = 0, 1
    while at <= calls:
        at += 1
        storage = copied(begin)
        clock = [NOON]
        storage._created = dict.fromkeys(storage.objects, NOON - 9 * DAY)
        storage.now = lambda clock=clock: clock[0]  # type: ignore[misc]
        failing = Failing(storage, at, after=after)
        calls = max(calls, _clean_up(failing, clock))
        assert check(Repository.open(storage)).ok, at
        _clean_up(Failing(storage, -1, after=after), clock)
        _clean_up(Failing(storage, -1, after=after), clock)
        put_back(Repository.open(storage), tmp_path / f"restored-{at}", newest)
        assert content(tmp_path / f"restored-{at}") == expected(made)
        assert check(Repository.open(storage)).ok, at
        assert [item.label for item in Repository.open(storage).manifests()] == [newest]
        assert not [*storage.names("condemned/"), *storage.names("writers/"), *storage.names("segments/")], at
        assert len(storage.names("index/")) <= 3
    assert calls > 25


def _clean_up(storage: Failing, clock: list[datetime]) -> int:
    """Expire, condemn and sweep; a command that fails leaves the rest to the next ones, a day later each."""
    for _ in range(3):
        clock[0] += DAY + timedelta(minutes=1)
        repository = Repository.open(storage)
        for command in (
            lambda repository=repository: expire(repository, Policy(last=1)),
            lambda repository=repository: collect(repository, grace=DAY, progress=SILENT),
        ):
            try:
                command()
            except NeokeepError:
                continue
    return storage.changes
