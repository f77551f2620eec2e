"""`neokeep expire`: remove the backups that no rule keeps."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from neokeep.cli.collect import lines_of, locked_lines
from neokeep.cli.collect import refused_by as refused_by_collect
from neokeep.cli.command import Call, Command
from neokeep.cli.output import Outcome
from neokeep.units import format_count, format_time

if TYPE_CHECKING:
    from neokeep.cli.page import Page
    from neokeep.errors import NeokeepError
    from neokeep.reports import ExpireReport


def run(call: Call) -> Outcome:
    from neokeep import api

    settings = call.settings
    label, grace = settings.text("backup"), settings.number("grace")

    def rule(name: str) -> int | None:
        # A rule of the configuration file belongs to the daily run, not to one backup that is named.
        return settings.number(name) if label is None else None

    within = rule("keep_within")
    report = api.expire(
        settings.place(),
        settings.text("database"),
        label,
        keep_last=rule("keep_last"),
        keep_within=None if within is None else timedelta(seconds=within),
        keep_daily=rule("keep_daily"),
        keep_weekly=rule("keep_weekly"),
        keep_monthly=rule("keep_monthly"),
        keep_yearly=rule("keep_yearly"),
        require_consistent=label is None and settings.switch("require_consistent"),
        dry_run=settings.switch("dry_run"),
        collect=settings.switch("collect"),
        grace=None if grace is None else timedelta(seconds=grace),
        repack_below=(settings.share("repack_below") or 0) if settings.switch("repack") else 0,
        progress=call.progress,
    )
    return Outcome(report, partial(show, report), failure_of(report), answer=report.dry_run)


def failure_of(report: ExpireReport) -> NeokeepError | None:
    """Tell of deletions that the storage refused; None when there were none."""
    if report.refused_objects:
        from neokeep.repository.removing import refusal

        return refusal(report.refused_objects, report.refused_because, report.repository)
    return None if report.collected is None else refused_by_collect(report.collected)


def show(report: ExpireReport, page: Page) -> None:
    going = sum(not line.keep for line in report.lines)
    if report.dry_run:
        page.line(f"Of {format_count(len(report.lines), 'backup')} in {report.repository} {going} would expire")
    else:
        page.line(f"Removed {format_count(report.removed_backups, 'backup')} of {report.repository}")
    if report.lines:
        page.line()
        page.table(
            ("source", "database", "backup", "finished", "decision", "reason"),
            [
                (
                    line.source or "unknown",
                    line.database or "unknown",
                    line.label,
                    "unknown" if line.finished_at is None else format_time(line.finished_at),
                    "keep" if line.keep else "expire",
                    "; ".join(line.reasons),
                )
                for line in report.lines
            ],
        )
    for text in locked_lines(report.locked_objects, report.locked_until):
        page.line(text)
    if report.collected is not None:
        page.line()
        for text in lines_of(report.collected):
            page.line(text)


COMMANDS = (
    Command(
        "expire",
        "Remove the backups that no rule keeps.",
        "Remove backups that no rule keeps, then give back their space as `neokeep collect` does. A rule keeps a full "
        "backup with all that goes on from it, so restore windows stay whole. Rules add up. They count for each "
        "database of each source for itself. The newest full backup of a database stays in any case, and so does what "
        "is held. With --backup, that one alone goes, with all that goes on from it.",
        (
            "neokeep expire --repo /backup/neo4j --keep-within 30d --keep-monthly 12 --dry-run",
            "neokeep expire --repo /backup/neo4j --database neo4j --keep-last 4",
        ),
        run,
    ),
)
