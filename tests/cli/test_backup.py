"""What `neokeep backup` hands on, and what it tells."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from cli import samples
from cli.conftest import REPOSITORY
from neokeep.capture.options import CaptureOptions
from neokeep.capture.policy import FullPolicy
from neokeep.storage.place import Place
from neokeep.workers import default_jobs

if TYPE_CHECKING:
    from collections.abc import Callable

    from cli.conftest import Ran, Work

    Run = Callable[..., Ran]


USUAL = FullPolicy(every=604_800, at_log_share=1.0)


def test_backup_hands_on_what_was_asked_for(work: Work, run: Run) -> None:
    work.answers["back_up"] = samples.BACKED_UP
    run("backup neo4j system --home /h --conf /c --source prod --repo /r --rate-limit 50MB/s --jobs 2 --no-nice")
    assert work.arguments_of("find_source") == (Path("/h"), Path("/c"), "prod")
    assert work.arguments_of("open_repository") == (Place("/r"),)
    source, repository, databases = work.arguments_of("back_up")
    assert (source, repository, databases) == ("the source", REPOSITORY, ("neo4j", "system"))
    options = work.options_of("back_up")["options"]
    assert options == CaptureOptions(
        type="auto", policy=USUAL, indexes="copy", rate_limit=50_000_000, jobs=2, gentle=False, server_files="config"
    )


def test_backup_without_options_copies_indexes_gently_and_without_a_limit(work: Work, run: Run) -> None:
    work.answers["back_up"] = samples.BACKED_UP
    run("backup --home /h --repo /r")
    assert work.arguments_of("back_up")[2] == ()
    options = work.options_of("back_up")["options"]
    assert options == CaptureOptions(
        type="auto",
        policy=USUAL,
        indexes="copy",
        rate_limit=None,
        jobs=default_jobs(),
        gentle=True,
        server_files="config",
    )


@pytest.mark.parametrize("kind", ["auto", "full", "incremental"])
def test_backup_hands_on_the_type_and_when_a_full_backup_is_due(work: Work, run: Run, kind: str) -> None:
    work.answers["back_up"] = samples.BACKED_UP
    run(f"backup --home /h --repo /r --type {kind} --full-every 12h --full-after 100 --full-at-log-share 50%")
    options = work.options_of("back_up")["options"]
    assert (options.type, options.policy) == (kind, FullPolicy(every=43_200, after=100, at_log_share=0.5))


def test_when_a_full_backup_is_due_can_be_said_by_environment_and_file(
    work: Work, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    work.answers["back_up"] = samples.BACKED_UP
    Path("neokeep.toml").write_text('[defaults]\nfull-after = 30\nfull-at-log-share = "150%"\n')
    monkeypatch.setenv("NEOKEEP_FULL_AFTER", "20")
    run("backup --home /h --repo /r")
    assert work.options_of("back_up")["options"].policy == FullPolicy(every=604_800, after=20, at_log_share=1.5)


@pytest.mark.parametrize("flags", ["--full-after 0", "--full-at-log-share 50", "--full-at-log-share 0%"])
def test_a_policy_that_means_nothing_is_refused(work: Work, run: Run, flags: str) -> None:
    assert run(f"backup --home /h --repo /r {flags}").status == 2
    assert not work.calls


def test_a_type_that_is_none_is_refused(work: Work, run: Run) -> None:
    assert run("backup --home /h --repo /r --type differential").status == 2
    assert not work.calls


def test_backup_says_of_each_backup_why_it_is_of_its_type(work: Work, run: Run) -> None:
    work.answers["back_up"] = samples.BACKED_UP_INCREMENTALLY
    out = run("backup --home /h --repo /r").out
    assert "incremental, since the chain of neo4j-20260801-120000F holds" in out
    work.answers["back_up"] = samples.BACKED_UP
    out = run("backup --home /h --repo /r").out
    assert "full, since there is no full backup of this database yet" in out


def test_backup_tells_a_person_what_exists_and_what_is_left_out(work: Work, run: Run) -> None:
    work.answers["back_up"] = samples.BACKED_UP
    ran = run("backup --home /h --repo /r")
    assert ran.status == 0
    assert "Backed up 2 databases to /backup/neo4j" in ran.out
    assert "full  neo4j-20260801-120000F     35023  2.0 GiB   560 MiB  4.2s" in ran.out
    assert "the index 12 was dropped during the copy" in ran.out
    assert "left out schema/index/fulltext-1.0/7: it changed while it was copied, three times" in ran.out
    assert ran.err == ""


def test_a_backup_that_needed_several_attempts_says_so(work: Work, run: Run) -> None:
    again = msgspec.structs.replace(samples.BACKUP, attempts=3)
    work.answers["back_up"] = msgspec.structs.replace(samples.BACKED_UP, backups=(again,))
    assert "it took 3 attempts" in run("backup --home /h --repo /r").out


def test_a_backup_that_failed_in_part_ends_with_partial_and_names_the_database(work: Work, run: Run) -> None:
    work.answers["back_up"] = samples.PARTLY_BACKED_UP
    ran = run("backup --home /h --repo /r")
    assert ran.status == 17
    assert "movies could not be backed up: the store is of the block format" in ran.out
    assert "error: 1 of 2 databases could not be backed up: movies" in ran.err


def test_a_backup_that_failed_altogether_ends_with_the_kind_of_the_failure(work: Work, run: Run) -> None:
    work.answers["back_up"] = samples.NOT_BACKED_UP
    ran = run("backup --home /h --repo /r")
    assert ran.status == 11
    assert ran.out == ""
    assert ran.err.startswith("error: movies: the store is of the block format")


def test_several_failures_and_no_success_end_with_the_kind_of_the_first(work: Work, run: Run) -> None:
    second = msgspec.structs.replace(samples.FAILURE, subject="neo4j", kind="space", message="the disk is full")
    work.answers["back_up"] = msgspec.structs.replace(samples.NOT_BACKED_UP, failures=(samples.FAILURE, second))
    ran = run("backup --home /h --repo /r")
    assert ran.status == 11
    assert "no database could be backed up (movies, neo4j)" in ran.err
    assert "neo4j could not be backed up: the disk is full" in ran.out
