"""Trying everything that a backup will need, so that it does not fail at night: each finding has its remedy.

Nothing is changed on the server. In the repository one object is written, read back and removed.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from neokeep.check import database as database_checks
from neokeep.check import repository as repository_checks
from neokeep.check.server_files import check_server_files
from neokeep.errors import NeokeepError
from neokeep.neo4j.source import Database, Source, find_source
from neokeep.neo4j.versions import require_version
from neokeep.reports import CheckReport, Finding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from neokeep.progress import Progress
    from neokeep.storage.place import Place


def run_check(
    home: Path,
    configuration_directory: Path | None,
    repository_place: str | Place,
    *,
    interval_seconds: int,
    progress: Progress,
) -> CheckReport:
    """Check a source and a repository; `interval_seconds` is the time between two backups."""
    findings: list[Finding] = []

    def note(found: Iterator[Finding]) -> None:
        for finding in found:
            progress.say(f"{finding.subject}: {finding.message}")
            findings.append(finding)

    try:
        source = find_source(home, configuration_directory)
    except NeokeepError as problem:
        source = None
        findings.append(failed("source", problem))
    if source is not None:
        note(guarded("source", partial(_source, source)))
        for database in _databases(source, findings):
            note(guarded(database.name, partial(database_checks.check_database, database)))
            note(guarded(database.name, partial(database_checks.check_retention, source, database, interval_seconds)))
        note(guarded("server files", partial(check_server_files, source)))
    note(guarded("repository", partial(repository_checks.check_repository, repository_place, source)))
    return CheckReport(
        source=source.name if source else str(home),
        repository=str(repository_place),
        ok=not any(finding.status == "error" for finding in findings),
        findings=tuple(findings),
    )


def _databases(source: Source, findings: list[Finding]) -> tuple[Database, ...]:
    """List the databases; that they cannot be listed was found before this, or is now."""
    try:
        return source.databases()
    except NeokeepError as problem:
        finding = failed("source", problem)
        if finding not in findings:
            findings.append(finding)
        return ()


def guarded(subject: str, check: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    """Run one check; what it raises is a finding too."""
    try:
        yield from check()
    except NeokeepError as problem:
        yield failed(subject, problem)


def failed(subject: str, problem: NeokeepError) -> Finding:
    """Tell an error as a finding."""
    return Finding(subject=subject, status="error", message=problem.message, remedy=problem.remedy, kind=problem.kind)


def _source(source: Source) -> Iterator[Finding]:
    if source.version is None:
        yield Finding(
            subject="source",
            status="warning",
            message="no Neo4j program was found here, so its version is read from the transaction logs",
            remedy="Nothing to do for a data volume; otherwise check --home.",
        )
    else:
        require_version(source.version, str(source.home))
        yield Finding(subject="source", status="ok", message=f"Neo4j {source.version}, {source.edition} edition")
    names = ", ".join(database.name for database in source.databases())
    if names:
        yield Finding(subject="source", status="ok", message=f"databases: {names}")
    else:
        yield Finding(
            subject="source",
            status="error",
            message=f"there is no database in {source.databases_directory}",
            remedy="Start the server once so that it makes its databases, or check --home and neo4j.conf.",
            kind="source",
        )
    running = source.lock()
    yield Finding(
        subject="source",
        status="ok",
        message=f"the server is running{_process(running.pid)}" if running.held else "the server is stopped",
    )


def _process(pid: int | None) -> str:
    return f" (process {pid})" if pid else ""
