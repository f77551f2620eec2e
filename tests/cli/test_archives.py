"""inspect, load, dump and ingest on the command line: what is called, what is printed."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from cli import archives, samples

if TYPE_CHECKING:
    from collections.abc import Callable

    from cli.conftest import Ran, Work


def test_one_archive_is_told_line_by_line(work: Work, run: Callable[..., Ran]) -> None:
    work.answers["inspect"] = archives.ONE
    out = run(f"inspect /dumps/{archives.FULL.path}").out
    assert "transactions:     1 to 35023" in out
    assert "users and roles:  metadataScript" in out


def test_a_folder_is_a_table_and_its_chains_with_their_gaps(work: Work, run: Callable[..., Ran]) -> None:
    work.answers["inspect"] = archives.INSPECTED
    lines = run("inspect /dumps").out.splitlines()
    assert lines[0].split()[:3] == ["ARCHIVE", "TYPE", "DATABASE"]
    assert "whole up to transaction 35023" in "\n".join(lines)
    assert any("35024 to 35099 are missing" in line for line in lines)


def test_a_folder_with_a_damaged_file_is_told_and_fails(work: Work, run: Callable[..., Ran]) -> None:
    work.answers["inspect"] = archives.ONE_DAMAGED
    ran = run("inspect /dumps")
    assert ran.status == 17
    assert "UNUSABLE: old.dump" in ran.out


def test_a_storage_is_reached_as_a_repository_is(work: Work, run: Callable[..., Ran]) -> None:
    work.answers["inspect"] = archives.INSPECTED
    run("inspect s3://bucket/dumps --repo-endpoint http://127.0.0.1:9000 --repo-region here")
    (place,) = work.arguments_of("inspect")
    assert (place.url, place.options.endpoint, place.options.region) == (
        "s3://bucket/dumps", "http://127.0.0.1:9000", "here",
    )  # fmt: skip


def test_load_says_what_was_loaded_and_what_comes_next(work: Work, run: Callable[..., Ran]) -> None:
    work.answers["load"] = archives.LOADED
    ran = run("load /dumps/x.backup --home /h --as other --overwrite")
    assert ran.status == 0
    assert "recovery:             not needed" in ran.out
    assert "1. The archive holds a script" in ran.out
    place, home = work.arguments_of("load")
    assert (place.url, home) == ("/dumps/x.backup", Path("/h"))
    assert work.options_of("load")["loaded_as"] == "other"
    assert work.options_of("load")["overwrite"] is True


def test_info_needs_no_home_and_is_an_answer(work: Work, run: Callable[..., Ran]) -> None:
    work.answers["read_through"] = archives.READ
    assert "read to its end:" in run("load /dumps/movies.dump --info --quiet").out


@pytest.mark.parametrize("line", ["load /dumps/x.dump", "load"])
def test_load_without_a_home_or_an_archive_is_a_mistake(work: Work, run: Callable[..., Ran], line: str) -> None:
    assert run(line).status == 2


def test_dump_tells_where_it_is_from_and_what_is_in_it(work: Work, run: Callable[..., Ran]) -> None:
    work.answers["dump_server"] = archives.DUMPED
    ran = run("dump neo4j --home /h --to-path /dumps --format backup --indexes rebuild --scratch /s")
    assert "from:              the running server" in ran.out
    assert "indexes:           left out: Neo4j rebuilds them" in ran.out
    source, name, wanted, _ = work.arguments_of("dump_server")
    assert (source, name) == ("the source", "neo4j")
    assert (wanted.to.url, wanted.format, wanted.indexes, wanted.scratch) == (
        "/dumps", "backup", "rebuild", Path("/s"),
    )  # fmt: skip


@pytest.mark.parametrize("what", ["--backup LABEL", "--to latest", "--before-tx 7", "--from-source prod"])
def test_a_backup_or_a_moment_is_dumped_out_of_the_repository(work: Work, run: Callable[..., Ran], what: str) -> None:
    work.answers["dump_repository"] = archives.DUMPED_MOMENT
    ran = run(f"dump neo4j --home /h --repo /r {what} --to-path /dumps")
    assert "neo4j-20260801-120000F, with 12 segments of archived log" in ran.out


def test_standard_output_is_the_archive_alone(work: Work, run: Callable[..., Ran]) -> None:
    work.answers["dump_server"] = archives.DUMPED
    assert run("dump neo4j --home /h --to-path -").out == ""
    assert run("dump neo4j --home /h --to-path - --output json").status == 2


@pytest.mark.parametrize(
    "line", ["dump neo4j --home /h", "dump neo4j --to-path /d", "dump neo4j --to latest --backup L --to-path /d"]
)
def test_dump_without_a_place_or_an_origin_is_a_mistake(work: Work, run: Callable[..., Ran], line: str) -> None:
    assert run(line).status == 2


def test_ingest_says_what_was_taken_and_what_was_there_already(work: Work, run: Callable[..., Ran]) -> None:
    work.answers["ingest"] = archives.INGESTED
    ran = run(
        "ingest /dumps/neo4j.dump s3://bucket/july.dump --repo /r --as neo4j --from-source prod --again --scratch /s "
        "--taken-at 2026-01-01T00:00:00Z"
    )
    assert ran.status == 0
    assert "Ingested 1 archive into /backup/neo4j" in ran.out
    assert "/dumps/july.dump is there already, as neo4j-20260701-120000F" in ran.out
    places, _, order, _ = work.arguments_of("ingest")
    assert [place.url for place in places] == ["/dumps/neo4j.dump", "s3://bucket/july.dump"]
    assert (order.database, order.source, order.again, order.scratch) == ("neo4j", "prod", True, Path("/s"))
    assert order.taken_at == datetime(2026, 1, 1, tzinfo=UTC)


def test_ingest_tells_of_archives_that_failed(work: Work, run: Callable[..., Ran]) -> None:
    work.answers["ingest"] = archives.PARTLY_INGESTED
    ran = run("ingest /dumps --repo /r")
    assert ran.status == 17
    assert "old.dump could not be ingested: /dumps/old.dump is cut off" in ran.out
    work.answers["ingest"] = archives.NOT_INGESTED
    assert run("ingest /dumps --repo /r").status == 16
    assert run("ingest --repo /r").status == 2


def test_info_tells_what_a_backup_was_ingested_from(work: Work, run: Callable[..., Ran]) -> None:
    work.answers["describe"] = replace(samples.INFO, backups=archives.INGESTED.backups, windows=())
    assert "full (dump)" in run("info --repo /r").out
    out = run("info --repo /r --backup neo4j-20260801-120000F").out
    assert "archive:            /dumps/neo4j.dump" in out
    assert "date:               the time of its last transaction" in out
    assert "server:" not in out
