"""Local storage: durable before it returns, and nothing half-made is visible whatever happens."""

from __future__ import annotations

import errno
import os
import threading
import time
from pathlib import Path

import pytest

from helpers.calls import Killed, killed_at, recorded
from neokeep.errors import AccessError, NeokeepError, RepositoryError, SpaceError
from neokeep.storage.base import ObjectExists
from neokeep.storage.local import LocalStorage

LARGE = 2 * 1024 * 1024 + 5


@pytest.fixture
def storage(tmp_path: Path) -> LocalStorage:
    return LocalStorage(tmp_path)


def fail(monkeypatch: pytest.MonkeyPatch, call: str, number: int) -> None:
    """Have every call of os.`call` fail."""

    def failing(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number), "here", None, "there")

    monkeypatch.setattr(os, call, failing)


def visible(root: Path) -> list[str]:
    return [
        str(path.relative_to(root))
        for path in root.rglob("*")
        if path.is_file() and "tmp" not in path.relative_to(root).parts
    ]


def test_an_object_is_written_then_fsynced_then_linked_then_its_directory_fsynced(storage: LocalStorage) -> None:
    storage.create("packs/ab/first", b"the directories are there now")
    with recorded() as calls:
        storage.create("packs/ab/name", b"x" * LARGE)
    names = [name for name, _ in calls]
    target = storage.root / "packs" / "ab" / "name"
    link = names.index("link")
    scratch = calls[0][1]
    assert Path(scratch).parent == storage.root / "tmp"
    assert calls[link] == ("link", str(target))
    assert [name for name, path in calls[:link] if path == scratch][-1] == "fsync"
    assert "pwrite" in names[: names.index("fsync")]
    assert not [name for name, path in calls[link:] if path == scratch and name != "unlink"]
    assert calls[-1] == ("fsync", str(target.parent))


def test_a_new_directory_is_durable_before_the_first_object_in_it(storage: LocalStorage) -> None:
    with recorded() as calls:
        storage.create("packs/ab/name", b"x")
    parents = [str(storage.root / "packs"), str(storage.root)]
    link = [name for name, _ in calls].index("link")
    assert set(parents) <= {path for name, path in calls[:link] if name == "fsync"}


def test_a_new_place_is_durable_with_all_the_directories_that_lead_to_it(tmp_path: Path) -> None:
    root = tmp_path / "mounted" / "backups" / "neo4j"
    with recorded() as calls:
        LocalStorage(root).prepare()
    assert [path for name, path in calls if name == "fsync"] == [str(path) for path in reversed(root.parents[:3])]
    assert root.stat().st_mode & 0o777 == 0o750


def test_that_an_object_is_there_already_is_told_when_it_is_durable(storage: LocalStorage) -> None:
    storage.create("packs/aa/one", b"content")
    with recorded() as calls, pytest.raises(ObjectExists):
        storage.create("packs/aa/one", b"content")
    assert ("fsync", str(storage.root / "packs" / "aa")) in calls


@pytest.mark.parametrize("size", [10, LARGE])
def test_a_create_that_is_killed_leaves_nothing_or_the_whole_object(tmp_path: Path, size: int) -> None:
    data = b"k" * size
    for step in range(100):
        root = tmp_path / str(step)
        root.mkdir()
        try:
            with killed_at(step):
                LocalStorage(root).create("backups/a", data)
        except Killed:
            assert visible(root) in ([], ["backups/a"])
            if visible(root):
                assert (root / "backups" / "a").read_bytes() == data
            continue
        break
    assert step > 5
    assert visible(root) == ["backups/a"]


@pytest.mark.parametrize(
    ("number", "error"),
    [
        (errno.ENOSPC, SpaceError),
        (errno.EDQUOT, SpaceError),
        (errno.EACCES, AccessError),
        (errno.EROFS, AccessError),
        (errno.EIO, RepositoryError),
    ],
)
@pytest.mark.parametrize("call", ["pwrite", "fsync", "link", "mkdir", "open"])
def test_a_failed_create_is_an_error_of_its_kind_and_leaves_nothing(
    storage: LocalStorage, monkeypatch: pytest.MonkeyPatch, call: str, number: int, error: type[NeokeepError]
) -> None:
    with monkeypatch.context() as patch:
        fail(patch, call, number)
        with pytest.raises(error) as failure:
            storage.create("packs/ab/name", b"x" * LARGE)
    assert type(failure.value) is error
    assert str(storage.root / "packs/ab/name") in failure.value.message
    assert failure.value.remedy
    assert visible(storage.root) == []
    assert list((storage.root / "tmp").glob("*")) == []


