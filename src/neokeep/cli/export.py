"""`neokeep export`: a graph as files that other tools read."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from neokeep.cli.command import Call, Command
from neokeep.cli.output import Outcome
from neokeep.cli.subject import DATABASE, subject_of
from neokeep.errors import InconsistentError, UsageError
from neokeep.units import format_count, format_duration, format_size

if TYPE_CHECKING:
    from neokeep.cli.page import Page
    from neokeep.export.reports import ExportReport

SHOWN = 20
"""Tables that the terminal shows."""
_DAMAGES = 5


def run(call: Call) -> Outcome:
    from neokeep import api

    to_path = call.settings.path("to_path")
    if to_path is None:
        raise UsageError("there is no directory to write into", remedy="Give --to-path DIRECTORY, a new one.")
    report = api.export(subject_of(call), to_path, format=call.settings.choice("format"), progress=call.progress)
    return Outcome(report, partial(show, report), failure_of(report))


def failure_of(report: ExportReport) -> InconsistentError | None:
    """Say that values are missing; None where none are."""
    if report.whole:
        return None
    return InconsistentError(
        f"{report.subject} is not whole: {report.damaged} times something could not be read, and is missing",
        remedy="The export has the rest; its manifest tells what is missing. Run neokeep check-consistency.",
    )


def show(report: ExportReport, page: Page) -> None:
    state = "" if report.last_transaction is None else f", as of transaction {report.last_transaction}"
    counted = f"{format_count(report.nodes, 'node')}, {format_count(report.relationships, 'relationship')}"
    page.line(f"Exported {report.database}{state}: {counted} in {format_duration(report.seconds)}")
    page.line(f"  from {report.subject}")
    page.line(f"  to {report.path}, {format_size(report.size_bytes)} of {report.format}")
    page.line()
    largest = sorted(report.tables, key=lambda table: -table.rows)
    rows = [
        (table.kind, ":".join(table.names) or "(no labels)", str(table.rows), str(len(table.columns)), table.files[0])
        for table in largest[:SHOWN]
    ]
    if rows:
        page.table(("kind", "table", "rows", "keys", "file"), rows, right=("rows", "keys"))
    if len(largest) > SHOWN:
        page.line(f"and {format_count(len(largest) - SHOWN, 'table')} more; manifest.json lists them")
    page.line()
    made = f"{format_count(report.constraints, 'constraint')}, {format_count(report.indexes, 'index')}"
    page.line(f"schema.cypher: {made.replace('indexs', 'indexes')}")
    if report.not_kept:
        page.line(f"{format_count(report.not_kept, 'empty list')} left out: Neo4j imports no empty lists from CSV")
    for name in report.schema_left_out:
        page.line(f"  without {name}, which cannot be written as Cypher here")
    for damage in report.damages[:_DAMAGES]:
        page.line(f"  damaged: {damage}")


COMMANDS = (
    Command(
        "export",
        "Write the graph of a database, a backup or an archive as Parquet, CSV or JSON lines.",
        "Write a table for each label set and each relationship type, with a typed column for each property key; "
        "constraints and indexes as Cypher; and a manifest, last. Of a stopped database at --home; with --backup or "
        "--from-source, of a backup, which is not restored for it; with --archive, of a .dump or full .backup. No "
        "Neo4j and no Java are needed. Formats and types: docs/export.md.",
        (
            "neokeep export neo4j --home /var/lib/neo4j --to-path /data/graph",
            "neokeep export neo4j --backup neo4j-20261122-173015F --repo /backup/neo4j --to-path graph --format csv",
        ),
        run,
        (DATABASE,),
    ),
)
