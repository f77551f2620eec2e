"""A repository whose verifications are looked at: its clock goes as the test wants, and its packs are small."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from helpers.backups import SILENT, take
from helpers.chains import commit_more, run_backup
from helpers.database import make_database, some_bytes, write_tree
from helpers.storages import MemoryStorage, Wrapped
from neokeep.repository.info import describe
from neokeep.repository.repository import Repository
from neokeep.repository.verify import verify
from neokeep.repository.verify_options import VerifyOptions

if TYPE_CHECKING:
    from pathlib import Path

    from neokeep.reports import BackupInfo, VerifyReport

NOON = datetime(2027, 1, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


class Kept:
    """A repository in memory with a clock of its own, small packs, a full backup and two that go on with it."""

    def __init__(self, home: Path) -> None:
        self.storage = MemoryStorage()
        self.time = NOON
        self.storage.now = self.tick
        self.repository = Repository.create(self.storage)
        self.made = make_database(home, pages=40)
        self.made.store |= {"neostore.nodestore.db": some_bytes(7, 600_000)}
        self.made.write()
        self.labels = [take(self.made, self.repository).label]
        for _ in range(2):
            commit_more(self.made)
            self.labels.append(run_backup(self.made, self.repository).backups[0].label)
        self.time += DAY

    def tick(self) -> datetime:
        self.time += timedelta(milliseconds=1)
        return self.time

    def verify(self, label: str | None = None, repository: Repository | None = None, **options: Any) -> VerifyReport:
        report = verify(
            repository or self.repository,
            label,
            options=VerifyOptions(**options),
            jobs=2,
            progress=SILENT,
        )
        self.time += DAY
        return report

    def change(self, seed: int) -> str:
        changed = {"neostore.nodestore.db": some_bytes(seed, 300_000)}
        self.made.store |= changed
        write_tree(self.made.store_directory, changed)
        label = take(self.made, self.repository).label
        self.time += DAY
        return label

    def info(self) -> dict[str, BackupInfo]:
        return {backup.label: backup for backup in describe(self.repository).backups}

    def whole_objects(self) -> set[str]:
        return {*self.storage.names("packs/"), *self.storage.names("segments/")}


def reads_of(kept: Kept, **options: Any) -> tuple[set[str], VerifyReport]:
    """Verify, and tell which packs and segments were read whole."""
    read: set[str] = set()

    class Watched(Wrapped):
        def read(self, name: str, offset: int = 0, length: int | None = None) -> bytes:
            if length is None:
                read.add(name)
            return self.inner.read(name, offset, length)

    report = kept.verify(repository=Repository.open(Watched(kept.storage, lambda *_: None)), **options)
    return {name for name in read if name.startswith(("packs/", "segments/"))}, report


class Died(BaseException):
    """Stands for the end of the process."""


def interrupted(kept: Kept, after: int) -> set[str]:
    """Verify on one thread and die when so many objects were read; tell which were."""
    read: list[str] = []

    class Dying(Wrapped):
        def read(self, name: str, offset: int = 0, length: int | None = None) -> bytes:
            if length is None and name.startswith(("packs/", "segments/")):
                if len(read) == after:
                    raise Died
                read.append(name)
            return self.inner.read(name, offset, length)

    with pytest.raises(Died):
        verify(Repository.open(Dying(kept.storage, lambda *_: None)), None, jobs=1, progress=SILENT)
    kept.time += DAY
    return set(read)
