"""A follower of a synthetic database whose time is made by the test, and all that it told."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from helpers.backups import check, content, expected, put_back
from helpers.chains import NO_POLICY, moment_of
from helpers.database import some_bytes
from helpers.storages import MemoryStorage
from neokeep.archive.clock import Clock
from neokeep.archive.follower import Follower
from neokeep.archive.options import SEGMENT_SIZE, ArchiveOptions
from neokeep.capture.options import CaptureOptions
from neokeep.neo4j.log.names import log_name
from neokeep.repository.chains import chain_of
from neokeep.repository.repository import Repository

if TYPE_CHECKING:
    from pathlib import Path

    from helpers.database import Synthetic
    from neokeep.capture.policy import FullPolicy
    from neokeep.neo4j.source import Source
    from neokeep.reports import ArchiveEvent
    from neokeep.storage.base import Storage

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def commit_live(made: Synthetic, count: int) -> None:
    """Commit as a server does, for those who read at the same time: bytes are added, and no file becomes shorter."""
    log = made.logs[-1]
    before = len(log.data)
    for number in range(count):
        log.add(some_bytes(1000 + before + number, 300))
    with (made.log_directory / log_name(log.version)).open("r+b", buffering=0) as file:
        file.seek(before)
        file.write(log.data[before:])


class FakeClock:
    """Time that passes when the test says so; it begins some seconds after the tenth made-up transaction."""

    def __init__(self) -> None:
        self.elapsed = 1000.0
        self.now = moment_of(10) + timedelta(seconds=5)

    @property
    def clock(self) -> Clock:
        return Clock(lambda: self.elapsed, lambda: self.now)

    def wait(self, seconds: float) -> None:
        self.elapsed += seconds
        self.now += timedelta(seconds=seconds)


def options_of(
    *, interval: float = 1.0, segment_size: int = SEGMENT_SIZE, policy: FullPolicy = NO_POLICY
) -> ArchiveOptions:
    return ArchiveOptions(interval, segment_size, CaptureOptions(policy=policy, jobs=1, gentle=False))


class Followed:
    """A database, a repository in memory, and a follower; `storage` is what the follower sees of the repository.

    `repository` is the one in `memory` where it cannot be opened without a key.
    """

    def __init__(
        self,
        made: Synthetic,
        options: ArchiveOptions | None = None,
        *,
        memory: MemoryStorage | None = None,
        storage: Storage | None = None,
        clock: FakeClock | None = None,
        source: Source | None = None,
        repository: Repository | None = None,
    ) -> None:
        self.made = made
        self.memory = memory or MemoryStorage()
        self.repository = repository or (
            Repository.open(self.memory) if self.memory.objects else Repository.create(self.memory)
        )
        self.clock = clock or FakeClock()
        self.events: list[ArchiveEvent] = []
        self.follower = Follower(
            source or made.source,
            made.database,
            repository or Repository.open(storage or self.memory),
            options or options_of(),
            self.events.append,
            clock=self.clock.clock,
        )

    def tick(self, seconds: float = 1.0) -> float:
        """Let time pass, and have the follower work once."""
        self.clock.wait(seconds)
        return self.follower.tick()

    def begin(self) -> None:
        """Tick until a chain is followed."""
        for _ in range(10):
            self.tick()
            self.full_ends()
            if self.told("following"):
                return
        raise AssertionError(f"nothing is followed: {self.events}")

    def full_ends(self) -> None:
        """Wait until no full backup runs any more; the follower finds that with its next tick."""
        running = self.follower._fulls._running
        if running is not None:
            running._thread.join(20)
            assert not running.is_running

    def told(self, *kinds: str) -> list[ArchiveEvent]:
        return [event for event in self.events if event.event in kinds]

    def kinds(self) -> list[str]:
        """What was told, repetitions left out."""
        return [kind for kind, _ in itertools.groupby(event.event for event in self.events)]

    @property
    def last(self) -> int:
        """The newest transaction of the server."""
        return self.made.logs[-1].last_transaction

    @property
    def archived(self) -> int:
        """The newest transaction that was reported as archived."""
        return max(event.last_tx or 0 for event in self.told("archived", "following"))

    def reached(self, label: str) -> int:
        return chain_of(self.repository, self.repository.manifest(label)).last_transaction

    def require_restorable(self, home: Path) -> None:
        """Prove that everything is whole and that a restore gives the database of this moment."""
        assert check(self.repository).ok
        put_back(self.repository, home)
        for found, wanted in zip(content(home), expected(self.made), strict=True):
            different = [name for name in found.keys() | wanted.keys() if found.get(name) != wanted.get(name)]
            assert different == [], f"restored, but different: {different}"
