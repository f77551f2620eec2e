"""The graph in an archive is read as `load` and a start of Neo4j would leave it; bad archives leave nothing behind."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from helpers.artifacts import BAD, artifact, bad_archives, differential, whole, write
from helpers.breaking import Breaker
from helpers.breakings import BREAKINGS
from helpers.database import log_files, make_database, make_logs, neostore_bytes, read_tree, tree_bytes
from helpers.fuzzy import Fuzzy
from helpers.small_store import unpack
from neokeep import api
from neokeep.cli.main import main
from neokeep.errors import NeokeepError, RepositoryError, SourceError, UsageError
from neokeep.graph.archived import opened_archive
from neokeep.neo4j.recovery.layout import FILES
from neokeep.neo4j.store.pages import DirectoryPages
from neokeep.progress import Silent
from neokeep.storage.place import Place

if TYPE_CHECKING:
    from pathlib import Path

    from neokeep.graph.opened import OpenedStore
    from neokeep.neo4j.recovery.layout import Store

KERNEL = 20
ENDS = 4
TREE = "neostore.counts.db"
LUCENE = "schema/index/fulltext-1.0/9/9/segments_3"


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of a stopped database with the small store, and of some things beside it."""
    store = read_tree(unpack(tmp_path_factory.mktemp("small"))) | {"neostore": neostore_bytes(KERNEL)}
    store |= {TREE: tree_bytes(5), LUCENE: b"lucene"}
    return store | log_files(make_logs(KERNEL, files=1, each=ENDS), checkpoint_at=ENDS)


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    folder = tmp_path / "scratch"
    folder.mkdir()
    return folder


def broken(files: dict[str, bytes], directory: Path, name: str) -> tuple[dict[str, bytes], tuple[str, Store, int]]:
    """Break what lies in an archive."""
    directory.mkdir()
    for store in FILES.values():
        (directory / store).write_bytes(files[store])
    (breaking,) = (one for one in BREAKINGS if one.name == name)
    with DirectoryPages(directory) as pages:
        breaker = Breaker(pages)
        expected = breaking.apply(breaker)
    breaker.write(directory)
    return files | read_tree(directory), expected


def content(store: OpenedStore, name: str) -> bytes:
    return store.pages.read(name, 0, store.pages.size(name) or 0).tobytes()


@pytest.mark.parametrize("magic", ["DZV1", "DGV1", "BZV2"])
def test_the_graph_of_a_stopped_database_is_whole(
    small: dict[str, bytes], tmp_path: Path, scratch: Path, magic: str
) -> None:
    path = write(tmp_path / "movies.dump", artifact(magic, small))
    report = api.check_consistency(api.subject(archive=path, scratch=scratch))
    assert report.ok
    assert report.nodes > 150
    assert report.database == ("neo4j" if magic == "BZV2" else "movies")
    assert (report.subject, report.archive, report.label) == (str(path), str(path), None)
    assert report.last_transaction == 1 + ENDS
    assert list(scratch.iterdir()) == []


def test_what_is_broken_in_an_archive_is_found(small: dict[str, bytes], tmp_path: Path, scratch: Path) -> None:
    files, (code, store, record) = broken(small, tmp_path / "broken", "a chain is cut")
    path = write(tmp_path / "neo4j.dump", artifact("DZV1", files))
    report = api.check_consistency(api.subject(archive=path, scratch=scratch))
    assert (code, FILES[store], record) in {(one.code, one.store, one.record) for one in report.findings}


def test_trees_of_a_clean_database_are_unpacked_and_lucene_is_not(
    small: dict[str, bytes], tmp_path: Path, scratch: Path
) -> None:
    path = write(tmp_path / "neo4j.dump", artifact("DZV1", small))
    with opened_archive(Place(str(path)), scratch=scratch, progress=Silent()) as store:
        assert content(store, TREE) == small[TREE]
        assert store.pages.size(LUCENE) is None


