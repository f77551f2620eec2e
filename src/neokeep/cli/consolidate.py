"""`neokeep consolidate`: a full backup and its log become a new full backup, without the source."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from neokeep.cli.backup import left_out_lines
from neokeep.cli.command import Argument, Call, Command
from neokeep.cli.output import Outcome
from neokeep.units import format_count, format_duration, format_size, format_time

if TYPE_CHECKING:
    from neokeep.cli.page import Page
    from neokeep.reports import ConsolidateReport


def run(call: Call) -> Outcome:
    from neokeep import api

    settings = call.settings
    report = api.consolidate(
        settings.place(),
        call.argument("database"),
        label=settings.text("backup"),
        from_source=settings.text("from_source"),
        engine=settings.needed_text("engine"),
        home=settings.path("home"),
        scratch=settings.path("scratch"),
        jobs=settings.number("jobs"),
        progress=call.progress,
    )
    return Outcome(report, partial(show, report))


def show(report: ConsolidateReport, page: Page) -> None:
    backup = report.backup
    segments = format_count(report.segments, "segment")
    page.line(f"Consolidated {backup.database}: {backup.label} is made of {report.base} and {segments}")
    page.line()
    committed = f", committed {format_time(backup.last_commit_time)}" if backup.last_commit_time else ""
    page.facts(
        [
            ("last transaction", f"{backup.last_tx}{committed}"),
            ("size", f"{format_size(backup.size_bytes)} in {backup.file_count} files"),
            ("blocks", f"{report.blocks}, of which {report.new_blocks} are new: {format_size(backup.stored_bytes)}"),
            ("recovered by", "neokeep; Neo4j rebuilds the indexes" if report.engine == "native" else "Neo4j"),
            ("took", format_duration(backup.seconds)),
        ]
    )
    for line in left_out_lines(backup.left_out):
        page.line(f"  - {line}")


COMMANDS = (
    Command(
        "consolidate",
        "Make a full backup of a full backup and its log.",
        "Apply the archived log to its full backup inside the repository, and keep the outcome as a new full backup. "
        "The source is not touched, and no Neo4j is needed. Blocks that did not change are shared. Restores and new "
        "log then start from the new one; the old one and its restore window stay.",
        (
            "neokeep consolidate neo4j --repo /backup/neo4j",
            "neokeep consolidate neo4j --engine neo4j --home /var/lib/neo4j --repo /backup/neo4j",
        ),
        run,
        (Argument("database", "DATABASE", "The database, by the name that it had when it was backed up."),),
    ),
)
