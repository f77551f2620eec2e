"""`neokeep collect`: give back the space of what no backup needs."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from neokeep.cli.command import Call, Command
from neokeep.cli.output import Outcome
from neokeep.errors import PartialError
from neokeep.units import format_count, format_size, format_time

if TYPE_CHECKING:
    from datetime import datetime

    from neokeep.cli.page import Page
    from neokeep.errors import NeokeepError
    from neokeep.reports import CollectReport


def run(call: Call) -> Outcome:
    from neokeep import api

    settings = call.settings
    grace = settings.number("grace")
    report = api.collect(
        settings.place(),
        grace=None if grace is None else timedelta(seconds=grace),
        repack_below=(settings.share("repack_below") or 0) if settings.switch("repack") else 0,
        dry_run=settings.switch("dry_run"),
        progress=call.progress,
    )
    return Outcome(report, partial(show, report), refused_by(report), answer=report.dry_run)


def refused_by(report: CollectReport) -> NeokeepError | None:
    """Tell of deletions that the storage refused, or of locks that end too early; None when there were none."""
    if report.locks_not_extended:
        return PartialError(
            f"{report.repository} locks {format_count(report.locks_not_extended, 'object')} that backups need no "
            f"longer than before, in spite of --immutable-for; the first: {report.locks_not_extended_because}",
            remedy="Moving dates on needs 'neokeep[lock]' installed, and s3:GetObjectRetention and "
            "s3:PutObjectRetention. The backups are as they were.",
        )
    if not report.refused_objects:
        return None
    from neokeep.repository.removing import refusal

    return refusal(report.refused_objects, report.refused_because, report.repository)


def show(report: CollectReport, page: Page) -> None:
    for text in lines_of(report):
        page.line(text)


def lines_of(report: CollectReport) -> list[str]:
    """Say what was given back, and what is going to be."""
    removed = _objects(report.removed_packs, report.removed_segments)
    freed = format_size(report.freed_bytes)
    lines = [f"Would delete {removed}" if report.dry_run else f"Deleted {removed}; {freed} are free again"]
    if report.condemned_packs or report.condemned_segments:
        waiting = _objects(report.condemned_packs, report.condemned_segments)
        since = "" if report.removable_from is None else f", the first from {format_time(report.removable_from)} on"
        lines.append(f"{waiting} with {format_size(report.condemned_bytes)} are not needed and may go later{since}")
    lines += [f"Waiting: {reason}" for reason in report.waiting_for]
    lines += locked_lines(report.locked_objects, report.locked_until)
    if report.extended_locks:
        lines.append(f"Locked {format_count(report.extended_locks, 'object')} that backups need for longer")
    if report.reprieved_packs:
        lines.append(f"{format_count(report.reprieved_packs, 'pack')} came to be needed again and stay")
    lines += [f"Removed {label}: its writer had been given up before it committed" for label in report.void_backups]
    if report.repacked_packs:
        would = "Would rewrite" if report.dry_run else "Rewrote"
        lines.append(
            f"{would} {format_count(report.repacked_packs, 'pack')} with {format_size(report.repacked_bytes)}: "
            f"{format_size(report.copied_bytes)} of it are needed; the old ones go later"
        )
    if report.repacking_stopped_because:
        lines.append(f"Rewriting packs ended early: {report.repacking_stopped_because}")
    lines += [f"DAMAGED: {problem}; 'neokeep verify' tells what it touches" for problem in report.damaged_packs]
    if report.unused_bytes:
        lines.append(
            f"{format_size(report.unused_bytes)} that no backup needs were found in packs with blocks that are needed"
        )
    return lines


def locked_lines(count: int, until: datetime | None) -> list[str]:
    """Say what the storage keeps, as it was told to, and until when."""
    if until is None:
        return []
    return [f"The storage keeps {format_count(count, 'locked object')}, the first until {format_time(until)}"]


def _objects(packs: int, segments: int) -> str:
    return f"{format_count(packs, 'pack')} and {format_count(segments, 'segment')}"


COMMANDS = (
    Command(
        "collect",
        "Give back the space of what no backup needs.",
        "Find packs and segments that no backup needs, and delete those that were found so in an earlier run, at least "
        "the grace period ago, and are still not needed. Packs of which little is needed are rewritten. Other commands "
        "may run meanwhile, backups too. `neokeep expire` does this at its end.",
        ("neokeep collect --repo /backup/neo4j", "neokeep collect --repo /backup/neo4j --dry-run"),
        run,
    ),
)
