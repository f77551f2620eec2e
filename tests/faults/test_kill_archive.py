"""An archiver that is killed at any call: what it reported is there, and the next one goes on without a gap."""

from __future__ import annotations

import os
import shutil
import time
from typing import TYPE_CHECKING

import pytest

from helpers.backups import check, content, expected, put_back, take
from helpers.chains import commit_more, run_backup
from helpers.database import make_database
from helpers.doors import door
from helpers.following import FakeClock, Followed, options_of
from helpers.storages import MemoryStorage, Wrapped
from helpers.victim import Victim, steps
from neokeep.capture import chain as chains
from neokeep.repository import merging
from neokeep.repository.chains import chain_of
from neokeep.repository.manifest import manifest_name
from neokeep.repository.merging import merge_segments
from neokeep.repository.repository import Repository
from neokeep.repository.segment import list_segments, read_segment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from helpers.database import Synthetic

pytestmark = pytest.mark.faults
MERGE = 3


class Gone(BaseException):
    """Stands for the end of the process."""


@pytest.fixture
def victim() -> Iterator[Victim]:
    process = Victim()
    yield process
    process.close()


@pytest.fixture(autouse=True)
def _few_are_merged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merging, "MERGE", MERGE)
    monkeypatch.setattr(chains, "_LIVE_TRIES", 2)
    monkeypatch.setattr(chains, "_LIVE_PAUSE_SECONDS", 0.001)


def require_whole(made: Synthetic, repository: Repository, base: str, reported: int, home: Path) -> int:
    """Prove that everything stored is whole and what was reported is there; return how far the chain reaches."""
    for segment in list_segments(repository.storage, base):
        read_segment(repository.storage, segment)
    assert check(repository).ok
    reached = chain_of(repository, repository.manifest(base)).last_transaction
    assert reached >= reported
    assert put_back(repository, home).last_tx == reached
    store, logs = content(home)
    assert store == made.store
    for name, data in logs.items():
        assert expected(made)[1][name].startswith(data), f"{name} is not a beginning of the server's log"
    shutil.rmtree(home)
    return reached


def require_it_goes_on(made: Synthetic, repository: Repository, memory: MemoryStorage, base: str, home: Path) -> None:
    """Prove that another archiver goes on with the same chain, up to the newest transaction and without a gap."""
    following = Followed(made, memory=memory, repository=repository)
    for _ in range(3):
        following.tick(61)
    assert {event.chain for event in following.told("following")} == {base}
    assert following.reached(base) == following.last
    assert not following.told("broken", "gap", "trouble", "full backup begun", "upkeep failed")
    following.require_restorable(home)
    shutil.rmtree(home)


def copied_from(place: Path) -> MemoryStorage:
    """The objects of a local repository in memory, so that an archiver can go on with them without touching them."""
    memory = MemoryStorage()
    for path in place.rglob("*"):
        name = str(path.relative_to(place))
        if path.is_file() and not name.startswith("tmp/"):
            memory.create(name, path.read_bytes())
    return memory


def prepare(repository: Repository, place: Path, made: Synthetic) -> str:
    """Give an archiver much to do at once: to ship, to merge, and to remove what was merged."""
    base = take(made, repository).label
    for _ in range(MERGE):
        commit_more(made, 1)
        run_backup(made, repository)
    path = chain_of(repository, repository.manifest(base)).segments
    assert merge_segments(repository.storage, path) is not None
    long_ago = time.time() - 7200
    for stored in (place / "segments").rglob("*"):
        os.utime(stored, (long_ago, long_ago))
    for _ in range(MERGE):
        commit_more(made, 1, rotate=True)
        run_backup(made, repository)
    for item in repository.manifests():
        if item.label.endswith("I"):
            repository.storage.delete(manifest_name(item.label))
    commit_more(made, 2)
    commit_more(made, 2, rotate=True)
    return base


@pytest.mark.parametrize("kind", ["plain", "encrypted"])
def test_whatever_call_it_is_killed_at(tmp_path: Path, victim: Victim, kind: str) -> None:
    origin, made, way = tmp_path / "origin", make_database(tmp_path / "home"), door(kind, tmp_path)
    base = prepare(way.create(origin), origin, made)
    told = tmp_path / "told"
    order = {"told": str(told), "merge": MERGE, "segment_size": 400, "ticks": 2, **way.order}
    shutil.copytree(origin, tmp_path / "whole")
    before = names_of(way.open(origin), base)
    calls = victim.calls_of("archive", tmp_path / "whole", made.home, **order)
    after = names_of(way.open(tmp_path / "whole"), base)
    assert len(before - after) >= MERGE, "nothing was removed"
    assert any(last - first >= MERGE for first, last in after - before), "nothing was merged"
    assert calls > 30
    reached: list[int] = []
    for step in steps(calls, most=40 if kind == "plain" else 15):
        place = tmp_path / "killed"
        shutil.copytree(origin, place)
        answer = victim.order("archive", place, made.home, kill_at=step, **order)
        assert answer == "killed" or answer.startswith("done")
        reported = max(map(int, told.read_text().split()), default=0)
        reached.append(require_whole(made, way.open(place), base, reported, tmp_path / "restored"))
        memory = copied_from(place)
        require_it_goes_on(made, way.open_copy(memory), memory, base, tmp_path / "restored")
        shutil.rmtree(place)
    assert reached[0] < made.logs[-1].last_transaction == reached[-1]
    assert len(set(reached)) > 3


def names_of(repository: Repository, base: str) -> set[tuple[int, int]]:
    segments = list_segments(repository.storage, base)
    return {(segment.first, segment.last) for segment in segments}


class Attempt:
    """An archiver at work for some ticks, in which the database goes on; it ends at a call of the storage."""

    def __init__(self, home: Path, end_at: int) -> None:
        self.made = make_database(home)
        self.memory, clock = MemoryStorage(), FakeClock()
        self.memory.now = lambda: clock.now
        self.base = take(self.made, Repository.create(self.memory)).label
        self.calls, self.ended = 0, False
        self._end_at = -1
        storage = Wrapped(self.memory, self._count)
        self.found = Followed(
            self.made, options_of(segment_size=700), memory=self.memory, storage=storage, clock=clock
        )  # fmt: skip
        self.calls, self._end_at = 0, end_at
        try:
            for seconds in (1, 61, 61, 3700, 61):
                commit_more(self.made, MERGE, rotate=seconds == 3700)
                self.found.tick(seconds)
                self.found.tick(1)
        except Gone:
            self.ended = True

    def _count(self, _operation: str, _name: str) -> None:
        if self.calls == self._end_at:
            raise Gone
        self.calls += 1

    @property
    def reported(self) -> int:
        return max((event.last_tx or 0 for event in self.found.told("archived")), default=0)


def test_whatever_call_of_the_storage_it_ends_at(tmp_path: Path) -> None:
    whole = Attempt(tmp_path / "whole", -1)
    merged = whole.found.told("merged")
    assert sum(event.into or 0 for event in merged) >= 2
    assert sum(event.removed or 0 for event in merged) >= MERGE
    assert whole.calls > 60
    for end_at in range(whole.calls):
        attempt = Attempt(tmp_path / "home", end_at)
        assert attempt.ended
        repository = Repository.open(attempt.memory)
        require_whole(attempt.made, repository, attempt.base, attempt.reported, tmp_path / "restored")
        require_it_goes_on(attempt.made, repository, attempt.memory, attempt.base, tmp_path / "restored")
        shutil.rmtree(tmp_path / "home")
