"""`backup`: databases of a source into a repository, one backup each, of the type that is asked for or fits.

Which type it is and why is decided first, told, and kept in the manifest: there is no silent fallback.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from neokeep import reports
from neokeep.capture.chain import ChainBroken
from neokeep.capture.incremental import decide, extend, incremental_backup
from neokeep.errors import NeokeepError, SourceError
from neokeep.neo4j.versions import require_version
from neokeep.repository.info import backup_info
from neokeep.server_files.gather import gather
from neokeep.server_files.reports import near_ends

if TYPE_CHECKING:
    from collections.abc import Sequence

    from neokeep.capture.options import CaptureOptions
    from neokeep.neo4j.source import Database, Source
    from neokeep.progress import Progress
    from neokeep.repository.manifest import Manifest
    from neokeep.repository.repository import Repository
    from neokeep.server_files.gather import Gathered


def back_up(
    source: Source,
    repository: Repository,
    databases: Sequence[str] = (),
    *,
    options: CaptureOptions,
    progress: Progress,
) -> reports.BackupReport:
    """Back up databases of a source, all of them by default. A database that fails does not stop the others.

    Raises:
        SourceError: a named database does not exist, or there is none at all.
    """
    chosen = chosen_databases(source, databases)
    gathered = gather(source, options.server_files)
    done: list[reports.BackupInfo] = []
    failures: list[reports.Failure] = []
    for database in chosen:
        try:
            manifest = back_up_database(source, database, repository, options, progress, gathered)
        except NeokeepError as problem:
            if len(chosen) == 1:
                raise
            progress.say(f"{database.name} failed: {problem.message}")
            failures.append(failure_of(database, problem))
        else:
            done.append(backup_info(manifest))
    return reports.BackupReport(
        repository=repository.storage.url,
        backups=tuple(done),
        failures=tuple(failures),
        certificates=near_ends(gathered),
    )


def chosen_databases(source: Source, databases: Sequence[str]) -> list[Database]:
    """Find the databases that are named, each once, or all.

    Raises:
        SourceError: one does not exist, there is none at all, or the version is not one that can be worked with.
    """
    chosen = [source.database(name) for name in databases] if databases else list(source.databases())
    if not chosen:
        raise SourceError(
            f"there is no database in {source.databases_directory}",
            remedy="Start the server once so that it makes its databases, or check --home and neo4j.conf.",
        )
    if source.version is not None:
        require_version(source.version, str(source.home))
    return list(dict.fromkeys(chosen))


def failure_of(database: Database, problem: NeokeepError) -> reports.Failure:
    """Tell of a database that could not be backed up."""
    return reports.Failure(subject=database.name, kind=problem.kind, message=problem.message, remedy=problem.remedy)


def back_up_database(
    source: Source,
    database: Database,
    repository: Repository,
    options: CaptureOptions,
    progress: Progress,
    gathered: Gathered | None,
) -> Manifest:
    """Back up one database, and with it the server's other files that were `gathered`.

    Raises:
        SourceError: it cannot be captured, or the chain is broken and only an incremental backup was asked for.
        IntegrityError: its transaction log is damaged.
    """
    decision = decide(source, database, repository, options, datetime.now(UTC))
    reason = decision.reason
    if decision.chain is not None:
        try:
            manifest = incremental_backup(source, database, repository, decision, gathered=gathered)
        except ChainBroken as broken:
            reason = str(broken)
        else:
            _tell(options, progress, database, "incremental", reason)
            return manifest
    if options.type == "incremental":
        raise not_incremental(database, reason)
    _tell(options, progress, database, "full", reason)
    # A plain incremental backup must start quickly: what a full one needs is loaded only here.
    from neokeep.capture.full import full_backup

    manifest = full_backup(source, database, repository, options, progress, reason=reason, gathered=gathered)
    lost = extend(source, database, repository, manifest)
    if lost:
        progress.say(f"{database.name}: {lost}")
    return manifest


def not_incremental(database: Database, reason: str) -> SourceError:
    """Make the error for a database of which only an incremental backup was wanted."""
    return SourceError(
        f"{database.name} cannot be backed up incrementally: {reason}",
        remedy="Take a full backup (--type full), or let neokeep choose (--type auto).",
    )


def _tell(options: CaptureOptions, progress: Progress, database: Database, type_of_backup: str, reason: str) -> None:
    """Say what was chosen, where there was a choice."""
    if options.type == "auto":
        progress.say(f"{database.name}: {type_of_backup}, since {reason}")
