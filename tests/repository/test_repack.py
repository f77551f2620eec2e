"""Rewriting packs: what is needed moves, what is not goes, and at no moment is anything in one place only by it."""

from __future__ import annotations

import random
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.backups import SILENT, check, content, expected, new_repository, put_back, take
from helpers.database import make_database, some_bytes, write_tree
from helpers.encrypted import encrypted_repository
from helpers.storages import MemoryStorage, Wrapped
from helpers.txlog import flipped
from neokeep.errors import LockedError, RepositoryError, SpaceError
from neokeep.repository import repack as repacking
from neokeep.repository.block import block_id
from neokeep.repository.collect import collect
from neokeep.repository.expire import expire
from neokeep.repository.expiry import Policy
from neokeep.repository.fetch import LARGEST_GAP, LONGEST_READ
from neokeep.repository.index import BlockIndex
from neokeep.repository.pack import ENTRY, Pack
from neokeep.repository.repack import plan_repack
from neokeep.repository.repository import Repository
from neokeep.repository.writer import BlockWriter

if TYPE_CHECKING:
    from pathlib import Path

    from neokeep.reports import CollectReport

DAY = timedelta(days=1)
NOON = datetime(2027, 1, 1, 12, tzinfo=UTC)


class Mixed:
    """Two backups that share half of a store in the same packs, of which the first has expired."""

    def __init__(self, home: Path, made: tuple[Repository, MemoryStorage] | None = None) -> None:
        self.repository, self.storage = made or new_repository()
        self.time = NOON
        self.storage.now = lambda: self.time
        self.made = make_database(home)
        self.write(random.Random(1).randbytes(1_900_000))
        take(self.made, self.repository, jobs=1)
        self.time += DAY
        self.write(self.made.store["neostore.nodestore.db"][:196_608] + some_bytes(2, 400_000))
        self.label = take(self.made, self.repository, jobs=1).label
        self.time += DAY
        expire(self.repository, Policy(last=1))
        self.time += DAY

    def write(self, data: bytes) -> None:
        changed = {"neostore.nodestore.db": data}
        self.made.store |= changed
        write_tree(self.made.store_directory, changed)

    def collect(self, storage: Wrapped | None = None, **options: Any) -> CollectReport:
        repository = self.repository if storage is None else Repository.open(storage)
        try:
            return collect(repository, grace=DAY, progress=SILENT, **options)
        finally:
            self.time += DAY + timedelta(minutes=40)

    def is_whole(self, tmp_path: Path) -> None:
        report = check(self.repository)
        assert report.ok, report
        home = tmp_path / f"restored-{len(list(tmp_path.iterdir()))}"
        put_back(self.repository, home, self.label)
        assert content(home) == expected(self.made)

    def packs(self) -> set[str]:
        return set(self.storage.names("packs/"))

    def stored(self) -> int:
        return sum(len(self.storage.objects[name]) for name in self.packs())


@pytest.fixture
def mixed(tmp_path: Path) -> Mixed:
    return Mixed(tmp_path / "home")


def test_a_pack_of_which_little_is_needed_is_rewritten_and_the_old_one_goes_later(mixed: Mixed, tmp_path: Path) -> None:
    before, stored = mixed.packs(), mixed.stored()
    first = mixed.collect()
    assert (first.repacked_packs, first.repacked_into, first.removed_packs) == (1, 1, 0)
    assert 0 < first.copied_bytes < first.repacked_bytes // 2
    assert before < mixed.packs()
    mixed.is_whole(tmp_path)
    second = mixed.collect()
    assert (second.removed_packs, second.repacked_packs, second.unused_bytes) == (1, 0, 0)
    assert mixed.stored() < stored - first.repacked_bytes + first.copied_bytes + 10_000
    mixed.is_whole(tmp_path)
    third = mixed.collect()
    assert (third.repacked_packs, third.condemned_packs, third.removed_packs) == (0, 0, 0)
    assert mixed.storage.names("condemned/") == []


def test_packs_of_an_encrypted_repository_are_rewritten_too(tmp_path: Path) -> None:
    mixed = Mixed(tmp_path / "home", encrypted_repository())
    before = mixed.packs()
    assert mixed.collect().repacked_packs
    mixed.is_whole(tmp_path)
    for _ in range(3):
        mixed.collect()
    assert before - mixed.packs()
    mixed.is_whole(tmp_path)


def test_a_dry_run_says_what_would_be_rewritten(mixed: Mixed) -> None:
    before = dict(mixed.storage.objects)
    report = mixed.collect(dry_run=True)
    assert (report.repacked_packs, report.copied_bytes > 0) == (1, True)
    assert mixed.storage.objects == before


