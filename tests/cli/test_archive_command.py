"""`neokeep archive`: what is handed on, and how events are told to people and to programs."""

from __future__ import annotations

import json
import os
import re
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from cli import samples
from cli.conftest import REPOSITORY
from neokeep import reports
from neokeep.archive.options import ArchiveOptions
from neokeep.capture.options import CaptureOptions
from neokeep.capture.policy import FullPolicy
from neokeep.cli.archive import GRAVE, JsonLines, TextLines
from neokeep.errors import SourceError
from neokeep.storage.place import Place
from neokeep.workers import default_jobs

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cli.conftest import Ran, Work

    Run = Callable[..., Ran]

GOLDEN = Path(__file__).parent / "golden" / "archive.jsonl"
WRITE = os.environ.get("NEOKEEP_WRITE_GOLDEN") == "1"
KINDS = {
    "following", "archived", "state", "trouble", "recovered", "broken", "gap", "full backup begun", "full backup",
    "full backup failed", "merged", "upkeep failed", "stopped",
}  # fmt: skip
FILE = '[sources.one]\nhome = "/one"\nconf = "/c"\n[sources.other]\nhome = "/other"\n[repositories.main]\npath = "/r"\n'


SOURCE = SimpleNamespace(name="a source")


@pytest.fixture(autouse=True)
def _sources_are_found(work: Work) -> None:
    work.answers["find_source"] = SOURCE


def telling(*events: reports.ArchiveEvent) -> Callable[..., object]:
    """An archiver that tells some events and ends."""

    def make(*arguments: Any) -> object:
        def run(_stopping: threading.Event | None) -> None:
            for event in events:
                arguments[-1](event)

        return SimpleNamespace(run=run)

    return make


def test_what_was_asked_for_is_handed_on(work: Work, run: Run) -> None:
    work.answers["Archiver"] = telling()
    ran = run(
        "archive neo4j system --home /h --conf /c --source prod --repo /r --interval 10s --segment-size 1MiB "
        "--full-every 12h --full-after 100 --full-at-log-share 50% --indexes rebuild --rate-limit 50MB/s --jobs 2 "
        "--no-nice"
    )
    assert (ran.status, ran.out, ran.err) == (0, "", "")
    assert work.arguments_of("find_source") == (Path("/h"), Path("/c"), "prod")
    assert work.arguments_of("open_repository") == (Place("/r"),)
    sources, repository, databases, options, _ = work.arguments_of("Archiver")
    assert (sources, repository, databases) == ([SOURCE], REPOSITORY, ("neo4j", "system"))
    capture = CaptureOptions(
        type="full", policy=FullPolicy(43_200, 100, 0.5), indexes="rebuild", rate_limit=50_000_000, jobs=2,
        gentle=False, server_files="config",
    )  # fmt: skip
    assert options == ArchiveOptions(interval=10, segment_size=1024 * 1024, capture=capture)


def test_without_options_everything_is_followed_every_second(work: Work, run: Run) -> None:
    work.answers["Archiver"] = telling()
    run("archive --home /h --repo /r")
    _, _, databases, options, _ = work.arguments_of("Archiver")
    assert databases == ()
    policy = FullPolicy(every=604_800, at_log_share=1.0)
    capture = CaptureOptions(type="full", policy=policy, jobs=default_jobs(), gentle=True, server_files="config")
    assert options == ArchiveOptions(interval=1, segment_size=16 * 1024 * 1024, capture=capture)


@pytest.mark.parametrize("flags", ["--interval 0s", "--interval 5", "--segment-size 16M", "--full-after 0"])
def test_options_that_mean_nothing_are_refused(work: Work, run: Run, flags: str) -> None:
    assert run(f"archive --home /h --repo /r {flags}").status == 2
    assert not work.calls


def test_a_segment_size_that_no_memory_could_hold_is_refused(work: Work, run: Run) -> None:
    work.answers["Archiver"] = telling()
    ran = run("archive --home /h --repo /r --segment-size 1TiB")
    assert ran.status == 2
    assert "256 MiB" in ran.err


