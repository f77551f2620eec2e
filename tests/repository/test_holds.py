"""Holds: what is held stays, until it is released or its time is over."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from helpers.backups import labels
from helpers.manifests import full_manifest
from helpers.storages import MemoryStorage
from neokeep.errors import LockedError, RepositoryError, UsageError
from neokeep.repository.expire import expire
from neokeep.repository.expiry import Policy
from neokeep.repository.holds import LASTS, describe_holds, list_holds, place_hold, reasons_of_holds, release_holds
from neokeep.repository.info import describe
from neokeep.repository.lease import take_lease
from neokeep.repository.repository import Repository
from neokeep.repository.survey import check_holds

NOW = datetime.now(UTC)
OLD, NEW = "neo4j-20261101-000000F", "neo4j-20261102-000000F"


def two_backups() -> tuple[Repository, MemoryStorage]:
    storage = MemoryStorage()
    repository = Repository.create(storage)
    for number, label in enumerate((OLD, NEW)):
        repository.commit(full_manifest(label, finished_at=NOW - timedelta(days=9 - number)))
    return repository, storage


def test_what_is_held_does_not_expire_until_it_is_released() -> None:
    repository, _ = two_backups()
    place_hold(repository, OLD, "an audit", None)
    place_hold(repository, OLD, "another one", None)
    report = expire(repository, Policy(last=1))
    assert report.removed_backups == 0
    assert report.lines[0].reasons == ("held: an audit; another one",)
    release_holds(repository, OLD)
    assert expire(repository, Policy(last=1)).removed_backups == 1
    assert labels(repository) == [NEW]


def test_a_hold_ends_with_its_time_by_the_clock_of_the_storage() -> None:
    repository, storage = two_backups()
    place_hold(repository, OLD, "for a while", NOW + timedelta(days=1))
    assert expire(repository, Policy(last=1)).removed_backups == 0
    storage.now = lambda: NOW + timedelta(days=1)
    assert expire(repository, Policy(last=1)).removed_backups == 1


def test_what_is_held_cannot_be_given_up_by_its_label_either() -> None:
    repository, _ = two_backups()
    place_hold(repository, NEW, "an audit", None)
    with pytest.raises(UsageError, match="is held: an audit"):
        expire(repository, Policy(), label=NEW)
    expire(repository, Policy(), label=OLD)
    assert labels(repository) == [NEW]


def test_a_backup_may_be_held_again_after_its_release() -> None:
    repository, _ = two_backups()
    for _ in range(2):
        place_hold(repository, OLD, "an audit", None)
        assert [hold.reason for hold in describe_holds(repository, OLD).holds] == ["an audit"]
        release_holds(repository, OLD)
        assert describe_holds(repository, OLD).holds == ()


def test_a_hold_that_cannot_be_read_holds_and_can_be_released() -> None:
    repository, storage = two_backups()
    place_hold(repository, OLD, "an audit", NOW + timedelta(days=1))
    (name,) = storage.names("holds/")
    storage.replace(name, b"damaged")
    assert reasons_of_holds(storage, NOW + timedelta(days=400)) == {OLD: "the hold cannot be read"}
    release_holds(repository, OLD)
    assert list_holds(storage) == []


def test_a_hold_that_ends_earlier_than_was_said_still_holds() -> None:
    repository, storage = two_backups()
    place_hold(repository, OLD, "an audit", NOW + timedelta(days=900))
    (name,) = storage.names("holds/")
    year = str((NOW + timedelta(days=900)).year).encode()
    storage.replace(name, storage.read(name).replace(year, b"2001"))
    assert b"2001" in storage.read(name)
    assert reasons_of_holds(storage, NOW) == {OLD: "the hold cannot be read"}
    damaged: dict[str, str] = {}
    check_holds(repository, damaged, {})
    assert damaged == {name: "it is damaged, and holds its backup for ever"}


def test_holds_that_make_no_sense_are_refused() -> None:
    repository, _ = two_backups()
    with pytest.raises(RepositoryError, match="there is no backup x"):
        place_hold(repository, "x", "why", None)
    with pytest.raises(UsageError, match="is over"):
        place_hold(repository, OLD, "why", NOW - timedelta(days=1))
    with pytest.raises(UsageError, match="is not held"):
        release_holds(repository, OLD)
    assert list_holds(repository.storage) == []


def test_nothing_can_be_held_while_backups_expire() -> None:
    repository, storage = two_backups()
    take_lease(storage, "expire", LASTS)
    with pytest.raises(LockedError):
        place_hold(repository, OLD, "too late", None)
    assert list_holds(storage) == []


def test_info_shows_what_is_held_and_not_what_ended() -> None:
    repository, storage = two_backups()
    place_hold(repository, OLD, "an audit", None)
    storage.now = lambda: NOW - timedelta(days=2)
    place_hold(repository, NEW, "over", NOW - timedelta(days=1))
    assert [(hold.label, hold.reason) for hold in describe(repository).holds] == [(OLD, "an audit")]
    assert describe(repository, database="system").holds == ()
