"""Where archives are found: files, folders, and storages by their URLs."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from helpers.artifacts import METADATA, artifact, differential, read_all
from helpers.storages import MemoryStorage
from neokeep import api
from neokeep.artifact.places import find_all, opened
from neokeep.errors import IntegrityError, SourceError, UsageError
from neokeep.storage.place import Place

if TYPE_CHECKING:
    from pathlib import Path

DUMP = artifact("DZV1")


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> MemoryStorage:
    """A storage in the place of s3://bucket."""
    storage = MemoryStorage()

    def open_storage(place: Place) -> MemoryStorage:
        assert place.url == "s3://bucket"
        return storage

    monkeypatch.setattr("neokeep.storage.open.open_storage", open_storage)
    return storage


def test_a_folder_is_searched_to_its_ground_but_not_through_links(tmp_path: Path) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    for name in ("b.dump", "deep/a.backup", "deep/er/c.dump", "notes.txt"):
        (tmp_path / name).write_bytes(DUMP)
    os.symlink(tmp_path, tmp_path / "deep" / "round")
    found = find_all(Place(str(tmp_path)))
    assert [one.name for one in found] == ["b.dump", "deep/a.backup", "deep/er/c.dump"]
    assert {one.size for one in found} == {len(DUMP)}


def test_a_file_may_have_any_name(tmp_path: Path) -> None:
    (tmp_path / "monday").write_bytes(DUMP)
    (info,) = api.inspect(f"file://{tmp_path}/monday").artifacts
    assert (info.path, info.type, info.files) == ("monday", "dump", 3)


def test_what_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no archive at"):
        api.inspect(tmp_path / "nowhere")
    with pytest.raises(UsageError, match="is a directory"), opened(Place(str(tmp_path))):
        pass
    assert api.inspect(tmp_path).artifacts == ()


def test_an_archive_of_a_storage_is_read_in_ranges(bucket: MemoryStorage) -> None:
    bucket.create("dumps/neo4j.dump", DUMP)
    storage_place = Place("s3://bucket/dumps")
    (one,) = find_all(storage_place)
    assert (one.place.url, one.name, one.size) == ("s3://bucket/dumps/neo4j.dump", "neo4j.dump", len(DUMP))


def test_a_single_object_is_opened_and_read_to_its_end(bucket: MemoryStorage) -> None:
    bucket.create("neo4j.dump", DUMP)
    with opened(Place("s3://bucket/neo4j.dump")) as source:
        data = b"".join(iter(lambda: source.read(1000), b""))
    assert read_all(data)[1]
    with pytest.raises(SourceError, match="no archive at"), opened(Place("s3://bucket/other.dump")):
        pass
    with pytest.raises(SourceError, match="no archive at"):
        find_all(Place("s3://bucket/other"))


@pytest.mark.parametrize("url", ["s3://bucket", "s3://bucket/no name.dump"])
def test_a_url_without_a_name_that_can_be_is_refused(url: str) -> None:
    with pytest.raises(UsageError):
        find_all(Place(url))


def test_a_folder_of_artifacts_is_put_in_order_and_what_is_damaged_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.backup").write_bytes(artifact("BZV2", metadata=METADATA))
    (tmp_path / "b.backup").write_bytes(artifact("BZV3", metadata=differential(82, 90)))
    (tmp_path / "c.dump").write_bytes(DUMP[:40])
    report = api.inspect(tmp_path)
    assert [(chain.full, chain.differentials, chain.last_tx) for chain in report.chains] == [
        ("a.backup", ("b.backup",), 90)
    ]
    assert [failure.subject for failure in report.failures] == ["c.dump"]
    with pytest.raises(IntegrityError):
        api.inspect(tmp_path / "c.dump")
