"""`neokeep hold`: keep a backup from expiring."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from neokeep.cli.command import Argument, Call, Command
from neokeep.cli.output import Outcome
from neokeep.units import format_time

if TYPE_CHECKING:
    from neokeep.cli.page import Page
    from neokeep.reports import HoldReport


def run(call: Call) -> Outcome:
    from neokeep import api

    settings = call.settings
    report = api.hold(
        settings.place(),
        call.argument("label"),
        reason=settings.needed_text("reason"),
        until=settings.moment("until"),
    )
    return Outcome(report, partial(show, report))


def show(report: HoldReport, page: Page) -> None:
    if not report.holds:
        page.line(f"{report.label} is not held any more")
    for hold in report.holds:
        end = "until it is released" if hold.until is None else f"until {format_time(hold.until)}"
        page.line(f"{report.label} is held {end}: {hold.reason}")


COMMANDS = (
    Command(
        "hold",
        "Keep a backup from expiring.",
        "Keep a backup, and all that it needs, from expiring: with a full backup or one that goes on from it, the "
        "whole chain stays. A backup may be held more than once. `neokeep info` shows what is held.",
        (
            "neokeep hold neo4j-20261122-173015F --repo /backup/neo4j --reason audit-2026",
            "neokeep hold LABEL --repo /backup/neo4j --reason migration --until 2027-01-31T00:00:00Z",
        ),
        run,
        (Argument("label", "LABEL", "The backup, by the label that `neokeep info` shows."),),
    ),
)
