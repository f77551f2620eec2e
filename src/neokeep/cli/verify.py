"""`neokeep verify`: read the repository and say whether every backup can be restored."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from neokeep.cli.command import Call, Command
from neokeep.cli.info import unasked
from neokeep.cli.output import Outcome
from neokeep.errors import IntegrityError
from neokeep.units import format_duration, format_size, format_time

if TYPE_CHECKING:
    from datetime import datetime

    from neokeep.cli.page import Page
    from neokeep.errors import NeokeepError
    from neokeep.reports import VerifyReport


def run(call: Call) -> Outcome:
    from neokeep import api

    settings = call.settings
    report = api.verify(
        settings.place_or_places(),
        settings.text("backup"),
        depth=settings.text("depth") or "content",
        part=settings.text("part"),
        again=settings.switch("again"),
        resume_within=timedelta(seconds=settings.number("resume_within") or 0),
        recover=settings.switch("recover"),
        scratch=settings.path("scratch"),
        jobs=settings.number("jobs"),
        progress=call.progress,
    )
    return Outcome(report, partial(show, report), failure_of(report))


def failure_of(report: VerifyReport) -> NeokeepError | None:
    """Sum up what is damaged, in the first repository where something is, or which could not be asked."""
    damaged = next((one for one in (report, *report.others) if not one.ok), None)
    return unasked(report) if damaged is None else _damaged(damaged)


def _damaged(report: VerifyReport) -> IntegrityError:
    bad = [backup.label for backup in report.backups if not backup.ok]
    what = f"{len(bad)} of {len(report.backups)} backups cannot be restored: {', '.join(bad)}"
    if not bad:
        what = f"every backup can still be restored, but not every object is whole: {', '.join(report.damaged_objects)}"
    good = next((backup.label for backup in reversed(report.backups) if backup.ok), None)
    remedy = (
        "Keep the repository as it is, make a new backup elsewhere, and look at the disk that holds this one. If "
        "another repository holds the same backups: neokeep heal --repo THIS --from THAT."
    )
    if good:
        remedy += f" The newest whole backup is {good}."
    return IntegrityError(f"{report.repository} is damaged: {what}", remedy=remedy)


def show(report: VerifyReport, page: Page) -> None:
    _show_one(report, page)
    for other in report.others:
        page.line()
        _show_one(other, page)
    for failure in report.failures:
        page.line()
        page.line(f"{failure.subject} was not verified: {failure.message}")


def _show_one(report: VerifyReport, page: Page) -> None:
    page.line(f"Verified {_what(report)}{report.repository}: {_amount(report)} in {format_duration(report.seconds)}")
    if report.resumed_from is not None:
        page.line(f"This went on with what was interrupted; it began at {format_time(report.resumed_from)}.")
    if not report.recorded:
        page.line(f"The repository does not keep what was proven: {report.not_recorded_because}")
    if report.transactions_applied is not None:
        page.line(f"Applied {report.transactions_applied} transactions to the full backups before them.")
    if report.backups:
        page.line()
        page.table(
            ("database", "backup", "state", "all content proven since"),
            [
                (backup.database, backup.label, "ok" if backup.ok else "DAMAGED", _since(backup.content_proven_at))
                for backup in report.backups
            ],
        )
    for backup in report.backups:
        for problem in backup.problems:
            page.line(f"  {backup.label}: {problem}")
    if report.damaged_objects:
        page.line()
        page.line("Damaged objects:")
        for name in report.damaged_objects:
            page.line(f"  {name}")


def _what(report: VerifyReport) -> str:
    if report.depth == "structure":
        return "the structure of "
    return "" if report.part is None else f"part {report.part} of "


def _amount(report: VerifyReport) -> str:
    read = format_size(report.bytes_checked)
    if report.depth == "structure":
        return f"all {report.blocks} blocks are there,"
    if report.part is None and report.resumed_from is None:
        return f"{report.blocks} blocks, {read},"
    return f"{report.blocks_checked} of {report.blocks} blocks, {read},"


def _since(time: datetime | None) -> str:
    return "never" if time is None else format_time(time)


COMMANDS = (
    Command(
        "verify",
        "Read the backups and prove that each is whole.",
        "Read, decode and hash every block that the backups need, and check every manifest. --part auto/30 reads a "
        "thirtieth, so that a month of daily runs reads everything; --depth structure reads no content. What was "
        "proven is kept in the repository, and `neokeep info` shows it. With --recover also apply the archived log to "
        "the full backups, in scratch: it must fit what it changed. The database is not touched. Ends with exit "
        "status 16 when anything is damaged.",
        (
            "neokeep verify --repo /backup/neo4j",
            "neokeep verify --repo /backup/neo4j --part auto/30",
            "neokeep verify --repo /backup/neo4j --depth structure",
            "neokeep verify --repo /backup/neo4j --backup LABEL",
        ),
        run,
    ),
)