@pytest.mark.parametrize(
    ("line", "homes"),
    [
        ("--sources all", [("/one", "/c", "one"), ("/other", None, "other")]),
        ("--sources one,other", [("/one", "/c", "one"), ("/other", None, "other")]),
        ("--sources other", [("/other", None, "other")]),
        ("--sources other,one,other", [("/other", None, "other"), ("/one", "/c", "one")]),
        ("--source one", [("/one", "/c", "one")]),
        ("--home /h", [("/h", None, None)]),
    ],
)
def test_sources_are_those_of_the_file_that_were_named(
    work: Work, run: Run, line: str, homes: Sequence[tuple[str, str | None, str | None]]
) -> None:
    Path("neokeep.toml").write_text(FILE)
    work.answers["Archiver"] = telling()
    assert run(f"archive {line}").status == 0
    found = [arguments for name, arguments, _ in work.calls if name == "find_source"]
    assert found == [(Path(home), Path(conf) if conf else None, name) for home, conf, name in homes]
    assert work.arguments_of("Archiver")[0] == [SOURCE] * len(homes)


@pytest.mark.parametrize(
    ("line", "status", "text"),
    [
        ("--sources one,staging", 10, "there is no source 'staging'"),
        ("--sources all --home /h", 2, "--sources was given beside --home"),
        ("--sources all --source one", 2, "--sources was given beside --source"),
        ("--sources all --conf /c", 2, "--sources was given beside --conf"),
        ("", 2, "--home"),
    ],
)
def test_sources_that_are_not_there_or_contradict_are_refused(
    work: Work, run: Run, line: str, status: int, text: str
) -> None:
    Path("neokeep.toml").write_text(FILE)
    ran = run(f"archive {line}")
    assert (ran.status, text in ran.err) == (status, True), ran.err
    assert not work.calls


def test_all_sources_of_a_file_that_names_none_are_none(work: Work, run: Run) -> None:
    assert run("archive --sources all --repo /r").status == 10
    assert not work.calls


