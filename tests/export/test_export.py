"""Exporting a stopped database: what is written where, and what a failed or killed export leaves behind."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from pyarrow import parquet as pq

from helpers.breaking import Breaker
from helpers.breakings import BREAKINGS
from helpers.database import Synthetic, read_tree
from helpers.small_store import MANY_LABELS, PARAMETERS, PEOPLE
from neokeep import api
from neokeep.cli.main import main
from neokeep.errors import ConfigurationError, LockedError, SpaceError, UsageError
from neokeep.export import parquet, run
from neokeep.neo4j import locks
from neokeep.neo4j.store.pages import DirectoryPages

if TYPE_CHECKING:
    from pathlib import Path


def table_of(directory: Path, name: str) -> Any:
    return pq.read_table(directory / f"{name}.parquet")


def test_each_label_set_and_each_type_is_a_table(made: Synthetic, tmp_path: Path) -> None:
    before = read_tree(made.home)
    report = api.export(api.subject("neo4j", home=made.home), tmp_path / "out")
    out = tmp_path / "out"
    assert (report.whole, report.damages, report.label) == (True, (), None)
    assert {path.name for path in out.iterdir()} == {"nodes", "relationships", "schema.cypher", "manifest.json"}
    assert {path.name for path in (out / "relationships").iterdir()} == {
        f"{one}.parquet" for one in ("A", "B", "C", "D", "KNOWS", "LIKES")
    }
    people = table_of(out, "nodes/Person")
    assert people.schema.names == ["id", "labels", "about", "name", "number"]
    assert people["number"].to_pylist() == list(range(1, PEOPLE + 1))
    assert people["labels"].to_pylist() == [["Person"]] * PEOPLE
    assert people["about"].to_pylist() == [f"{PARAMETERS['long']}{number}" for number in range(1, PEOPLE + 1)]
    ids = dict(zip(people["id"].to_pylist(), people["number"].to_pylist(), strict=True))
    knows = table_of(out, "relationships/KNOWS").to_pylist()
    assert all(ids[one["start"]] == one["since"] and ids[one["end"]] - one["since"] in (1, 3) for one in knows)
    (many,) = [table for table in report.tables if table.names == tuple(sorted(MANY_LABELS))]
    assert many.rows == 1
    assert read_tree(made.home) == before


def test_the_manifest_is_the_report_and_counts_what_is_there(made: Synthetic, tmp_path: Path) -> None:
    report = api.export(api.subject("neo4j", home=made.home), tmp_path / "out")
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["nodes"] == report.nodes == sum(table.rows for table in report.tables if table.kind == "nodes")
    values = 0
    for table in report.tables:
        (file,) = table.files
        written = pq.read_table(tmp_path / "out" / file)
        assert written.num_rows == table.rows
        for column in table.columns:
            assert written.num_rows - written[column.name].null_count == column.values
            values += column.values
            field = written.schema.field(column.name)
            assert field.metadata[b"neo4j_key"].decode() == column.key
    assert report.properties == values


def test_the_schema_is_written_as_cypher(made: Synthetic, tmp_path: Path) -> None:
    report = api.export(api.subject("neo4j", home=made.home), tmp_path / "out")
    lines = (tmp_path / "out" / "schema.cypher").read_text().splitlines()
    assert "CREATE CONSTRAINT `person_number` IF NOT EXISTS FOR (e:`Person`) REQUIRE e.`number` IS UNIQUE;" in lines
    assert "CREATE INDEX `person_name` IF NOT EXISTS FOR (e:`Person`) ON (e.`name`);" in lines
    assert (report.constraints, report.indexes, report.schema_left_out) == (1, 3, ())


def test_tables_beyond_the_open_files_and_the_memory_come_out_whole(
    made: Synthetic, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subject = api.subject("neo4j", home=made.home)
    expected = api.export(subject, tmp_path / "expected")
    for name, value in (("OPEN_FILES", 2), ("WAITING_BYTES", 1500), ("GROUP_ROWS", 50)):
        monkeypatch.setattr(parquet, name, value)
    monkeypatch.setattr("neokeep.export.survey.RECORDS_AT_ONCE", 500)
    monkeypatch.setattr("neokeep.export.texts.MOST_BYTES", 2000)
    found = api.export(subject, tmp_path / "found")
    assert found.tables == expected.tables
    for table in expected.tables:
        assert table_of(tmp_path / "found", table.files[0][:-8]).equals(
            table_of(tmp_path / "expected", table.files[0][:-8])
        )
    assert not list((tmp_path / "found").rglob("*.spill"))


def test_a_damaged_graph_is_exported_without_what_cannot_be_read(
    made: Synthetic, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (broken,) = (one for one in BREAKINGS if one.name == "a value is of a type that is none")
    with DirectoryPages(made.store_directory) as pages:
        breaker = Breaker(pages)
        code, _, record = broken.apply(breaker)
    breaker.write(made.store_directory)
    out = tmp_path / "out"
    assert main(["export", "neo4j", "--home", str(made.home), "--to-path", str(out)]) == 24
    assert "is not whole" in capsys.readouterr().err
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["whole"] is False
    assert any(code in one and str(record) in one for one in manifest["damages"])


@pytest.mark.parametrize("there", ["something", "unfinished"])
def test_a_directory_with_something_in_it_is_refused_and_stays_as_it_is(
    made: Synthetic, tmp_path: Path, there: str
) -> None:
    (tmp_path / "out" / there).mkdir(parents=True)
    with pytest.raises(UsageError, match="did not finish" if there == "unfinished" else "not empty"):
        api.export(api.subject("neo4j", home=made.home), tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == [there]


def test_an_empty_directory_is_filled(made: Synthetic, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    api.export(api.subject("neo4j", home=made.home), tmp_path / "out")
    assert (tmp_path / "out" / "manifest.json").is_file()


@pytest.mark.parametrize("empty", [True, False])
def test_a_full_disk_is_told_and_nothing_is_left(
    made: Synthetic, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, empty: bool
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    if empty:
        (tmp_path / "out").mkdir()
    monkeypatch.setattr(pq.ParquetWriter, "write_table", full)
    with pytest.raises(SpaceError, match="No space left"):
        api.export(api.subject("neo4j", home=made.home), tmp_path / "out")
    assert (tmp_path / "out").exists() is empty
    assert not empty or not list((tmp_path / "out").iterdir())


def test_a_server_that_starts_meanwhile_voids_the_export(
    made: Synthetic, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Any] = []
    real = run.planned

    def start_and_plan(*arguments: Any, **options: Any) -> Any:
        if not started:
            started.append(locks.hold(made.opened.lock_path))
            started[0].__enter__()
        return real(*arguments, **options)

    monkeypatch.setattr(run, "planned", start_and_plan)
    try:
        with pytest.raises(LockedError):
            api.export(api.subject("neo4j", home=made.home), tmp_path / "out")
    finally:
        started[0].__exit__(None, None, None)
    assert not (tmp_path / "out").exists()


KILLED = """
import os, sys
from neokeep import api
from neokeep.export import target
steps = iter(range(1000))
def die(real):
    def called(*arguments, **options):
        if next(steps) == int(sys.argv[3]):
            os._exit(9)
        return real(*arguments, **options)
    return called
