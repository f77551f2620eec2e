"""Files of a server that are restored are all there or not at all, whatever fails and wherever it is killed."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from helpers.backups import new_repository
from helpers.calls import Killed, killed_at, recorded, watched
from helpers.database import make_database, read_tree
from helpers.faulty import AFTER, BEFORE, Faulty, Nth
from helpers.server_home import files_in, furnish, put, take
from neokeep import api
from neokeep.errors import NeokeepError, SpaceError
from neokeep.repository.repository import Repository

if TYPE_CHECKING:
    from pathlib import Path

    from helpers.storages import MemoryStorage

pytestmark = pytest.mark.faults


@pytest.fixture
def backed_up(tmp_path: Path) -> Repository:
    made = make_database(tmp_path / "home")
    furnish(made.home)
    repository, _ = new_repository()
    take(made, repository)
    return repository


def test_killed_at_any_call_the_folder_is_complete_or_not_there(backed_up: Repository, tmp_path: Path) -> None:
    api.restore_server_files(backed_up, tmp_path / "wanted")
    wanted = read_tree(tmp_path / "wanted")
    outcomes = set()
    for number in range(10_000):
        target = tmp_path / "targets" / f"out-{number}"
        target.parent.mkdir(exist_ok=True)
        try:
            with killed_at(number) as made:
                api.restore_server_files(backed_up, target)
        except Killed:
            outcomes.add(target.exists())
            assert not target.exists() or read_tree(target) == wanted, made
            if not target.exists():
                api.restore_server_files(backed_up, target)
        else:
            break
        assert read_tree(target) == wanted
        assert os.listdir(target.parent) == [target.name]
        for folder, _, names in os.walk(target, topdown=False):
            for name in names:
                os.unlink(f"{folder}/{name}")
            os.rmdir(folder)
    assert outcomes == {False, True}
    assert number > 25


def test_all_is_durable_before_the_folder_has_its_name(backed_up: Repository, tmp_path: Path) -> None:
    with recorded() as calls:
        api.restore_server_files(backed_up, tmp_path / "out")
    at = next(number for number, call in enumerate(calls) if call[0] == "rename")
    staging = tmp_path / ".out.neokeep-new"
    synced = [path for name, path in calls[:at] if name == "fsync"]
    written = {str(staging / name) for name in read_tree(tmp_path / "out")}
    folders = {str(staging)} | {os.path.dirname(path) for path in written}
    assert written | folders <= set(synced)
    assert ("fsync", str(tmp_path)) in calls[at:]


@pytest.mark.parametrize("call", ["mkdir", "fsync", "fchmod", "rename"])
def test_a_full_disk_leaves_nothing_behind(backed_up: Repository, tmp_path: Path, call: str) -> None:
    def fail(name: str, _arguments: tuple[Any, ...]) -> None:
        if name == call:
            raise OSError(errno.ENOSPC, "No space left on device")

    before = set(os.listdir(tmp_path))
    with watched(fail), pytest.raises(SpaceError):
        api.restore_server_files(backed_up, tmp_path / "out")
    assert set(os.listdir(tmp_path)) == before


@pytest.mark.parametrize("fate", [BEFORE, AFTER])
def test_a_storage_that_fails_while_a_changed_configuration_is_stored_costs_no_backup(
    tmp_path: Path, fate: str
) -> None:
    made = make_database(tmp_path / "home")
    furnish(made.home)
    repository, storage = new_repository()
    first = take(made, repository).label
    put(made.home, "conf/apoc.conf", "changed=1\n")
    for number in range(1, 1000):
        plan = Nth(number, fate)
        with suppress(NeokeepError):
            take(made, Repository.open(Faulty(storage, plan)), type="incremental")
        assert every_backup_has_its_files(storage) >= {first}
        if plan.count < number:
            break
    else:
        pytest.fail("it never came to its end")


def every_backup_has_its_files(storage: MemoryStorage) -> set[str]:
    """The labels of all backups, each with the files that it names."""
    from helpers.backups import check

    repository = Repository.open(storage)
    assert check(repository).ok
    labels = {item.label for item in repository.manifests()}
    for label in labels:
        assert files_in(repository, label)["conf/apoc.conf"].content is not None
    return labels
