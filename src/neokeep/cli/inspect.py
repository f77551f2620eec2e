"""`neokeep inspect`: what archives of Neo4j's own there are."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from neokeep.cli.command import Argument, Call, Command
from neokeep.cli.output import Outcome
from neokeep.errors import PartialError
from neokeep.storage.place import Place
from neokeep.units import format_count, format_size, format_time

if TYPE_CHECKING:
    from neokeep.artifact.reports import ArtifactChain, ArtifactInfo, InspectReport
    from neokeep.cli.page import Page


def run(call: Call) -> Outcome:
    from neokeep import api

    report = api.inspect(Place(call.argument("path"), call.settings.storage_options()))
    failure = None
    if report.failures:
        failure = PartialError(
            f"{format_count(len(report.failures), 'file')} of {report.path} cannot be used",
            remedy="See what is said of each.",
        )
    return Outcome(report, partial(show, report), failure=failure, answer=True)


def show(report: InspectReport, page: Page) -> None:
    if len(report.artifacts) == 1 and not report.failures:
        page.facts(facts(report.artifacts[0]))
    elif report.artifacts:
        page.table(
            ("archive", "type", "database", "time", "first tx", "last tx", "recovered", "files", "holds", "size"),
            [_row(info) for info in report.artifacts],
            right=("first tx", "last tx", "files", "holds", "size"),
        )
    elif not report.failures:
        page.line(f"There are no archives in {report.path}")
    # A full artifact alone is a chain too, of which there is nothing to tell.
    for chain in (one for one in report.chains if one.differentials):
        _show_chain(chain, page)
    for failed in report.failures:
        page.line()
        page.line(f"UNUSABLE: {failed.subject}: {failed.message}")


def facts(info: ArtifactInfo) -> list[tuple[str, str]]:
    """Say all that is known of one archive."""
    found = [
        ("archive", info.path),
        ("type", f"{info.type} ({info.format or 'no magic, from before Neo4j 4.4'}, compression {info.compression})"),
    ]
    if info.database is not None:
        found += [
            ("database", f"{info.database} (id {info.database_id})"),
            ("store id", info.store_id or ""),
            ("taken", "unknown" if info.time is None else format_time(info.time)),
            ("transactions", f"{info.lowest_tx} to {info.highest_tx}"),
            ("recovered", "yes" if info.recovered else "no: recovery is due before it can be opened"),
        ]
    if info.scripts:
        found.append(("users and roles", ", ".join(info.scripts)))
    claims = (
        "it does not say" if info.files is None else f"{format_size(info.content_bytes or 0)} in {info.files} files"
    )
    return [*found, ("holds", claims), ("size", _size(info.size_bytes))]


def _row(info: ArtifactInfo) -> tuple[str, ...]:
    return (
        info.path,
        info.type,
        info.database or "",
        "" if info.time is None else format_time(info.time),
        _number(info.lowest_tx),
        _number(info.highest_tx),
        "" if info.recovered is None else "yes" if info.recovered else "no",
        _number(info.files),
        _size(info.content_bytes),
        _size(info.size_bytes),
    )


def _show_chain(chain: ArtifactChain, page: Page) -> None:
    page.line()
    reach = "nothing can be restored" if chain.last_tx is None else f"whole up to transaction {chain.last_tx}"
    page.line(f"Chain of {chain.database} ({chain.database_id}): {reach}")
    for number, path in enumerate((chain.full or "(missing)", *chain.differentials)):
        page.line(f"  {number}. {path}")
    for gap in chain.gaps:
        page.line(f"  - {gap}")


def _number(number: int | None) -> str:
    return "" if number is None else str(number)


def _size(size: int | None) -> str:
    return "unknown" if size is None else format_size(size)


COMMANDS = (
    Command(
        "inspect",
        "Show what archives of Neo4j's own hold.",
        "Show what .dump and .backup files say of themselves: one, or all below a folder, on disk, in a bucket or by "
        "SFTP. Only headers are read, without Java. Differential artifacts are put in order behind their full "
        "ones, with what is missing between them. A dump does not say which database it is of.",
        (
            "neokeep inspect /backup/neo4j-2026-08-01T10-00-00.backup",
            "neokeep inspect s3://bucket/dumps --output json",
        ),
        run,
        (Argument("path", "PATH", "An archive or a folder: a path, or a URL as for a repository."),),
    ),
)
