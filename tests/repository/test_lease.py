"""Leases: one holder at a time, by the storage's clock; whoever slept finds out."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.properties import examples
from helpers.storages import MemoryStorage, Wrapped
from neokeep.errors import AccessError, LockedError, NeokeepError
from neokeep.repository.lease import Lease, LeaseLost, leased, storage_time, take_lease
from neokeep.workers import run_workers

LASTS = timedelta(minutes=30)


class Clocked(MemoryStorage):
    def __init__(self) -> None:
        super().__init__()
        self.time = datetime(2027, 1, 1, tzinfo=UTC)
        self.now = lambda: self.time


def take(storage: MemoryStorage | Wrapped) -> Lease:
    return take_lease(storage, "work", LASTS)


def test_a_lease_that_is_held_is_refused_with_its_holder() -> None:
    storage = Clocked()
    take(storage)
    storage.time += LASTS
    with pytest.raises(LockedError, match=r"process \d+ on .+ holds it since 2027-01-01 00:00:00Z"):
        take(storage)


def test_a_lease_that_was_released_is_free_at_once() -> None:
    storage = Clocked()
    with leased(storage, "work", LASTS):
        pass
    assert take(storage).generation == 2


def test_a_lease_that_ran_out_is_taken_over_and_its_holder_notices() -> None:
    storage = Clocked()
    slow = take(storage)
    storage.time += LASTS + timedelta(seconds=1)
    fast = take(storage)
    with pytest.raises(LeaseLost, match="took it over"):
        slow.check()
    fast.check()


def test_a_holder_that_slept_for_too_long_lets_go_although_nobody_took_over() -> None:
    storage = Clocked()
    lease = take(storage)
    storage.time += timedelta(days=1)
    with pytest.raises(LeaseLost, match="it was not renewed for 1 day"):
        lease.check()
    assert take(storage).check() == storage.time


def test_a_holder_that_renews_in_time_holds_for_ever() -> None:
    storage = Clocked()
    lease = take(storage)
    for _ in range(100):
        storage.time += LASTS
        lease.check()
        with pytest.raises(LockedError):
            take(storage)
    assert len(storage.names("leases/")) < 10


def test_renewing_while_nothing_is_deleted_costs_an_object_only_now_and_then(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    storage = Clocked()
    elapsed = [0.0]
    monkeypatch.setattr(time, "clock_gettime", lambda _: elapsed[0])
    lease = take(storage)
    for _ in range(100):
        lease.renew()
    assert lease.generation == 1
    elapsed[0] += LASTS.total_seconds() / 9
    lease.renew()
    lease.renew()
    assert lease.generation == 2
    elapsed[0] += 86_400
    storage.time += timedelta(days=1)
    with pytest.raises(LeaseLost):
        lease.renew()


def test_other_names_are_other_leases() -> None:
    storage = Clocked()
    take(storage)
    take_lease(storage, "other", LASTS)


def test_of_many_that_race_for_a_lease_one_gets_it() -> None:
    for _ in range(20):
        storage = Clocked()
        won: list[Lease] = []
        lost: list[LockedError] = []
        together = threading.Barrier(6)

        def race(_stopping: threading.Event) -> None:
            together.wait()  # noqa: B023  all threads end within this turn
            try:
                won.append(take(storage))  # noqa: B023
            except LockedError as problem:
                lost.append(problem)  # noqa: B023

        run_workers(race, 6)
        assert (len(won), len(lost)) == (1, 5)


@examples(150)
@given(st.lists(st.tuples(st.integers(0, 2), st.sampled_from(["take", "check", "release"]), st.integers(0, 45))))
def test_two_never_hold_it_at_the_same_time(steps: list[tuple[int, str, int]]) -> None:
    storage = Clocked()
    leases: dict[int, Lease] = {}
    for who, what, minutes in steps:
        storage.time += timedelta(minutes=minutes)
        try:
            if what == "take":
                leases[who] = take(storage)
            elif who in leases and what == "check":
                leases[who].check()
            elif who in leases:
                leases.pop(who).release()
                continue
            else:
                continue
        except LockedError:
            if what == "check":
                del leases[who]
            continue
        # Whoever just proved that it holds is the only one that can prove it now.
        for other in [one for one in leases if one != who]:
            with pytest.raises(LeaseLost):
                leases.pop(other).check()


def test_a_clock_that_is_set_back_by_an_hour_gives_nobody_a_second_lease() -> None:
    storage = Clocked()
    lease = take(storage)
    storage.time -= timedelta(hours=1)
    with pytest.raises(LockedError):
        take(storage)
    lease.check()


def test_a_listing_that_lags_behind_gives_nobody_a_second_lease() -> None:
    storage = Clocked()
    take(storage).release()
    stale = [item.name for item in storage.list("leases")]
    lease = take(storage)
    lease.check()

    class Stale(Wrapped):
        def list(self, prefix: str):  # type: ignore[no-untyped-def]  # noqa: ANN202, RUF100
            return iter([item for item in self.inner.list(prefix) if item.name in stale])

    with pytest.raises(LockedError, match="at the same moment"):
        take(Stale(storage, lambda *_: None))
    lease.check()


def test_a_renewal_that_was_stored_and_reported_as_failed_ends_the_work_and_nothing_else() -> None:
    storage = Clocked()
    lease = take(storage)
    storage.create(f"leases/work/{lease.generation + 1:010}", b"")
    with pytest.raises(LeaseLost):
        lease.check()
    storage.time += LASTS + timedelta(seconds=1)
    take(storage)


def test_the_time_of_a_storage_that_refuses_deletion_can_be_asked() -> None:
    storage = Clocked()

    def refuse(operation: str, name: str) -> None:
        if operation == "delete":
            raise AccessError("no")

    wrapped = Wrapped(storage, refuse)
    assert storage_time(wrapped) == storage.time
    lease = take(wrapped)
    storage.time += timedelta(minutes=20)
    lease.check()
    assert not isinstance(LeaseLost("x"), AccessError)
    assert isinstance(LeaseLost("x"), NeokeepError)
