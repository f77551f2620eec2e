"""Bringing the server's other files back: into a folder of their own, as they were, or not at all."""

from __future__ import annotations

import fcntl
import json
import os
import pwd
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest

from helpers.backups import new_repository
from helpers.database import make_database, read_tree
from helpers.encrypted import encrypted_repository
from helpers.server_home import files_in, furnish, put, take
from neokeep import api
from neokeep.errors import IntegrityError, LockedError, RepositoryError, UsageError
from neokeep.repository.pack import pack_name
from neokeep.repository.reader import BlockReader
from neokeep.repository.repository import Repository
from neokeep.server_files.write import write_files

if TYPE_CHECKING:
    from pathlib import Path

    from helpers.database import Synthetic
    from neokeep.repository.manifest import ServerFile


@pytest.fixture
def made(tmp_path: Path) -> Synthetic:
    database = make_database(tmp_path / "home")
    furnish(database.home)
    return database


def of_server(home: Path) -> dict[str, bytes]:
    areas = ("conf", "certificates", "plugins", "licenses")
    return {f"{area}/{name}": data for area in areas for name, data in read_tree(home / area).items()}


def test_all_files_come_back_with_mode_and_times(made: Synthetic, tmp_path: Path) -> None:
    os.utime(made.home / "conf/neo4j.conf", ns=(0, 1_700_000_000_123_456_000))
    repository, _ = encrypted_repository()
    take(made, repository, server_files="all")
    report = api.restore_server_files(repository, tmp_path / "out")
    assert of_server(tmp_path / "out") == of_server(made.home)
    for name in of_server(made.home):
        was, became = (made.home / name).stat(), (tmp_path / "out" / name).stat()
        assert became.st_mode == was.st_mode
        assert became.st_mtime_ns == was.st_mtime_ns // 1000 * 1000
        assert (became.st_uid, became.st_gid) == (was.st_uid, was.st_gid)
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o700
    assert (report.files, report.redacted, report.left_out, report.owner_not_set) == (8, (), (), ())
    told = {
        f"{one['area']}/{one['path']}": one for one in json.loads((tmp_path / "out/server-files.json").read_bytes())
    }
    assert told["plugins/apoc-5.26.0-core.jar"]["plugin"] == {"name": "APOC", "version": "5.26.0"}
    assert set(told) == set(of_server(made.home))


def test_of_a_repository_that_is_not_encrypted_the_report_tells_what_is_missing(
    made: Synthetic, tmp_path: Path
) -> None:
    os.symlink(put(tmp_path, "x.conf", "a=b\n"), made.home / "conf/linked.conf")
    repository, _ = new_repository()
    take(made, repository)
    report = api.restore_server_files(repository, tmp_path / "out")
    assert report.redacted == ("conf/apoc.conf", "conf/neo4j.conf")
    assert [item.path for item in report.left_out] == ["certificates/bolt/private.key"]
    assert report.listed == ("plugins/apoc-5.26.0-core.jar",)
    assert report.links == (f"conf/linked.conf -> {tmp_path}/x.conf",)
    assert (tmp_path / "out/conf/linked.conf").read_text() == "a=b\n"
    assert not (tmp_path / "out/conf/linked.conf").is_symlink()
    assert not (tmp_path / "out/certificates/bolt/private.key").exists()


def test_an_empty_folder_is_used_and_one_with_anything_in_it_is_refused(made: Synthetic, tmp_path: Path) -> None:
    repository, _ = new_repository()
    take(made, repository)
    (tmp_path / "empty").mkdir()
    api.restore_server_files(repository, tmp_path / "empty")
    assert (tmp_path / "empty/conf/neo4j.conf").exists()
    before = read_tree(made.home)
    for target in (tmp_path / "empty", made.home, made.home / "conf", made.home / "conf/neo4j.conf"):
        with pytest.raises(UsageError, match="is not an empty folder"):
            api.restore_server_files(repository, target)
    assert read_tree(made.home) == before


def test_the_backup_is_chosen_by_label_database_or_source(made: Synthetic, tmp_path: Path) -> None:
    repository, _ = new_repository()
    first = take(made, repository)
    put(made.home, "conf/apoc.conf", "new=er\n")
    second = take(made, repository)
    assert api.restore_server_files(repository, tmp_path / "a").label == second.label
    assert api.restore_server_files(repository, tmp_path / "b", label=first.label).label == first.label
    assert api.restore_server_files(repository, tmp_path / "c", database="neo4j", from_source="test").files
    for wrong in ({"database": "other"}, {"from_source": "other"}):
        with pytest.raises(RepositoryError, match="has the server's other files"):
            api.restore_server_files(repository, tmp_path / "d", **wrong)
        with pytest.raises(UsageError, match="is of neo4j of test"):
            api.restore_server_files(repository, tmp_path / "d", label=first.label, **wrong)
    assert not (tmp_path / "d").exists()


def test_a_backup_without_them_is_told_from_one_that_is_not_there(made: Synthetic, tmp_path: Path) -> None:
    repository, _ = new_repository()
    info = take(made, repository, server_files="none")
    with pytest.raises(RepositoryError, match="has none of the server's other files"):
        api.restore_server_files(repository, tmp_path / "out", label=info.label)
    with pytest.raises(RepositoryError, match="there is no backup"):
        api.restore_server_files(repository, tmp_path / "out", label="neo4j-20200101-000000F")


