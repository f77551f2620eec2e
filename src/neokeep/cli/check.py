"""`neokeep check`: try everything that a backup will need, and say what is not ready."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from neokeep.cli.command import Call, Command
from neokeep.cli.output import Outcome
from neokeep.errors import ERRORS, NeokeepError
from neokeep.progress import Silent

if TYPE_CHECKING:
    from neokeep.cli.page import Page
    from neokeep.reports import CheckReport

_MARKS = {"ok": "ok", "warning": "WARNING", "error": "ERROR"}


def run(call: Call) -> Outcome:
    from neokeep import api

    settings = call.settings
    report = api.check(
        settings.needed_path("home"),
        settings.place(),
        configuration_directory=settings.path("conf"),
        interval_seconds=settings.number("backup_every") or 1,
        progress=Silent(),  # what it would say is what the report says
    )
    return Outcome(report, partial(show, report), failure_of(report))


def failure_of(report: CheckReport) -> NeokeepError | None:
    """Make an error of the first finding that is one; None when there is none."""
    errors = [finding for finding in report.findings if finding.status == "error"]
    if not errors:
        return None
    first = errors[0]
    kind = {error.kind: error for error in ERRORS}.get(first.kind, NeokeepError)
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return kind(f"{first.subject}: {first.message}{more}", remedy=first.remedy)


def show(report: CheckReport, page: Page) -> None:
    page.line(f"Checked {report.source} and {report.repository}")
    page.line()
    for finding in report.findings:
        page.line(f"{_MARKS.get(finding.status, finding.status):<7}  {finding.subject}: {finding.message}")
        if finding.remedy:
            page.line(f"         What to do: {finding.remedy}")
    page.line()
    warnings = sum(finding.status == "warning" for finding in report.findings)
    errors = sum(finding.status == "error" for finding in report.findings)
    verdict = "Backups will work." if report.ok else "Backups will not work before that is put right."
    page.line(f"{_number(errors, 'error')}, {_number(warnings, 'warning')}. {verdict}")


def _number(count: int, what: str) -> str:
    return f"{count or 'no'} {what}{'' if count == 1 else 's'}"


COMMANDS = (
    Command(
        "check",
        "Try everything that a backup will need.",
        "Try everything that a backup will need, at the server and at the repository, and say what to do about what is "
        "not ready. Nothing of the database is changed. Run it after each change of either; it ends with the exit "
        "status of the first error.",
        ("neokeep check --home /var/lib/neo4j --repo /backup/neo4j --backup-every 1d",),
        run,
    ),
)
