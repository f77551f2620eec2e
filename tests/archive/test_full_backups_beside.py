"""Full backups while a database is followed: shipping goes on, and the restore windows of the two chains meet."""

from __future__ import annotations

import shutil
import threading
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from helpers.backups import content, expected, take
from helpers.chains import commit_more, run_backup
from helpers.database import make_database
from helpers.following import Followed, options_of
from helpers.storages import MemoryStorage, Wrapped
from helpers.txlog import checkpoint_file, checkpoint_record
from neokeep import api
from neokeep.capture import full, policy
from neokeep.capture.policy import FullPolicy
from neokeep.capture.void import CaptureVoid
from neokeep.errors import RepositoryError, SourceError
from neokeep.neo4j.source import find_source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from helpers.database import Synthetic
    from neokeep.progress import Progress
    from neokeep.repository.manifest import Manifest

MUCH_LOG = FullPolicy(at_log_share=0.001)


@pytest.fixture(autouse=True)
def _little_log_is_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy, "LITTLE_LOG", 1)


class Slow:
    """Full backups that have read the database, and wait until they may end; the test must not write meanwhile."""

    def __init__(self, plain: Callable[..., Manifest]) -> None:
        self.may_end = threading.Event()
        self.captured = threading.Event()
        self._plain = plain

    def __call__(self, *arguments: object, **named: object) -> Manifest:
        manifest = self._plain(*arguments, **named)
        self.captured.set()
        assert self.may_end.wait(20)
        return manifest


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Iterator[Slow]:
    found = Slow(full.full_backup)
    monkeypatch.setattr(full, "full_backup", found)
    yield found
    found.may_end.set()


def chains_of(found: Followed) -> list[str]:
    return [str(event.chain) for event in found.told("following")]


def require_windows_meet(found: Followed) -> None:
    """Prove that every transaction since the first chain began can be restored to."""
    labels = chains_of(found)
    for older, newer in pairwise(labels):
        opens = found.repository.manifest(newer).end.transaction
        assert opens is not None
        assert found.reached(older) >= opens


def test_a_full_backup_that_is_due_runs_beside_while_new_transactions_are_shipped(
    made: Synthetic, slow: Slow, tmp_path: Path
) -> None:
    slow.may_end.set()
    found = Followed(made, options_of(policy=MUCH_LOG))
    found.begin()
    slow.may_end.clear()
    slow.captured.clear()
    commit_more(made, 3)
    found.tick()
    found.tick(61)
    begun = found.told("full backup begun")[-1]
    assert begun.message.startswith("the archived log has grown to")
    assert slow.captured.wait(20)
    for rotate in (False, True, False):
        commit_more(made, 2, rotate=rotate)
        found.tick()
        assert found.archived == found.last
        assert len(chains_of(found)) == 1
    found.follower.tell_state()
    assert found.events[-1].message == f"a full backup runs, since {begun.message}"
    slow.may_end.set()
    found.full_ends()
    commit_more(made, 2)
    found.tick()
    assert len(chains_of(found)) == 2
    require_windows_meet(found)
    commit_more(made, 1)
    found.tick()
    assert found.reached(chains_of(found)[1]) == found.last
    assert not found.told("gap", "broken", "trouble")
    found.require_restorable(tmp_path / "restored")


def test_every_transaction_around_a_change_of_chains_can_be_restored_to(made: Synthetic, tmp_path: Path) -> None:
    found = Followed(made, options_of(policy=MUCH_LOG))
    found.begin()
    states = {found.last: expected(made)[1]}
    for number in range(8):
        commit_more(made, 1, rotate=number == 4)
        states[found.last] = expected(made)[1]
        found.tick(61 if number in {2, 3} else 1)
        found.full_ends()
    assert len(chains_of(found)) == 2
    for transaction, logs in states.items():
        home = tmp_path / str(transaction)
        report = api.restore(found.repository, home, "neo4j", from_source="test", to_transaction=transaction)
        assert report.last_tx == transaction
        restored = content(home)[1]
        assert {name: data for name, data in restored.items() if "transaction" in name} == {
            name: data for name, data in logs.items() if "transaction" in name
        }


def test_the_newer_full_backup_of_another_process_is_taken_over_once_the_old_chain_reaches_it(
    made: Synthetic, tmp_path: Path
) -> None:
    found = Followed(made, options_of(interval=3600))
    found.begin()
    found.tick(3600)
    commit_more(made, 3)
    take(made, found.repository)
    commit_more(made, 2)
    found.tick(1)
    assert found.archived < found.last
    found.tick(61)
    found.tick(1)
    assert len(chains_of(found)) == 2
    require_windows_meet(found)
    assert found.reached(chains_of(found)[1]) == found.last, "the new chain lacks what the old one holds"
    assert not found.told("gap", "broken", "trouble", "full backup begun")[1:]
    found.follower.finish()
    found.require_restorable(tmp_path / "restored")


