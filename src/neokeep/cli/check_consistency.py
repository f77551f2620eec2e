"""`neokeep check-consistency`: whether the graph in a store, a backup or an archive is whole."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from neokeep.cli.command import Call, Command
from neokeep.cli.output import Outcome
from neokeep.cli.subject import DATABASE, subject_of
from neokeep.errors import InconsistentError
from neokeep.units import format_count, format_duration

if TYPE_CHECKING:
    from collections.abc import Iterator

    from neokeep.cli.page import Page
    from neokeep.reports import ConsistencyReport

SHOWN = 5
"""Findings of a kind that the terminal shows."""
NAMED = 3
"""Parts that were left out for one reason, of which it names so many."""


def run(call: Call) -> Outcome:
    from neokeep import api

    report = api.check_consistency(
        subject_of(call, as_is=call.settings.switch("as_is")),
        report_path=call.settings.path("report_path"),
        scheduler=call.settings.text("scheduler"),
        progress=call.progress,
    )
    return Outcome(report, partial(show, report), failure_of(report))


def failure_of(report: ConsistencyReport) -> InconsistentError | None:
    """Sum up what was found; None where nothing was."""
    if report.ok:
        return None
    remedy = "Keep this store as it is, and restore a backup that is whole."
    if report.label is not None:
        remedy = "Check older backups, and the database itself: a backup holds what the database held."
    if report.archive is not None:
        remedy = "Check older archives, and the database itself: an archive holds what the database held."
    kinds = sum(kind.count > kind.explained for kind in report.kinds)
    found = f"{_number(report.inconsistencies - report.explained)} of {format_count(kinds, 'kind')}"
    return InconsistentError(f"{report.subject} is not whole: {found}", remedy=remedy)


def show(report: ConsistencyReport, page: Page) -> None:
    from neokeep.consistency.reporting import explanation_of, found_of

    counted = f"{format_count(report.nodes, 'node')}, {format_count(report.relationships, 'relationship')}"
    state = "" if report.last_transaction is None else f", as of transaction {report.last_transaction}"
    if report.not_applied:
        state = f" as it is, without {format_count(report.not_applied, 'transaction')} of its log"
    page.line(f"Checked {report.database}{state}: {counted} in {format_duration(report.seconds)}")
    page.line(f"  {report.subject}")
    if not report.inconsistencies:
        page.line()
        page.line("No inconsistencies.")
    elif report.ok:
        page.line()
        page.line("No inconsistencies that the log does not explain.")
    for line in not_looked_at(report):
        page.line(line)
    for line in found_of(report, explained=False, most=SHOWN):
        page.line(line)
    if report.explained:
        page.line()
        page.line(explanation_of(report))
    for line in found_of(report, explained=True, most=SHOWN):
        page.line(line)


def not_looked_at(report: ConsistencyReport) -> Iterator[str]:
    """Give a line for each reason that parts were left out for, with the first of them."""
    parts: dict[str, list[str]] = {}
    for one in report.left_out:
        parts.setdefault(one.why, []).append(one.part)
    for why, named in parts.items():
        more = f" and {len(named) - NAMED} more" if len(named) > NAMED else ""
        yield f"Not looked at: {', '.join(named[:NAMED])}{more}: {why}"


def _number(count: int) -> str:
    return "1 inconsistency" if count == 1 else f"{count} inconsistencies"


COMMANDS = (
    Command(
        "check-consistency",
        "Say whether the graph in a database, a backup or an archive is whole.",
        "Read all records and say whether the graph is whole: relationships and the chains they are in, groups, "
        "properties and their values, labels, tokens, the schema and its constraints. Where the database was stopped "
        "in order also counts, degrees, indexes and id files. Of a stopped database at --home; with --backup or "
        "--from-source, of a backup; with --archive, of a .dump or a full .backup. A log that is not in the store yet, "
        "as with backups and after a crash, is applied in scratch first. No Neo4j and no Java are needed, and nothing "
        "that is read is changed; of a backup the outcome is recorded, for info and expire. Findings are told by code "
        "and record, see docs/consistency.md.",
        (
            "neokeep check-consistency neo4j --home /var/lib/neo4j",
            "neokeep check-consistency neo4j --backup neo4j-20261122-173015F --repo /backup/neo4j",
            "neokeep check-consistency --archive /backup/neo4j.dump",
            "neokeep check-consistency neo4j --home /shared/neo4j --scheduler tcp://scheduler:8786",
        ),
        run,
        (DATABASE,),
    ),
)
