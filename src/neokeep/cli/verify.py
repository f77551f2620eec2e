"""`neokeep verify`: read the repository and say whether every backup can be restored."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from neokeep.cli.command import Call, Command
from neokeep.cli.info import unasked
from neokeep.cli.output import Outcome
from neokeep.errors import IntegrityError
from neokeep.units import format_duration, format_size

if TYPE_CHECKING:
    from neokeep.cli.page import Page
    from neokeep.errors import NeokeepError
    from neokeep.reports import VerifyReport


def run(call: Call) -> Outcome:
    from neokeep import api

    settings = call.settings
    report = api.verify(
        settings.place_or_places(),
        settings.text("backup"),
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
    amount = f"{report.blocks} blocks, {format_size(report.bytes_checked)}, in {format_duration(report.seconds)}"
    page.line(f"Verified {report.repository}: {amount}")
    if report.transactions_applied is not None:
        page.line(f"Applied {report.transactions_applied} transactions to the full backups before them.")
    if report.backups:
        page.line()
        page.table(
            ("database", "backup", "state"),
            [(backup.database, backup.label, "ok" if backup.ok else "DAMAGED") for backup in report.backups],
        )
    for backup in report.backups:
        for problem in backup.problems:
            page.line(f"  {backup.label}: {problem}")
    if report.damaged_objects:
        page.line()
        page.line("Damaged objects:")
        for name in report.damaged_objects:
            page.line(f"  {name}")


COMMANDS = (
    Command(
        "verify",
        "Read the backups and prove that each is whole.",
        "Read, decode and hash every block that the backups need, and check every manifest. With --recover also apply "
        "the archived log to the full backups, in scratch: it must fit what it changed. The database is not "
        "touched. Ends with exit status 16 when anything is damaged.",
        ("neokeep verify --repo /backup/neo4j", "neokeep verify --repo /backup/neo4j --backup LABEL"),
        run,
    ),
)
