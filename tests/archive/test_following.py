"""A follower ships what is committed, in time, once, and restorable to the last bit."""

from __future__ import annotations

import os
import shutil
import threading
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from helpers.backups import check, content, expected, put_back
from helpers.chains import commit_more, moment_of
from helpers.database import log_files, make_database
from helpers.following import Followed, options_of
from helpers.txlog import KERNELS, build_log
from neokeep import api
from neokeep.archive import shipping
from neokeep.errors import UsageError
from neokeep.neo4j.log.names import log_name

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from helpers.database import Synthetic
    from neokeep.storage.base import StoredObject


def test_a_database_without_a_full_backup_gets_one_and_is_followed_from_its_end_on(made: Synthetic) -> None:
    found = Followed(made)
    found.tick()
    (begun,) = found.told("full backup begun")
    assert begun.message == "there is no full backup of this database yet"
    found.full_ends()
    found.tick()
    assert found.kinds() == ["full backup begun", "full backup", "following"]
    complete, following = found.events[1:]
    assert (following.chain, following.last_tx) == (complete.chain, found.last)
    assert complete.chain is not None
    assert found.repository.manifest(complete.chain).reason == begun.message
    assert {(event.source, event.database) for event in found.events} == {("test", "neo4j")}


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("rotate", [False, True])
def test_what_is_committed_is_archived_with_the_next_tick_and_restores(
    tmp_path: Path, kernel: int, rotate: bool
) -> None:
    found = Followed(make_database(tmp_path / "home", kernel))
    found.begin()
    for count in (1, 4, 2):
        before = found.last
        commit_more(found.made, count, rotate=rotate)
        found.tick()
        event = found.events[-1]
        assert event.event == "archived"
        assert (event.first_tx, event.last_tx, event.segments) == (before + 1, found.last, 1)
        assert event.chain is not None
        assert found.reached(event.chain) == found.last
    found.require_restorable(tmp_path / "restored")


def test_an_event_tells_the_bytes_of_the_log_and_those_stored_and_how_long_the_oldest_waited(
    followed: Followed,
) -> None:
    end, before = followed.made.logs[-1].ends[-1], set(followed.memory.objects)
    commit_more(followed.made, 3)
    followed.clock.now = moment_of(followed.last - 2) + timedelta(seconds=1.5)
    followed.tick(1)
    event = followed.events[-1]
    assert event.event == "archived"
    assert event.log_bytes == followed.made.logs[-1].ends[-1] - end
    (name,) = set(followed.memory.objects) - before
    assert event.stored_bytes == len(followed.memory.objects[name])
    assert event.delay_seconds == 2.5


def test_where_nothing_is_committed_nothing_is_told_and_nothing_stored(followed: Followed) -> None:
    told, stored = len(followed.events), dict(followed.memory.objects)
    for _ in range(200):
        assert followed.tick() == 1.0
    assert len(followed.events) == told
    assert followed.memory.objects == stored


def test_new_transactions_wait_for_the_interval(made: Synthetic) -> None:
    found = Followed(made, options_of(interval=10))
    found.begin()
    found.tick(10)
    for _ in range(3):
        commit_more(made, 2)
        before = found.archived
        for _ in range(9):
            assert found.tick(1) == 1.0
        assert found.archived == before
        found.tick(1)
        assert found.archived == found.last
    assert len(found.told("archived")) == 3


def test_between_two_intervals_the_state_tells_what_waits(made: Synthetic) -> None:
    found = Followed(made, options_of(interval=10))
    found.begin()
    found.tick(10)
    end = made.logs[-1].ends[-1]
    commit_more(made, 3)
    found.tick(1)
    found.follower.tell_state()
    state = found.events[-1]
    assert state.event == "state"
    assert (state.lag_transactions, state.lag_bytes) == (3, made.logs[-1].ends[-1] - end)
    assert state.lag_seconds == round((found.clock.now - moment_of(found.last - 2)).total_seconds(), 3)
    assert state.last_tx == found.last - 3
    found.tick(9)
    found.follower.tell_state()
    assert (found.events[-1].lag_transactions, found.events[-1].last_tx) == (0, found.last)