for name in ("_sync", "fsync_directory"):
    setattr(target, name, die(getattr(target, name)))
api.export(api.subject("neo4j", home=sys.argv[1]), sys.argv[2])
"""


@pytest.mark.faults
def test_killed_at_any_step_of_its_end_an_export_is_complete_or_says_that_it_is_not(
    made: Synthetic, tmp_path: Path
) -> None:
    ended = []
    for step in (0, 5, 13, 14, 15, 16, 17, 18, 19, 20, 21):
        out = tmp_path / f"out-{step}"
        command = [sys.executable, "-c", KILLED, str(made.home), str(out), str(step)]
        ended.append(subprocess.run(command, check=False, capture_output=True).returncode)
        if (out / "manifest.json").exists():
            manifest = json.loads((out / "manifest.json").read_text())
            for table in manifest["tables"]:
                assert pq.read_metadata(out / table["files"][0]).num_rows == table["rows"]
        else:
            with pytest.raises(UsageError):
                api.export(api.subject("neo4j", home=made.home), out)
    assert set(ended) == {0, 9}


def test_without_pyarrow_it_is_said_what_to_install(
    made: Synthetic, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("neokeep.api.graphs.find_spec", lambda _: None)
    with pytest.raises(ConfigurationError, match="pyarrow") as raised:
        api.export(api.subject("neo4j", home=made.home), tmp_path / "out")
    assert "neokeep[export]" in raised.value.remedy
    assert not (tmp_path / "out").exists()


def test_a_table_of_relationships_has_their_ends(made: Synthetic, tmp_path: Path) -> None:
    api.export(api.subject("neo4j", home=made.home), tmp_path / "out")
    schema = pq.read_schema(tmp_path / "out" / "relationships" / "KNOWS.parquet")
    assert [(field.name, field.type) for field in schema] == [
        (name, pa.int64()) for name in ("id", "start", "end", "since")
    ]
