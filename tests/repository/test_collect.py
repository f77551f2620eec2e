"""Garbage collection: what is needed stays, what is not goes in two runs."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from helpers.backups import take
from helpers.chains import commit_more, run_backup
from helpers.collection import DAY, Found, store_alone, two_backups_one_expired
from helpers.storages import Wrapped
from neokeep.errors import AccessError, IntegrityError, LockedError
from neokeep.repository.chains import chain_of
from neokeep.repository.expire import expire
from neokeep.repository.expiry import Policy
from neokeep.repository.lease import take_lease
from neokeep.repository.merging import merge_segments
from neokeep.repository.repository import Repository
from neokeep.repository.writer import BlockWriter

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from neokeep.storage.base import StoredObject


def test_what_expired_is_condemned_first_and_deleted_by_a_run_after_the_grace_period(
    found: Found, tmp_path: Path
) -> None:
    # The tail of the first store is shared, so its pack stays in part; what it alone needs is a pack of its own.
    found.change()
    only = store_alone(found, b"only in what expires" * 99)
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
    store_alone(found, b"garbage" * 999)
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


@pytest.mark.looks_at_names
def test_an_unreadable_manifest_stops_everything_before_anything_is_deleted(found: Found) -> None:
    store_alone(found, b"garbage" * 99)
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
    store_alone(found, b"garbage" * 99)
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
    store_alone(probe, b"garbage" * 99)
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
    store_alone(found, b"garbage" * 99)

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
    store_alone(found, b"garbage" * 99)
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