def test_a_home_on_the_command_line_counts_more_than_sources_of_the_environment(
    work: Work, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("neokeep.toml").write_text(FILE)
    monkeypatch.setenv("NEOKEEP_SOURCES", "all")
    work.answers["Archiver"] = telling()
    run("archive --home /h")
    assert work.arguments_of("find_source") == (Path("/h"), None, None)
    work.calls.clear()
    run("archive")
    assert len([name for name, *_ in work.calls if name == "find_source"]) == 2


def test_the_json_of_every_kind_of_event_is_its_line_in_the_golden_file(work: Work, run: Run) -> None:
    work.answers["Archiver"] = telling(*samples.ARCHIVE_EVENTS)
    ran = run("archive --home /h --repo /r --output json")
    assert (ran.status, ran.err) == (0, "")
    if WRITE:
        GOLDEN.write_text(ran.out, encoding="utf-8")
    assert ran.out == GOLDEN.read_text(encoding="utf-8")
    lines = [json.loads(line) for line in ran.out.splitlines()]
    assert {line["event"] for line in lines} == KINDS
    assert [msgspec.convert(line, reports.ArchiveEvent) for line in lines] == list(samples.ARCHIVE_EVENTS)


def test_the_documentation_tells_of_every_kind_of_event() -> None:
    told = re.sub(r"\s+", " ", str(reports.ArchiveEvent.__doc__))
    assert set(re.findall(r"`([^`]+)`(?=:|, `)", told)) >= KINDS - {"full backup begun", "full backup"}
    assert all(f"`{kind}`" in told for kind in KINDS)


@pytest.mark.parametrize("line", ["archive --home /h --repo /r", "archive --home /h", "archive --bogus", "archive -x"])
def test_an_error_is_one_line_of_json_too(work: Work, run: Run, line: str) -> None:
    work.answers["Archiver"] = SourceError("there is no database", remedy="Start it once.")
    ran = run(f"{line} --output json")
    assert ran.status in (2, 11)
    (only,) = ran.out.splitlines()
    assert json.loads(only)["error"]["exit_status"] == ran.status


def test_an_error_of_another_command_is_printed_as_ever(run: Run) -> None:
    assert len(run("info --bogus --output json").out.splitlines()) > 1


def said(second: int, *parts: str) -> str:
    """A line for people."""
    return f"2026-08-01 12:00:{second:02}Z neo4j of production: {' '.join(parts)}"


LINES = [
    said(0, "a full backup begins, since there is no full backup of this database yet"),
    said(4, f"full backup {samples.BACKUP.label} is complete, up to transaction 35023"),
    said(4, f"following {samples.BACKUP.label} behind transaction 35023"),
    said(
        10,
        "archived up to transaction 35063; 40 transactions more, 90.1 KiB of log, at most 1.2 s old;",
        "waiting: 2 transactions, 5.0 KiB, 0.4 s",
    ),
    said(11, "16 small segments became 1; 48 segments that were merged earlier are gone (64.0 KiB)"),
    said(30, f"archived up to transaction 35063; waiting: 1 transaction, 512 B, 14.0 s; {samples.AWAY}"),
    said(31, "archiving again"),
    said(50, "no chain is followed; a full backup runs, since neostore.transaction.db.7 was pruned"),
    said(55, f"following {samples.NEWER} behind transaction 35090"),
    said(59, "stopped, archived up to transaction 35090"),
]
GRAVE_LINES = [
    said(
        12,
        "merging small segments failed: the segment segments/x is damaged",
        "What to do: Run 'neokeep verify'.",
    ),
    said(
        20,
        f"cannot archive now, tried again in 1.0s: {samples.AWAY}",
        "What to do: Check that the path exists.",
    ),
    said(
        41,
        f"the chain of {samples.BACKUP.label} is broken behind transaction 35063:",
        "neostore.transaction.db.7 was pruned",
    ),
    said(
        42,
        "the full backup failed, tried again in 2.0s: neo4j could not be captured in 6 attempts",
        "What to do: Keep transaction logs longer.",
    ),
    said(55, "no restore can go to the transactions 35064 to 35089: they are not archived"),
]


def test_people_are_told_in_lines_and_what_is_shipped_is_summed_up(work: Work, run: Run) -> None:
    work.answers["Archiver"] = telling(*samples.ARCHIVE_EVENTS)
    ran = run("archive --home /h --repo /r")
    assert ran.status == 0
    assert ran.out.splitlines() == LINES
    assert ran.err.splitlines() == GRAVE_LINES


def test_a_quiet_one_tells_only_what_went_wrong(work: Work, run: Run) -> None:
    work.answers["Archiver"] = telling(*samples.ARCHIVE_EVENTS)
    ran = run("archive --home /h --repo /r --quiet")
    assert ran.out == ""
    assert ran.err.splitlines() == GRAVE_LINES
    assert len(GRAVE_LINES) == len(GRAVE)


def test_what_each_database_shipped_is_summed_up_by_itself_and_once(capsys: pytest.CaptureFixture[str]) -> None:
    archived, state = samples.ARCHIVE_EVENTS[3], samples.ARCHIVE_EVENTS[11]
    lines = TextLines(quiet=False)
    for database, times in (("neo4j", 2), ("system", 1)):
        for _ in range(times):
            lines.tell(msgspec.structs.replace(archived, database=database))
    for database in ("neo4j", "system", "neo4j"):
        lines.tell(msgspec.structs.replace(state, database=database))
    printed = capsys.readouterr().out.splitlines()
    assert [line.split("; ")[1].split(",")[0] for line in printed] == ["76 transactions more", "38 transactions more"]


def test_a_stop_while_nothing_could_be_archived_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    stopped = samples.archive_event(
        "stopped", 5, last_tx=7, lag_transactions=1, lag_bytes=100, lag_seconds=3.0, message="away"
    )
    trouble = samples.archive_event("trouble", 5, message="away", kind="repository", remedy="Mount it.")
    lines = TextLines(quiet=False)
    for event in (trouble, stopped):
        lines.tell(event)
    printed = capsys.readouterr()
    assert printed.err == "2026-08-01 12:00:05Z neo4j of production: cannot archive now: away What to do: Mount it.\n"
    assert printed.out.endswith("stopped, archived up to transaction 7; waiting: 1 transaction, 100 B, 3.0 s; away\n")


@pytest.mark.parametrize("lines", [JsonLines(), TextLines(quiet=False)])
def test_archiving_goes_on_where_its_own_log_cannot_be_written(
    lines: JsonLines | TextLines, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Full:
        def write(self, _: str) -> int:
            raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", Full())
        lines.tell(samples.ARCHIVE_EVENTS[0])
    lines.tell(samples.ARCHIVE_EVENTS[0])
    assert capsys.readouterr().out.count("\n") == 1


def test_lines_of_several_threads_do_not_mix(capsys: pytest.CaptureFixture[str]) -> None:
    lines = JsonLines()

    def tell(event: reports.ArchiveEvent) -> None:
        for _ in range(300):
            lines.tell(event)

    threads = [threading.Thread(target=tell, args=(samples.ARCHIVE_EVENTS[at],)) for at in (3, 8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    events = [json.loads(line)["event"] for line in capsys.readouterr().out.splitlines()]
    assert sorted(events) == ["archived"] * 300 + ["trouble"] * 300


def test_the_help_tells_that_json_comes_line_by_line(run: Run) -> None:
    out = " ".join(run("archive --help").out.split())
    assert "With --output json it prints one document a line, one for each event." in out
    assert "of archive one a line" in out
