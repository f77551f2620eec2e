"""`neokeep sql`: questions to a graph in SQL, where it lies."""

from __future__ import annotations

import sys
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from neokeep.cli.command import Argument, Call, Command
from neokeep.cli.output import Outcome
from neokeep.cli.subject import subject_of
from neokeep.errors import InconsistentError, UsageError
from neokeep.units import format_count

if TYPE_CHECKING:
    from neokeep.cli.page import Page
    from neokeep.export.reports import SqlReport

DEFAULT_DATABASE = "neo4j"


def run(call: Call) -> Outcome:
    from neokeep import api

    # An archive holds just one.
    usual = DEFAULT_DATABASE if call.settings.text("archive") is None else ""
    named = replace(call, arguments={"database": call.argument("database") or usual})
    query = call.settings.text("query") or _read_query()
    limit = call.settings.number("limit") or 0
    report = api.sql(subject_of(named), query, limit=limit, progress=call.progress)
    return Outcome(report, partial(show, report), failure_of(report), answer=True)


def failure_of(report: SqlReport) -> InconsistentError | None:
    """Say that values are missing; None where none are."""
    if not report.damaged:
        return None
    return InconsistentError(
        f"{report.subject} is not whole: {report.damaged} times something could not be read, and is missing",
        remedy="Run neokeep check-consistency.",
    )


def _read_query() -> str:
    if sys.stdin.isatty():
        raise UsageError("there is no query", remedy="Give --query, or send it to standard input.")
    query = sys.stdin.read()
    if not query.strip():
        raise UsageError("standard input has no query", remedy="Give --query, or send it to standard input.")
    return query


def show(report: SqlReport, page: Page) -> None:
    if report.columns:
        numbers = [
            name
            for place, name in enumerate(report.columns)
            if all(isinstance(row[place], int | float) and not isinstance(row[place], bool) for row in report.rows)
        ]
        page.table(report.columns, [[_text(value) for value in row] for row in report.rows], right=numbers)
    if report.truncated:
        page.line(f"and more than these {format_count(len(report.rows), 'row')}; --limit tells how many are shown")


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | dict):
        from msgspec import json

        return json.encode(value).decode()
    text = "" if value is None else str(value)
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")


COMMANDS = (
    Command(
        "sql",
        "Ask a database, a backup or an archive in SQL, without restoring it.",
        "Run SQL, as DuckDB speaks it, over the graph of a stopped database at --home; with --backup or --from-source, "
        "of a backup; with --archive, of a .dump or full .backup. There are views of all nodes, of all relationships, "
        "and of each label and type, with a column for each property key: SHOW TABLES and DESCRIBE tell them, "
        "docs/export.md their types. The store is read for each query; nothing is changed, and no other file can be "
        "read or written from SQL.",
        (
            "neokeep sql neo4j --home /var/lib/neo4j --query 'SELECT count(*) FROM \"Person\" WHERE age > 30'",
            "neokeep sql --backup neo4j-20261122-173015F --repo /backup/neo4j --query 'SHOW TABLES'",
        ),
        run,
        (
            Argument(
                "database", "DATABASE", "The database, as in a repository it was called; else neo4j.", required=False
            ),
        ),
    ),
)
