"""The archiver follows every database, also those that come later, and ends in order whatever ends it."""

from __future__ import annotations

import shutil
import threading
from typing import TYPE_CHECKING

import pytest

from helpers.backups import check, new_repository
from helpers.database import make_database
from helpers.following import commit_live, options_of
from neokeep import api
from neokeep.archive import archiver as archivers
from neokeep.archive.archiver import Archiver
from neokeep.archive.follower import Follower
from neokeep.capture import full
from neokeep.errors import NeokeepError, SourceError, UsageError
from neokeep.neo4j.source import Source, find_source

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from neokeep.reports import ArchiveEvent
    from neokeep.repository.manifest import Manifest
    from neokeep.repository.repository import Repository

PATIENCE_SECONDS = 30


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archivers, "STATE_EVERY_SECONDS", 0.02)


class Running:
    """An archiver on a thread of its own; `wait` gives the first event that a test asks for."""

    def __init__(self, sources: list[Source], *databases: str, repository: Repository | None = None) -> None:
        self.repository = repository or new_repository()[0]
        self.events: list[ArchiveEvent] = []
        self.stopping = threading.Event()
        self.problem: BaseException | None = None
        self._changed = threading.Condition()
        self._archiver = Archiver(sources, self.repository, databases, options_of(interval=0.02), self._tell)
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._archiver.run(self.stopping)
        except BaseException as problem:  # noqa: BLE001  the test asks for it
            self.problem = problem

    def _tell(self, event: ArchiveEvent) -> None:
        with self._changed:
            self.events.append(event)
            self._changed.notify_all()

    def wait(self, wanted: Callable[[ArchiveEvent], bool]) -> ArchiveEvent:
        with self._changed:
            assert self._changed.wait_for(lambda: any(map(wanted, self.events)), PATIENCE_SECONDS), self.events
            return next(filter(wanted, self.events))

    def wait_for(self, kind: str, database: str = "neo4j", source: str = "test") -> ArchiveEvent:
        return self.wait(lambda event: (event.event, event.database, event.source) == (kind, database, source))

    def stop(self) -> list[ArchiveEvent]:
        self.stopping.set()
        self.join()
        return self.events

    def join(self) -> None:
        self._thread.join(PATIENCE_SECONDS)
        assert not self._thread.is_alive()


def databases(events: list[ArchiveEvent]) -> set[tuple[str, str]]:
    return {(event.source, event.database) for event in events}


def test_all_databases_of_all_sources_are_followed_unless_some_are_named(tmp_path: Path) -> None:
    one, other = make_database(tmp_path / "one"), make_database(tmp_path / "other")
    make_database(tmp_path / "one", database="system")
    sources = [find_source(one.home, name="one"), find_source(other.home, name="other")]
    running = Running(sources)
    for source, database in (("one", "neo4j"), ("one", "system"), ("other", "neo4j")):
        running.wait_for("following", database, source)
    assert databases(running.stop()) == {("one", "neo4j"), ("one", "system"), ("other", "neo4j")}
    assert running.problem is None
    named = Running(sources[:1], "system", repository=running.repository)
    named.wait_for("following", "system", "one")
    assert databases(named.stop()) == {("one", "system")}


def test_what_is_committed_is_archived_and_the_state_is_told_now_and_then(tmp_path: Path) -> None:
    made = make_database(tmp_path / "home")
    running = Running([made.source])
    running.wait_for("following")
    commit_live(made, 3)
    last = made.logs[-1].last_transaction
    running.wait(lambda event: event.event == "archived" and event.last_tx == last)
    running.wait(lambda event: event.event == "state" and event.last_tx == last)
    running.stop()
    assert check(running.repository).ok


def test_a_database_that_appears_later_is_followed_too(tmp_path: Path) -> None:
    made = make_database(tmp_path / "home")
    running = Running([made.source])
    running.wait_for("following")
    staged = make_database(tmp_path / "staged", database="later")
    shutil.copytree(staged.log_directory, made.home / "data" / "transactions" / "later")
    shutil.copytree(staged.store_directory, made.home / "data" / "databases" / "later")
    running.wait_for("following", "later")
    running.stop()
    assert running.problem is None


def test_a_database_that_appears_later_is_not_followed_where_others_were_named(tmp_path: Path) -> None:
    made = make_database(tmp_path / "home")
    running = Running([made.source], "neo4j")
    running.wait_for("following")
    make_database(tmp_path / "home", database="later")
    count = len([event for event in running.events if event.event == "state"])
    running.wait(lambda _: len([event for event in running.events if event.event == "state"]) > count + 3)
    assert databases(running.stop()) == {("test", "neo4j")}


def test_stopping_ships_what_is_there_and_tells_the_end_of_each(tmp_path: Path) -> None:
    made = make_database(tmp_path / "home")
    make_database(tmp_path / "home", database="system")
    running = Running([made.source])
    for database in ("neo4j", "system"):
        running.wait_for("following", database)
    commit_live(made, 5)
    events = running.stop()
    ends = {event.database: event.last_tx for event in events if event.event == "stopped"}
    assert ends == {"neo4j": made.logs[-1].last_transaction, "system": 9}


