"""The probe finds out what a place really honours, whatever it says of itself."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from helpers.faulty import AFTER, BEFORE, Faulty
from helpers.storages import MemoryStorage, Wrapped
from neokeep.errors import AccessError, IntegrityError, RepositoryError
from neokeep.repository.probe import probe
from neokeep.storage.base import ObjectExists, ObjectMissing, StoredObject
from neokeep.storage.retrying import Retrying


def test_a_good_place_is_accepted_and_left_as_it_was() -> None:
    memory = MemoryStorage()
    probed = probe(memory)
    assert (probed.skew, probed.can_delete) == (0.0, True)
    assert memory.objects == {}


def test_a_place_whose_answers_get_lost_is_accepted_all_the_same() -> None:
    memory, turns = MemoryStorage(), iter([AFTER, None, BEFORE, None] * 10_000)
    storage = Retrying(Faulty(memory, lambda _operation, _name: next(turns)), 30, lambda _seconds: None)
    assert probe(storage).can_delete
    assert memory.objects == {}


def test_a_place_that_replaces_later_is_refused() -> None:
    class Forgetful(MemoryStorage):
        """Honours create-if-absent for as long as everybody looks at the same moment."""

        calls = 0

        def create(self, name: str, data: object) -> None:
            self.calls += 1
            if self.calls > 8:
                self.objects.pop(name, None)
            super().create(name, data)  # type: ignore[arg-type]

    with pytest.raises(RepositoryError, match="replaced an object"):
        probe(Forgetful())


def test_a_place_that_says_taken_and_shows_nothing_is_refused() -> None:
    class Late(MemoryStorage):
        def read(self, name: str, offset: int = 0, length: int | None = None) -> bytes:
            raise ObjectMissing(name)

    with pytest.raises(RepositoryError, match="does not find an object that it has just stored"):
        probe(Late())


def test_a_place_that_shows_half_of_what_is_taken_is_refused() -> None:
    class Half(MemoryStorage):
        def read(self, name: str, offset: int = 0, length: int | None = None) -> bytes:
            content = super().read(name)
            return content[: len(content) // 2] if length is None else content[offset : offset + length]

    with pytest.raises(IntegrityError, match="returned other bytes"):
        probe(Half())


def test_a_place_that_lists_from_yesterday_is_refused() -> None:
    class Stale(MemoryStorage):
        def list(self, prefix: str):  # type: ignore[no-untyped-def]
            return iter(list[StoredObject]())

    with pytest.raises(RepositoryError, match="does not list"):
        probe(Stale())


@pytest.mark.parametrize("hours", [-1, 1])
def test_the_clock_of_a_place_is_compared_with_ours(hours: int) -> None:
    memory = MemoryStorage()
    memory.now = lambda: datetime.now(UTC) + timedelta(hours=hours)
    assert probe(memory).skew == pytest.approx(3600 * hours, abs=30)


def test_a_place_that_never_deletes_is_a_good_one() -> None:
    def before(operation: str, _name: str) -> None:
        if operation == "delete":
            raise AccessError("never")

    assert not probe(Wrapped(MemoryStorage(), before)).can_delete


def test_a_failure_is_not_hidden_by_tidying_up() -> None:
    def before(operation: str, _name: str) -> None:
        if operation == "list":
            raise ObjectExists("of all things")
        if operation == "delete":
            raise AccessError("never")

    with pytest.raises(ObjectExists):
        probe(Wrapped(MemoryStorage(), before))
