"""`neokeep heal`: store anew what a repository has lost, from another one that has it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from neokeep.cli.command import Call, Command
from neokeep.cli.output import Outcome
from neokeep.errors import PartialError
from neokeep.units import format_count, format_duration, format_size

if TYPE_CHECKING:
    from neokeep.cli.page import Page
    from neokeep.errors import NeokeepError
    from neokeep.reports import HealReport


def run(call: Call) -> Outcome:
    from neokeep import api

    settings = call.settings
    report = api.heal(
        settings.place(),
        settings.place("from"),
        settings.texts("backup"),
        jobs=settings.number("jobs"),
        progress=call.progress,
    )
    return Outcome(report, partial(show, report), failure_of(report))


def failure_of(report: HealReport) -> NeokeepError | None:
    """Sum up what could not be healed; None when there is nothing."""
    if report.ok:
        return None
    return PartialError(
        f"{report.repository} is not whole: {', '.join(failure.subject for failure in report.failures)}",
        remedy="Do what each failure says; what else was damaged is healed.",
    )


def show(report: HealReport, page: Page) -> None:
    took = format_duration(report.seconds)
    healed = report.manifests or report.blocks or report.segments or report.rebuilt_index
    if not healed and report.ok:
        page.line(f"Nothing of {report.repository} was damaged, in {took}")
        return
    page.line(f"Healed {report.repository} from {report.source}, in {took}")
    page.line()
    page.facts(
        [
            ("blocks", f"{report.blocks}, {report.own_blocks} of them still whole in damaged packs"),
            ("segments", str(report.segments)),
            ("manifests", ", ".join(report.manifests) or "0"),
            ("index", "made anew" if report.rebuilt_index else "left as it was"),
            ("read", f"{format_size(report.bytes_read)} from {report.source}"),
            ("stored", format_size(report.stored_bytes)),
        ]
    )
    if report.damaged_objects:
        page.line()
        page.line(f"What was damaged ({format_count(len(report.damaged_objects), 'object')}):")
        for name in report.damaged_objects:
            page.line(f"  {name}")
    for failure in report.failures:
        page.line()
        page.line(f"{failure.subject} is not healed: {failure.message}")
        if failure.remedy:
            page.line(f"What to do: {failure.remedy}")


COMMANDS = (
    Command(
        "heal",
        "Store anew what a repository has lost, from another one.",
        "Verify a repository, and fetch what is damaged or missing from another one that holds the same backups: "
        "blocks, archived log, manifests. All is proven by its content before it is stored, and read back after. "
        "What is whole is not touched. A backup that is gone altogether has expired, as far as anybody can tell: name "
        "it with --backup to bring it back. What cannot be healed is told by backup, with exit status 17.",
        ("neokeep heal --repo /backup/neo4j --from s3://bucket/neo4j", "neokeep heal --repo main --from offsite"),
        run,
    ),
)
