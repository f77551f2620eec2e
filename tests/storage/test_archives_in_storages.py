"""Archives of Neo4j's own on real storage servers: written there, read there, and never half of one."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from helpers.artifacts import read_all
from helpers.backups import new_repository
from helpers.database import make_clean
from neokeep import api
from neokeep.cli.main import main
from neokeep.errors import UsageError
from neokeep.storage import streams
from neokeep.storage.base import ObjectExists, ObjectMissing
from neokeep.storage.open import open_storage
from neokeep.storage.place import Place, StorageOptions
from neokeep.storage.streams import open_stream

if TYPE_CHECKING:
    from pathlib import Path

    from helpers.database import Synthetic
    from helpers.servers import S3Server, SshServer

pytestmark = pytest.mark.slow

LARGE = 40 * 1024 * 1024


@pytest.fixture(params=["s3", "sftp", "az"])
def place(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Place:
    """A folder for archives on a server of each kind."""
    if request.param == "az":
        return Place(f"az://{request.getfixturevalue('container')}/{tmp_path.name}")
    if request.param == "s3":
        s3: S3Server = request.getfixturevalue("s3")
        for name, value in s3.environment.items():
            monkeypatch.setenv(name, value)
        return Place(f"s3://{s3.bucket('archives')}/{tmp_path.name}")
    ssh: SshServer = request.getfixturevalue("ssh")
    folder = tmp_path_factory.mktemp("remote") / "archives"
    folder.mkdir()
    return Place(ssh.url(folder), StorageOptions(known_hosts=ssh.known_hosts, key_file=ssh.key))


@pytest.fixture
def clean(tmp_path: Path) -> Synthetic:
    """A clean, stopped database."""
    return make_clean(tmp_path / "home")


def at(place: Place, name: str) -> Place:
    return Place(f"{place.url}/{name}", place.options)


def test_a_dump_goes_to_a_storage_and_is_read_from_there(place: Place, clean: Synthetic, tmp_path: Path) -> None:
    report = api.dump("neo4j", place, home=clean.home)
    assert report.path == f"{place.url}/neo4j.dump"
    (found,) = api.inspect(at(place, "neo4j.dump")).artifacts
    assert found.size_bytes == report.size_bytes
    assert read_all(open_storage(place).read("neo4j.dump"))[1] == clean.store | clean.log
    api.load(at(place, "neo4j.dump"), tmp_path / "other")
    repository, _ = new_repository()
    (backup,) = api.ingest(at(place, "neo4j.dump"), repository).backups
    assert backup.ingested is not None
    assert (backup.ingested.archive, backup.ingested.size_bytes) == (report.path, report.size_bytes)
    assert len(api.ingest(at(place, "neo4j.dump"), repository).skipped) == 1
    assert [one.path for one in api.inspect(place).artifacts] == ["neo4j.dump"]


def test_an_archive_that_is_there_is_replaced_only_when_told_so(place: Place, clean: Synthetic) -> None:
    target = at(place, "any.dump")
    api.dump("neo4j", target, home=clean.home)
    before = open_storage(place).read("any.dump")
    with pytest.raises(UsageError, match="exists already"):
        api.dump("neo4j", target, home=clean.home, indexes="rebuild")
    assert open_storage(place).read("any.dump") == before
    api.dump("neo4j", target, home=clean.home, indexes="rebuild", overwrite=True)
    assert open_storage(place).read("any.dump") != before


@pytest.mark.parametrize("size", [0, 100, LARGE])
def test_what_is_streamed_is_there_as_a_whole_when_it_is_finished(place: Place, size: int) -> None:
    storage, data = open_storage(place), os.urandom(size)
    stream = open_stream(storage, "x.dump", largest=size, overwrite=False)
    for start in range(0, size, 3_000_000):
        stream.write(memoryview(data)[start : start + 3_000_000])
    with pytest.raises(ObjectMissing):
        storage.stat("x.dump")
    stream.finish()
    stream.abandon()
    assert storage.read("x.dump") == data


@pytest.mark.parametrize("size", [100, LARGE])
def test_a_stream_that_is_abandoned_leaves_nothing(place: Place, size: int) -> None:
    storage = open_storage(place)
    storage.create("folder/other.dump", b"x")
    stream = open_stream(storage, "folder/x.dump", largest=size, overwrite=True)
    stream.write(bytes(size))
    stream.abandon()
    del stream
    assert [item.name for item in storage.list("folder")] == ["folder/other.dump"]


@pytest.mark.parametrize("size", [100, LARGE])
def test_who_comes_second_does_not_replace_the_first(place: Place, size: int) -> None:
    storage = open_storage(place)
    stream = open_stream(storage, "x.dump", largest=size, overwrite=False)
    stream.write(bytes(size))
    storage.create("x.dump", b"the first")
    with pytest.raises(ObjectExists):
        stream.finish()
    stream.abandon()
    assert storage.read("x.dump") == b"the first"
    again = open_stream(storage, "x.dump", largest=size, overwrite=True)
    again.write(bytes(size))
    again.finish()
    assert storage.read("x.dump") == bytes(size)


def test_a_dump_that_fails_in_the_middle_is_not_there(
    place: Place, clean: Synthetic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "PART", 1)
    storage = open_storage(place)
    storage.create("other.dump", b"x")

    def torn(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("neokeep.neo4j.artifact.write.ArtifactWriter.finish", torn)
    with pytest.raises(KeyboardInterrupt):
        api.dump("neo4j", place, home=clean.home)
    with pytest.raises(ObjectMissing):
        storage.stat("neo4j.dump")


def test_the_command_line_writes_to_a_bucket(
    s3: S3Server, clean: Synthetic, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in s3.environment.items():
        monkeypatch.setenv(name, value)
    url = f"s3://{s3.bucket('by-hand')}/dumps/"
    assert main(["dump", "neo4j", "--home", str(clean.home), "--to-path", url]) == 0
    assert f"Wrote neo4j to {url}neo4j.dump" in capsys.readouterr().out
    assert main(["inspect", url]) == 0
    assert main(["dump", "neo4j", "--home", str(clean.home), "--to-path", url]) == 2
