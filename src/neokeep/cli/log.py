"""`neokeep log`: what the archived transactions did."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from neokeep.cli.command import Argument, Call, Command
from neokeep.cli.output import Outcome
from neokeep.units import format_size, format_time

if TYPE_CHECKING:
    from neokeep.cli.page import Page
    from neokeep.reports import ChangeCounts, LogReport, TransactionInfo


def run(call: Call) -> Outcome:
    from neokeep import api

    settings = call.settings
    report = api.log(
        settings.place_or_places(),
        call.argument("database"),
        label=settings.text("backup"),
        from_source=settings.text("from_source"),
        first=settings.number("from_tx"),
        last=settings.number("to_tx"),
        since=settings.moment("since"),
        until=settings.moment("until"),
        deletes_more_than=settings.number("deletes_more_than"),
        limit=settings.number("limit") or 1,
    )
    return Outcome(report, partial(show, report), answer=True)


def show(report: LogReport, page: Page) -> None:
    window = f"transactions {report.window_first} to {report.window_last}"
    page.line(f"{report.database} of {report.chain}: restores reach {window}")
    page.line("Created, changed and deleted are written as +1 ~2 -3.")
    page.line()
    page.table(
        ("tx", "committed", "size", "nodes", "relationships", "properties", "tokens", "schema"),
        [_row(transaction) for transaction in report.transactions],
        right=("tx", "size"),
    )
    hidden = report.matched - len(report.transactions)
    if hidden:
        page.line(f"and {hidden} before these; list more with --limit")


def _row(transaction: TransactionInfo) -> tuple[str, ...]:
    return (
        str(transaction.id),
        format_time(transaction.committed_at),
        format_size(transaction.size_bytes),
        _changes(transaction.nodes),
        _changes(transaction.relationships),
        _changes(transaction.properties),
        _changes(transaction.tokens),
        _changes(transaction.schema),
    )


def _changes(counts: ChangeCounts) -> str:
    signs = (("+", counts.created), ("~", counts.changed), ("-", counts.deleted))
    return " ".join(f"{sign}{number}" for sign, number in signs if number) or "."


COMMANDS = (
    Command(
        "log",
        "List archived transactions and what each did.",
        "List the transactions that the repository holds of a database: when each was committed and how many nodes, "
        "relationships and properties it created, changed and deleted. Find the transaction that was the mistake, and "
        "restore to the one before it with: neokeep restore DATABASE --before-tx ID.",
        (
            "neokeep log neo4j --repo /backup/neo4j --deletes-more-than 1000",
            "neokeep log neo4j --repo /backup/neo4j --since 2026-11-22T09:00:00Z --until 2026-11-22T10:00:00Z",
        ),
        run,
        (Argument("database", "DATABASE", "The database, by the name that it had when it was backed up."),),
    ),
)
