"""Retrying: only what is worth it, and a create of unknown outcome is resolved by looking."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest

from helpers.backups import check, content, expected, put_back, take
from helpers.conformance import StorageConformance
from helpers.database import make_database
from helpers.faulty import AFTER, BEFORE, Faulty, Nth
from helpers.storages import MemoryStorage
from neokeep.errors import AccessError, NeokeepError
from neokeep.repository.repository import Repository
from neokeep.storage.base import ObjectExists, ObjectMissing, Storage, TransientError
from neokeep.storage.counting import Counting
from neokeep.storage.retrying import LONGEST_PAUSE_SECONDS, Retrying

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def fates(*each: str | None) -> Callable[[str, str], str | None]:
    """Plan the first operations one by one; all later ones pass."""
    coming = itertools.chain(each, itertools.repeat(None))
    return lambda _operation, _name: next(coming)


def retrying(inner: Storage, retries: int = 3) -> tuple[Retrying, list[float]]:
    pauses: list[float] = []
    return Retrying(inner, retries, pauses.append), pauses


class TestRetryingWhereEverySecondOperationFails(StorageConformance):
    @pytest.fixture
    def storage(self, tmp_path: Path) -> Storage:
        turns = itertools.cycle([BEFORE, None, AFTER, None, None])
        return retrying(Faulty(MemoryStorage(), lambda _operation, _name: next(turns)), 50)[0]


def test_what_failed_for_a_passing_reason_is_done_again_after_growing_pauses() -> None:
    memory = MemoryStorage()
    storage, pauses = retrying(Faulty(memory, fates(BEFORE, BEFORE, BEFORE)))
    storage.create("a", b"x")
    assert memory.objects == {"a": b"x"}
    assert len(pauses) == 3
    assert all(0 < pause <= limit for pause, limit in zip(pauses, (0.25, 0.5, 1.0), strict=True))


def test_after_the_last_attempt_the_error_is_that_of_the_storage() -> None:
    storage, pauses = retrying(Faulty(MemoryStorage(), lambda _operation, _name: BEFORE), 20)
    with pytest.raises(TransientError, match="create a failed before"):
        storage.create("a", b"x")
    assert len(pauses) == 20
    assert max(pauses) <= LONGEST_PAUSE_SECONDS


@pytest.mark.parametrize("problem", [AccessError("no"), ObjectMissing("none"), ObjectExists("taken")])
def test_what_would_fail_again_is_not_tried_again(problem: NeokeepError) -> None:
    class Refusing(MemoryStorage):
        calls = 0

        def read(self, name: str, offset: int = 0, length: int | None = None) -> bytes:
            self.calls += 1
            raise problem

    refusing = Refusing()
    storage, pauses = retrying(refusing)
    with pytest.raises(type(problem)):
        storage.read("a")
    assert (refusing.calls, pauses) == (1, [])


@pytest.mark.parametrize("size", [0, 1, 20 * 1024 * 1024])
def test_a_create_that_was_done_though_it_failed_has_succeeded(size: int) -> None:
    storage, _ = retrying(Faulty(MemoryStorage(), fates(AFTER)))
    storage.create("a", bytes(size))
    assert len(storage.read("a")) == size


def test_a_create_finds_that_its_own_late_effect_took_the_name_while_it_tried_again() -> None:
    storage, _ = retrying(Faulty(MemoryStorage(), fates(AFTER, BEFORE, None, BEFORE)), 9)
    storage.create("a", b"mine")


@pytest.mark.parametrize("other", [b"other", b"mine and more", b""])
def test_a_create_that_failed_and_finds_something_else_there_has_lost(other: bytes) -> None:
    memory = MemoryStorage()

    def plan(_operation: str, _name: str) -> str | None:
        if memory.objects:
            return None
        memory.create("a", other)
        return BEFORE

    storage, _ = retrying(Faulty(memory, plan))
    with pytest.raises(ObjectExists):
        storage.create("a", b"mine")
    assert memory.objects == {"a": other}


def test_without_a_failure_before_it_equal_content_is_still_somebody_elses() -> None:
    storage, _ = retrying(MemoryStorage())
    storage.create("a", b"x")
    with pytest.raises(ObjectExists):
        storage.create("a", b"x")


def test_a_listing_that_breaks_begins_anew_and_gives_nothing_twice() -> None:
    memory = MemoryStorage()
    for number in range(10):
        memory.create(f"packs/{number}", b"")
    storage, pauses = retrying(Faulty(memory, fates(BEFORE, AFTER)))
    assert len([item.name for item in storage.list("packs")]) == 10
    assert len(pauses) == 2


@pytest.mark.faults
@pytest.mark.parametrize("fate", [BEFORE, AFTER])
def test_a_backup_and_its_restore_survive_any_one_failing_operation(tmp_path: Path, fate: str) -> None:
    made = make_database(tmp_path / "home")
    for number in range(1, count_operations(tmp_path / "counted") + 1):
        faulty = Faulty(MemoryStorage(), Nth(number, fate))
        repository = Repository.create(retrying(faulty)[0])
        take(made, repository, jobs=1)
        put_back(repository, tmp_path / f"restored-{number}", jobs=1)
        assert content(tmp_path / f"restored-{number}") == expected(made), number
        assert check(repository).ok
        assert faulty.failed == 1


def count_operations(directory: Path) -> int:
    made = make_database(directory)
    plan = Nth(0, BEFORE)
    repository = Repository.create(Faulty(MemoryStorage(), plan))
    take(made, repository, jobs=1)
    put_back(repository, directory / "restored", jobs=1)
    return plan.count


def test_counting_counts_operations_and_bytes() -> None:
    storage = Counting(MemoryStorage())
    storage.create("a/b", b"12345")
    assert storage.read("a/b", 1, 2) == b"23"
    assert len(list(storage.list("a"))) == 1
    storage.stat("a/b")
    storage.delete("a/b")
    assert storage.operations == {"create": 1, "read": 1, "list": 1, "stat": 1, "delete": 1}
    assert (storage.bytes_written, storage.bytes_read) == (5, 2)
