"""Upkeep: small segments become larger ones and go an hour later; whatever fails or dies meanwhile, nothing is lost."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.backups import check, content, expected, put_back
from helpers.chains import NOW, commit_more
from helpers.database import make_database
from helpers.following import Followed
from helpers.manifests import full_manifest
from helpers.properties import examples
from helpers.storages import MemoryStorage, Wrapped
from helpers.txlog import flipped
from neokeep.archive.upkeep import GROUPS_AT_ONCE, Done, Upkeep
from neokeep.errors import IntegrityError, RepositoryError
from neokeep.repository import merging
from neokeep.repository.chains import chain_of
from neokeep.repository.manifest import LogPoint, Manifest, Span
from neokeep.repository.merging import GRACE, MERGE
from neokeep.repository.repository import Repository
from neokeep.repository.segment import Piece, SegmentHeader, SegmentName, list_segments, read_segment, store_segment
from neokeep.storage.base import ObjectLocked

if TYPE_CHECKING:
    from pathlib import Path

    from typing_extensions import Buffer

    from neokeep.storage.base import Storage


LOG_END = Span(transaction=1, checksum=7, version=0, start=1, end=2)


class Gone(BaseException):
    """Stands for the end of the process."""


class Shelf:
    """A repository with a made-up chain; `number` is its newest transaction, `now` the time of its storage."""

    def __init__(self) -> None:
        self.storage = MemoryStorage()
        self.now = NOW
        self.storage.now = lambda: self.now
        self.repository = Repository.create(self.storage)
        self.base: Manifest = self.repository.commit(
            full_manifest(end=LogPoint(version=0, offset=0, transaction=0, commit_time=NOW))
        )
        self.number = 0

    def grow(self, count: int, size: int = 10, transactions: int = 1) -> None:
        """Archive some segments of `size` bytes of log each."""
        for _ in range(count):
            self.archive(self.number + 1, self.number + transactions, size)
            self.number += transactions

    def archive(self, first: int, last: int, size: int = 10) -> SegmentName:
        data = b"".join(bytes([number % 251]) * size for number in range(first, last + 1))
        header = SegmentHeader(
            chain=self.base.label, database="neo4j", store_id="a store", kernel_version=20, first=first, last=last,
            first_commit_time=NOW, last_commit_time=NOW, created_at=NOW,
            tail=LOG_END, pieces=(Piece(version=0, start=first * size, length=len(data)),),
        )  # fmt: skip
        return store_segment(self.storage, header, data)

    @property
    def path(self) -> tuple[SegmentName, ...]:
        return chain_of(self.repository, self.base).segments

    @property
    def stored(self) -> list[SegmentName]:
        return list_segments(self.storage, self.base.label)

    def log(self) -> bytes:
        """What a restore would write."""
        return b"".join(read_segment(self.storage, segment)[1] for segment in self.path)

    def run(self, upkeep: Upkeep | None = None, storage: Storage | None = None) -> Done:
        return (upkeep or Upkeep(Repository.open(storage or self.storage))).run(self.base)


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


def test_small_segments_are_merged_and_removed_an_hour_later(shelf: Shelf) -> None:
    shelf.grow(MERGE + 3)
    log, parts = shelf.log(), shelf.path[:MERGE]
    done = shelf.run()
    assert (done.merged, done.into, done.removed, done.more, done.problem) == (MERGE, 1, 0, False, None)
    assert [(segment.first, segment.last) for segment in shelf.path[:2]] == [(1, MERGE), (MERGE + 1, MERGE + 1)]
    shelf.now += GRACE - timedelta(seconds=1)
    shelf.grow(1)
    assert shelf.run() == Done()
    shelf.now += timedelta(seconds=1)
    shelf.grow(1)
    done = shelf.run()
    assert (done.merged, done.removed, done.freed) == (0, MERGE, sum(part.size for part in parts))
    assert not set(parts) & set(shelf.stored)
    assert shelf.log()[: len(log)] == log
    assert shelf.run() == Done()


def test_only_so_many_groups_are_merged_at_once_and_it_says_that_there_is_more(shelf: Shelf) -> None:
    shelf.grow((GROUPS_AT_ONCE + 2) * MERGE)
    done = shelf.run()
    assert (done.into, done.more) == (GROUPS_AT_ONCE, True)
    done = shelf.run()
    assert (done.into, done.more) == (2, False)


def test_only_so_many_are_removed_at_once_and_it_says_that_there_is_more(shelf: Shelf) -> None:
    for begin in range(1, 2 * GROUPS_AT_ONCE + 4, 2):
        for first, last in ((begin, begin), (begin + 1, begin + 1), (begin, begin + 1)):
            shelf.archive(first, last)
    shelf.now += GRACE
    shelf.archive(begin + 2, begin + 2)
    done = shelf.run()
    assert (done.removed, done.more) == (2 * GROUPS_AT_ONCE, True)
    done = shelf.run()
    assert (done.removed, done.more) == (4, False)


def test_a_damaged_part_is_remembered_as_damaged_and_the_others_are_merged(shelf: Shelf) -> None:
    shelf.grow(2 * MERGE)
    bad = shelf.path[3]
    shelf.storage.replace(bad.name, flipped(shelf.storage.objects[bad.name], 40))
    done = shelf.run()
    assert (done.into, done.merged) == (1, MERGE)
    assert isinstance(done.problem, IntegrityError)
    with pytest.raises(IntegrityError, match="is damaged"):
        done.check()
    assert shelf.repository.damaged_objects() == {bad.hash}
    assert shelf.path[-1].last == 3


def test_a_merged_segment_that_the_storage_damaged_is_not_used_and_its_parts_stay(shelf: Shelf) -> None:
    class Damaging(Wrapped):
        def create(self, name: str, data: Buffer) -> None:
            super().create(name, data)
            if name.startswith("segments/"):
                shelf.storage.replace(name, flipped(shelf.storage.objects[name], 60))

    shelf.grow(MERGE)
    path, log = shelf.path, shelf.log()
    done = shelf.run(storage=Damaging(shelf.storage, lambda *_: None))
    assert (done.into, isinstance(done.problem, IntegrityError)) == (0, True)
    assert (shelf.path, shelf.log()) == (path, log)
    shelf.now += 2 * GRACE
    shelf.grow(1)
    assert shelf.run().removed == 0
    assert shelf.log()[: len(log)] == log


def test_a_merged_segment_that_decayed_is_noticed_before_its_parts_go(shelf: Shelf) -> None:
    shelf.grow(MERGE)
    log = shelf.log()
    shelf.run()
    (merged,) = shelf.path
    shelf.storage.replace(merged.name, flipped(shelf.storage.objects[merged.name], 60))
    shelf.now += GRACE
    shelf.grow(1)
    done = shelf.run()
    assert (done.removed, isinstance(done.problem, IntegrityError)) == (0, True)
    assert shelf.log()[: len(log)] == log


@pytest.mark.looks_at_names
def test_what_became_of_a_merged_segment_while_it_was_read_counts(shelf: Shelf) -> None:
    shelf.grow(MERGE)
    shelf.run()
    (merged,) = shelf.path
    shelf.now += GRACE
    shelf.grow(1)

    def marked_meanwhile(operation: str, name: str) -> None:
        if (operation, name) == ("read", merged.name):
            shelf.repository.mark_damaged(merged.hash)

    done = shelf.run(storage=Wrapped(shelf.storage, marked_meanwhile))
    assert (done.removed, done.problem) == (0, None)
    assert len(shelf.path) == MERGE + 1


def test_segments_that_hold_too_much_to_be_merged_are_read_once_and_left_alone(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merging, "LARGEST_CONTENT", 1000)
    shelf.grow(MERGE, size=900)
    upkeep = Upkeep(shelf.repository)
    for _ in range(MERGE):
        shelf.run(upkeep)
    reads: list[str] = []
    plain = shelf.storage.read

    def counted(name: str, offset: int = 0, length: int | None = None) -> bytes:
        reads.append(name)
        return plain(name, offset, length)

    shelf.storage.read = counted  # type: ignore[method-assign]
    assert shelf.run(upkeep) == Done()
    assert reads == []
    assert len(shelf.path) == MERGE


def test_of_log_that_is_large_when_it_is_unpacked_as_much_is_merged_as_may_be(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merging, "LARGEST_CONTENT", 1000)
    shelf.grow(MERGE, size=300)
    log = shelf.log()
    done = shelf.run()
    assert (done.merged, done.into) == (3, 1)
    assert shelf.path[0].last == 3
    assert shelf.log() == log


@pytest.mark.parametrize("failing", ["create", "read", "list", "delete"])
def test_a_storage_that_refuses_loses_nothing_and_is_told(shelf: Shelf, failing: str) -> None:
    shelf.grow(MERGE)
    log = shelf.log()
    if failing == "delete":
        shelf.run()
        shelf.now += GRACE
        shelf.grow(1)

    def refuses(operation: str, name: str) -> None:
        if operation == failing and name != "config":
            raise RepositoryError("the storage refuses")

    repository = Repository.open(shelf.storage)
    repository.storage = Wrapped(shelf.storage, refuses)
    done = Upkeep(repository).run(shelf.base)
    assert isinstance(done.problem, RepositoryError)
    assert done.removed == 0
    assert shelf.log()[: len(log)] == log


@pytest.mark.parametrize("removing", [False, True])
def test_wherever_it_ends_everything_is_still_there(removing: bool) -> None:
    def prepared() -> Shelf:
        made = Shelf()
        made.grow(2 * MERGE)
        if removing:
            made.run()
            made.now += GRACE
            made.grow(1)
        return made

    def attempt(made: Shelf, end_at: int) -> int:
        calls = 0

        def count(_operation: str, _name: str) -> None:
            nonlocal calls
            if calls == end_at:
                raise Gone
            calls += 1

        upkeep = Upkeep(Repository.open(made.storage))
        upkeep._repository.storage = Wrapped(made.storage, count)
        try:
            upkeep.run(made.base)
        except Gone:
            return -1
        return calls

    calls = attempt(prepared(), -1)
    assert calls > 2 * MERGE
    removed = set()
    for end_at in range(calls):
        made = prepared()
        log, before = made.log(), len(made.stored)
        assert attempt(made, end_at) == -1
        assert made.log() == log
        removed.add(before - len(made.stored))
        made.run()
        assert made.log() == log
        assert made.run() == Done()
    assert removed == set(range(2 * MERGE + 1) if removing else range(-2, 1))


ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(["one writer", "another writer", "one keeps up", "another keeps up", "time"]),
        st.integers(1, 9),
    ),
    max_size=60,
)


@examples(400)
@given(actions=ACTIONS)
def test_two_writers_that_cut_and_merge_differently_lose_nothing(actions: list[tuple[str, int]]) -> None:
    """Each goes on behind its own last segment for a while, and behind the end of the chain from time to time."""
    shelf = Shelf()
    first_upkeep, second_upkeep = Upkeep(shelf.repository), Upkeep(shelf.repository)
    reached = {"one writer": 0, "another writer": 0}
    patch = pytest.MonkeyPatch()
    for what, how in actions:
        if what in reached:
            begin = reached[what] + 1
            shelf.archive(begin, begin + how % 4)
            reached[what] = begin + how % 4
        elif what == "time":
            # A follower finds out where the chain ends at least once a minute, far more often than the grace period.
            reached = dict.fromkeys(reached, shelf.path[-1].last if shelf.path else 0)
            shelf.now += timedelta(minutes=10 * how)
        else:
            with patch.context() as during:
                during.setattr(merging, "MERGE", 2 + how % 3)
                done = shelf.run(first_upkeep if what == "one keeps up" else second_upkeep)
            assert done.problem is None
        reach = max(reached.values())
        assert (shelf.path[-1].last if shelf.path else 0) == reach
        assert shelf.log() == b"".join(bytes([number % 251]) * 10 for number in range(1, reach + 1))


def test_a_follower_keeps_its_chain_short_and_tells_what_it_merged(tmp_path: Path) -> None:
    found = Followed(make_database(tmp_path / "home"))
    found.memory.now = lambda: found.clock.now
    found.begin()
    for _ in range(3 * MERGE):
        commit_more(found.made, 1)
        found.tick(61)
    merged = found.told("merged")
    assert sum(event.segments or 0 for event in merged) >= 2 * MERGE
    assert all(event.into == 1 for event in merged if event.segments)
    label = str(found.told("following")[0].chain)
    assert len(chain_of(found.repository, found.repository.manifest(label)).segments) <= MERGE + 2
    for _ in range(3):
        commit_more(found.made, 1)
        found.tick(3700)
    removed = [event for event in found.told("merged") if event.removed]
    assert sum(event.removed or 0 for event in removed) >= 2 * MERGE
    assert all(event.freed_bytes for event in removed)
    assert not found.told("trouble", "upkeep failed", "broken")
    assert check(found.repository).ok
    put_back(found.repository, tmp_path / "restored")
    assert content(tmp_path / "restored") == expected(found.made)


def test_a_follower_whose_archived_log_decays_heals_it_from_the_log_of_the_server(tmp_path: Path) -> None:
    found = Followed(make_database(tmp_path / "home"))
    found.begin()
    for _ in range(MERGE):
        commit_more(found.made, 1)
        found.tick(1)
    label = str(found.told("following")[0].chain)
    bad = chain_of(found.repository, found.repository.manifest(label)).segments[2]
    found.memory.replace(bad.name, flipped(found.memory.objects[bad.name], 60))
    for _ in range(3):
        found.tick(61)
    assert "is damaged" in found.told("upkeep failed")[0].message
    assert "not whole in the repository any more" in found.told("trouble")[0].message
    assert found.kinds().count("recovered") == 1
    assert found.reached(label) == found.last
    put_back(found.repository, tmp_path / "restored")
    assert content(tmp_path / "restored") == expected(found.made)


def test_parts_that_the_storage_keeps_for_a_time_are_no_trouble_and_go_after_it(shelf: Shelf) -> None:
    shelf.grow(MERGE + 1)
    until = [datetime.now(UTC) + timedelta(days=1)]
    read: list[str] = []

    def before(operation: str, name: str) -> None:
        if operation == "read" and name.startswith("segments/"):
            read.append(name)
        if operation == "delete" and until[0] > datetime.now(UTC):
            raise ObjectLocked(f"{name} is locked", until[0])

    upkeep = Upkeep(Repository.open(Wrapped(shelf.storage, before)))
    shelf.run(upkeep)
    shelf.now += GRACE
    shelf.grow(1)
    assert shelf.run(upkeep) == Done()
    read.clear()
    assert shelf.run(upkeep) == Done()
    assert read == []
    until[0] = datetime.now(UTC) - timedelta(days=1)
    upkeep._kept_until = until[0]
    assert shelf.run(upkeep).removed == MERGE
