"""`neokeep info`: what backups there are, and which moments can be restored to."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from neokeep.cli.backup import left_out_lines
from neokeep.cli.command import Call, Command
from neokeep.cli.output import Outcome
from neokeep.errors import PartialError
from neokeep.units import format_count, format_duration, format_size, format_time

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from neokeep.cli.page import Page
    from neokeep.errors import NeokeepError
    from neokeep.reports import BackupInfo, HoldInfo, InfoReport, IngestedInfo, VerifyReport, WindowInfo


def run(call: Call) -> Outcome:
    from neokeep import api

    settings = call.settings
    label = settings.text("backup")
    report = api.info(settings.place_or_places(), settings.text("database"), label)
    return Outcome(report, partial(show_all, show_one if label else show, report), unasked(report), answer=True)


def unasked(report: InfoReport | VerifyReport) -> NeokeepError | None:
    """Tell of repositories that did not answer where others did; None where all did."""
    if not report.failures:
        return None
    failed = "; ".join(f"{failure.subject}: {failure.message}" for failure in report.failures)
    return PartialError(
        f"{len(report.failures)} of the repositories could not be asked: {failed}",
        remedy=report.failures[0].remedy,
    )


def show_all(show_report: Callable[[InfoReport, Page], None], report: InfoReport, page: Page) -> None:
    """Show the answers of all repositories, one after the other."""
    show_report(report, page)
    for other in report.others:
        page.line()
        show_report(other, page)


def show(report: InfoReport, page: Page) -> None:
    kept = "encrypted" if report.encrypted else "not encrypted"
    page.line(f"Repository {report.repository} (id {report.repository_id}, format {report.format}, {kept})")
    if not report.backups:
        page.line("It holds no such backup yet. Make one with: neokeep backup --home NEO4J_HOME")
    for source in dict.fromkeys(backup.source for backup in report.backups):
        page.line()
        page.line(f"Source {source}")
        page.table(
            ("database", "backup", "type", "finished", "neo4j", "last tx", "size", "stored", "proven"),
            [_row(backup) for backup in report.backups if backup.source == source],
            right=("last tx", "size", "stored"),
        )
        _show_windows([window for window in report.windows if window.source == source], page)
    _show_holds(report, page)
    _show_damaged(report, page)


def show_one(report: InfoReport, page: Page) -> None:
    for backup in report.backups:
        page.facts([*_facts(backup), *(fact for window in report.windows for fact in _window_facts(window))])
        problems = [problem for window in report.windows for problem in window.problems]
        held = [f"held {_end(hold)}: {hold.reason}" for hold in report.holds if hold.label == backup.label]
        for note in (*held, *backup.events, *left_out_lines(backup.left_out), *problems):
            page.line(f"  - {note}")
    _show_damaged(report, page)


def _row(backup: BackupInfo) -> tuple[str, ...]:
    return (
        backup.database,
        backup.label,
        backup.type if backup.ingested is None else f"{backup.type} ({backup.ingested.type})",
        format_time(backup.finished_at),
        backup.neo4j_version or "unknown",
        str(backup.last_tx),
        format_size(backup.size_bytes),
        format_size(backup.stored_bytes),
        _proven(backup),
    )


def _proven(backup: BackupInfo) -> str:
    if backup.verified_whole is False:
        return "DAMAGED"
    return "never" if backup.content_proven_at is None else format_time(backup.content_proven_at)


def _checked(backup: BackupInfo) -> str:
    if backup.consistency_checked_at is None or backup.inconsistencies is None:
        return "never"
    at = format_time(backup.consistency_checked_at)
    found = f"NOT WHOLE: {format_count(backup.inconsistencies, 'finding')}" if backup.inconsistencies else "whole"
    return f"{at}, {found}"


_DATED_BY = {
    "option": "as was said (--taken-at)",
    "header": "the time in its header",
    "log": "the time of its last transaction",
    "file": "when the file was written",
    "arrival": "when it was ingested: nothing else told",
}


def origin(ingested: IngestedInfo) -> list[tuple[str, str]]:
    """Say of an ingested backup where it is from."""
    return [
        ("ingested", f"{format_time(ingested.ingested_at)}, a {ingested.type} ({ingested.format or 'no magic'})"),
        ("archive", ingested.archive),
        ("date", _DATED_BY.get(ingested.dated_by, ingested.dated_by)),
    ]


def _facts(backup: BackupInfo) -> list[tuple[str, str]]:
    committed = f", the last committed {format_time(backup.last_commit_time)}" if backup.last_commit_time else ""
    whole = backup.compressed_bytes
    shared = "" if whole is None else f", {format_size(whole)} with what was there before"
    return [
        ("backup", f"{backup.label} ({backup.type})"),
        ("database", backup.database),
        *(
            [("source", f"{backup.source} (host {backup.host}, home {backup.home})")]
            if backup.ingested is None
            else [("source", backup.source), *origin(backup.ingested)]
        ),
        ("Neo4j", f"{backup.neo4j_version or 'version unknown'}, {backup.edition}, {backup.store_format} format"),
        ("store id", backup.store_id),
        ("taken", f"{format_time(backup.started_at)} to {format_time(backup.finished_at)}"),
        *([] if backup.ingested else [("server", "was running" if backup.running else "was stopped")]),
        ("transactions", f"{backup.first_tx} to {backup.last_tx} in the log{committed}"),
        ("log positions", f"checkpoint {backup.checkpoint_position}, end {backup.end_position}"),
        ("size", f"{format_size(backup.size_bytes)} in {backup.file_count} files"),
        ("stored", f"{format_size(backup.stored_bytes)} new in the repository{shared}"),
        ("other files", _other_files(backup)),
        ("took", f"{format_duration(backup.seconds)}, {format_size(backup.bytes_read)} read"),
        ("attempts", f"{backup.attempts}, {backup.file_retries} files read again"),
        ("made by", f"neokeep {backup.neokeep_version}"),
        ("every byte proven", _proven(backup)),
        ("all there", _time(backup.structure_proven_at, "never looked at")),
        ("log applied", _time(backup.recovered_at, "never tried")),
        ("graph checked", _checked(backup)),
    ]


def _other_files(backup: BackupInfo) -> str:
    """Say what of the server's other files is in a backup."""
    server = backup.server_files
    if server is None:
        return "none of the server's configuration, certificates and plugins"
    counts = ((len(server.redacted), "without secrets"), (len(server.left_out), "left out"))
    missing = [f"{count} {what}" for count, what in counts if count]
    return ", ".join([f"{server.file_count} ({server.mode})", *missing])


