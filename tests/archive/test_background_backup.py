"""A full backup in the background: its end is noticed, its failure raised, and it stops when it is told to."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from helpers.manifests import full_manifest
from neokeep.archive.background import BackgroundBackup, Stopped
from neokeep.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Callable

    from neokeep.progress import Progress
    from neokeep.repository.manifest import Manifest

MANIFEST = full_manifest()


def begin(work: Callable[[Progress], Manifest], turn: threading.Lock | None = None) -> BackgroundBackup:
    return BackgroundBackup(work, "it is due", turn or threading.Lock())


def test_it_runs_beside_and_gives_its_manifest() -> None:
    go_on = threading.Event()

    def work(_: Progress) -> Manifest:
        assert go_on.wait(20)
        return MANIFEST

    backup = begin(work)
    assert backup.is_running
    go_on.set()
    assert backup.result() is MANIFEST
    assert not backup.is_running


@pytest.mark.parametrize("problem", [SourceError("it cannot be captured"), ValueError("a defect")])
def test_what_it_fails_with_is_raised_by_its_result(problem: Exception) -> None:
    def work(_: Progress) -> Manifest:
        raise problem

    backup = begin(work)
    with pytest.raises(type(problem)) as caught:
        backup.result()
    assert caught.value is problem


def test_two_of_them_take_turns() -> None:
    turn, first_began, first_may_end = threading.Lock(), threading.Event(), threading.Event()
    order: list[str] = []

    def first(_: Progress) -> Manifest:
        order.append("first begins")
        first_began.set()
        assert first_may_end.wait(20)
        order.append("first ends")
        return MANIFEST

    def second(_: Progress) -> Manifest:
        order.append("second begins")
        return MANIFEST

    one = begin(first, turn)
    assert first_began.wait(20)
    assert turn.locked()
    other = begin(second, turn)
    first_may_end.set()
    other.result()
    one.result()
    assert order == ["first begins", "first ends", "second begins"]


def test_one_that_copies_ends_when_it_is_stopped() -> None:
    copying = threading.Event()

    def work(progress: Progress) -> Manifest:
        while True:
            copying.set()
            progress.advance(1)

    backup = begin(work)
    assert copying.wait(20)
    backup.stop()
    assert not backup.is_running
    with pytest.raises(Stopped):
        backup.result()


def test_one_that_waits_for_its_turn_ends_when_it_is_stopped_and_leaves_the_turn_to_others() -> None:
    turn = threading.Lock()
    with turn:
        backup = begin(lambda _: MANIFEST, turn)
        backup.stop()
        assert not backup.is_running
    assert begin(lambda _: MANIFEST, turn).result() is MANIFEST


def test_a_failed_one_leaves_the_turn_to_others() -> None:
    turn = threading.Lock()

    def work(_: Progress) -> Manifest:
        raise SourceError("it cannot be captured")

    with pytest.raises(SourceError):
        begin(work, turn).result()
    assert begin(lambda _: MANIFEST, turn).result() is MANIFEST
