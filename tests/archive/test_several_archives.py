"""An archive in several repositories: each goes on at its own pace, whatever becomes of the others."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from helpers.backups import check, content, expected, new_repository, put_back
from helpers.database import make_database
from helpers.following import commit_live, options_of
from helpers.storages import Wrapped
from neokeep.archive import archiver as archivers
from neokeep.archive.several import SeveralArchivers
from neokeep.errors import ConfigurationError, UnreachableError
from neokeep.repository.repository import Repository

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from helpers.database import Synthetic
    from neokeep.reports import ArchiveEvent

PATIENCE_SECONDS = 30


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archivers, "STATE_EVERY_SECONDS", 0.02)


class Running:
    """Archivers on a thread of their own; `wait` gives the first event that a test asks for."""

    def __init__(self, made: Synthetic, *openers: Callable[[], Repository]) -> None:
        self.events: list[ArchiveEvent] = []
        self.stopping = threading.Event()
        self.problem: BaseException | None = None
        self._changed = threading.Condition()
        named = [(f"r{number}", opener) for number, opener in enumerate(openers)]
        self._archivers = SeveralArchivers([made.source], named, (), options_of(interval=0.02), self._tell)
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._archivers.run(self.stopping)
        except BaseException as problem:  # noqa: BLE001  the test asks for it
            self.problem = problem

    def _tell(self, event: ArchiveEvent) -> None:
        with self._changed:
            self.events.append(event)
            self._changed.notify_all()

    def wait(self, kind: str, repository: str, last_tx: int = 0) -> ArchiveEvent:
        def wanted(event: ArchiveEvent) -> bool:
            return (event.event, event.repository) == (kind, repository) and (event.last_tx or 0) >= last_tx

        with self._changed:
            assert self._changed.wait_for(lambda: any(map(wanted, self.events)), PATIENCE_SECONDS), self.events
            return next(filter(wanted, self.events))

    def stop(self) -> None:
        self.stopping.set()
        self._thread.join(PATIENCE_SECONDS)
        assert not self._thread.is_alive()


def test_each_repository_gets_all_of_the_log(tmp_path: Path) -> None:
    made = make_database(tmp_path / "home")
    repositories = [new_repository()[0], new_repository()[0]]
    running = Running(made, *(lambda one=one: one for one in repositories))
    try:
        for name in ("r0", "r1"):
            running.wait("full backup", name)
            running.wait("following", name)
        commit_live(made, 3)
        for name in ("r0", "r1"):
            running.wait("archived", name, made.logs[-1].last_transaction)
    finally:
        running.stop()
    assert running.problem is None
    for number, repository in enumerate(repositories):
        assert check(repository).ok
        report = put_back(repository, tmp_path / f"restored-{number}")
        assert report.last_tx == made.logs[-1].last_transaction
        assert content(tmp_path / f"restored-{number}")[0] == expected(made)[0]


@pytest.mark.slow
def test_one_that_is_away_holds_up_no_other_and_catches_up_when_it_is_back(tmp_path: Path) -> None:
    made = make_database(tmp_path / "home")
    (good, _), (_, storage) = new_repository(), new_repository()
    away = threading.Event()

    def before(_operation: str, _name: str) -> None:
        if away.is_set():
            raise UnreachableError("it does not answer")

    running = Running(made, lambda: Repository.open(Wrapped(storage, before)), lambda: good)
    try:
        for name in ("r0", "r1"):
            running.wait("following", name)
        away.set()
        commit_live(made, 3)
        running.wait("archived", "r1", made.logs[-1].last_transaction)
        running.wait("trouble", "r0")
        away.clear()
        running.wait("archived", "r0", made.logs[-1].last_transaction)
        running.wait("recovered", "r0")
    finally:
        running.stop()
    assert check(Repository.open(storage)).ok


@pytest.mark.slow
def test_one_that_cannot_be_opened_is_told_and_tried_again(tmp_path: Path) -> None:
    made = make_database(tmp_path / "home")
    late, good = new_repository()[0], new_repository()[0]
    back = threading.Event()

    def open_late() -> Repository:
        if not back.is_set():
            raise UnreachableError("it does not answer")
        return late

    running = Running(made, open_late, lambda: good)
    try:
        running.wait("following", "r1")
        assert running.wait("trouble", "r0").database == "*"
        back.set()
        running.wait("recovered", "r0")
        running.wait("following", "r0")
    finally:
        running.stop()
    assert running.problem is None


def test_a_mistake_in_how_a_repository_is_reached_ends_it(tmp_path: Path) -> None:
    made = make_database(tmp_path / "home")

    def wrong() -> Repository:
        raise ConfigurationError("sftp:// needs asyncssh, which is not installed")

    running = Running(made, wrong, lambda: new_repository()[0])
    running._thread.join(PATIENCE_SECONDS)
    assert isinstance(running.problem, ConfigurationError)


def test_a_stop_is_heard_while_a_repository_is_away(tmp_path: Path) -> None:
    def away() -> Repository:
        raise UnreachableError("it does not answer")

    running = Running(make_database(tmp_path / "home"), away)
    running.wait("trouble", "r0")
    running.stop()
    assert running.problem is None
