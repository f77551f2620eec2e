"""Writing the files of a backup: every bit, mode and hole, or nothing in place."""

from __future__ import annotations

import errno
import os
import resource
import stat
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.backups import SILENT, content, expected, new_repository, put_back, take
from helpers.calls import recorded
from helpers.database import PAGE, Synthetic, make_database, some_bytes, tree_bytes, write_tree
from helpers.storages import MemoryStorage
from neokeep.errors import (
    AccessError,
    IntegrityError,
    LockedError,
    NeokeepError,
    RepositoryError,
    SpaceError,
    UsageError,
)
from neokeep.neo4j import locks
from neokeep.repository.manifest import BlockList, FileEntry
from neokeep.repository.reader import BlockReader
from neokeep.restore.write import Owner, is_zero, write_files

if TYPE_CHECKING:
    from pathlib import Path

    from neokeep.repository.repository import Repository

BLOCK = 64 * 1024


@pytest.fixture
def made(tmp_path: Path) -> Synthetic:
    made = make_database(tmp_path / "home")
    noise = os.urandom(BLOCK)
    made.store |= {
        "neostore.nodestore.db": bytes(3 * BLOCK) + noise + bytes(5 * BLOCK + 100),
        "neostore.relationshipstore.db": some_bytes(9, 2 * 1024 * 1024 + 77),
        "neostore.propertystore.db": bytes(10 * BLOCK),
    }
    return made.write()


@pytest.fixture
def target(tmp_path: Path) -> Synthetic:
    """Another database, which a restore replaces."""
    return make_database(tmp_path / "target", seed=50)


@pytest.fixture
def repository(made: Synthetic) -> Repository:
    repository, _ = new_repository()
    take(made, repository)
    return repository


def storage_of(repository: Repository) -> MemoryStorage:
    assert isinstance(repository.storage, MemoryStorage)
    return repository.storage


@pytest.mark.parametrize("jobs", [1, 4])
def test_every_bit_comes_back_over_another_database(
    made: Synthetic, target: Synthetic, repository: Repository, jobs: int
) -> None:
    put_back(repository, target.home, overwrite=True, jobs=jobs)
    assert content(target.home) == expected(made)
    assert not list(target.home.rglob(".neokeep*"))


def test_modes_come_back_also_of_files_that_nobody_may_write(made: Synthetic, tmp_path: Path) -> None:
    modes = {"neostore.nodestore.db": 0o600, "neostore.counts.db": 0o664, "tools/metrics": 0o444}
    for name, mode in modes.items():
        (made.store_directory / name).chmod(mode)
    repository, _ = new_repository()
    take(made, repository)
    put_back(repository, tmp_path / "restored")
    for name, mode in modes.items():
        assert stat.S_IMODE((tmp_path / "restored/data/databases/neo4j" / name).stat().st_mode) == mode


