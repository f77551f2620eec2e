"""`neokeep ingest`: put existing archives of Neo4j's own into a repository."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from neokeep.cli.backup import error_of, left_out_lines
from neokeep.cli.command import Argument, Call, Command
from neokeep.cli.output import Outcome
from neokeep.errors import PartialError
from neokeep.storage.place import Place
from neokeep.units import format_count, format_duration, format_size, format_time

if TYPE_CHECKING:
    from neokeep.artifact.reports import IngestReport
    from neokeep.cli.page import Page
    from neokeep.errors import NeokeepError


def run(call: Call) -> Outcome:
    from neokeep import api

    settings = call.settings
    report = api.ingest(
        [Place(archive, settings.storage_options()) for archive in call.list_of("archives")],
        settings.place(),
        ingested_as=settings.text("as"),
        from_source=settings.text("from_source"),
        taken_at=settings.moment("taken_at"),
        again=settings.switch("again"),
        scratch=settings.path("scratch"),
        jobs=settings.number("jobs"),
        progress=call.progress,
    )
    return Outcome(report, partial(show, report), _failure(report))


def _failure(report: IngestReport) -> NeokeepError | None:
    """Tell of archives that could not be ingested where others could; None where all could."""
    if not report.failures:
        return None
    first = error_of(report.failures[0])
    if report.backups or report.skipped:
        failed = format_count(len(report.failures), "archive")
        return PartialError(f"{failed} could not be ingested; the first: {first.message}", remedy=first.remedy)
    return first


def show(report: IngestReport, page: Page) -> None:
    if report.backups:
        page.line(f"Ingested {format_count(len(report.backups), 'archive')} into {report.repository}")
        page.line()
        page.table(
            ("database", "backup", "of", "date from", "last tx", "size", "stored", "took"),
            [
                (
                    backup.database,
                    backup.label,
                    format_time(backup.finished_at),
                    "" if backup.ingested is None else backup.ingested.dated_by,
                    str(backup.last_tx),
                    format_size(backup.size_bytes),
                    format_size(backup.stored_bytes),
                    format_duration(backup.seconds),
                )
                for backup in report.backups
            ],
            right=("last tx", "size", "stored", "took"),
        )
    for backup in report.backups:
        for note in (*backup.events, *left_out_lines(backup.left_out)):
            page.line(f"  - {backup.label}: {note}")
    for one in report.skipped:
        page.line(f"{one.archive} is there already, as {one.label}; --again takes it once more")
    for failure in report.failures:
        page.line()
        page.line(f"{failure.subject} could not be ingested: {failure.message}")
        page.line(f"What to do: {failure.remedy}")


COMMANDS = (
    Command(
        "ingest",
        "Put existing archives of Neo4j's own into a repository.",
        "Make a full backup of each .dump and each full .backup file, without Java: one, or all below a folder, on "
        "disk, in a bucket or by SFTP, or from standard input. What they have in common with each other, and with "
        "backups of the same database, is stored once; each is verified, and has the date that it is of, so that it "
        "expires by that. A dump is of the database that its file is called after, where --as does not say another. "
        "An archive that is there already is passed over.",
        (
            "neokeep ingest /backup/dumps --as neo4j --repo /backup/neo4j",
            "neokeep ingest s3://bucket/dumps --from-source production --repo main",
            "neokeep ingest - --as neo4j --taken-at 2025-11-22T10:00:00Z --repo main",
        ),
        run,
        (
            Argument(
                "archives",
                "ARCHIVE",
                "Archives and folders: paths, URLs as for a repository, or - for standard input.",
                many=True,
            ),
        ),
    ),
)