@pytest.mark.parametrize(("below", "packs"), [(0, 0), (0.05, 0), (0.5, 1), (1, 1)])
def test_how_little_is_little_is_for_the_user_to_say(mixed: Mixed, below: float, packs: int) -> None:
    assert mixed.collect(repack_below=below).repacked_packs == packs


def test_many_small_packs_become_few_and_rest_then(tmp_path: Path) -> None:
    mixed = Mixed(tmp_path / "home")
    for seed in range(20):
        mixed.write(some_bytes(100 + seed, 70_000))
        mixed.label = take(mixed.made, mixed.repository, jobs=1).label
        mixed.time += DAY
    many = len(mixed.packs())
    assert many > 20
    report = mixed.collect()
    assert report.repacked_packs >= 20
    assert report.repacked_into == 1
    mixed.collect()
    assert len(mixed.packs()) < 5
    mixed.is_whole(tmp_path)
    assert mixed.collect().repacked_packs == 0


def test_a_backup_that_counts_on_the_old_pack_while_it_is_rewritten_is_whole(mixed: Mixed, tmp_path: Path) -> None:
    done: list[CollectReport] = []

    def before(operation: str, name: str) -> None:
        if operation == "create" and name.startswith("backups/"):
            done.extend(mixed.collect() for _ in range(3))

    mixed.label = take(mixed.made, Repository.open(Wrapped(mixed.storage, before))).label
    # The backup is older than the packs' grace, so nothing is rewritten under it; later it is.
    done += [mixed.collect() for _ in range(3)]
    assert any(report.repacked_packs for report in done)
    mixed.is_whole(tmp_path)
    assert mixed.storage.names("condemned/") == []


def test_a_backup_that_begins_after_it_counts_on_the_new_pack_only(mixed: Mixed, tmp_path: Path) -> None:
    mixed.collect()
    new = take(mixed.made, mixed.repository)
    assert new.stored_bytes < 100_000
    mixed.label = new.label
    assert mixed.collect().removed_packs == 1
    mixed.is_whole(tmp_path)


def test_where_the_new_pack_turns_out_damaged_the_old_one_stays(mixed: Mixed, tmp_path: Path) -> None:
    old = mixed.packs()
    mixed.collect()
    (new,) = mixed.packs() - old
    mixed.storage.replace(new, flipped(mixed.storage.objects[new], 5000))
    check(mixed.repository)
    report = mixed.collect()
    assert (report.removed_packs, report.reprieved_packs) == (0, 1)
    mixed.is_whole(tmp_path)


def test_a_damaged_block_is_told_and_its_pack_stays(mixed: Mixed) -> None:
    old = mixed.packs()
    bad = max(old, key=lambda name: len(mixed.storage.objects[name]))
    shared = mixed.made.store["neostore.nodestore.db"][:64]
    assert shared in mixed.storage.objects[bad]
    mixed.storage.replace(bad, mixed.storage.objects[bad].replace(shared, bytes(64), 1))
    report = mixed.collect()
    assert report.damaged_packs[0].startswith(bad)
    assert report.repacked_packs == 0
    assert mixed.storage.names("damaged/") == [f"damaged/{bad.rsplit('/', 1)[1]}"]
    assert mixed.collect().removed_packs == 0
    assert old <= mixed.packs()


def test_what_is_read_back_wrong_ends_it_and_nothing_is_condemned(mixed: Mixed) -> None:
    old = mixed.packs()

    class Lying(Wrapped):
        def read(self, name: str, offset: int = 0, length: int | None = None) -> bytes:
            data = self.inner.read(name, offset, length)
            return flipped(data, 9) if name.startswith("packs/") and name not in old and length is None else data

    report = mixed.collect(Lying(mixed.storage, lambda *_: None))
    assert "is not what was written" in report.repacking_stopped_because
    assert report.repacked_packs == 0
    assert mixed.storage.names("condemned/") == []


def test_where_there_is_no_space_the_rest_of_the_work_counts(mixed: Mixed) -> None:
    def before(operation: str, name: str) -> None:
        if operation == "create" and name.startswith("packs/"):
            raise SpaceError("the disk is full")

    report = mixed.collect(Wrapped(mixed.storage, before))
    assert (report.repacking_stopped_because, report.repacked_packs) == ("the disk is full", 0)


def test_whoever_lost_the_lease_condemns_nothing(mixed: Mixed) -> None:
    def before(operation: str, name: str) -> None:
        if operation == "create" and name.startswith("packs/"):
            mixed.time += timedelta(hours=2)

    with pytest.raises(LockedError):
        mixed.collect(Wrapped(mixed.storage, before))
    assert mixed.storage.names("condemned/") == []


