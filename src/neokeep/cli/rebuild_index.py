"""`neokeep rebuild-index`: make the index of the repository anew from its packs."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from neokeep.cli.command import Call, Command
from neokeep.cli.output import Outcome
from neokeep.errors import IntegrityError, NeokeepError
from neokeep.units import format_count

if TYPE_CHECKING:
    from neokeep.cli.page import Page
    from neokeep.reports import RebuildIndexReport


def run(call: Call) -> Outcome:
    from neokeep import api

    settings = call.settings
    report = api.rebuild_index(settings.place(), jobs=settings.number("jobs"), progress=call.progress)
    return Outcome(report, partial(show, report), failure_of(report))


def failure_of(report: RebuildIndexReport) -> NeokeepError | None:
    """Tell of packs that cannot be read, or of deletions that were refused; None when there are none."""
    if report.unreadable_packs:
        return IntegrityError(
            f"{len(report.unreadable_packs)} packs of {report.repository} cannot be read, the first is "
            f"{report.unreadable_packs[0]}",
            remedy="Run 'neokeep verify' to see which backups this touches.",
        )
    if report.refused_objects:
        from neokeep.repository.removing import refusal

        return refusal(report.refused_objects, report.refused_because, report.repository)
    return None


def show(report: RebuildIndexReport, page: Page) -> None:
    page.line(
        f"The index of {report.repository} knows {format_count(report.blocks, 'block')} in "
        f"{format_count(report.packs, 'pack')}: {format_count(report.index_objects, 'index object')}, "
        f"{report.removed_index_objects} old ones removed"
    )
    for name in report.unreadable_packs:
        page.line(f"  cannot be read: {name}")


COMMANDS = (
    Command(
        "rebuild-index",
        "Make the index anew from the packs.",
        "Read from every pack which blocks it holds, store that as the new index, and remove the old one. Nothing is "
        "lost when it is interrupted: the index is only a cache. Do it when index objects are damaged or missing.",
        ("neokeep rebuild-index --repo /backup/neo4j",),
        run,
    ),
)