def _show_windows(windows: Sequence[WindowInfo], page: Page) -> None:
    if not windows:
        return
    page.line()
    page.line("Restore windows")
    page.table(
        ("full backup", "first tx", "last tx", "segments", "log", "from", "to"),
        [
            (
                window.base,
                str(window.first_tx),
                str(window.last_tx),
                str(window.segments),
                format_size(window.log_bytes),
                _time(window.first_time),
                _time(window.last_time),
            )
            for window in windows
        ],
        right=("first tx", "last tx", "segments", "log"),
    )
    for window in windows:
        for problem in window.problems:
            page.line(f"  - {window.base}: {problem}")


def _window_facts(window: WindowInfo) -> list[tuple[str, str]]:
    return [
        ("restore window", f"transactions {window.first_tx} to {window.last_tx}"),
        ("window times", f"{_time(window.first_time)} to {_time(window.last_time)}"),
        ("window log", f"{format_count(window.segments, 'segment')}, {format_size(window.log_bytes)}"),
    ]


def _time(time: datetime | None, otherwise: str = "unknown") -> str:
    return otherwise if time is None else format_time(time)


def _show_holds(report: InfoReport, page: Page) -> None:
    if not report.holds:
        return
    page.line()
    page.line("Held; what these need does not expire")
    page.table(("backup", "end", "reason"), [(hold.label, _end(hold), hold.reason) for hold in report.holds])


def _end(hold: HoldInfo) -> str:
    return "until released" if hold.until is None else f"until {format_time(hold.until)}"


def _show_damaged(report: InfoReport, page: Page) -> None:
    for damaged in report.damaged:
        page.line()
        page.line(f"DAMAGED: the backup {damaged.subject} cannot be used: {damaged.message}")
        if damaged.remedy:
            page.line(f"What to do: {damaged.remedy}")


COMMANDS = (
    Command(
        "info",
        "Show what backups there are, and which moments can be restored to.",
        "Show the backups of a repository, the newest last, and the restore window of each full one: the first and the "
        "last transaction that can be restored to, and what ends it early. With --backup, all that is known about one. "
        "For programs: --output json. Of several repositories each is shown in turn.",
        (
            "neokeep info --repo /backup/neo4j",
            "neokeep info --repo /backup/neo4j --database neo4j --output json",
        ),
        run,
    ),
)
