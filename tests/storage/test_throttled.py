"""The bandwidth limit holds on average, for all threads together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from helpers.storages import MemoryStorage
from neokeep.errors import UsageError
from neokeep.storage.streams import open_stream
from neokeep.storage.throttled import Throttled

if TYPE_CHECKING:
    from typing_extensions import Buffer


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


class Streamed(MemoryStorage):
    """One that takes streams."""

    def large(self, name: str, part: int, *, overwrite: bool) -> Streamed:
        return self

    def write(self, data: Buffer) -> None:
        """Forget it."""

    def finish(self) -> None:
        """Have it."""

    def abandon(self) -> None:
        """Have nothing."""


def test_an_archive_that_is_streamed_is_held_to_the_rate_too() -> None:
    clock = Clock()
    stream = open_stream(Throttled(Streamed(), 1_000, clock, clock.sleep), "x.dump", largest=10_000, overwrite=False)
    for _ in range(5):
        stream.write(bytes(2_000))
    # What was written last is paid for by whoever comes next.
    assert clock.now - 100 == pytest.approx(8)


def test_a_storage_that_takes_no_streams_says_so() -> None:
    with pytest.raises(UsageError, match="takes no streams"):
        open_stream(MemoryStorage(), "x.dump", largest=1, overwrite=False)