@pytest.mark.parametrize("rotate", [False, True])
def test_log_that_fills_a_segment_is_shipped_before_the_interval_is_over(made: Synthetic, rotate: bool) -> None:
    """Also where it lies in many log files, none of which fills a segment by itself."""
    found = Followed(made, options_of(interval=3600, segment_size=3000))
    found.begin()
    found.tick(3600)
    for _ in range(20):
        commit_more(made, 1, rotate=rotate)
        found.tick(1)
        found.follower.tell_state()
        waits = found.events[-1].lag_bytes
        assert waits is not None
        assert waits < 3000
    assert found.archived > found.last - 10
    found.follower.finish()
    assert found.archived == found.last


def test_a_tick_that_comes_a_hair_early_does_not_double_the_interval(followed: Followed) -> None:
    followed.tick(1)
    commit_more(followed.made, 1)
    followed.tick(0.98)
    assert followed.archived == followed.last


def test_one_that_catches_up_stores_some_segments_and_tells_before_it_goes_on(
    made: Synthetic, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(shipping, "SEGMENTS_AT_ONCE", 4)
    found = Followed(made, options_of(segment_size=700))
    found.begin()
    commit_more(made, 30)
    assert found.tick() == 0.0
    event = found.events[-1]
    assert (event.event, event.segments) == ("archived", 4)
    found.follower.tell_state()
    assert found.events[-1].lag_transactions == found.last - found.archived > 0
    for _ in range(20):
        if found.tick(0) > 0:
            break
    assert found.archived == found.last
    found.require_restorable(tmp_path / "restored")


def test_no_file_of_the_server_stays_open_between_two_ticks(followed: Followed) -> None:
    home = str(followed.made.home)
    for rotate in (False, True, False):
        commit_more(followed.made, 3, rotate=rotate)
        followed.tick(61)
        names = [os.readlink(f"/proc/self/fd/{name}") for name in os.listdir("/proc/self/fd") if fd_exists(name)]
        assert [name for name in names if name.startswith(home)] == []


def fd_exists(name: str) -> bool:
    return os.path.lexists(f"/proc/self/fd/{name}")


def test_log_files_that_were_archived_may_be_pruned(followed: Followed, tmp_path: Path) -> None:
    for _ in range(4):
        commit_more(followed.made, 2, rotate=True)
        followed.tick()
        for log in followed.made.logs[:-1]:
            (followed.made.log_directory / log_name(log.version)).unlink(missing_ok=True)
            followed.made.log.pop(log_name(log.version), None)
    assert followed.archived == followed.last
    assert not followed.told("broken", "trouble")
    put_back(followed.repository, tmp_path / "restored")
    assert content(tmp_path / "restored")[1][log_name(followed.made.logs[-1].version)] == followed.made.logs[-1].data


def test_half_a_transaction_at_the_end_of_the_log_is_left_until_it_is_whole(followed: Followed, tmp_path: Path) -> None:
    log = followed.made.logs[-1]
    path = followed.made.log_directory / log_name(log.version)
    whole = log.data
    commit_more(followed.made, 1)
    path.write_bytes(whole + log.data[len(whole) : -9] + bytes(5000))
    for seconds in (1, 61, 61):
        followed.tick(seconds)
    assert followed.archived == followed.last - 1
    assert not followed.told("trouble", "broken")
    followed.made.write()
    followed.tick()
    followed.require_restorable(tmp_path / "restored")


def test_a_transaction_torn_by_a_crash_is_replaced_by_what_the_server_writes_there_after_its_recovery(
    followed: Followed, tmp_path: Path
) -> None:
    log = followed.made.logs[-1]
    path = followed.made.log_directory / log_name(log.version)
    lost = build_log(20, [b"never committed"], last_before=log.last_transaction, previous_checksum=log.last_checksum)
    path.write_bytes(log.data + lost.data[lost.header_size : -9] + bytes(5000))
    followed.tick(61)
    commit_more(followed.made, 2)
    followed.tick()
    assert followed.archived == followed.last
    followed.require_restorable(tmp_path / "restored")


def test_one_that_was_killed_goes_on_where_the_repository_ends(followed: Followed, tmp_path: Path) -> None:
    commit_more(followed.made, 2)
    followed.tick()
    commit_more(followed.made, 3, rotate=True)
    again = Followed(followed.made, memory=followed.memory)
    again.tick()
    assert again.kinds() == ["following", "archived"]
    assert (again.events[0].last_tx, again.events[1].first_tx) == (followed.archived, followed.archived + 1)
    again.require_restorable(tmp_path / "restored")


def test_a_chain_without_any_transaction_is_waited_with_until_something_is_committed(tmp_path: Path) -> None:
    made = empty_database(tmp_path)
    found = Followed(made)
    found.tick()
    found.full_ends()
    asked = count_questions(found)
    for _ in range(50):
        found.tick()
    assert found.kinds() == ["full backup begun", "full backup"]
    assert len(asked) < 10, "the repository is asked every second"
    found.follower.tell_state()
    assert found.events[-1].lag_transactions == 0
    commit_more(made, 2)
    found.tick()
    assert found.told("full backup begun")[-1].message.endswith("holds no transaction to go on from")
    found.full_ends()
    found.tick()
    commit_more(made, 1)
    found.tick()
    assert found.archived == found.last
    found.require_restorable(tmp_path / "restored")


def empty_database(tmp_path: Path) -> Synthetic:
    """A database whose only log file holds no transaction."""
    made = make_database(tmp_path / "home")
    made.logs = [build_log(made.kernel, [], version=0)]
    made.log = log_files(made.logs, checkpoint_at=0)
    shutil.rmtree(made.log_directory)
    return made.write()


def count_questions(found: Followed) -> list[str]:
    """Have everything noted that is read or listed."""
    asked: list[str] = []
    read, listed = found.memory.read, found.memory.list

    def noted_read(name: str, offset: int = 0, length: int | None = None) -> bytes:
        asked.append(name)
        return read(name, offset, length)

    def noted_list(prefix: str) -> Iterator[StoredObject]:
        asked.append(prefix)
        return listed(prefix)

    found.memory.read = noted_read  # type: ignore[method-assign]
    found.memory.list = noted_list  # type: ignore[method-assign]
    return asked


def test_stopping_ships_the_rest_and_tells_the_end(made: Synthetic, tmp_path: Path) -> None:
    found = Followed(made, options_of(interval=3600))
    found.begin()
    found.tick(3600)
    commit_more(made, 3, rotate=True)
    found.tick()
    assert found.archived < found.last
    found.follower.finish()
    assert found.kinds()[-2:] == ["archived", "stopped"]
    stopped = found.events[-1]
    assert (stopped.last_tx, stopped.lag_transactions, stopped.message) == (found.last, 0, "")
    found.require_restorable(tmp_path / "restored")


def test_a_server_that_keeps_its_log_elsewhere_after_a_restart_is_followed_there(
    followed: Followed, tmp_path: Path
) -> None:
    """The old directory may still be there, with a log to which nothing is added any more."""
    made, elsewhere = followed.made, tmp_path / "elsewhere"
    shutil.copytree(made.log_directory.parent, elsewhere)
    (made.home / "conf").mkdir()
    (made.home / "conf" / "neo4j.conf").write_text(f"server.directories.transaction.logs.root={elsewhere}\n")
    made.logs[-1].add(b"in the new place")
    (elsewhere / "neo4j" / log_name(made.logs[-1].version)).write_bytes(made.logs[-1].data)
    followed.tick(61)
    followed.tick()
    assert followed.archived == followed.last
    assert not followed.told("broken", "trouble")


def test_the_state_can_be_told_while_another_thread_is_at_work(followed: Followed) -> None:
    failures: list[BaseException] = []
    stop = threading.Event()

    def tell() -> None:
        try:
            while not stop.is_set():
                followed.follower.tell_state()
                followed.events.clear()
        except BaseException as problem:  # noqa: BLE001  the test is told
            failures.append(problem)

    thread = threading.Thread(target=tell)
    thread.start()
    following = followed.follower._following
    for _ in range(20_000):
        followed.follower._following = None
        followed.follower._following = following
    stop.set()
    thread.join()
    assert failures == []


@pytest.mark.parametrize(
    ("interval", "segment_size"), [(0, 1000), (-1, 1000), (float("nan"), 1000), (1, 0), (1, -5), (1, 1 << 40)]
)
def test_options_that_mean_nothing_are_refused(interval: float, segment_size: int) -> None:
    with pytest.raises(UsageError):
        options_of(interval=interval, segment_size=segment_size)


def test_every_transaction_can_be_restored_to_however_the_log_was_cut(made: Synthetic, tmp_path: Path) -> None:
    found = Followed(made, options_of(segment_size=900))
    found.begin()
    states = {found.last: expected(made)}
    for number in range(6):
        commit_more(made, 1, rotate=number == 3)
        states[found.last] = expected(made)
        if number % 2:
            found.tick()
    for transaction, wanted in states.items():
        home = tmp_path / str(transaction)
        api.restore(found.repository, home, "neo4j", from_source="test", to_transaction=transaction)
        assert content(home) == wanted
    assert check(found.repository).ok
