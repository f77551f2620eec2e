"""Neo4j's file locks: asked without being taken, and held against a server.

A JVM takes traditional POSIX record locks, which belong to a process; the other side is therefore a child process.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from neokeep.errors import AccessError, LockedError, SourceError
from neokeep.neo4j import locks

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

AS_A_JVM_DOES = """
import fcntl, sys
file = open(sys.argv[1], "r+b")
try:
    fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    sys.exit(3)
print("locked", flush=True)
sys.stdin.read()
"""


@contextmanager
def locked_by_another_process(path: Path) -> Iterator[int]:
    command = [sys.executable, "-c", AS_A_JVM_DOES, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"locked\n"
        yield process.pid
        process.communicate()


def another_process_can_lock(path: Path) -> bool:
    command = [sys.executable, "-c", AS_A_JVM_DOES, str(path)]
    return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=False).returncode == 0


@pytest.fixture
def lock_file(tmp_path: Path) -> Path:
    path = tmp_path / locks.DATABASE_LOCK
    path.touch()
    return path


def test_a_file_that_nobody_locked_is_free(lock_file: Path) -> None:
    assert locks.query(lock_file) == locks.LockState(held=False, pid=None, path=lock_file)


def test_a_file_that_is_not_there_is_free_and_is_not_created(tmp_path: Path) -> None:
    assert not locks.query(tmp_path / "absent").held
    assert not locks.query(tmp_path / "absent" / "deeper").held
    assert list(tmp_path.iterdir()) == []


def test_the_lock_of_another_process_is_seen_with_its_pid(lock_file: Path) -> None:
    with locked_by_another_process(lock_file) as pid:
        assert locks.query(lock_file) == locks.LockState(held=True, pid=pid, path=lock_file)
    assert not locks.query(lock_file).held


def test_asking_works_on_a_file_that_may_only_be_read_and_changes_nothing(lock_file: Path) -> None:
    lock_file.chmod(0o444)
    before = lock_file.stat()
    assert not locks.query(lock_file).held
    after = lock_file.stat()
    assert (before.st_mtime_ns, before.st_ctime_ns, before.st_size) == (after.st_mtime_ns, after.st_ctime_ns, 0)


def test_asking_does_not_stand_in_the_way_of_a_server(lock_file: Path) -> None:
    locks.query(lock_file)
    assert another_process_can_lock(lock_file)


def test_holding_keeps_others_out_until_the_block_ends(lock_file: Path) -> None:
    with locks.hold(lock_file):
        assert locks.query(lock_file).held
        assert not another_process_can_lock(lock_file)
    assert another_process_can_lock(lock_file)


def test_reading_the_held_file_elsewhere_in_this_process_does_not_lose_the_lock(lock_file: Path) -> None:
    with locks.hold(lock_file):
        lock_file.read_bytes()
        locks.query(lock_file)
        assert not another_process_can_lock(lock_file)


def test_holding_what_another_process_holds_names_it(lock_file: Path) -> None:
    with (
        locked_by_another_process(lock_file) as pid,
        pytest.raises(LockedError, match=f"process {pid}") as caught,
        locks.hold(lock_file),
    ):
        pass
    assert "Stop" in caught.value.remedy


def test_two_holders_in_one_process_exclude_each_other(lock_file: Path) -> None:
    with locks.hold(lock_file):
        with pytest.raises(LockedError), locks.hold(lock_file):
            pass
        assert not another_process_can_lock(lock_file)


def test_a_missing_lock_file_is_created_for_the_owner_of_its_directory(tmp_path: Path) -> None:
    path = tmp_path / locks.DATABASE_LOCK
    if os.geteuid() == 0:
        os.chown(tmp_path, 12345, 12346)
    with locks.hold(path):
        assert locks.query(path).held
    assert (path.stat().st_uid, path.stat().st_gid) == (tmp_path.stat().st_uid, tmp_path.stat().st_gid)


def test_a_lock_in_a_directory_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="directory does not exist"), locks.hold(tmp_path / "absent" / "store_lock"):
        pass


def test_a_lock_file_that_may_not_be_opened_is_an_access_error(
    lock_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(AccessError, match="read"):
        locks.query(lock_file)
    with pytest.raises(AccessError, match="write"), locks.hold(lock_file):
        pass


def test_other_platforms_get_a_clear_error(lock_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(SourceError, match="darwin"):
        locks.query(lock_file)
