"""What each file of a database directory is, and that listing survives a directory that changes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from neokeep.errors import AccessError, SourceError
from neokeep.neo4j.store.layout import (
    RECORD_STORES,
    FileKind,
    ListedFile,
    classify,
    index_directory,
    list_database,
    rebuildable,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path


def fill(directory: Path, *paths: str) -> Path:
    for path in paths:
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        (directory / path).write_bytes(path.encode())
    return directory


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("neostore", FileKind.NEOSTORE),
        ("neostore.nodestore.db", FileKind.RECORD_STORE),
        ("neostore.propertystore.db.index.keys", FileKind.RECORD_STORE),
        ("neostore.nodestore.db.id", FileKind.TREE),
        ("neostore.counts.db", FileKind.TREE),
        ("neostore.relationshipgroupstore.degrees.db", FileKind.TREE),
        ("neostore.labelscanstore.db", FileKind.TREE),
        ("schema/index/range-1.0/7/index-7", FileKind.TREE),
        ("schema/index/native-btree-1.0/6/index-6", FileKind.TREE),
        ("schema/index/lucene_native-3.0/10/native-btree-1.0/index-10", FileKind.TREE),
        ("schema/index/range-1.0/7/index-7.scan-0", FileKind.NEVER),
        ("schema/index/range-1.0/7/index-7.ext", FileKind.NEVER),
        ("schema/index/text-2.0/5/failure-message", FileKind.OTHER),
        ("database_lock", FileKind.NEVER),
        ("quarantine_marker", FileKind.NEVER),
        ("id-buffer.tmp.0", FileKind.NEVER),
        (".neokeep-restore/neostore", FileKind.NEVER),
        ("neostore.transaction.db.3", FileKind.NEVER),
        ("checkpoint.0", FileKind.NEVER),
        ("tools/anything", FileKind.OTHER),
        ("block.x1.db", FileKind.OTHER),
        ("nodes/neostore", FileKind.OTHER),
    ],
)
def test_each_file_has_the_kind_of_its_name(path: str, kind: FileKind) -> None:
    assert classify(path) is kind


def test_every_file_of_a_lucene_directory_belongs_to_it_but_its_lock(tmp_path: Path) -> None:
    directory = "schema/index/fulltext-1.0/3"
    fill(tmp_path, *(f"{directory}/{name}" for name in ("1/segments_7", "1/_m.cfs", "1/write.lock", "failure-message")))
    listing = list_database(tmp_path)
    assert listing.lucene == (f"{directory}/1",)
    assert [(file.path.rsplit("/", 1)[1], file.kind) for file in listing.files] == [
        ("_m.cfs", FileKind.LUCENE),
        ("segments_7", FileKind.LUCENE),
        ("write.lock", FileKind.NEVER),
        ("failure-message", FileKind.OTHER),
    ]
    assert listing.unknown == ()


def test_a_lucene_directory_without_a_commit_is_one_too(tmp_path: Path) -> None:
    fill(tmp_path, "schema/index/text-2.0/5/1/write.lock", "schema/index/text-2.0/5/1/_0.fdt")
    assert list_database(tmp_path).lucene == ("schema/index/text-2.0/5/1",)


def test_a_listing_is_sorted_and_has_sizes(tmp_path: Path) -> None:
    fill(tmp_path, "neostore", "neostore.nodestore.db", "neostore.counts.db")
    listing = list_database(tmp_path)
    assert listing.files[0] == ListedFile("neostore", 8, FileKind.NEOSTORE)
    assert [file.path for file in listing.files] == sorted(file.path for file in listing.files)
    assert [file.path for file in listing.of_kind(FileKind.TREE)] == ["neostore.counts.db"]


def test_a_file_that_no_table_knows_is_other_and_reported(tmp_path: Path) -> None:
    fill(tmp_path, "neostore", "surprise.db", "tools/log")
    listing = list_database(tmp_path)
    assert listing.unknown == ("surprise.db",)
    assert [file.path for file in listing.of_kind(FileKind.OTHER)] == ["surprise.db", "tools/log"]


@pytest.mark.parametrize("name", ["migrate", "upgrade"])
def test_an_unfinished_migration_is_noticed(name: str, tmp_path: Path) -> None:
    assert not list_database(fill(tmp_path, "neostore")).migrating
    assert list_database(fill(tmp_path, f"{name}/_status")).migrating


def test_symbolic_links_to_directories_and_files_are_followed(tmp_path: Path) -> None:
    real = fill(tmp_path / "disk2", "neostore", "neostore.nodestore.db")
    index = fill(tmp_path / "disk3", "index/range-1.0/7/index-7")
    (real / "schema").symlink_to(index)
    (tmp_path / "neo4j").symlink_to(real)
    assert [file.path for file in list_database(tmp_path / "neo4j").files] == [
        "neostore",
        "neostore.nodestore.db",
        "schema/index/range-1.0/7/index-7",
    ]


def test_a_link_in_a_circle_and_a_broken_link_do_no_harm(tmp_path: Path) -> None:
    fill(tmp_path, "neostore", "schema/index/range-1.0/7/index-7")
    (tmp_path / "schema" / "again").symlink_to(tmp_path)
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    (tmp_path / "itself").symlink_to(tmp_path / "itself")
    assert len(list_database(tmp_path).files) == 2


def test_files_that_vanish_while_listing_were_never_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path, "neostore", "schema/index/range-1.0/7/index-7", "schema/index/range-1.0/9/index-9")
    real_scandir = os.scandir

    def scandir_after_drop(path: str) -> AbstractContextManager[Iterator[os.DirEntry[str]]]:
        if path.endswith("7/"):
            (tmp_path / "schema/index/range-1.0/7/index-7").unlink()
            (tmp_path / "schema/index/range-1.0/7").rmdir()
        return real_scandir(path)

    monkeypatch.setattr(os, "scandir", scandir_after_drop)
    assert [file.path for file in list_database(tmp_path).files] == ["neostore", "schema/index/range-1.0/9/index-9"]


def test_what_is_no_directory_is_a_source_error(tmp_path: Path) -> None:
    for path in (tmp_path / "absent", fill(tmp_path, "file") / "file"):
        with pytest.raises(SourceError, match="not a directory"):
            list_database(path)


def test_a_directory_that_may_not_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str) -> None:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(AccessError, match=str(tmp_path)):
        list_database(tmp_path)


def test_neo4j_rebuilds_indexes_counts_and_ids_but_no_record_store() -> None:
    for store in RECORD_STORES:
        assert not rebuildable(store)
        assert rebuildable(f"{store}.id")
    assert rebuildable("neostore.counts.db")
    assert rebuildable("schema/index/fulltext-1.0/3/1/segments_1")
    assert not rebuildable("neostore")
    assert not rebuildable("surprise.db")


def test_all_parts_of_an_index_have_one_directory() -> None:
    assert index_directory("schema/index/fulltext-1.0/3/1/segments_1") == "schema/index/fulltext-1.0/3"
    assert index_directory("schema/index/fulltext-1.0/3/failure-message") == "schema/index/fulltext-1.0/3"
    assert index_directory("neostore") is None


@example(["."])
@given(st.lists(st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1), min_size=1))
def test_any_path_has_a_kind(parts: list[str]) -> None:
    path = "/".join(parts)
    assert classify(path) in FileKind
    assert isinstance(rebuildable(path), bool)