def test_a_store_that_refuses_to_delete_is_not_filled_by_copies(mixed: Mixed) -> None:
    writer = BlockWriter(mixed.repository)
    with writer.worker() as worker:
        worker.put([memoryview(b"garbage" * 999)])
    writer.finish()
    writer.close()
    mixed.time += 2 * DAY
    mixed.collect(repack_below=0)

    def before(operation: str, name: str) -> None:
        if operation == "delete" and name.startswith("packs/"):
            raise RepositoryError(f"{name} is locked")

    report = mixed.collect(Wrapped(mixed.storage, before))
    assert (report.refused_objects, report.repacked_packs) == (1, 0)


@pytest.mark.faults
@pytest.mark.parametrize("after", [False, True], ids=["before", "after the effect"])
def test_at_whatever_change_the_storage_fails_nothing_is_lost(tmp_path: Path, after: bool) -> None:
    at, changes = 0, 1
    while at <= changes:
        at += 1
        mixed = Mixed(tmp_path / f"home-{at}")
        count = 0

        class Failing(Wrapped):
            def create(self, name: str, data: Any) -> None:
                self._guarded(lambda: self.inner.create(name, data))

            def delete(self, name: str) -> None:
                self._guarded(lambda: self.inner.delete(name))

            def _guarded(self, change: Any) -> None:
                nonlocal count
                count += 1
                fails = count == at  # noqa: B023  it is called within this turn
                if fails and not after:
                    raise RepositoryError("no answer")
                change()
                if fails:
                    raise RepositoryError("no answer, but it was done")

        for _ in range(4):
            with suppress(RepositoryError):
                mixed.collect(Failing(mixed.storage, lambda *_: None))
            assert check(mixed.repository).ok, at
        changes = max(changes, count)
        for _ in range(3):
            mixed.collect()
        assert mixed.storage.names("condemned/") == []
        mixed.is_whole(tmp_path)
    assert changes > 15


def an_index(sizes: list[list[int]]) -> BlockIndex:
    packs: list[Pack] = []
    for number, stored in enumerate(sizes):
        entries = np.zeros(len(stored), ENTRY)
        for at, size in enumerate(stored):
            entries[at] = (np.void(block_id(f"{number}/{at}".encode())), 24 + sum(stored[:at]), size, size)
        packs.append(Pack(block_id(f"pack {number}".encode()), 24 + sum(stored) + 44 * len(stored) + 48, entries))
    return BlockIndex(packs)


@given(
    st.lists(st.lists(st.integers(1, 1 << 22), min_size=1, max_size=6), min_size=1, max_size=30),
    st.randoms(use_true_random=False),
    st.floats(0.01, 1),
)
def test_the_plan_takes_exactly_what_is_little_or_small_beside_many(
    sizes: list[list[int]], chance: random.Random, below: float
) -> None:
    index = an_index(sizes)
    rows = np.array([chance.random() < 0.5 for _ in range(len(index))], np.bool_)
    candidates = {pack.identity for pack in index.packs if chance.random() < 0.8}
    plan = {index.packs[one.number].identity: one for one in plan_repack(index, rows, candidates, below)}
    needed, everything = index.stored_by_pack(np.flatnonzero(rows)), index.stored_by_pack(np.arange(len(index)))
    some = {number for number, pack in enumerate(index.packs) if pack.identity in candidates and needed[number]}
    small = {number for number in some if index.packs[number].size < repacking.SMALL}
    for number, pack in enumerate(index.packs):
        little = number in some and needed[number] < below * everything[number]
        wanted = little or (number in small and len(small) >= repacking.FEW)
        assert (pack.identity in plan) == wanted
        if wanted:
            assert plan[pack.identity].needed == needed[number]


@given(st.lists(st.tuples(st.integers(0, 1 << 21), st.integers(1, 1 << 22)), min_size=1, max_size=20))
def test_stretches_cover_all_blocks_in_order_and_read_little_else(gaps: list[tuple[int, int]]) -> None:
    offsets, stored, at = [], [], 24
    for gap, size in gaps:
        offsets.append(at + gap)
        stored.append(size)
        at += gap + size
    found = list(repacking._stretches(np.array(offsets), np.array(stored)))
    assert [number for first, last in found for number in range(first, last)] == list(range(len(gaps)))
    for first, last in found:
        length = offsets[last - 1] + stored[last - 1] - offsets[first]
        assert last - first == 1 or length <= LONGEST_READ
        for number in range(first + 1, last):
            assert offsets[number] - offsets[number - 1] - stored[number - 1] <= LARGEST_GAP
