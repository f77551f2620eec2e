"""`neokeep restore`: put a backup into a Neo4j home."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from neokeep.cli.backup import certificate_lines, left_out_lines
from neokeep.cli.command import Argument, Call, Command
from neokeep.cli.output import Outcome
from neokeep.errors import UsageError
from neokeep.units import format_count, format_duration, format_size, format_time

if TYPE_CHECKING:
    from pathlib import Path

    from neokeep.cli.page import Page
    from neokeep.config import Settings
    from neokeep.reports import RestoreReport
    from neokeep.server_files.reports import ServerFilesReport


def run(call: Call) -> Outcome:
    from neokeep import api

    settings = call.settings
    _require_one_target(settings)
    directory = settings.path("server_files")
    if directory is not None:
        return _server_files(call, directory)
    if not call.argument("database"):
        raise UsageError(
            "no database is named", remedy="Name it: neokeep restore DATABASE. Or ask for --server-files DIRECTORY."
        )
    report = api.restore(
        settings.place_or_places(),
        settings.needed_path("home"),
        call.argument("database"),
        configuration_directory=settings.path("conf"),
        label=settings.text("backup"),
        from_source=settings.text("from_source"),
        restored_as=settings.text("as"),
        overwrite=settings.switch("overwrite"),
        recover=settings.text("recover"),
        to_time=settings.moment("to_time"),
        to_transaction=settings.number("to_tx"),
        before_transaction=settings.number("before_tx"),
        jobs=settings.number("jobs"),
        progress=call.progress,
    )
    return Outcome(report, partial(show, report))


def _require_one_target(settings: Settings) -> None:
    """--to latest is what happens anyway; it must not be said together with anything else."""
    others = [name for name in ("backup", "to_time", "to_tx", "before_tx") if settings.values[name] is not None]
    if settings.text("to") is not None and others:
        raise UsageError(
            f"--to latest and --{others[0].replace('_', '-')} were given", remedy="Give one target, or none at all."
        )


def _server_files(call: Call, directory: Path) -> Outcome:
    from neokeep import api

    settings = call.settings
    meant = [name for name in ("as", "to_time", "to_tx", "before_tx", "recover") if settings.values[name] is not None]
    meant += ["overwrite"] if settings.switch("overwrite") else []
    if meant:
        raise UsageError(
            f"--{meant[0].replace('_', '-')} is for databases, and --server-files restores none",
            remedy="Restore databases by a call of its own; choose the files of another moment with --backup.",
        )
    files = api.restore_server_files(
        settings.place_or_places(),
        directory,
        label=settings.text("backup"),
        database=call.argument("database").lower() or None,
        from_source=settings.text("from_source"),
    )
    return Outcome(files, partial(show_server_files, files))


def show_server_files(report: ServerFilesReport, page: Page) -> None:
    from neokeep.server_files.write import LIST

    page.line(f"Restored the server's files of {report.label} into {report.directory}")
    page.line()
    page.facts(
        [
            ("from", f"{report.home} on {report.host}"),
            ("files", f"{report.files}, {format_size(report.size_bytes)}"),
            ("about each file", f"{report.directory}/{LIST}"),
        ]
    )
    notes = [f"without its secrets: {path}" for path in report.redacted]
    notes += [f"left out {item.path}: {item.reason}" for item in report.left_out]
    notes += [f"was a link: {link}" for link in report.links]
    if report.listed:
        notes.append(f"not in the backup, only listed: {', '.join(report.listed)}")
    if report.owner_not_set:
        notes.append(
            f"{format_count(len(report.owner_not_set), 'file')} had another owner, which this user may not give"
        )
    for line in (*notes, *certificate_lines(report.certificates)):
        page.line(f"  - {line}")


def show(report: RestoreReport, page: Page) -> None:
    renamed = f" as {report.restored_as}" if report.restored_as != report.database else ""
    page.line(f"Restored {report.database}{renamed} from {report.label}")
    page.line()
    committed = f", committed {format_time(report.last_commit_time)}" if report.last_commit_time else ""
    page.facts(
        [
            ("Neo4j home", report.home),
            ("store", report.store_directory),
            ("logs", report.log_directory),
            ("last transaction", f"{report.last_tx}{committed}"),
            ("size", f"{format_size(report.size_bytes)} in {report.file_count} files"),
            ("took", format_duration(report.seconds)),
            ("recovery", "done" if report.recovered else "Neo4j does it at its next start"),
            ("replaced a database", "yes" if report.replaced else "no"),
        ]
    )
    for line in (*left_out_lines(report.left_out), *report.fell_over):
        page.line(f"  - {line}")
    if report.next_steps:
        page.line()
        page.line("Next:")
        for number, step in enumerate(report.next_steps, 1):
            page.line(f"  {number}. {step}")


COMMANDS = (
    Command(
        "restore",
        "Put a backup into a Neo4j home.",
        "Restore a database into a Neo4j home. The database must not be open: stop the server, or restore under "
        "another name. The backup is written beside its place, verified byte by byte, and put there in one step: "
        "whatever happens, the database is the old one or the new one. One that is there is replaced only with "
        "--overwrite. With several repositories the first that has what is wanted gives it, for the newest state the "
        "one that reaches farthest; what is damaged, missing or away comes from the next, block by block. With "
        "--server-files no database is restored, but the server's other files, into a directory of their own.",
        (
            "neokeep restore neo4j --home /var/lib/neo4j --repo /backup/neo4j --overwrite",
            "neokeep restore neo4j --to-time 2026-11-22T10:00:00Z --overwrite --source production --repo main",
            "neokeep restore neo4j --home /var/lib/neo4j --repo main --repo offsite --overwrite",
            "neokeep restore --server-files /tmp/server --repo /backup/neo4j",
            "neokeep restore neo4j --as yesterday --backup LABEL --home /var/lib/neo4j --repo /backup/neo4j",
        ),
        run,
        (
            Argument(
                "database",
                "DATABASE",
                "The database, by the name that it had when it was backed up. With --server-files it may be left out.",
                required=False,
            ),
        ),
    ),
)
