"""`neokeep backup`: back up databases of a server, running or not."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from neokeep.cli.command import Argument, Call, Command
from neokeep.cli.output import Outcome
from neokeep.errors import ERRORS, InconsistentError, NeokeepError, PartialError
from neokeep.units import format_count, format_duration, format_size, format_time

if TYPE_CHECKING:
    from neokeep.cli.page import Page
    from neokeep.reports import (
        BackupInfo,
        BackupReport,
        CertificateInfo,
        Failure,
        LeftOutInfo,
        ServerFilesInfo,
    )


def run(call: Call) -> Outcome:
    from neokeep import api

    settings = call.settings
    source = api.find_source(settings.needed_path("home"), settings.path("conf"), settings.text("source"))
    report = api.backup(
        source,
        settings.place_or_places(),
        call.list_of("databases"),
        type=settings.choice("type"),
        full_every=settings.number("full_every"),
        full_after=settings.number("full_after"),
        full_at_log_share=settings.share("full_at_log_share"),
        indexes=settings.choice("indexes"),
        rate_limit=settings.number("rate_limit"),
        jobs=settings.number("jobs"),
        gentle=settings.switch("nice"),
        server_files=settings.choice("server_files"),
        check=settings.switch("check"),
        scratch=settings.path("scratch"),
        progress=call.progress,
    )
    return Outcome(report, partial(show, report), failure_of(report))


def failure_of(report: BackupReport) -> NeokeepError | None:
    """Sum up in one error what failed, or was found in backups, or could not be checked; None when there is nothing."""
    all_reports = (report, *report.others)
    failed = [failure for one in all_reports for failure in one.failures]
    if not failed:
        return _found_by_checks(all_reports)
    names = ", ".join(
        f"{failure.subject} into {one.repository}" if report.others else failure.subject
        for one in all_reports
        for failure in one.failures
    )
    total = len(failed) + sum(len(one.backups) for one in all_reports)
    if total > len(failed):
        return PartialError(
            f"{len(failed)} of {total} {'backups' if report.others else 'databases'} could not be "
            f"{'made' if report.others else 'backed up'}: {names}",
            remedy="Do what each failure says; the other backups are complete.",
        )
    first = error_of(failed[0])
    if len(failed) == 1:
        return first
    return type(first)(f"no database could be backed up ({names}); the first: {first.message}", remedy=first.remedy)


def _found_by_checks(all_reports: tuple[BackupReport, ...]) -> NeokeepError | None:
    broken = [backup for one in all_reports for backup in one.backups if backup.inconsistencies]
    if broken:
        names = ", ".join(dict.fromkeys(backup.label for backup in broken))
        return InconsistentError(
            f"the graph is not whole in {names}; the backup was made, and holds what the database held",
            remedy="See what it is with 'neokeep check-consistency DATABASE --backup LABEL', keep older backups, and "
            "check the database itself.",
        )
    unchecked = next((failure for one in all_reports for failure in one.unchecked), None)
    return None if unchecked is None else error_of(unchecked)


def error_of(failure: Failure) -> NeokeepError:
    """Make the error again of which a report tells."""
    kinds = {error.kind: error for error in ERRORS}
    return kinds.get(failure.kind, NeokeepError)(f"{failure.subject}: {failure.message}", remedy=failure.remedy)


def show(report: BackupReport, page: Page) -> None:
    several = bool(report.others)
    _show_one(report, page, several=several)
    for other in report.others:
        page.line()
        _show_one(other, page, several=several)


def _show_one(report: BackupReport, page: Page, *, several: bool) -> None:
    if report.backups:
        number = len(report.backups)
        page.line(f"Backed up {number} database{'s' if number > 1 else ''} to {report.repository}")
        page.line()
        page.table(
            ("database", "type", "backup", "last tx", "size", "stored", "took"),
            [
                (
                    backup.database,
                    backup.type,
                    backup.label,
                    str(backup.last_tx),
                    format_size(backup.size_bytes),
                    format_size(backup.stored_bytes),
                    format_duration(backup.seconds),
                )
                for backup in report.backups
            ],
            right=("last tx", "size", "stored", "took"),
        )
    elif several:
        page.line(f"Backed up nothing to {report.repository}")
    for backup in report.backups:
        _show_notes(backup, page)
    for failure in report.unchecked:
        page.line()
        page.line(f"{failure.subject} was made, and could not be checked: {failure.message}")
        page.line(f"What to do: {failure.remedy}")
    if len(report.failures) + bool(report.backups) > 1 or several:
        for failure in report.failures:
            page.line()
            into = f" to {report.repository}" if several else ""
            page.line(f"{failure.subject} could not be backed up{into}: {failure.message}")
            page.line(f"What to do: {failure.remedy}")
    # All backups of a run have the same ones, so they are told of once.
    lines = {line: None for backup in report.backups for line in server_files_lines(backup.server_files)}
    lines |= dict.fromkeys(certificate_lines(report.certificates))
    if lines:
        page.line()
        page.line("About the server's other files:")
        for line in lines:
            page.line(f"  - {line}")


def _show_notes(backup: BackupInfo, page: Page) -> None:
    notes = [f"{backup.type}, since {backup.reason}"] if backup.reason else []
    notes += [*backup.events, *left_out_lines(backup.left_out)]
    if backup.attempts > 1:
        notes.insert(0, f"it took {backup.attempts} attempts")
    if backup.inconsistencies is not None:
        found = f"not whole, {format_count(backup.inconsistencies, 'finding')}" if backup.inconsistencies else "whole"
        notes.append(f"the graph in it is {found}")
    if notes:
        page.line()
        page.line(f"About {backup.label}:")
        for note in notes:
            page.line(f"  - {note}")


def left_out_lines(left_out: tuple[LeftOutInfo, ...]) -> list[str]:
    """Tell what is not in a backup, one line for each reason."""
    groups: dict[tuple[str, bool], list[str]] = {}
    for item in left_out:
        groups.setdefault((item.reason, item.rebuilt), []).append(item.path)
    lines = []
    for (reason, rebuilt), paths in groups.items():
        what = paths[0] if len(paths) == 1 else f"{len(paths)} files"
        fate = "Neo4j makes it again" if len(paths) == 1 else "Neo4j makes them again"
        lines.append(f"left out {what}: {reason} ({fate if rebuilt else 'not in this backup'})")
    return lines


def server_files_lines(server: ServerFilesInfo | None) -> list[str]:
    """Tell of the server's other files in a backup what is not there."""
    if server is None:
        return []
    lines = [f"{format_count(server.file_count, 'file')} in each backup"]
    if server.redacted:
        lines.append(f"secrets are left out of {', '.join(server.redacted)}: the repository is not encrypted")
    return lines + [f"left out {item.path}: {item.reason}" for item in server.left_out]


