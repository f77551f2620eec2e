"""One function on several threads, with one clear failure."""

from __future__ import annotations

import threading

import pytest

from neokeep.workers import run_workers


def others() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("neokeep-")]


@pytest.mark.parametrize("threads", [1, 2, 7])
def test_every_thread_does_the_work(threads: int) -> None:
    seen: set[int] = set()
    together = threading.Barrier(threads)

    def work(_stopping: threading.Event) -> None:
        together.wait()
        seen.add(threading.get_ident())

    run_workers(work, threads)
    assert len(seen) == threads
    assert not others()


def test_the_first_failure_stops_the_others_and_is_raised_when_all_have_ended() -> None:
    roles = iter(["fail", "work", "work"])
    ended: list[bool] = []

    def work(stopping: threading.Event) -> None:
        if next(roles) == "fail":
            raise KeyError("the first")
        ended.append(stopping.wait(60))

    with pytest.raises(KeyError, match="the first"):
        run_workers(work, 3)
    assert ended == [True, True]
    assert not others()


def test_an_interruption_of_the_caller_stops_the_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[bool] = []
    join, interrupted = threading.Thread.join, iter([True])

    def interrupting(self: threading.Thread, timeout: float | None = None) -> None:
        if next(interrupted, False):
            raise KeyboardInterrupt
        join(self, timeout)

    monkeypatch.setattr(threading.Thread, "join", interrupting)
    with pytest.raises(KeyboardInterrupt):
        run_workers(lambda stopping: ended.append(stopping.wait(60)), 2)
    assert ended == [True, True]


def test_when_a_thread_cannot_be_started_the_others_are_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    start, started = threading.Thread.start, list[threading.Thread]()
    ended: list[bool] = []
    stops: list[threading.Event] = []

    def limited(self: threading.Thread) -> None:
        if len(started) == 2:
            raise RuntimeError("can't start new thread")
        started.append(self)
        start(self)

    def work(stopping: threading.Event) -> None:
        stops.append(stopping)
        ended.append(stopping.wait(2))

    monkeypatch.setattr(threading.Thread, "start", limited)
    with pytest.raises(RuntimeError, match="start new thread"):
        run_workers(work, 3)
    try:
        assert ended == [True, True]
    finally:
        for stopping in stops:
            stopping.set()
        for thread in started:
            thread.join()
