"""`neokeep dump`: write a database as an archive that Neo4j's own tools load."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from neokeep.artifact.places import STANDARD
from neokeep.cli.command import Argument, Call, Command
from neokeep.cli.output import Outcome
from neokeep.errors import UsageError
from neokeep.storage.place import Place
from neokeep.units import format_duration, format_size, format_time

if TYPE_CHECKING:
    from neokeep.artifact.reports import DumpReport
    from neokeep.cli.page import Page

OF_A_REPOSITORY = ("backup", "from_source", "to", "to_time", "to_tx", "before_tx")


def run(call: Call) -> Outcome:
    from neokeep import api

    settings = call.settings
    to_path = settings.needed_text("to_path")
    if to_path == STANDARD and settings.choice("output") == "json":
        raise UsageError("the archive and JSON cannot both go to standard output", remedy="Leave --output json out.")
    given = [name for name in OF_A_REPOSITORY if settings.values[name] is not None]
    if "to" in given and len(given) > 1 and given != ["from_source", "to"]:
        raise UsageError("--to latest and another target were given", remedy="Give one target.")
    kept = settings.means_repository(OF_A_REPOSITORY)
    report = api.dump(
        call.argument("database"),
        Place(to_path, settings.storage_options()),
        home=None if kept else settings.needed_path("home"),
        configuration_directory=settings.path("conf"),
        repository=settings.place() if kept else None,
        label=settings.text("backup"),
        from_source=settings.text("from_source"),
        to_time=settings.moment("to_time"),
        to_transaction=settings.number("to_tx"),
        before_transaction=settings.number("before_tx"),
        format=settings.choice("format"),
        indexes=settings.choice("indexes"),
        overwrite=settings.switch("overwrite"),
        scratch=settings.path("scratch"),
        jobs=settings.number("jobs"),
        progress=call.progress,
    )
    if to_path == STANDARD:
        # Standard output is the archive; nothing may be added to it.
        return Outcome(None, lambda _: None)
    return Outcome(report, partial(show, report))


def show(report: DumpReport, page: Page) -> None:
    page.line(f"Wrote {report.database} to {report.path}")
    page.line()
    committed = f", committed {format_time(report.last_commit_time)}" if report.last_commit_time else ""
    page.facts(
        [
            ("from", _origin(report)),
            ("store id", report.store_id),
            ("written by", f"Neo4j {report.kernel_version} or newer"),
            ("last transaction", f"{report.last_tx}{committed}"),
            ("holds", f"{format_size(report.content_bytes)} in {report.files} files"),
            ("size", format_size(report.size_bytes)),
            ("recovery", "not needed" if report.recovered_by is None else f"done ({report.recovered_by})"),
            ("indexes", "included" if report.indexes == "copy" else "left out: Neo4j rebuilds them"),
            ("took", format_duration(report.seconds)),
        ]
    )
    if report.next_steps:
        page.line()
        page.line("Next:")
        for number, step in enumerate(report.next_steps, 1):
            page.line(f"  {number}. {step}")


def _origin(report: DumpReport) -> str:
    if report.label is not None:
        return f"{report.label}, with {report.segments} segments of archived log" if report.segments else report.label
    return "the running server" if report.running else "the stopped server"


COMMANDS = (
    Command(
        "dump",
        "Write a database as an archive that Neo4j's own tools load.",
        "Write a database as one .dump file, or as a full .backup: clean, so that nothing is left to recover, for "
        "'neo4j-admin database load' of the same version and of later ones. From the server at --home, which may run; "
        "with --backup, --from-source or a moment, from the repository. A stopped database is copied with its indexes. "
        "Of a running one, and of a moment, the log is applied in scratch, and Neo4j rebuilds the indexes at its first "
        "start. The file, or the object in a bucket, is there as a whole or not at all.",
        (
            "neokeep dump neo4j --home /var/lib/neo4j --to-path /backup",
            "neokeep dump neo4j --to-time 2026-11-22T10:00:00Z --repo /backup/neo4j --to-path /tmp/before.dump",
            "neokeep dump neo4j --home /var/lib/neo4j --format backup --to-path -",
            "neokeep dump neo4j --home /var/lib/neo4j --to-path s3://bucket/dumps/",
        ),
        run,
        (Argument("database", "DATABASE", "The database; of a repository, by the name that it had there."),),
    ),
)