def test_an_interruption_ends_it_as_a_stop_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = make_database(tmp_path / "home")
    events: list[ArchiveEvent] = []

    class Interrupted(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            if threading.current_thread() is threading.main_thread() and timeout == archivers.STATE_EVERY_SECONDS:
                raise KeyboardInterrupt
            return super().wait(timeout)

    archiver = Archiver([made.source], new_repository()[0], (), options_of(), events.append)
    archiver.run(Interrupted())
    assert [event.event for event in events][-1] == "stopped"
    assert not alive()


def alive() -> list[str]:
    """Threads that go on although nothing is archived any more."""
    return [thread.name for thread in threading.enumerate() if thread.name in {"neokeep-neo4j", "neokeep-system"}]


def test_a_defect_in_one_thread_ends_the_run_with_it_and_the_others_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make_database(tmp_path / "home")
    make_database(tmp_path / "home", database="system")
    plain = Follower.tick

    def defect(self: Follower) -> float:
        if self.name == "system":
            raise ZeroDivisionError("a defect")
        return plain(self)

    monkeypatch.setattr(Follower, "tick", defect)
    running = Running([made.source])
    running.join()
    assert isinstance(running.problem, ZeroDivisionError)
    assert [event.database for event in running.events if event.event == "stopped"] == ["neo4j"]
    assert not alive()


def test_a_listener_that_fails_ends_the_run_with_its_error(tmp_path: Path) -> None:
    made = make_database(tmp_path / "home")

    def fails(_: ArchiveEvent) -> None:
        raise ValueError("the listener is broken")

    with pytest.raises(ValueError, match="the listener is broken"):
        Archiver([made.source], new_repository()[0], (), options_of(), fails).run()
    assert not alive()


@pytest.mark.parametrize("later", [False, True])
def test_an_unknown_database_is_told_before_anything_is_followed(tmp_path: Path, later: bool) -> None:
    one, other = make_database(tmp_path / "one"), make_database(tmp_path / "other", database="other")
    sources = [find_source(one.home, name="one"), find_source(other.home, name="other")]
    repository = new_repository()[0]
    archiver = Archiver(sources if later else sources[1:], repository, ["neo4j"], options_of(), lambda _: None)
    with pytest.raises(SourceError, match="there is no database 'neo4j'"):
        archiver.run()
    assert not alive()
    assert list(repository.manifests()) == []


def test_a_server_without_any_database_is_told(tmp_path: Path) -> None:
    (tmp_path / "home" / "data" / "databases").mkdir(parents=True)
    archiver = Archiver([find_source(tmp_path / "home")], new_repository()[0], (), options_of(), lambda _: None)
    with pytest.raises(SourceError, match="there is no database in"):
        archiver.run()


def test_no_source_and_two_of_one_name_are_refused(tmp_path: Path) -> None:
    repository, _ = new_repository()
    with pytest.raises(UsageError, match="there is no source"):
        Archiver([], repository, (), options_of(), lambda _: None)
    homes = [make_database(tmp_path / name).home for name in ("one", "other")]
    sources = [find_source(home, name="production") for home in homes]
    with pytest.raises(UsageError, match="two sources have the name production"):
        Archiver(sources, repository, (), options_of(), lambda _: None)


def test_a_source_that_cannot_be_listed_for_a_while_ends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make_database(tmp_path / "home")
    running = Running([made.source])
    running.wait_for("following")
    asked = threading.Event()

    def fails(_: Source) -> tuple[object, ...]:
        asked.set()
        raise NeokeepError("it cannot be listed")

    with monkeypatch.context() as patch:
        patch.setattr(Source, "databases", fails)
        assert asked.wait(PATIENCE_SECONDS)
    count = len(running.events)
    running.wait(lambda _: len(running.events) > count + 2)
    running.stop()
    assert running.problem is None


def test_the_python_api_follows_until_it_is_told_to_stop(tmp_path: Path) -> None:
    made = make_database(tmp_path / "home")
    api.init(tmp_path / "repository")
    stopping = threading.Event()

    def tell(event: ArchiveEvent) -> None:
        if event.event == "following":
            stopping.set()

    api.archive([made.home], tmp_path / "repository", interval=0.02, jobs=1, gentle=False, tell=tell, stopping=stopping)
    assert len(api.info(tmp_path / "repository").windows) == 1


def test_only_one_full_backup_runs_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = make_database(tmp_path / "home")
    for name in ("system", "third"):
        make_database(tmp_path / "home", database=name)
    plain, lock, most = full.full_backup, threading.Lock(), [0, 0]

    def counted(*arguments: object, **named: object) -> Manifest:
        with lock:
            most[0] += 1
            most[1] = max(most)
        try:
            return plain(*arguments, **named)  # type: ignore[arg-type]
        finally:
            with lock:
                most[0] -= 1

    monkeypatch.setattr(full, "full_backup", counted)
    running = Running([made.source])
    for name in ("neo4j", "system", "third"):
        running.wait_for("following", name)
    running.stop()
    assert most == [0, 1]