def test_an_incremental_backup_of_another_process_leads_to_no_new_chain(made: Synthetic) -> None:
    found = Followed(made)
    found.begin()
    commit_more(made, 1)
    run_backup(made, found.repository)
    found.tick(61)
    found.tick(61)
    assert len(chains_of(found)) == 1


def test_a_full_backup_that_fails_beside_is_told_and_tried_again_and_hinders_nothing(
    made: Synthetic, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = Followed(made, options_of(policy=MUCH_LOG))
    found.begin()
    plain = full.full_backup

    def fails(*_: object, **__: object) -> Manifest:
        raise SourceError("it changed under every attempt", remedy="Repeat it.")

    monkeypatch.setattr(full, "full_backup", fails)
    for _ in range(400):
        commit_more(made, 1) if found.last < 40 else None
        found.tick(10)
        found.full_ends()
        assert found.archived == found.last
    failed = found.told("full backup failed")
    assert failed[0].message == "it changed under every attempt"
    pauses = [event.retry_seconds for event in failed]
    assert pauses[:4] == [1.0, 2.0, 4.0, 8.0]
    assert len(failed) < 30
    assert not found.told("trouble", "recovered", "broken", "gap")
    monkeypatch.setattr(full, "full_backup", plain)
    for _ in range(200):
        found.tick(10)
        found.full_ends()
    assert len(chains_of(found)) >= 2
    require_windows_meet(found)


def test_a_capture_that_turns_out_void_is_told_as_a_failure_and_the_chain_goes_on(
    made: Synthetic, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = Followed(made, options_of(policy=MUCH_LOG))
    found.begin()

    def void(*_: object) -> None:
        raise CaptureVoid("the store was replaced")

    monkeypatch.setattr(full, "capture_once", void)
    monkeypatch.setattr(full, "_PAUSE_SECONDS", 0.001)
    commit_more(made, 2)
    found.tick()
    found.tick(61)
    found.full_ends()
    commit_more(made, 2)
    found.tick()
    (failed,) = found.told("full backup failed")
    assert "could not be captured in 6 attempts: the store was replaced" in failed.message
    assert found.archived == found.last


def test_a_defect_in_a_full_backup_is_no_failure_that_is_tried_again(
    made: Synthetic, monkeypatch: pytest.MonkeyPatch
) -> None:
    def defect(*_: object, **__: object) -> Manifest:
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr(full, "full_backup", defect)
    found = Followed(made)
    found.tick()
    found.full_ends()
    with pytest.raises(ZeroDivisionError):
        found.tick()


def test_a_new_full_backup_that_saw_no_transaction_leaves_the_old_chain_and_does_not_lead_to_another_at_once(
    made: Synthetic, tmp_path: Path
) -> None:
    """Its log file is new and empty: nothing in it proves what it follows on."""
    found = Followed(made, options_of(policy=MUCH_LOG))
    found.begin()
    commit_more(made, 2)
    found.tick()
    made.logs.append(made.logs[-1].next([]))
    checkpoint_behind_everything(made)
    for _ in range(100):
        found.tick(61)
        found.full_ends()
    assert len(found.told("full backup")) == 2
    assert len(chains_of(found)) == 1
    assert not found.told("broken", "gap")
    add_to_the_last_file(made, 3)
    found.tick()
    assert found.archived == found.last
    assert found.reached(chains_of(found)[0]) == found.last
    again = Followed(made, memory=found.memory)
    again.tick()
    assert chains_of(again) == chains_of(found)
    report = api.restore(
        found.repository, tmp_path / "restored", "neo4j", from_source="test", to_transaction=found.last
    )  # fmt: skip
    assert report.last_tx == found.last


def checkpoint_behind_everything(made: Synthetic) -> None:
    last = made.logs[-1]
    record = checkpoint_record(made.kernel, last.version, last.header_size, last.last_before)
    files = {f"neostore.transaction.db.{log.version}": log.data for log in made.logs}
    made.log = files | {"checkpoint.0": checkpoint_file(made.kernel, [record], zeros=1000)}
    shutil.rmtree(made.log_directory)
    made.write()


def add_to_the_last_file(made: Synthetic, count: int) -> None:
    for number in range(count):
        made.logs[-1].add(bytes([number]) * 300)
    checkpoint = made.log["checkpoint.0"]
    made.log = {f"neostore.transaction.db.{log.version}": log.data for log in made.logs} | {"checkpoint.0": checkpoint}
    made.write()


def test_a_newer_full_backup_whose_chain_is_broken_is_told_and_the_old_chain_goes_on_until_the_next_one(
    made: Synthetic, tmp_path: Path
) -> None:
    found = Followed(made)
    found.begin()
    commit_more(made, 2)
    info = take(made, found.repository)
    manifest = found.repository.manifest(info.label)
    assert manifest.tail is not None
    found.memory.delete(f"backups/{info.label}")
    other = msgspec.structs.replace(manifest, tail=msgspec.structs.replace(manifest.tail, checksum=1))
    found.repository.commit(other)
    found.tick(61)
    found.tick()
    (broken,) = found.told("broken")
    assert (broken.chain, broken.last_tx) == (info.label, info.last_tx)
    assert "history forked" in broken.message
    assert chains_of(found) == [chains_of(found)[0]]
    found.full_ends()
    commit_more(made, 2)
    found.tick()
    assert len(chains_of(found)) == 2
    assert chains_of(found)[1] != info.label
    require_windows_meet(found)
    assert not found.told("gap")
    found.require_restorable(tmp_path / "restored")


def test_a_full_backup_that_ends_while_the_repository_is_away_is_taken_over_when_it_is_back(
    made: Synthetic, slow: Slow, tmp_path: Path
) -> None:
    away = False

    def before(_operation: str, _name: str) -> None:
        if away:
            raise RepositoryError("the repository is away")

    memory = MemoryStorage()
    Followed(made, memory=memory)
    slow.may_end.set()
    found = Followed(made, options_of(policy=MUCH_LOG), memory=memory, storage=Wrapped(memory, before))
    found.begin()
    slow.may_end.clear()
    commit_more(made, 2)
    found.tick()
    slow.captured.clear()
    found.tick(61)
    assert slow.captured.wait(20)
    commit_more(made, 2)
    slow.may_end.set()
    found.full_ends()
    away = True
    for _ in range(4):
        found.tick(61)
    assert len(chains_of(found)) == 1
    away = False
    commit_more(made, 1)
    found.tick(61)
    assert len(chains_of(found)) == 2
    require_windows_meet(found)
    found.require_restorable(tmp_path / "restored")


def test_stopping_does_not_wait_for_a_full_backup(made: Synthetic, monkeypatch: pytest.MonkeyPatch) -> None:
    began = threading.Event()

    def endless(*arguments: Any, **_: object) -> Manifest:
        progress: Progress = arguments[-1]
        began.set()
        while True:
            progress.advance(1)

    monkeypatch.setattr(full, "full_backup", endless)
    found = Followed(made)
    found.tick()
    assert began.wait(20)
    running = found.follower._fulls._running
    assert running is not None
    found.follower.finish()
    assert not running.is_running
    assert found.kinds() == ["full backup begun", "stopped"]
    assert found.events[-1].message == "a full backup is due, since there is no full backup of this database yet"


def test_two_databases_take_their_full_backups_one_after_the_other(tmp_path: Path, slow: Slow) -> None:
    turn = threading.Lock()
    memory = MemoryStorage()
    several = [Followed(make_database(tmp_path / name, database=name), memory=memory) for name in ("one", "other")]
    for found in several:
        found.follower._fulls._turn = turn
        found.tick()
    assert slow.captured.wait(20)
    assert turn.locked()
    slow.may_end.set()
    for found in several:
        found.full_ends()
        found.tick()
        assert len(chains_of(found)) == 1


def test_a_version_of_neo4j_that_is_not_supported_is_refused_before_anything_is_stored(made: Synthetic) -> None:
    lib = made.home / "lib"
    lib.mkdir()
    (lib / "neo4j-kernel-9999.1.0.jar").touch()
    found = Followed(made, source=find_source(made.home, name="test"))
    before = dict(found.memory.objects)
    found.tick()
    (trouble,) = found.told("trouble")
    assert "9999" in trouble.message
    assert found.memory.objects == before


def test_the_catalogue_counts_incremental_backups_for_the_policy(made: Synthetic) -> None:
    found = Followed(made, options_of(policy=FullPolicy(after=2)))
    found.begin()
    for number in range(2):
        assert len(found.told("full backup begun")) == 1, number
        commit_more(made, 1)
        run_backup(made, found.repository)
        found.tick(61)
    assert found.told("full backup begun")[-1].message == "the newest full backup has 2 incremental backups behind it"
