"""`backup` into several repositories: which type each needs is decided for each; a full capture is one for all of them.

A repository that fails loses its own backup and nobody else's. What ends in several carries one label, so that each can
stand in for the other. The capture goes at the pace of the slowest; one that does not answer is waited for as long as
its retries take.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from msgspec.structs import replace

from neokeep import reports
from neokeep.capture.backup import chosen_databases, failure_of, not_incremental
from neokeep.capture.chain import ChainBroken
from neokeep.capture.incremental import decide, extend, incremental_backup
from neokeep.errors import NeokeepError
from neokeep.repository.info import backup_info
from neokeep.repository.manifest import Manifest, next_label
from neokeep.repository.needed import manifest_is_gone
from neokeep.server_files.gather import gather
from neokeep.server_files.reports import near_ends

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from neokeep.capture.options import CaptureOptions
    from neokeep.capture.spread import Branch
    from neokeep.neo4j.source import Database, Source
    from neokeep.progress import Progress
    from neokeep.repository.repository import Repository
    from neokeep.repository.writer import BlockWriter
    from neokeep.server_files.gather import Gathered


@dataclass(slots=True)
class Destination:
    """One repository: its name, how it is opened, and what came of each database."""

    url: str
    open: Callable[[], Repository]
    repository: Repository | None = None
    problem: NeokeepError | None = None
    done: list[reports.BackupInfo] = field(default_factory=list)
    failures: list[reports.Failure] = field(default_factory=list)

    def report(self) -> reports.BackupReport:
        """Tell what came of it."""
        return reports.BackupReport(repository=self.url, backups=tuple(self.done), failures=tuple(self.failures))


@dataclass(frozen=True, slots=True)
class _Due:
    """A repository that gets a full backup, and why."""

    destination: Destination
    repository: Repository
    reason: str


def back_up_to_several(
    source: Source,
    destinations: Sequence[Destination],
    databases: Sequence[str] = (),
    *,
    options: CaptureOptions,
    progress: Progress,
) -> reports.BackupReport:
    """Back up databases of a source into several repositories; neither a database nor a repository stops the others.

    Raises:
        SourceError: a named database does not exist, or there is none at all.
    """
    chosen = chosen_databases(source, databases)
    for destination in destinations:
        try:
            destination.repository = destination.open()
        except NeokeepError as problem:
            destination.problem = problem
            progress.say(f"{destination.url} cannot be used: {problem.message}")
    gathered = gather(source, options.server_files)
    for database in chosen:
        _back_up_database(source, database, destinations, options, progress, gathered)
    first, *others = (destination.report() for destination in destinations)
    return replace(first, others=tuple(others), certificates=near_ends(gathered))


def _back_up_database(
    source: Source,
    database: Database,
    destinations: Sequence[Destination],
    options: CaptureOptions,
    progress: Progress,
    gathered: Gathered | None,
) -> None:
    due: list[_Due] = []
    alike: dict[str, Manifest] = {}
    now = datetime.now(UTC)
    for destination in destinations:
        repository = destination.repository
        if repository is None:
            if destination.problem is not None:
                destination.failures.append(failure_of(database, destination.problem))
            continue
        try:
            decision = decide(source, database, repository, options, now)
            reason = decision.reason
            if decision.chain is not None:
                twin = alike.get(decision.chain.base.label)
                try:
                    manifest = incremental_backup(source, database, repository, decision, twin, gathered)
                except ChainBroken as broken:
                    reason = str(broken)
                else:
                    alike.setdefault(decision.chain.base.label, manifest)
                    _tell(options, progress, destination, database, "incremental", reason)
                    destination.done.append(backup_info(manifest))
                    continue
            if options.type == "incremental":
                raise not_incremental(database, reason)
        except NeokeepError as problem:
            _fail(destination, database, problem, progress)
            continue
        _tell(options, progress, destination, database, "full", reason)
        due.append(_Due(destination, repository, reason))
    if due:
        _full_backups(source, database, due, options, progress, gathered)


def _full_backups(
    source: Source,
    database: Database,
    due: Sequence[_Due],
    options: CaptureOptions,
    progress: Progress,
    gathered: Gathered | None,
) -> None:
    """Capture a database once, for all repositories that need it."""
    # What only a full backup needs is loaded only here.
    from neokeep.capture.full import Effort, commit_full, full_manifest, take
    from neokeep.capture.spread import Spread

    spread = Spread([one.repository for one in due])
    try:
        spread.require_one()
        effort = Effort.begin()
        taken = take(source, database, spread, options, progress, effort)
        manifest = _with_free_label(full_manifest(source, database, taken, effort), spread.branches)
        for one, branch in zip(due, spread.branches, strict=True):

            def commit(writer: BlockWriter, one: _Due = one, branch: Branch = branch) -> None:
                files = branch.store_files(taken.image.files)
                committed = commit_full(manifest, one.repository, writer, files, one.reason, gathered)
                one.destination.done.append(backup_info(committed))
                lost = extend(source, database, one.repository, committed)
                if lost:
                    progress.say(f"{database.name}: {lost}")

            branch.attempt(commit)
    except NeokeepError as problem:
        for branch in spread.branches:
            branch.problem = branch.problem or problem
    finally:
        spread.close()
        progress.end()
    for one, branch in zip(due, spread.branches, strict=True):
        if branch.problem is not None:
            _fail(one.destination, database, branch.problem, progress)


def _with_free_label(manifest: Manifest, branches: Sequence[Branch]) -> Manifest:
    """Give a manifest a label that none of the repositories has, so that it has one name in all of them."""
    taken = True

    def look(writer: BlockWriter) -> None:  # noqa: ARG001
        nonlocal taken
        taken = taken or not manifest_is_gone(branch.repository.storage, manifest.label)

    while True:
        taken = False
        for branch in branches:
            branch.attempt(look)
        if not taken:
            return manifest
        manifest = replace(manifest, label=next_label(manifest.label))


def _fail(destination: Destination, database: Database, problem: NeokeepError, progress: Progress) -> None:
    progress.say(f"{database.name} into {destination.url} failed: {problem.message}")
    destination.failures.append(failure_of(database, problem))


def _tell(
    options: CaptureOptions,
    progress: Progress,
    destination: Destination,
    database: Database,
    type_of_backup: str,
    reason: str,
) -> None:
    """Say what was chosen, where there was a choice."""
    if options.type == "auto":
        progress.say(f"{database.name} into {destination.url}: {type_of_backup}, since {reason}")
