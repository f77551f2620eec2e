"""`neokeep check-consistency`: whether the graph in a store or a backup is whole."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from neokeep.cli.command import Argument, Call, Command
from neokeep.cli.output import Outcome
from neokeep.cli.subject import subject_of
from neokeep.errors import InconsistentError
from neokeep.units import format_count, format_duration

if TYPE_CHECKING:
    from neokeep.cli.page import Page
    from neokeep.reports import ConsistencyReport

SHOWN = 5
"""Findings of a kind that the terminal shows."""


def run(call: Call) -> Outcome:
    from neokeep import api

    report = api.check_consistency(
        subject_of(call), report_path=call.settings.path("report_path"), progress=call.progress
    )
    return Outcome(report, partial(show, report), failure_of(report))


def failure_of(report: ConsistencyReport) -> InconsistentError | None:
    """Sum up what was found; None where nothing was."""
    if report.ok:
        return None
    remedy = "Keep this store as it is, and restore a backup that is whole."
    if report.label is not None:
        remedy = "Check older backups, and the database itself: a backup holds what the database held."
    found = f"{_number(report.inconsistencies)} of {format_count(len(report.kinds), 'kind')}"
    return InconsistentError(f"{report.subject} is not whole: {found}", remedy=remedy)


def show(report: ConsistencyReport, page: Page) -> None:
    counted = f"{format_count(report.nodes, 'node')}, {format_count(report.relationships, 'relationship')}"
    state = "" if report.last_transaction is None else f", as of transaction {report.last_transaction}"
    page.line(f"Checked {report.database}{state}: {counted} in {format_duration(report.seconds)}")
    page.line(f"  {report.subject}")
    page.line()
    if report.ok:
        page.line("No inconsistencies.")
    for left_out in report.left_out:
        page.line(f"Not looked at: {left_out.part}: {left_out.why}")
    for kind in report.kinds:
        page.line(f"{kind.code}: {kind.count}. {kind.what} {kind.consequence}")
        own = [one for one in report.findings if one.code == kind.code][:SHOWN]
        for one in own:
            page.line(f"  {one.store} {one.record}: {one.detail}")
        if len(own) < kind.count:
            page.line(f"  and {kind.count - len(own)} more; --report-path or --output json tells them")


def _number(count: int) -> str:
    return "1 inconsistency" if count == 1 else f"{count} inconsistencies"


COMMANDS = (
    Command(
        "check-consistency",
        "Say whether the graph in a database or a backup is whole.",
        "Read all records and say whether the graph is whole: relationships and the chains they are in, groups, "
        "properties and their values, labels, tokens and the schema. Where the database was stopped in order also "
        "counts, degrees, indexes and id files. Of a stopped database at --home; with --backup or --from-source, of a "
        "backup. A log that is not in the store yet, as with backups and after a crash, is applied "
        "in scratch first. No Neo4j and no Java are needed, and nothing is changed. Findings are told by code and "
        "record, see docs/consistency.md.",
        (
            "neokeep check-consistency neo4j --home /var/lib/neo4j",
            "neokeep check-consistency neo4j --backup neo4j-20261122-173015F --repo /backup/neo4j",
        ),
        run,
        (Argument("database", "DATABASE", "The database; of a repository, by the name that it had there."),),
    ),
)
