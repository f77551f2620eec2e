"""inspect and load on the command line: what is called, what is printed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cli import archives

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