def test_of_several_repositories_the_first_gives_them_that_can(made: Synthetic, tmp_path: Path) -> None:
    empty, _ = new_repository()
    repository, _ = new_repository()
    info = take(made, repository)
    assert api.restore_server_files([empty, repository], tmp_path / "out").label == info.label


def test_files_of_several_servers_need_a_choice(made: Synthetic, tmp_path: Path) -> None:
    repository, _ = new_repository()
    info = take(made, repository)
    manifest = repository.manifest(info.label)
    other = msgspec.structs.replace(manifest.source, name="another")
    repository.commit(msgspec.structs.replace(manifest, source=other, label="neo4j-20300101-000000F", writer=None))
    with pytest.raises(UsageError, match="several servers"):
        api.restore_server_files(repository, tmp_path / "out")
    assert api.restore_server_files(repository, tmp_path / "out", from_source="test").label == info.label


def test_a_damaged_file_leaves_no_folder_behind(made: Synthetic, tmp_path: Path) -> None:
    repository, storage = new_repository()
    content = files_in(repository, take(made, repository).label)["conf/apoc.conf"].content
    assert content is not None
    index = repository.read_index()
    place = index.locate(index.find(np.frombuffer(content.ids, "V32")))
    name = pack_name(index.packs[int(place.pack[0])].identity)
    data, at = storage.objects[name], int(place.offset[0]) + 3
    storage.replace(name, data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
    before = set(os.listdir(tmp_path))
    with pytest.raises(IntegrityError):
        api.restore_server_files(Repository.open(storage), tmp_path / "out")
    assert set(os.listdir(tmp_path)) == before


def test_a_file_with_another_hash_than_the_list_has_is_refused(made: Synthetic, tmp_path: Path) -> None:
    repository, _ = new_repository()
    file = a_file(made, repository, hash="0" * 64)
    with pytest.raises(IntegrityError, match="is not what was backed up"):
        write_files(BlockReader.of(repository), [file], tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("path", ["../escaped", "a/../../b", "/etc/passwd", "", "a\0b"])
def test_a_path_that_leads_out_of_the_folder_is_refused(made: Synthetic, tmp_path: Path, path: str) -> None:
    repository, _ = new_repository()
    files = files_in(repository, take(made, repository).label)
    bad = msgspec.structs.replace(files["conf/apoc.conf"], path=path)
    with pytest.raises(IntegrityError, match="outside of the folder"):
        write_files(BlockReader.of(repository), [bad], tmp_path / "out/deep")
    other = msgspec.structs.replace(files["conf/apoc.conf"], area="..")
    with pytest.raises(IntegrityError, match="outside of the folder"):
        write_files(BlockReader.of(repository), [other], tmp_path / "out/deep")
    assert not (tmp_path / "out").exists()


def a_file(made: Synthetic, repository: Repository, **changes: object) -> ServerFile:
    return msgspec.structs.replace(files_in(repository, take(made, repository).label)["conf/apoc.conf"], **changes)


def test_what_runs_with_the_rights_of_another_is_not_restored_so(made: Synthetic, tmp_path: Path) -> None:
    repository, _ = new_repository()
    file = a_file(made, repository, mode=0o6755)
    write_files(BlockReader.of(repository), [file], tmp_path / "out")
    assert (tmp_path / "out/conf/apoc.conf").stat().st_mode & 0o7777 == 0o755


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_root_gives_files_to_their_owner_by_name_and_else_by_number(made: Synthetic, tmp_path: Path) -> None:
    repository, _ = new_repository()
    daemon = pwd.getpwnam("daemon")
    by_name = a_file(made, repository, uid=12345, gid=54321, owner="daemon", group=None)
    write_files(BlockReader.of(repository), [by_name], tmp_path / "out")
    status = (tmp_path / "out/conf/apoc.conf").stat()
    assert (status.st_uid, status.st_gid) == (daemon.pw_uid, 54321)


def test_an_owner_who_may_not_be_given_is_told(
    made: Synthetic, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "fchown", refuse)
    repository, _ = new_repository()
    file = a_file(made, repository, uid=12345, owner=None)
    assert write_files(BlockReader.of(repository), [file], tmp_path / "out") == [file]
    assert (tmp_path / "out/conf/apoc.conf").stat().st_mode & 0o777 == 0o640


def test_another_restore_into_the_same_folder_is_refused_while_it_runs(made: Synthetic, tmp_path: Path) -> None:
    repository, _ = new_repository()
    take(made, repository)
    staging = tmp_path / ".out.neokeep-new"
    staging.mkdir()
    descriptor = os.open(staging, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    with pytest.raises(LockedError):
        api.restore_server_files(repository, tmp_path / "out")
    os.close(descriptor)
    (staging / "rest").write_text("of a killed one")
    api.restore_server_files(repository, tmp_path / "out")
    assert not staging.exists()
    assert not (tmp_path / "out/rest").exists()


def test_a_link_in_the_place_of_the_scratch_folder_is_not_followed(made: Synthetic, tmp_path: Path) -> None:
    repository, _ = new_repository()
    take(made, repository)
    os.symlink(made.home, tmp_path / ".out.neokeep-new")
    before = read_tree(made.home)
    with pytest.raises(RepositoryError, match="cannot write into"):
        api.restore_server_files(repository, tmp_path / "out")
    assert read_tree(made.home) == before
