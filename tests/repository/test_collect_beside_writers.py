"""Garbage collection while others write: whatever meets, nothing that a backup needs or will need goes."""

from __future__ import annotations

import tempfile
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from helpers.backups import check, take
from helpers.collection import Found, everything_is_whole, store_alone, two_backups_one_expired
from helpers.database import some_bytes
from helpers.properties import examples
from helpers.storages import Wrapped
from neokeep.errors import IntegrityError, RepositoryError
from neokeep.repository.expire import expire
from neokeep.repository.expiry import Policy
from neokeep.repository.info import describe
from neokeep.repository.repository import Repository
from neokeep.repository.sessions import PATIENCE
from neokeep.repository.writer import BlockWriter

if TYPE_CHECKING:
    from neokeep.reports import CollectReport


def test_a_writer_that_knows_what_is_condemned_stores_it_anew_and_the_old_pack_goes(
    found: Found, tmp_path: Path
) -> None:
    (garbage,) = store_alone(found, some_bytes(5, 65_536))
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
    store_alone(found, b"garbage" * 99)
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


@pytest.mark.slow
@pytest.mark.parametrize("command", ["verify", "info"])
def test_others_work_on_while_backups_expire_and_garbage_goes(found: Found, command: str) -> None:
    """Before each single call of the other command, all that is due is removed: it goes on with what is there."""
    counted: list[str] = []
    step = 0
    while step == 0 or step < len(counted):
        fresh = Found(found.home.parent / f"{command}-{step}")
        store_alone(fresh, b"garbage" * 99)
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