@pytest.mark.parametrize("kernel", [4, 20, 32])
def test_a_log_that_is_not_in_the_store_yet_is_applied(tmp_path: Path, scratch: Path, kernel: int) -> None:
    fuzzy = Fuzzy(tmp_path / "fuzzy", kernel)
    path = write(tmp_path / "neo4j.dump", artifact("DZV1", fuzzy.content()))
    fuzzy.recover()
    with opened_archive(Place(str(path)), scratch=scratch, progress=Silent()) as store:
        for name in FILES.values():
            assert content(store, name) == (fuzzy.store / name).read_bytes()
        # They are of the time before the log.
        assert store.pages.size(TREE) is None
        assert store.last_transaction == fuzzy.logs[1].last_before + 3
    assert list(scratch.iterdir()) == []


@pytest.fixture(scope="module")
def bad(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return bad_archives(make_database(tmp_path_factory.mktemp("bad"), KERNEL))


@pytest.mark.parametrize("what", [name for name in BAD if name != "a file where a directory is"])
def test_a_bad_archive_is_refused_and_leaves_nothing(
    tmp_path: Path, scratch: Path, bad: dict[str, bytes], what: str
) -> None:
    path = write(tmp_path / "neo4j.dump", bad[what])
    with pytest.raises(NeokeepError) as problem:
        api.check_consistency(api.subject(archive=path, scratch=scratch))
    assert str(scratch) not in problem.value.message
    assert problem.value.exit_status != 24
    assert list(scratch.iterdir()) == []


def test_a_differential_archive_holds_no_graph(tmp_path: Path, scratch: Path) -> None:
    path = write(tmp_path / "neo4j.backup", artifact("BZV3", metadata=differential(5, 9)))
    with pytest.raises(SourceError, match="differential"):
        api.check_consistency(api.subject(archive=path, scratch=scratch))
    assert list(scratch.iterdir()) == []


def test_an_archive_is_read_from_standard_input(
    small: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with write(tmp_path / "some.dump", artifact("DZV1", small)).open("rb") as file:
        monkeypatch.setattr(sys, "stdin", file)
        report = api.check_consistency(api.subject(archive="-"))
    assert (report.database, report.subject, report.archive) == ("unnamed", "standard input", "-")


def test_a_folder_of_several_archives_names_none(tmp_path: Path, scratch: Path) -> None:
    folder = tmp_path / "dumps"
    folder.mkdir()
    data = whole(make_database(tmp_path / "home", KERNEL))
    for name in ("a.dump", "b.dump"):
        write(folder / name, data)
    with pytest.raises(UsageError, match="2 archives"):
        api.check_consistency(api.subject(archive=folder, scratch=scratch))


def test_what_to_read_is_named_once() -> None:
    with pytest.raises(UsageError, match="holds one database"):
        api.subject("neo4j", archive="a.dump")
    with pytest.raises(UsageError, match="one of a home"):
        api.subject(archive="a.dump", home="/h")
    with pytest.raises(UsageError, match="no database"):
        api.subject(home="/h")


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("", "no DATABASE"),
        ("neo4j --archive a.dump", "'neo4j'"),
        ("--archive a.dump --backup L", "--backup"),
        ("--archive a.dump --from-source production", "--from-source"),
    ],
)
def test_the_command_line_says_how_to_name_what_is_read(
    line: str, word: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["check-consistency", *line.split(), "--repo", str(tmp_path)]) == 2
    assert word in capsys.readouterr().err


def test_the_exit_status_tells_a_broken_archive(
    small: dict[str, bytes], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "neo4j.dump", artifact("DZV1", small))
    assert main(["check-consistency", "--archive", str(path)]) == 0
    files, _ = broken(small, tmp_path / "broken", "a chain is cut")
    write(path, artifact("DZV1", files))
    assert main(["check-consistency", "--archive", str(path)]) == 24
    assert "an archive holds what the database held" in capsys.readouterr().err


def test_a_place_for_scratch_that_is_not_there_is_told(small: dict[str, bytes], tmp_path: Path) -> None:
    path = write(tmp_path / "neo4j.dump", artifact("DZV1", small))
    with pytest.raises(RepositoryError, match="cannot work in"):
        api.check_consistency(api.subject(archive=path, scratch=tmp_path / "nowhere"))
