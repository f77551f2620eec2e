"""A repository in memory to expire and collect in, with a clock and a database that tests move."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from helpers.backups import SILENT, check, content, expected, put_back, take
from helpers.database import Synthetic, make_database, some_bytes, write_tree
from helpers.storages import MemoryStorage, Wrapped
from neokeep.repository.collect import collect
from neokeep.repository.expire import expire
from neokeep.repository.expiry import Policy
from neokeep.repository.repository import Repository
from neokeep.repository.writer import BlockWriter

if TYPE_CHECKING:
    from pathlib import Path

    from neokeep.reports import CollectReport

DAY = timedelta(days=1)
NOON = datetime(2027, 1, 1, 12, tzinfo=UTC)


@dataclass
class Found:
    """A repository in memory whose clock goes as the test wants, and a database whose store the test changes."""

    home: Path
    storage: MemoryStorage = field(default_factory=MemoryStorage)
    time: datetime = NOON
    seed: int = 0

    def __post_init__(self) -> None:
        self.storage.now = self.tick
        self.repository = Repository.create(self.storage)
        self.made: Synthetic = make_database(self.home)

    def tick(self) -> datetime:
        self.time += timedelta(milliseconds=1)
        return self.time

    def later(self, by: timedelta = DAY) -> None:
        self.time += by + timedelta(seconds=1)

    def change(self) -> None:
        """Put other content into the store, so that the next full backup has blocks of its own."""
        self.seed += 1
        changed = {"neostore.nodestore.db": some_bytes(self.seed * 97, 150_000)}
        self.made.store |= changed
        write_tree(self.made.store_directory, changed)

    def back_up(self) -> str:
        return take(self.made, self.repository).label

    def expire(self, **policy: int) -> None:
        expire(self.repository, Policy(**policy))  # type: ignore[arg-type]

    def collect(self, storage: Wrapped | None = None, **options: object) -> CollectReport:
        repository = self.repository if storage is None else Repository.open(storage)
        return collect(repository, grace=DAY, progress=SILENT, **options)  # type: ignore[arg-type]

    def is_whole(self, tmp_path: Path, label: str | None = None) -> None:
        report = check(self.repository)
        assert report.ok, report
        home = tmp_path / f"restored-{len(list(tmp_path.iterdir()))}"
        put_back(self.repository, home, label)
        assert content(home) == expected(self.made)

    def objects(self, prefix: str) -> set[str]:
        return set(self.storage.names(f"{prefix}/"))


def two_backups_one_expired(found: Found) -> tuple[set[str], str]:
    """Take two full backups with different content and let the first expire; its packs and the newer label."""
    found.back_up()
    old = found.objects("packs")
    found.later()
    found.change()
    newer = found.back_up()
    found.later()
    found.expire(last=1)
    return old, newer


def store_alone(found: Found, data: bytes) -> set[str]:
    """Store a block that no backup needs, as a backup that failed leaves it."""
    before = found.objects("packs")
    writer = BlockWriter(found.repository)
    with writer.worker() as worker:
        worker.put([memoryview(data)])
    writer.finish()
    writer.close()
    found.later()
    return found.objects("packs") - before


def everything_is_whole(found: Found, place: Path) -> None:
    for item in found.repository.manifests():
        found.is_whole(place, item.label)
    assert check(found.repository).ok
