"""Stepping back for the database: how much of the machine a backup takes beside others."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neokeep.capture import courtesy
from neokeep.capture.courtesy import (
    IDLE,
    LEAST,
    LONGEST_PAUSE_SECONDS,
    Bystanders,
    Courtesy,
    pause_for,
    room_beside,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NUMBERS = st.integers(1, 512)
SPIN = "while True: pass"


@pytest.fixture
def stat(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What the machine is said to have worked until now, in seconds; windows have no length."""
    seconds = [100.0]
    monkeypatch.setattr(courtesy, "_busy_seconds", lambda _: seconds[0])
    monkeypatch.setattr(courtesy, "_kernel_seconds", dict)
    monkeypatch.setattr(courtesy, "WINDOW_SECONDS", 0.0)
    return seconds


@pytest.fixture
def spinning() -> Iterator[None]:
    """Another process that wants a whole processor."""
    with subprocess.Popen([sys.executable, "-c", SPIN]) as process:
        yield
        process.kill()


@given(NUMBERS, st.floats(0, IDLE))
def test_beside_a_server_at_rest_everything_is_taken(number: int, share: float) -> None:
    assert room_beside(share * number, number) == number


@given(NUMBERS, st.lists(st.floats(0, 1.5), min_size=2))
def test_the_more_others_use_the_less_is_taken_but_never_nothing(number: int, shares: list[float]) -> None:
    rooms = [room_beside(share * number, number) for share in sorted(shares)]
    assert all(more >= less for more, less in pairwise(rooms))
    assert all(LEAST * number <= room <= number for room in rooms)


@given(NUMBERS, st.floats(IDLE + 0.01, 1))
def test_while_others_work_more_is_left_free_than_taken(number: int, share: float) -> None:
    free = number - share * number
    assert room_beside(share * number, number) <= max(LEAST * number, free / 2)


@given(st.floats(0, 10), st.floats(0, 10), st.floats(0.001, 2))
def test_a_thread_that_waits_so_long_took_no_more_than_allowed(ran: float, slept: float, allowed: float) -> None:
    passed = ran + slept
    pause = pause_for(ran, passed, allowed)
    assert 0 <= pause <= LONGEST_PAUSE_SECONDS
    if pause < LONGEST_PAUSE_SECONDS:
        assert ran <= allowed * (passed + pause) * 1.000001 or allowed >= 1


def test_own_work_is_not_taken_for_that_of_others(stat: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    own = [5.0]
    monkeypatch.setattr(time, "process_time", lambda: own[0])
    bystanders = Bystanders()
    stat[0] += 3
    own[0] += 3
    assert bystanders.used() == 0


def test_what_is_not_own_work_is_that_of_others(stat: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    now, own = [50.0], [5.0]
    monkeypatch.setattr(time, "process_time", lambda: own[0])
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    bystanders = Bystanders()
    now[0] += 2
    own[0] += 1
    stat[0] += 4
    assert bystanders.used() == pytest.approx(1.5)


def test_what_the_kernel_writes_to_disk_is_not_taken_for_the_work_of_others(
    stat: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    now, kernel = [50.0], {"30": 7.0, "31": 9.0}
    monkeypatch.setattr(time, "process_time", lambda: 5.0)
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(courtesy, "_kernel_seconds", lambda: dict(kernel))
    bystanders = Bystanders()
    now[0] += 2
    stat[0] += 4
    kernel["30"] += 1
    del kernel["31"]
    kernel["32"] = 0.5
    assert bystanders.used() == pytest.approx(1.25)


@pytest.mark.skipif(not Path("/proc/2/comm").exists(), reason="threads of the kernel cannot be seen here")
def test_threads_of_the_kernel_are_told_from_processes() -> None:
    seconds = courtesy._kernel_seconds()
    assert len(seconds) > 1
    assert str(os.getpid()) not in seconds


@pytest.mark.usefixtures("spinning")
def test_another_process_that_works_is_seen() -> None:
    bystanders = Bystanders()
    deadline = time.monotonic() + 30
    while bystanders.used() < IDLE and time.monotonic() < deadline:
        time.sleep(courtesy.WINDOW_SECONDS)
    assert bystanders.used() >= IDLE


class Clock:
    """A thread that has a processor of its own: on a busy machine it would be kept waiting anyway, and not pause."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.passed = self.ran = 0.0
        times = SimpleNamespace(monotonic=lambda: self.passed, thread_time=lambda: self.ran)
        monkeypatch.setattr(courtesy, "time", times)

    def work(self, seconds: float) -> None:
        self.passed += seconds
        self.ran += seconds


class Waiting(threading.Event):
    """Passes time instead of waiting, and notes it."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.clock = clock
        self.paused: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.paused.append(timeout or 0)
        self.clock.passed += timeout or 0
        return False


def in_a_thread(work: Callable[[], None]) -> None:
    """Priorities that are lowered are not raised again."""
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


def test_a_thread_pauses_while_others_work_and_not_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    used = [0.0]
    bystanders = Bystanders()
    monkeypatch.setattr(bystanders, "used", lambda: used[0])
    clock = Clock(monkeypatch)
    waiting = Waiting(clock)
    pauses: list[int] = []

    def work() -> None:
        polite = Courtesy(bystanders, threads=2)
        for others in (0.0, 1.0):
            used[0] = others * (os.cpu_count() or 1)
            clock.work(0.1)
            polite.pause(waiting)
            pauses.append(len(waiting.paused))

    in_a_thread(work)
    assert pauses == [0, 1]
    assert waiting.paused[0] > 0


def test_however_long_a_copy_takes_it_has_its_part_and_no_less(monkeypatch: pytest.MonkeyPatch) -> None:
    bystanders = Bystanders()
    monkeypatch.setattr(bystanders, "used", lambda: 1.0)
    monkeypatch.setattr(courtesy, "processors", lambda: 2)
    clock = Clock(monkeypatch)
    waiting = Waiting(clock)

    def work() -> None:
        polite = Courtesy(bystanders, threads=8)
        for _ in range(1000):
            clock.work(0.01)
            polite.pause(waiting)

    in_a_thread(work)
    part = room_beside(1.0, 2) / 8
    assert clock.passed == pytest.approx(clock.ran / part, rel=0.02)


def test_without_courtesy_nothing_is_lowered_and_nothing_waits() -> None:
    before = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    polite = Courtesy(None, threads=1)
    polite.pause(threading.Event())
    assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) == before


def test_where_the_kernel_does_not_tell_nobody_else_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(courtesy, "_busy_seconds", lambda _: 0.0)
    monkeypatch.setattr(courtesy, "WINDOW_SECONDS", 0.0)
    assert Bystanders().used() == 0
