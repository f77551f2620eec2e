"""`neokeep diff-config`: what changed in a server's configuration, certificates and plugins."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from neokeep.cli.backup import certificate_lines
from neokeep.cli.command import Argument, Call, Command
from neokeep.cli.output import Outcome
from neokeep.errors import DifferenceError, UsageError
from neokeep.units import format_count

if TYPE_CHECKING:
    from neokeep.cli.page import Page
    from neokeep.server_files.reports import DiffConfigReport, ServerFilesSide, SettingDifference


def run(call: Call) -> Outcome:
    from neokeep import api

    settings, labels = call.settings, call.list_of("labels")
    if len(labels) > 2:
        raise UsageError("more than two backups are named", remedy="Give one or two labels, or none.")
    before, after = (*labels, None, None)[:2]
    source = None
    if after is None:
        source = api.find_source(settings.needed_path("home"), settings.path("conf"), settings.text("source"))
    report = api.diff_config(settings.place(), before, after, source=source, from_source=settings.text("from_source"))
    return Outcome(report, partial(show, report), failure_of(report), answer=True)


def failure_of(report: DiffConfigReport) -> DifferenceError | None:
    """Make the exit status that programs like diff end with; None where all is the same."""
    if report.same:
        return None
    return DifferenceError(
        f"{format_count(len(report.settings), 'setting')} and {format_count(len(report.files), 'file')} differ",
        remedy="See what is listed; where it is wanted, the next backup has it.",
    )


def show(report: DiffConfigReport, page: Page) -> None:
    page.facts([("before", _side(report.before)), ("after", _side(report.after))])
    if report.same:
        page.line()
        page.line("Nothing differs.")
    if report.settings:
        page.line()
        page.table(
            ("file", "setting", "change", "before", "after"),
            [(one.file, one.setting, one.change, *_values(one)) for one in report.settings],
        )
    if report.files:
        page.line()
        page.table(("file", "change", "what"), [(one.file, one.change, one.what) for one in report.files])
    if report.not_compared:
        page.line()
        page.line("Not compared, since one of them has it left out:")
        for name in report.not_compared:
            page.line(f"  - {name}")
    for line in certificate_lines(report.certificates):
        page.line()
        page.line(line)


def _side(side: ServerFilesSide) -> str:
    return f"{side.label or 'now'} ({side.home} on {side.host})"


def _values(one: SettingDifference) -> tuple[str, str]:
    """Show both values; those that may be secret are not there to be shown."""
    before = "(secret)" if one.before is None else ", ".join(one.before)
    after = "(secret)" if one.after is None else ", ".join(one.after)
    return "" if one.change == "added" else before, "" if one.change == "removed" else after


COMMANDS = (
    Command(
        "diff-config",
        "Show what changed in a server's configuration.",
        "Compare configuration, certificates and plugins of a backup with those of the server now, or with another "
        "backup. Without a label the newest backup of that server is meant. Values of settings that are or look like "
        "secrets are never shown. It ends with status 0 when nothing differs, and with 25 when something does.",
        (
            "neokeep diff-config --home /var/lib/neo4j --repo /backup/neo4j",
            "neokeep diff-config LABEL LABEL --repo /backup/neo4j",
        ),
        run,
        (
            Argument(
                "labels", "LABEL", "The backup to compare with the server, or two backups, the older first.",
                required=False, many=True,
            ),
        ),
    ),
)  # fmt: skip