def test_a_failing_fsync_of_the_directory_is_not_hidden(storage: LocalStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    storage.create("packs/a", b"")
    fsync = os.fsync

    def failing(descriptor: int) -> None:
        if os.path.isdir(f"/proc/self/fd/{descriptor}"):
            raise OSError(errno.EIO, "broken")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", failing)
    with pytest.raises(RepositoryError, match="broken"):
        storage.create("packs/b", b"x")


@pytest.mark.parametrize("number", [errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK])
def test_a_file_system_without_links_is_named(
    storage: LocalStorage, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    fail(monkeypatch, "link", number)
    with pytest.raises(RepositoryError, match="has no hard links, so it cannot promise create-if-absent"):
        storage.create("a", b"x")


@pytest.mark.parametrize(("number", "error"), [(errno.EACCES, AccessError), (errno.EIO, RepositoryError)])
def test_a_failed_read_is_an_error_of_its_kind(
    storage: LocalStorage, monkeypatch: pytest.MonkeyPatch, number: int, error: type[NeokeepError]
) -> None:
    storage.create("a", b"x")
    fail(monkeypatch, "pread", number)
    with pytest.raises(error):
        storage.read("a")


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.EIO])
def test_a_failed_delete_or_listing_is_an_error(
    storage: LocalStorage, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    storage.create("a/b", b"x")
    for call, use in (("unlink", lambda: storage.delete("a/b")), ("scandir", lambda: list(storage.list("a")))):
        with monkeypatch.context() as patch:
            fail(patch, call, number)
            with pytest.raises(NeokeepError):
                use()


def test_writes_that_the_kernel_takes_only_in_part_are_gone_on_with(
    storage: LocalStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    pwrite, pread = os.pwrite, os.pread
    monkeypatch.setattr(os, "pwrite", lambda fd, data, offset: pwrite(fd, memoryview(data)[:40_000], offset))
    monkeypatch.setattr(os, "pread", lambda fd, length, offset: pread(fd, min(length, 70_000), offset))
    data = os.urandom(400_000)
    storage.create("a", data)
    assert storage.read("a") == data


def test_a_root_that_is_gone_is_not_made_again(storage: LocalStorage) -> None:
    storage.root.rmdir()
    with pytest.raises(RepositoryError, match="is gone"):
        storage.create("packs/a", b"x")
    assert not storage.root.exists()


def test_a_mount_point_whose_disk_is_away_is_not_taken_for_an_empty_place_and_never_written_to(tmp_path: Path) -> None:
    root, away = tmp_path / "mounted", tmp_path / "away"
    root.mkdir()
    storage = LocalStorage(root)
    assert list(storage.list("packs")) == []
    storage.create("config", b"x")
    storage.expect("config")
    assert list(storage.list("packs")) == []
    root.rename(away)
    for mount_point in (False, True):
        if mount_point:
            root.mkdir()
        for use in (
            lambda: list(storage.list("packs")),
            lambda: storage.create("packs/a", b"x"),
            lambda: storage.create("b", b"x"),
            storage.clear_abandoned,
        ):
            with pytest.raises(RepositoryError, match="is gone"):
                use()
    assert list(root.iterdir()) == []
    root.rmdir()
    away.rename(root)
    storage.create("packs/a", b"x")
    assert [item.name for item in storage.list("packs")] == ["packs/a"]


def test_scratch_files_that_cannot_be_looked_at_are_an_error_of_neokeep(
    storage: LocalStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage.create("a", b"x")
    fail(monkeypatch, "scandir", errno.ESTALE)
    with pytest.raises(RepositoryError):
        storage.clear_abandoned()


def test_scratch_files_are_removed_a_day_after_they_were_abandoned(storage: LocalStorage) -> None:
    storage.create("a", b"x")
    old, new = storage.root / "tmp" / "old", storage.root / "tmp" / "new"
    for path in (old, new):
        path.write_bytes(b"12345")
    os.utime(old, (time.time() - 90_000,) * 2)
    assert storage.clear_abandoned() == 5
    assert (old.exists(), new.exists(), storage.read("a")) == (False, True, b"x")


def test_objects_that_vanish_during_a_listing_are_left_out(storage: LocalStorage) -> None:
    for number in range(40):
        storage.create(f"a/{number}", b"x")
    stop = threading.Event()

    def remove() -> None:
        for number in range(40):
            storage.delete(f"a/{number}")
        stop.set()

    thread = threading.Thread(target=remove)
    thread.start()
    while not stop.is_set():
        assert len(list(storage.list("a"))) <= 40
    thread.join()
    assert list(storage.list("a")) == []


def test_objects_can_be_read_by_the_group_and_by_nobody_else(storage: LocalStorage) -> None:
    storage.create("a", b"x")
    assert (storage.root / "a").stat().st_mode & 0o027 == 0


def test_a_deletion_is_durable_when_it_returns_and_one_of_nothing_costs_nothing(storage: LocalStorage) -> None:
    storage.create("packs/aa/one", b"content")
    with recorded() as calls:
        storage.delete("packs/aa/one")
        storage.delete("packs/aa/one")
        storage.delete("packs/none/two")
    names = [(name, path.removeprefix(str(storage.root))) for name, path in calls]
    assert names[:2] == [("unlink", "/packs/aa/one"), ("fsync", "/packs/aa")]
    assert [name for name, _ in names[2:]] == ["unlink", "unlink"]
