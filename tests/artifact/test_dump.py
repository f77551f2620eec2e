"""Dumping databases: what comes out is what was there, clean, whole or not at all."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import sys
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from helpers.artifacts import read_all
from helpers.backups import new_repository, take
from helpers.calls import Killed, killed_at
from helpers.database import Synthetic, make_clean
from helpers.fuzzy import Fuzzy
from helpers.victim import steps
from neokeep import api
from neokeep.errors import RepositoryError, SourceError, UsageError
from neokeep.files import punch_hole
from neokeep.neo4j import locks
from neokeep.neo4j.store.layout import rebuildable
from neokeep.restore.recover import is_clean

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def clean(tmp_path: Path) -> Synthetic:
    """A clean database of Neo4j 5."""
    return make_clean(tmp_path / "home")


def unpacked(path: Path) -> dict[str, bytes]:
    return read_all(path.read_bytes())[1]


def test_a_stopped_database_is_dumped_as_it_is(tmp_path: Path, clean: Synthetic) -> None:
    report = api.dump("NEO4J", tmp_path, home=clean.home)
    assert report.path == str(tmp_path / "neo4j.dump")
    assert unpacked(tmp_path / "neo4j.dump") == clean.store | clean.log
    assert (report.running, report.recovered_by, report.indexes) == (False, None, "copy")
    assert report.last_tx == clean.logs[0].last_transaction
    assert report.size_bytes == (tmp_path / "neo4j.dump").stat().st_size


def test_without_indexes_only_what_neo4j_cannot_rebuild_is_in_it(tmp_path: Path, clean: Synthetic) -> None:
    api.dump("neo4j", tmp_path / "x", home=clean.home, indexes="rebuild")
    kept = {name: data for name, data in clean.store.items() if not rebuildable(name)}
    assert unpacked(tmp_path / "x") == kept | clean.log


@pytest.mark.parametrize("kernel", [4, 20, 32])
def test_what_was_dumped_is_loaded_again(tmp_path: Path, kernel: int) -> None:
    made = make_clean(tmp_path / "home", kernel)
    api.dump("neo4j", tmp_path / "any name.dump", home=made.home)
    report = api.load(tmp_path / "any name.dump", tmp_path / "other", loaded_as="neo4j")
    assert report.clean
    assert api.dump("neo4j", tmp_path, home=tmp_path / "other").content_bytes == report.content_bytes
    assert unpacked(tmp_path / "neo4j.dump") == made.store | made.log


def test_two_dumps_of_one_database_are_the_same_bytes(tmp_path: Path, clean: Synthetic) -> None:
    for name in ("one", "two"):
        api.dump("neo4j", tmp_path / name, home=clean.home)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_a_full_artifact_has_a_true_header(tmp_path: Path, clean: Synthetic) -> None:
    report = api.dump("neo4j", tmp_path, home=clean.home, format="backup")
    assert report.path is not None
    (info,) = api.inspect(report.path).artifacts
    assert (info.type, info.database, info.recovered, info.compression) == ("full", "neo4j", True, "zstd")
    assert (info.lowest_tx, info.highest_tx) == (1, report.last_tx)
    assert info.store_id == report.store_id == str(clean.opened.store_id())
    assert info.time is not None
    assert f"neo4j-{info.time:%Y-%m-%dT%H-%M-%S}.backup" == os.path.basename(report.path)


def test_the_id_of_a_database_without_one_is_that_of_its_store(tmp_path: Path, clean: Synthetic) -> None:
    longs = {0: 5, 1: 6}
    for ids, expected in ((longs, UUID(int=5 << 64 | 6)), (longs | {2: 7, 3: 8}, UUID(int=7 << 64 | 8))):
        page = bytearray((clean.store_directory / "neostore").read_bytes())
        for slot in range(4):
            page[9 * slot : 9 * slot + 9] = struct.pack(">Bq", slot in ids, ids.get(slot, 0))
        (clean.store_directory / "neostore").write_bytes(page)
        api.dump("neo4j", tmp_path / "x.backup", home=clean.home, format="backup", overwrite=True)
        (info,) = api.inspect(tmp_path / "x.backup").artifacts
        assert info.database_id == str(expected)


def test_a_database_of_neo4j_4_has_no_artifact(tmp_path: Path) -> None:
    made = make_clean(tmp_path / "home", kernel=4)
    with pytest.raises(SourceError, match=r"does not load \.backup files"):
        api.dump("neo4j", tmp_path / "out.backup", home=made.home, format="backup")
    assert not (tmp_path / "out.backup").exists()


def fuzzy_home(home: Path, kernel: int = 20) -> Fuzzy:
    """A home whose database recovery is due for, and what recovery makes of it."""
    expected = Fuzzy(home.parent / "expected", kernel)
    expected.recover()
    made = Fuzzy(home.parent / "made", kernel)
    for area, folder in (("databases", made.store), ("transactions", made.log)):
        shutil.copytree(folder, home / "data" / area / "neo4j")
    return expected


def recovered(files: dict[str, bytes]) -> dict[str, bytes]:
    """All but the checkpoint file, which holds the time of the recovery."""
    return {name: data for name, data in files.items() if not name.startswith("checkpoint")}


@pytest.mark.parametrize("kernel", [20, *(pytest.param(kernel, marks=pytest.mark.slow) for kernel in (4, 32))])
def test_a_database_that_crashed_is_recovered_in_scratch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kernel: int
) -> None:
    monkeypatch.setattr("neokeep.capture.logs._LIVE_TRIES", 2)
    expected = fuzzy_home(tmp_path / "home", kernel)
    report = api.dump("neo4j", tmp_path, home=tmp_path / "home", scratch=tmp_path)
    assert (report.running, report.recovered_by, report.indexes) == (False, "native", "rebuild")
    found = unpacked(tmp_path / "neo4j.dump")
    assert recovered(found) == {
        name: data for name, data in recovered(expected.content()).items() if not rebuildable(name)
    }
    api.load(tmp_path / "neo4j.dump", tmp_path / "other")
    assert is_clean(tmp_path / "other" / "data" / "transactions" / "neo4j")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["expected", "home", "made", "neo4j.dump", "other"]


def test_an_open_database_is_captured(tmp_path: Path, clean: Synthetic) -> None:
    with locks.hold(clean.opened.lock_path):
        report = api.dump("neo4j", tmp_path, home=clean.home)
    assert (report.running, report.recovered_by) == (True, None)
    zeros = {name: data.rstrip(b"\0") for name, data in clean.log.items()}
    found = unpacked(tmp_path / "neo4j.dump")
    assert {name: data.rstrip(b"\0") for name, data in found.items()} == {
        name: data.rstrip(b"\0") for name, data in clean.store.items()
    } | zeros


def test_a_backup_is_dumped_out_of_a_repository_without_its_source(tmp_path: Path, clean: Synthetic) -> None:
    repository, _ = new_repository()
    label = take(clean, repository).label
    shutil.rmtree(clean.home)
    report = api.dump("neo4j", tmp_path / "x", repository=repository, label=label, scratch=tmp_path)
    assert (report.label, report.segments, report.running, report.indexes) == (label, 0, None, "copy")
    found = unpacked(tmp_path / "x")
    assert {name: found[name] for name in clean.store} == clean.store
    assert list(tmp_path.iterdir()) == [tmp_path / "x"]


def test_the_header_of_an_artifact_tells_when_the_backup_was_taken(tmp_path: Path, clean: Synthetic) -> None:
    repository, _ = new_repository()
    taken = take(clean, repository)
    api.dump("neo4j", tmp_path / "x.backup", repository=repository, label=taken.label, format="backup")
    (info,) = api.inspect(tmp_path / "x.backup").artifacts
    assert info.time == taken.finished_at.replace(microsecond=0)


def test_what_is_not_there_cannot_be_dumped(tmp_path: Path, clean: Synthetic) -> None:
    repository, _ = new_repository()
    with pytest.raises(RepositoryError):
        api.dump("neo4j", tmp_path, repository=repository)
    with pytest.raises(SourceError, match="no database"):
        api.dump("movies", tmp_path, home=clean.home)
    assert list(tmp_path.iterdir()) == [clean.home]


def test_a_file_that_is_there_is_replaced_only_when_told_so(tmp_path: Path, clean: Synthetic) -> None:
    (tmp_path / "neo4j.dump").write_bytes(b"precious")
    with pytest.raises(UsageError, match="exists already"):
        api.dump("neo4j", tmp_path, home=clean.home)
    assert (tmp_path / "neo4j.dump").read_bytes() == b"precious"
    api.dump("neo4j", tmp_path, home=clean.home, overwrite=True)
    assert unpacked(tmp_path / "neo4j.dump") == clean.store | clean.log


@pytest.mark.parametrize("to_path", ["nowhere/x.dump", "nowhere/", "ftp://host/x.dump", "s3://bucket/no name.dump"])
def test_a_place_that_makes_no_sense_is_refused(tmp_path: Path, clean: Synthetic, to_path: str) -> None:
    place = to_path if "://" in to_path else f"{tmp_path}/{to_path}"
    with pytest.raises(UsageError):
        api.dump("neo4j", place, home=clean.home)


def test_nothing_is_written_among_databases_or_over_what_is_no_file(tmp_path: Path, clean: Synthetic) -> None:
    for place in (clean.store_directory, clean.log_directory.parent / "x.dump"):
        with pytest.raises(UsageError, match="keeps its databases"):
            api.dump("neo4j", place, home=clean.home)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError, match="no regular file"):
        api.dump("neo4j", tmp_path / "pipe", home=clean.home, overwrite=True)
    assert clean.opened.store_directory.is_dir()


@pytest.mark.parametrize("wrong", [{"format": "tar"}, {"indexes": "some"}, {"home": None}, {"repository": "/r"}])
def test_words_that_make_no_sense_are_refused(tmp_path: Path, clean: Synthetic, wrong: dict[str, str]) -> None:
    with pytest.raises(UsageError):
        api.dump("neo4j", tmp_path, **({"home": clean.home} | wrong))  # type: ignore[arg-type]


def test_to_a_pipe_goes_the_archive_and_nothing_else(clean: Synthetic) -> None:
    command = [sys.executable, "-m", "neokeep", "dump", "neo4j", "--home", str(clean.home), "--to-path", "-"]
    done = subprocess.run(command, capture_output=True, check=True)
    assert read_all(done.stdout)[1] == clean.store | clean.log


@pytest.mark.faults
def test_killed_at_any_call_there_is_a_whole_archive_or_none(tmp_path: Path, clean: Synthetic) -> None:
    with killed_at(10_000) as calls:
        api.dump("neo4j", tmp_path, home=clean.home)
    whole = (tmp_path / "neo4j.dump").read_bytes()
    for step in steps(len(calls)):
        folder = tmp_path / f"{step}"
        folder.mkdir()
        with pytest.raises(Killed), killed_at(step):
            api.dump("neo4j", folder, home=clean.home)
        assert [path.read_bytes() for path in folder.iterdir() if path.suffix != ".part"] in ([], [whole])


def test_a_file_system_without_nameless_files_is_no_obstacle(
    tmp_path: Path, clean: Synthetic, monkeypatch: pytest.MonkeyPatch
) -> None:
    # An open of a directory for writing, as an old kernel or NFS takes O_TMPFILE for.
    monkeypatch.setattr(os, "O_TMPFILE", os.O_DIRECTORY)
    api.dump("neo4j", tmp_path, home=clean.home)
    assert unpacked(tmp_path / "neo4j.dump") == clean.store | clean.log
    assert not list(tmp_path.glob(".neokeep*"))


def test_a_punched_hole_reads_as_zeros(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * 20_000)
    with path.open("r+b") as file:
        punch_hole(file.fileno(), 4096, 8192)
    assert path.read_bytes() == b"x" * 4096 + bytes(8192) + b"x" * (20_000 - 12_288)
