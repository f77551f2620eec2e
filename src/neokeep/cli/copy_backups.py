"""`neokeep copy-backups`: copy backups of one repository into another."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from neokeep.cli.backup import error_of
from neokeep.cli.command import Call, Command
from neokeep.cli.output import Outcome
from neokeep.errors import NeokeepError, PartialError
from neokeep.units import format_count, format_duration, format_size

if TYPE_CHECKING:
    from neokeep.cli.page import Page
    from neokeep.reports import CopyReport


def run(call: Call) -> Outcome:
    from neokeep import api

    settings = call.settings
    report = api.copy_backups(
        settings.place("from"),
        settings.place("to"),
        settings.texts("backup"),
        settings.text("database"),
        jobs=settings.number("jobs"),
        progress=call.progress,
    )
    return Outcome(report, partial(show, report), failure_of(report))


def failure_of(report: CopyReport) -> NeokeepError | None:
    """Sum backups up that could not be copied; None when there are none."""
    failed = report.failures
    if not failed:
        return None
    if report.backups:
        return PartialError(
            f"{len(failed)} of {format_count(len(failed) + len(report.backups), 'backup')} could not be copied: "
            f"{', '.join(failure.subject for failure in failed)}",
            remedy="Do what each failure says and run it again; the other backups are complete.",
        )
    return error_of(failed[0])


def show(report: CopyReport, page: Page) -> None:
    copied = sum(one.state == "copied" for one in report.backups)
    amount = f"{format_size(report.bytes_read)} read, {format_size(report.stored_bytes)} stored"
    page.line(
        f"Copied {format_count(copied, 'backup')} of {report.repository} to {report.target}: {amount}, in "
        f"{format_duration(report.seconds)}"
    )
    if report.backups:
        page.line()
        page.table(
            ("database", "backup", "state", "read", "stored", "blocks", "there before", "segments"),
            [
                (
                    one.database,
                    one.label,
                    "copied" if one.state == "copied" else "was there",
                    format_size(one.bytes_read),
                    format_size(one.stored_bytes),
                    str(one.blocks),
                    str(one.skipped_blocks),
                    str(one.segments),
                )
                for one in report.backups
            ],
            right=("read", "stored", "blocks", "there before", "segments"),
        )
    for failure in report.failures:
        page.line()
        page.line(f"{failure.subject} was not copied: {failure.message}")
        if failure.remedy:
            page.line(f"What to do: {failure.remedy}")
    if report.held:
        page.line()
        page.line(f"Held in {report.repository}, and not in {report.target}, since holds are not copied:")
        for label in report.held:
            page.line(f"  - {label}")


COMMANDS = (
    Command(
        "copy-backups",
        "Copy backups into another repository.",
        "Copy backups of one repository into another one, under the same labels, full ones with the archived log of "
        "their chains, the newest first. Every block is decoded and proven on the way, and stored as the target stores "
        "its own; what the target has already is not stored again, and a copy that was interrupted goes on where it "
        "was. Run it again, from cron, to take what is new. Holds are not copied. Options beginning with --repo- hold "
        "for both; what each needs by itself stands with it under [repositories] in neokeep.toml.",
        (
            "neokeep copy-backups --from /backup/neo4j --to s3://bucket/neo4j",
            "neokeep copy-backups --from main --to offsite --database neo4j",
        ),
        run,
    ),
)