def certificate_lines(certificates: tuple[CertificateInfo, ...]) -> list[str]:
    """Warn of certificates, one line for each."""
    return [
        f"WARNING: the certificate {item.subject} in {item.path} "
        + (f"ends in {format_count(item.days_left, 'day')}" if item.days_left >= 0 else "has ended")
        + f", at {format_time(item.not_after)}"
        for item in certificates
    ]


COMMANDS = (
    Command(
        "backup",
        "Back up databases of a server, running or not.",
        "Back up databases into a repository, while the server runs or while it is stopped. Without a name, all "
        "databases of the server are backed up, `system` too. Only files are read: run it as the user that runs Neo4j, "
        "or as one that may read its files. After a full backup only the new transactions are taken, as long as the "
        "server's log still leads on from the last one. Configuration, certificates and licences of the server go "
        "along, secrets and private keys only into an encrypted repository. With several repositories, a full backup "
        "is read once for all. With --check, each is read back and its graph checked.",
        (
            "neokeep backup --home /var/lib/neo4j --repo /backup/neo4j",
            "neokeep backup neo4j --source production --repo main --rate-limit 50MB/s",
            "neokeep backup --source production --repo main --repo offsite",
        ),
        run,
        (Argument("databases", "DATABASE", "The databases to back up. Not given: all.", required=False, many=True),),
    ),
)
