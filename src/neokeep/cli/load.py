"""`neokeep load`: put an archive of Neo4j's own into a Neo4j home."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from neokeep.cli.command import Argument, Call, Command
from neokeep.cli.inspect import facts
from neokeep.cli.output import Outcome
from neokeep.storage.place import Place
from neokeep.units import format_duration, format_size, format_time

if TYPE_CHECKING:
    from neokeep.artifact.reports import LoadReport
    from neokeep.cli.page import Page


def run(call: Call) -> Outcome:
    from neokeep import api

    settings = call.settings
    info = settings.switch("info")
    report = api.load(
        Place(call.argument("archive"), settings.storage_options()),
        None if info else settings.needed_path("home"),
        configuration_directory=settings.path("conf"),
        loaded_as=settings.text("as"),
        overwrite=settings.switch("overwrite"),
        progress=call.progress,
    )
    return Outcome(report, partial(show_info if info else show, report), answer=info)


def show(report: LoadReport, page: Page) -> None:
    page.line(f"Loaded {report.archive.path} as {report.loaded_as}")
    page.line()
    committed = f", committed {format_time(report.last_commit_time)}" if report.last_commit_time else ""
    page.facts(
        [
            ("Neo4j home", report.home or ""),
            ("store", report.store_directory or ""),
            ("logs", report.log_directory or ""),
            ("store id", report.store_id or ""),
            ("written by", f"Neo4j {report.kernel_version} or newer"),
            ("last transaction", f"{report.last_tx}{committed}"),
            ("size", f"{format_size(report.content_bytes)} in {report.files} files"),
            ("took", format_duration(report.seconds)),
            ("recovery", "not needed" if report.clean else "Neo4j does it at its next start"),
            ("replaced a database", "yes" if report.replaced else "no"),
        ]
    )
    for name in report.left_out:
        page.line(f"  - left out: {name}")
    if report.next_steps:
        page.line()
        page.line("Next:")
        for number, step in enumerate(report.next_steps, 1):
            page.line(f"  {number}. {step}")


def show_info(report: LoadReport, page: Page) -> None:
    page.facts(
        [
            *facts(report.archive),
            ("read to its end", f"whole: {format_size(report.content_bytes)} in {report.files} files"),
            ("took", format_duration(report.seconds)),
        ]
    )


COMMANDS = (
    Command(
        "load",
        "Put an archive of Neo4j's own into a Neo4j home.",
        "Load a .dump or a full .backup file of any Neo4j from 4.4 on, without Java. The database must not be open. "
        "The archive is unpacked beside its place and checked: that it is whole, that its store and its log can be "
        "read, that this server can open them. Then it is put there in one step: whatever happens, the database is the "
        "old one or the new one. One that is there is replaced only with --overwrite. A database that has to be "
        "recovered is loaded too, and that is told.",
        (
            "neokeep load /backup/neo4j.dump --home /var/lib/neo4j --overwrite",
            "neokeep load - --as neo4j --home /var/lib/neo4j",
            "neokeep load s3://bucket/dumps/movies.dump --info",
        ),
        run,
        (
            Argument(
                "archive",
                "ARCHIVE",
                "The archive: a path, a URL as for a repository, or - for standard input. A dump "
                "becomes the database that its file is called after, where --as does not say another.",
            ),
        ),
    ),
)
