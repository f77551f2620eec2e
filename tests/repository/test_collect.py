"""Garbage collection: what is needed stays, what is not goes in two runs, whoever writes at the same time."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from helpers.backups import SILENT, check, content, expected, put_back, take
from helpers.chains import commit_more, run_backup
from helpers.database import Synthetic, make_database, some_bytes, write_tree
from helpers.properties import examples
from helpers.storages import MemoryStorage, Wrapped
from neokeep.errors import AccessError, IntegrityError, LockedError, RepositoryError
from neokeep.repository.chains import chain_of
from neokeep.repository.collect import collect
from neokeep.repository.expire import expire
from neokeep.repository.expiry import Policy
from neokeep.repository.info import describe
from neokeep.repository.lease import take_lease
from neokeep.repository.merging import merge_segments
from neokeep.repository.repository import Repository
from neokeep.repository.sessions import PATIENCE
from neokeep.repository.writer import BlockWriter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from neokeep.reports import CollectReport
    from neokeep.storage.base import StoredObject

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


@pytest.fixture
def found(tmp_path: Path) -> Found:
    return Found(tmp_path / "home")


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


def test_what_expired_is_condemned_first_and_deleted_by_a_run_after_the_grace_period(
    found: Found, tmp_path: Path
) -> None:
    # The tail of the first store is shared, so its pack stays in part; what it alone needs is a pack of its own.
    found.change()
    only = _store_alone(found, b"only in what expires" * 99)
    two_backups_one_expired(found)
    first = found.collect()
    assert (first.removed_packs, first.condemned_packs, first.freed_bytes) == (0, 1, 0)
    assert only <= found.objects("packs")
    early = found.collect()
    assert (early.removed_packs, early.condemned_packs) == (0, 1)
    found.later()
    second = found.collect()
    assert (second.removed_packs, second.condemned_packs, second.refused_objects) == (1, 0, 0)
    assert second.freed_bytes > 0
    assert not only & found.objects("packs")
    assert not found.objects("condemned")
    assert not found.objects("writers")
    found.is_whole(tmp_path)
    assert found.collect().removed_packs == 0


def _store_alone(found: Found, data: bytes) -> set[str]:
    """Store a block that no backup needs, as a backup that failed leaves it."""
    before = found.objects("packs")
    writer = BlockWriter(found.repository)
    with writer.worker() as worker:
        worker.put([memoryview(data)])
    writer.finish()
    writer.close()
    found.later()
    return found.objects("packs") - before


def test_whatever_is_asked_nothing_that_a_backup_needs_is_ever_condemned(found: Found, tmp_path: Path) -> None:
    found.back_up()
    found.change()
    newest = found.back_up()
    found.later(30 * DAY)
    for _ in range(3):
        assert found.collect().condemned_packs == 0
        found.later(30 * DAY)
    found.is_whole(tmp_path, newest)


def test_a_dry_run_tells_the_same_and_changes_nothing(found: Found) -> None:
    _store_alone(found, b"garbage" * 999)
    before = dict(found.storage.objects)
    would = found.collect(dry_run=True)
    assert (would.dry_run, would.condemned_packs) == (True, 1)
    assert found.storage.objects == before
    found.collect()
    found.later()
    before = dict(found.storage.objects)
    assert found.collect(dry_run=True).removed_packs == 1
    assert found.storage.objects == before


def test_a_pack_that_is_young_may_belong_to_a_backup_on_its_way_and_is_not_condemned(found: Found) -> None:
    writer = BlockWriter(found.repository)
    with writer.worker() as worker:
        worker.put([memoryview(b"young")])
    writer.finish()
    writer.close()
    assert found.collect().condemned_packs == 0
    found.later()
    assert found.collect().condemned_packs == 1


def test_a_writer_that_knows_what_is_condemned_stores_it_anew_and_the_old_pack_goes(
    found: Found, tmp_path: Path
) -> None:
    (garbage,) = _store_alone(found, some_bytes(5, 65_536))
    found.collect()
    found.later()
    writer = BlockWriter(found.repository)
    with writer.worker() as worker:
        worker.put([memoryview(some_bytes(5, 65_536))])
    assert writer.new_blocks == 1
    writer.finish()
    assert found.collect().removed_packs == 1
    assert garbage not in found.objects("packs")
    writer.finish()
    writer.close()


def test_a_backup_that_began_before_something_was_condemned_keeps_it_from_being_deleted(
    found: Found, tmp_path: Path
) -> None:
    """The long backup: it counts on a pack, which is condemned and due while it goes on for three days."""
    found.back_up()
    found.later()
    expire(found.repository, Policy(), label=next(iter(found.repository.manifests())).label)
    storage = Wrapped(found.storage, lambda *_: None)
    seen: list[CollectReport] = []

    def before(operation: str, name: str) -> None:
        # Right before the last look of the backup at its packs, and right before its manifest.
        if (operation, name) == ("list", "packs") and len(storage_calls) == 1 and not seen:
            for _ in range(3):
                seen.append(found.collect())
                found.later()
        if (operation, name) == ("list", "packs"):
            storage_calls.append(name)
        if operation == "create" and name.startswith("backups/"):
            seen.append(found.collect())

    storage_calls: list[str] = []
    storage._before = before
    label = take(found.made, Repository.open(storage)).label
    assert [one.removed_packs for one in seen] == [0, 0, 0, 0]
    assert seen[-1].condemned_packs > 0
    assert "a backup began" in seen[-1].waiting_for[0]
    assert found.collect().reprieved_packs > 0
    found.is_whole(tmp_path, label)
    assert not found.objects("condemned")


@pytest.mark.slow
@pytest.mark.parametrize("known", [True, False])
def test_at_every_step_of_a_backup_whole_runs_of_collection_may_happen(
    found: Found, tmp_path: Path, known: bool
) -> None:
    """Before each single call of a backup, a day passes and garbage is collected: the backup holds, or is not there."""
    found.back_up()
    counted: list[str] = []
    take(found.made, Repository.open(Wrapped(found.storage, lambda operation, name: counted.append(name))))
    for step in range(len(counted) + 3):
        fresh = Found(tmp_path / f"home-{step}")
        fresh.back_up()
        fresh.later()
        expire(fresh.repository, Policy(), label=next(iter(fresh.repository.manifests())).label)
        fresh.later()
        if known:
            fresh.collect()
        calls = 0

        def before(operation: str, name: str, *, fresh: Found = fresh, step: int = step) -> None:
            nonlocal calls
            if calls == step:
                calls += 1
                for _ in range(3):
                    fresh.later()
                    fresh.collect()
            calls += 1

        label = take(fresh.made, Repository.open(Wrapped(fresh.storage, before))).label
        fresh.later()
        fresh.collect()
        fresh.later()
        fresh.collect()
        fresh.is_whole(tmp_path, label)


@examples(20, HealthCheck.function_scoped_fixture)
@given(
    st.lists(
        # All of them together stay below the patience with a writer.
        st.tuples(st.integers(0, 40), st.sampled_from(["expire", "collect", "another backup"]), st.integers(0, 23)),
        min_size=2,
        max_size=7,
    )
)
def test_whatever_happens_at_whatever_call_of_a_backup_every_backup_that_is_there_is_whole(
    tmp_path: Path, events: list[tuple[int, str, int]]
) -> None:
    """Expiry, collection and other backups, hours apart, in the middle of one backup and after it."""
    place = Path(tempfile.mkdtemp(dir=tmp_path))
    fresh = Found(place / "home")
    fresh.back_up()
    fresh.later()

    def happen(what: str, hours: int) -> None:
        fresh.later(timedelta(hours=hours))
        if what == "expire":
            for item in list(fresh.repository.manifests()):
                expire(fresh.repository, Policy(), label=item.label)
        elif what == "collect":
            fresh.collect()
        else:
            fresh.back_up()

    calls = 0
    done: set[int] = set()

    def before(operation: str, name: str) -> None:
        nonlocal calls
        calls += 1
        for at, (step, what, hours) in enumerate(events):
            if step == calls and at not in done:
                done.add(at)
                happen(what, hours)

    take(fresh.made, Repository.open(Wrapped(fresh.storage, before)))
    everything_is_whole(fresh, place)
    for at, (_, what, hours) in enumerate(events):
        if at not in done:
            happen(what, hours)
    everything_is_whole(fresh, place)
    for _ in range(3):
        fresh.later()
        fresh.collect()
    everything_is_whole(fresh, place)


def everything_is_whole(found: Found, place: Path) -> None:
    for item in found.repository.manifests():
        found.is_whole(place, item.label)
    assert check(found.repository).ok


def test_a_writer_that_is_silent_for_too_long_is_given_up_and_cannot_commit_any_more(
    found: Found, tmp_path: Path
) -> None:
    found.back_up()
    old = next(iter(found.repository.manifests()))
    found.later()
    expire(found.repository, Policy(), label=old.label)

    def before(operation: str, name: str) -> None:
        if operation == "create" and name.startswith("backups/"):
            found.collect()
            found.later(PATIENCE)
            assert found.collect().removed_packs > 0

    with pytest.raises(RepositoryError, match="given up"):
        take(found.made, Repository.open(Wrapped(found.storage, before)))
    assert list(found.repository.manifests()) == []
    label = found.back_up()
    found.is_whole(tmp_path, label)


def test_a_manifest_of_a_writer_that_had_been_given_up_is_no_backup_even_if_it_died_right_after(
    found: Found,
) -> None:
    found.back_up()
    old = next(iter(found.repository.manifests()))
    found.later()
    expire(found.repository, Policy(), label=old.label)

    class Died(BaseException):
        pass

    dead = False

    def before(operation: str, name: str) -> None:
        nonlocal dead
        if dead:
            raise Died
        if operation == "create" and name.startswith("backups/"):
            found.collect()
            found.later(PATIENCE)
            found.collect()
            dead = True

    storage = Wrapped(found.storage, before)
    with pytest.raises(Died):
        take(found.made, Repository.open(storage))
    assert len(found.objects("backups")) == 1
    (item,) = found.repository.manifests()
    with pytest.raises(IntegrityError, match="given up"):
        found.repository.manifest(item.label)
    report = found.collect()
    assert report.void_backups == (item.label,)
    assert not found.objects("backups")
    assert check(found.repository).ok


def test_a_writer_that_was_killed_delays_only_what_it_did_not_know(found: Found) -> None:
    abandoned = BlockWriter(found.repository)
    _store_alone(found, b"garbage" * 99)
    found.later()
    found.collect()
    found.later()
    waiting = found.collect()
    assert waiting.removed_packs == 0
    found.later(PATIENCE)
    assert found.collect().condemned_packs + found.collect().removed_packs >= 1
    found.later()
    found.collect()
    assert not found.objects("packs")
    assert not found.objects("writers")
    abandoned.close()


@pytest.mark.looks_at_names
def test_an_unreadable_manifest_stops_everything_before_anything_is_deleted(found: Found) -> None:
    _store_alone(found, b"garbage" * 99)
    found.collect()
    found.later()
    label = found.back_up()
    found.storage.replace(f"backups/{label}", b"damaged")
    before = found.objects("packs")
    with pytest.raises(IntegrityError, match="what that backup needs is not known"):
        found.collect()
    assert found.objects("packs") == before
    expire(found.repository, Policy(), label=label)
    found.collect()
    found.later()
    found.collect()
    assert found.objects("packs") < before


def test_a_file_list_that_cannot_be_read_stops_everything_too(found: Found) -> None:
    label = found.back_up()
    for name in found.objects("packs"):
        found.storage.replace(name, bytes(len(found.storage.objects[name])))
    found.later(3 * DAY)
    with pytest.raises(IntegrityError, match=f"what backup {label} needs cannot be found out"):
        found.collect()
    assert found.objects("packs")


@pytest.mark.looks_at_names
def test_two_collections_at_once_are_kept_apart(found: Found) -> None:
    lease = take_lease(found.storage, "collect", timedelta(minutes=30))
    with pytest.raises(LockedError, match="is taken"):
        found.collect()
    lease.release()
    found.collect()


@pytest.mark.looks_at_names
def test_a_collection_that_was_suspended_for_a_day_deletes_nothing_more(found: Found) -> None:
    _store_alone(found, b"garbage" * 99)
    found.collect()
    found.later()
    packs = found.objects("packs")
    slept = False

    def before(operation: str, name: str) -> None:
        nonlocal slept
        # Its last proof of the lease is over, the first deletion of a pack is due: now the machine sleeps.
        if operation == "create" and name.startswith("leases/collect/") and deletions_are_next(name) and not slept:
            slept = True
            found.later()

    def deletions_are_next(name: str) -> bool:
        return name.endswith(f"{lease_number:010}")

    calls: list[str] = []
    probe = Found(found.home.parent / "probe")
    _store_alone(probe, b"garbage" * 99)
    probe.collect()
    probe.later()
    probe.collect(Wrapped(probe.storage, lambda operation, name: calls.append(f"{operation} {name}")))
    first = next(at for at, call in enumerate(calls) if call.startswith("delete packs/"))
    lease_number = int(next(call for call in reversed(calls[:first]) if "create leases/" in call).rsplit("/", 1)[1])
    with pytest.raises(LockedError, match="was not renewed"):
        found.collect(Wrapped(found.storage, before))
    assert found.objects("packs") == packs
    found.later()
    assert found.collect().removed_packs == 1


def test_a_storage_that_refuses_to_delete_is_told_and_nothing_breaks(found: Found, tmp_path: Path) -> None:
    _, newer = two_backups_one_expired(found)
    _store_alone(found, b"garbage" * 99)

    def refuse(operation: str, name: str) -> None:
        if operation == "delete":
            raise AccessError("the object is locked")

    storage = Wrapped(found.storage, refuse)
    found.collect(storage)
    found.later()
    report = found.collect(storage)
    assert report.refused_objects >= 1
    assert (report.removed_packs, report.freed_bytes) == (0, 0)
    assert report.refused_because == "the object is locked"
    found.is_whole(tmp_path, newer)
    assert found.collect().removed_packs >= 1
    found.is_whole(tmp_path, newer)


def test_index_objects_that_name_deleted_packs_are_replaced(found: Found, tmp_path: Path) -> None:
    _store_alone(found, b"garbage" * 99)
    newer = found.back_up()
    found.later()
    before = found.objects("index")
    found.collect()
    found.later()
    assert found.collect().removed_packs == 1
    assert len(found.objects("index")) < len(before)
    found.is_whole(tmp_path, newer)


def test_the_segments_of_an_expired_chain_go_and_those_of_a_kept_one_stay(found: Found, tmp_path: Path) -> None:
    found.back_up()
    for _ in range(3):
        commit_more(found.made)
        run_backup(found.made, found.repository)
    old = found.objects("segments")
    found.later()
    found.change()
    found.back_up()
    commit_more(found.made)
    run_backup(found.made, found.repository)
    found.later()
    kept = found.objects("segments") - old
    assert found.collect().condemned_segments == 0
    found.expire(last=1)
    assert found.collect().condemned_segments == len(old)
    found.later()
    assert found.collect().removed_segments == len(old)
    assert found.objects("segments") == kept
    found.is_whole(tmp_path)


@pytest.mark.looks_at_names
def test_segments_for_which_a_merged_one_stands_go_also_when_nobody_archives_to_their_chain_any_more(
    found: Found, tmp_path: Path
) -> None:
    label = found.back_up()
    for _ in range(3):
        commit_more(found.made)
        run_backup(found.made, found.repository)
    parts = found.objects("segments")
    chain = chain_of(found.repository, found.repository.manifest(label))
    merged = merge_segments(found.storage, chain.segments)
    assert merged is not None
    found.later()
    assert found.collect().condemned_segments == 3
    found.later()
    bad = found.storage.objects[merged.name]
    found.storage.replace(merged.name, b"damaged")
    assert found.collect().removed_segments == 0
    assert found.objects("segments") == {*parts, merged.name}
    found.storage.replace(merged.name, bad)
    found.later()
    found.collect()
    found.later()
    found.collect()
    assert found.objects("segments") == {merged.name}
    found.is_whole(tmp_path)


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_storage_clock_that_jumps_by_an_hour_deletes_nothing_that_is_needed(
    found: Found, tmp_path: Path, hours: int
) -> None:
    _, newer = two_backups_one_expired(found)
    found.collect()
    found.time += timedelta(hours=hours)
    for _ in range(3):
        found.collect()
        found.later()
    found.is_whole(tmp_path, newer)


def test_a_listing_that_lags_behind_makes_nothing_look_unneeded(found: Found, tmp_path: Path) -> None:
    """The listing of manifests does not know the newest backup yet: its writer's mark keeps what it counts on."""
    found.back_up()
    found.later()
    expire(found.repository, Policy(), label=next(iter(found.repository.manifests())).label)

    class Stale(Wrapped):
        def list(self, prefix: str) -> Iterator[StoredObject]:
            return iter([item for item in self.inner.list(prefix) if item.name not in hidden])

    condemned_while_it_ran: list[int] = []

    def before(operation: str, name: str) -> None:
        if operation == "create" and name.startswith("backups/"):
            condemned_while_it_ran.append(found.collect().condemned_packs)
            found.later()

    label = take(found.made, Repository.open(Wrapped(found.storage, before))).label
    assert condemned_while_it_ran[0] > 0
    hidden = {f"backups/{label}"}
    assert found.collect(Stale(found.storage, lambda *_: None)).removed_packs == 0
    found.is_whole(tmp_path, label)


@pytest.mark.slow
@pytest.mark.parametrize("command", ["verify", "info"])
def test_others_work_on_while_backups_expire_and_garbage_goes(found: Found, command: str) -> None:
    """Before each single call of the other command, all that is due is removed: it goes on with what is there."""
    counted: list[str] = []
    step = 0
    while step == 0 or step < len(counted):
        fresh = Found(found.home.parent / f"{command}-{step}")
        _store_alone(fresh, b"garbage" * 99)
        two_backups_one_expired(fresh)
        fresh.change()
        fresh.back_up()
        fresh.collect()
        fresh.later()
        calls: list[str] = []

        def before(operation: str, name: str, *, fresh: Found = fresh, calls: list[str] = calls) -> None:
            if len(calls) == step:  # noqa: B023  it is called within this turn
                calls.append("")
                fresh.expire(last=1)
                fresh.collect()
            calls.append(name)

        repository = Repository.open(Wrapped(fresh.storage, before))
        if command == "verify":
            report = check(repository)
            assert not report.damaged_objects, (step, report)
            assert report.backups[-1].ok, (step, report)
        else:
            assert describe(repository).damaged == ()
        counted = counted or calls
        step += 1
