"""The bandwidth limit holds on average, for all threads together."""

from __future__ import annotations

import pytest

from helpers.storages import MemoryStorage
from neokeep.storage.throttled import Throttled


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.mark.parametrize("rate", [1_000, 10_000_000])
def test_reading_and_writing_together_take_as_long_as_the_rate_says(rate: int) -> None:
    clock = Clock()
    storage = Throttled(MemoryStorage(), rate, clock, clock.sleep)
    for number in range(10):
        storage.create(f"a/{number}", bytes(5_000))
        storage.read(f"a/{number}", 0, 1_000)
    storage.create("last", b"")
    assert clock.now - 100 == pytest.approx(60_000 / rate)


def test_what_was_not_used_is_not_saved_up() -> None:
    clock = Clock()
    storage = Throttled(MemoryStorage(), 1_000, clock, clock.sleep)
    clock.now += 3_600
    storage.create("a", bytes(2_000))
    storage.create("b", bytes(1))
    assert clock.now == pytest.approx(100 + 3_600 + 2)


def test_nothing_else_waits() -> None:
    clock = Clock()
    storage = Throttled(MemoryStorage(), 1, clock, clock.sleep)
    storage.create("a/b", bytes(1_000))
    assert (storage.stat("a/b").size, len(list(storage.list("a")))) == (1_000, 1)
    storage.delete("a/b")
    assert clock.now == 100