def test_a_user_who_is_not_root_can_restore_files_that_nobody_may_write(
    made: Synthetic, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (made.store_directory / "tools/metrics").chmod(0o444)
    repository, _ = new_repository()
    take(made, repository)
    real = os.open

    def as_user(path: str, flags: int, *rest: int) -> int:
        """Refuse what the kernel refuses to all but root."""
        if flags & os.O_WRONLY and not flags & os.O_CREAT and not os.stat(path).st_mode & 0o200:
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return real(path, flags, *rest)

    monkeypatch.setattr(os, "open", as_user)
    put_back(repository, tmp_path / "restored")
    assert content(tmp_path / "restored") == expected(made)


def test_blocks_of_zeros_become_holes(repository: Repository, tmp_path: Path) -> None:
    put_back(repository, tmp_path / "restored")
    store = tmp_path / "restored/data/databases/neo4j"
    assert (store / "neostore.propertystore.db").stat().st_blocks == 0
    assert (store / "neostore.nodestore.db").stat().st_blocks * 512 <= 2 * BLOCK


def test_every_file_and_directory_is_fsynced_before_the_switch(repository: Repository, target: Synthetic) -> None:
    with recorded() as calls:
        put_back(repository, target.home, overwrite=True)
    store = str(target.store_directory)
    switch = calls.index(("renameat2", store))
    before = calls[:switch]
    new = {path for name, path in before if name == "fsync" and ".neokeep-neo4j" in path}
    for name in ("neostore", "schema/index/range-1.0/7/index-7", "neostore.transaction.db.1", "checkpoint.0"):
        assert [path for path in new if path.endswith(f".new/{name}")], name
    for folder in ("schema", "schema/index", "schema/index/range-1.0", "schema/index/range-1.0/7"):
        assert [path for path in new if path.endswith(f".new/{folder}")], folder
    last_write = {path: at for at, (name, path) in enumerate(before) if name == "pwrite"}
    last_sync = {path: at for at, (name, path) in enumerate(before) if name == "fsync"}
    assert all(last_sync[path] > at for path, at in last_write.items())


def test_a_damaged_block_is_told_and_nothing_is_replaced(repository: Repository, target: Synthetic) -> None:
    storage = storage_of(repository)
    before = content(target.home)
    name = max(storage.names("packs/"), key=lambda name: len(storage.objects[name]))
    data = storage.objects[name]
    for at in (40, len(data) // 3, len(data) // 2):
        storage.replace(name, data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        with pytest.raises(IntegrityError):
            put_back(repository, target.home, overwrite=True)
        assert content(target.home) == before
        assert not list(target.home.rglob(".neokeep*"))


def test_a_missing_pack_is_told_and_nothing_is_replaced(repository: Repository, target: Synthetic) -> None:
    storage = storage_of(repository)
    before = content(target.home)
    for name in storage.names("packs/"):
        storage.delete(name)
    with pytest.raises((IntegrityError, RepositoryError)):
        put_back(repository, target.home, overwrite=True)
    assert content(target.home) == before


@pytest.mark.parametrize("call", ["pwrite", "fsync", "ftruncate", "mkdir"])
@pytest.mark.parametrize(
    ("number", "error"), [(errno.ENOSPC, SpaceError), (errno.EROFS, AccessError), (errno.EIO, RepositoryError)]
)
def test_a_disk_that_fails_leaves_the_target_as_it_was(
    repository: Repository,
    target: Synthetic,
    monkeypatch: pytest.MonkeyPatch,
    call: str,
    number: int,
    error: type[NeokeepError],
) -> None:
    before = content(target.home)
    real = getattr(os, call)
    calls = iter(range(3))

    def failing(*arguments: object, **named: object) -> object:
        if next(calls, None) is None:
            raise OSError(number, os.strerror(number))
        return real(*arguments, **named)

    with monkeypatch.context() as patch:
        patch.setattr(os, call, failing)
        with pytest.raises(error) as failure:
            put_back(repository, target.home, overwrite=True)
    assert type(failure.value) is error
    assert content(target.home) == before
    assert not list(target.home.rglob(".neokeep*"))


def test_a_disk_without_room_is_told_before_anything_is_written(
    repository: Repository, target: Synthetic, monkeypatch: pytest.MonkeyPatch
) -> None:
    import shutil

    usage = shutil.disk_usage(target.home)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage._replace(free=1000))
    with recorded() as calls, pytest.raises(SpaceError, match="are free"):
        put_back(repository, target.home, overwrite=True)
    assert [name for name, _ in calls if name in ("pwrite", "renameat2", "symlink")] == []


def test_a_database_with_more_files_than_may_be_open_comes_back(made: Synthetic, tmp_path: Path) -> None:
    more = {f"schema/index/range-1.0/{number}/index-{number}": tree_bytes(number, 1) for number in range(100, 300)}
    made.store |= more
    write_tree(made.store_directory, more)
    repository, _ = new_repository()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")) + 40, hard))
    try:
        take(made, repository)
        put_back(repository, tmp_path / "restored")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert content(tmp_path / "restored") == expected(made)


def test_what_exists_is_not_replaced_without_being_asked_to(repository: Repository, target: Synthetic) -> None:
    before = content(target.home)
    with pytest.raises(UsageError, match="exists already"):
        put_back(repository, target.home)
    assert content(target.home) == before


@pytest.mark.parametrize("lock", ["database_lock", "store_lock"])
def test_a_database_that_is_open_is_not_replaced(repository: Repository, target: Synthetic, lock: str) -> None:
    before = content(target.home)
    directory = target.store_directory if lock == "database_lock" else target.store_directory.parent
    with locks.hold(directory / lock), pytest.raises(LockedError):
        put_back(repository, target.home, overwrite=True)
    assert content(target.home) == before


@pytest.mark.parametrize("path", ["../outside", "/etc/outside", "a/../../outside", ""])
def test_a_manifest_that_names_files_outside_is_refused(repository: Repository, tmp_path: Path, path: str) -> None:
    empty = BlockList(size=0, block_size=BLOCK, depth=0, ids=b"", hash=b"")
    entry = FileEntry(area="store", path="x", kind="other", mode=0o600, content=empty)
    root = tmp_path / "root" / "store"
    root.mkdir(parents=True)
    with pytest.raises(IntegrityError, match="outside the database"):
        write_files(
            BlockReader.of(repository), [msgspec.structs.replace(entry, path=path)], {"store": root},
            Owner.of(root), jobs=1, progress=SILENT,
        )  # fmt: skip
    assert [item.name for item in tmp_path.rglob("outside")] == []


def test_a_restore_into_an_empty_home_makes_its_directories(
    made: Synthetic, repository: Repository, tmp_path: Path
) -> None:
    report = put_back(repository, tmp_path / "not" / "there" / "yet")
    assert content(tmp_path / "not" / "there" / "yet") == expected(made)
    assert (report.replaced, report.file_count) == (False, len(made.store) + 3)
    assert report.size_bytes > PAGE


def test_the_owner_and_mode_of_the_target_directory_are_taken_over(
    repository: Repository, target: Synthetic, monkeypatch: pytest.MonkeyPatch
) -> None:
    databases = target.store_directory.parent
    databases.chmod(0o750)
    given: list[tuple[str, int, int]] = []
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "chown", lambda path, user, group: given.append((os.fspath(path), user, group)))
    put_back(repository, target.home, overwrite=True)
    assert stat.S_IMODE(target.store_directory.stat().st_mode) == 0o750
    owner = databases.stat()
    assert {(user, group) for _, user, group in given} == {(owner.st_uid, owner.st_gid)}
    assert {os.path.basename(path) for path, _, _ in given} >= {"neostore", "checkpoint.0", "schema", "index-7"}


@given(st.integers(1, 20_000), st.data())
def test_one_byte_anywhere_of_any_value_is_no_hole(size: int, choices: st.DataObject) -> None:
    content = bytearray(size)
    assert is_zero(memoryview(content))
    content[choices.draw(st.integers(0, size - 1))] = choices.draw(st.integers(1, 255))
    assert not is_zero(memoryview(content))
