"""`dump`: a database as one archive that Neo4j's own load takes: clean, so that nothing is left to recover.

A stopped and clean database is read where it lies, under Neo4j's own locks. A running one, or one that recovery is due
for, is captured into a repository in scratch first, by the rules of every backup. Out of a repository its image is
recovered natively and streamed; what recovery changes invalidates the indexes, which Neo4j then rebuilds.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from neokeep.artifact.examine import Examined, examine
from neokeep.artifact.image import clean_image
from neokeep.artifact.members import FilesAtRest, FilesOfImage
from neokeep.artifact.outputs import Destination, find_destination
from neokeep.artifact.pack import BACKUP, Packed, backup_metadata, pack
from neokeep.artifact.reports import DumpReport
from neokeep.errors import AccessError, LockedError, UsageError
from neokeep.files import scratch_directory
from neokeep.neo4j import locks
from neokeep.neo4j.versions import kernel_version_name
from neokeep.repository.reader import BlockReader
from neokeep.restore.choose import choose_plan
from neokeep.restore.recover import NATIVE
from neokeep.restore.targets import NEWEST, Moment
from neokeep.workers import processors

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from neokeep.artifact.members import Members
    from neokeep.neo4j.source import Database, Source
    from neokeep.progress import Progress
    from neokeep.repository.repository import Repository
    from neokeep.restore.targets import RestorePlan
    from neokeep.storage.place import Place

COPY, REBUILD = "copy", "rebuild"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be written and how."""

    to: Place
    format: str
    indexes: str
    overwrite: bool
    scratch: Path | None
    jobs: int

    def __post_init__(self) -> None:
        if self.format not in {"dump", BACKUP}:
            raise UsageError(f"format={self.format!r} is not known", remedy="Use 'dump' or 'backup'.")
        if self.indexes not in {COPY, REBUILD}:
            raise UsageError(f"indexes={self.indexes!r} is not known", remedy="Use 'copy' or 'rebuild'.")

    def destination(self, database: str, moment: datetime) -> Destination:
        """Decide where it goes; in a directory by the name that Neo4j's own tools give."""
        name = f"{database}.dump"
        if self.format == BACKUP:
            name = f"{database}-{moment.astimezone(UTC):%Y-%m-%dT%H-%M-%S}.backup"
        return find_destination(self.to, name, overwrite=self.overwrite)


@dataclass(frozen=True, slots=True)
class _Origin:
    """Where the content is from: for the report."""

    running: bool | None
    indexes: str
    label: str | None = None
    segments: int = 0
    recovered_by: str | None = None


def dump_server(source: Source, name: str, wanted: Wanted, progress: Progress) -> DumpReport:
    """Dump a database of a server, running or not.

    Raises:
        UsageError: the destination makes no sense, or exists and `overwrite` is not given.
        SourceError, IntegrityError: the database cannot be read, or is damaged.
        SpaceError, AccessError, RepositoryError: the archive cannot be written; there is no half of it then.
    """
    began, now = time.monotonic(), datetime.now(UTC)
    database = source.database(name)
    destination = wanted.destination(database.name, now)
    _require_outside(source, destination)
    with ExitStack() as guard:
        if _kept_to_ourselves(source, database, guard, progress):
            found = examine(database.store_directory, database.log_directory)
            if found.clean:
                with_indexes = wanted.indexes == COPY
                members = FilesAtRest(database.store_directory, database.log_directory, with_indexes=with_indexes)
                places = (database.store_directory, database.log_directory)
                origin = _Origin(running=False, indexes=COPY if with_indexes else REBUILD)
                return _write(members, places, found, destination, wanted, database.name, now, origin, began, progress)
            progress.say(f"recovery is due for {database.name}: it is captured and recovered in scratch")
    with scratch_directory("dump", wanted.scratch) as folder:
        repository, label, running = _captured(source, database, folder / "repository", wanted, progress)
        plan = choose_plan(repository, database.name, label=label, from_source=None, home="")
        return _dump_plan(repository, plan, wanted, destination, now, began, progress, running=running)


def dump_repository(
    repository: Repository,
    name: str,
    wanted: Wanted,
    *,
    label: str | None,
    from_source: str | None,
    moment: Moment = NEWEST,
    progress: Progress,
) -> DumpReport:
    """Dump a database as it was in a backup, or at a moment of a repository.

    Raises:
        UsageError: the moment lies outside every restore window, or the destination makes no sense.
        RepositoryError: there is no such backup.
        SourceError: its log holds what neokeep does not understand.
        IntegrityError: it is damaged. In each case there is no half of an archive.
    """
    began = time.monotonic()
    plan = choose_plan(repository, name.lower(), label=label, from_source=from_source, home="", moment=moment)
    taken = plan.base.finished_at
    destination = wanted.destination(plan.base.database, taken)
    if plan.remark:
        progress.say(plan.remark)
    return _dump_plan(repository, plan, wanted, destination, taken, began, progress, running=None)


def _require_outside(source: Source, destination: Destination) -> None:
    """Never write where a server keeps its databases."""
    for directory in (source.databases_directory, source.transactions_directory):
        if destination.path is not None and destination.path.resolve().is_relative_to(directory.resolve()):
            raise UsageError(
                f"{destination.path} lies where the server keeps its databases", remedy="Choose another directory."
            )


def _kept_to_ourselves(source: Source, database: Database, guard: ExitStack, progress: Progress) -> bool:
    """Keep every server out of a stopped database while it is read; False where one has it open."""
    try:
        guard.enter_context(locks.hold(database.lock_path))
    except LockedError:
        return False
    except AccessError as problem:
        progress.say(f"{problem.message}: {database.name} is captured like a running one")
        return False
    try:
        guard.enter_context(locks.hold(source.databases_directory / locks.STORE_LOCK))
    except LockedError:
        progress.say(f"the server runs, with {database.name} stopped")
    return True


def _captured(
    source: Source, database: Database, place: Path, wanted: Wanted, progress: Progress
) -> tuple[Repository, str, bool]:
    """Back a database up into a repository of its own; its label there, and whether the server was running."""
    from neokeep.capture.full import full_backup
    from neokeep.capture.options import CaptureOptions
    from neokeep.repository.open import init_repository, open_repository

    init_repository(str(place))
    repository = open_repository(str(place))
    options = CaptureOptions(type="full", indexes=wanted.indexes, jobs=wanted.jobs)
    manifest = full_backup(source, database, repository, options, progress, reason="it is dumped")
    return repository, manifest.label, manifest.source.running


def _dump_plan(
    repository: Repository,
    plan: RestorePlan,
    wanted: Wanted,
    destination: Destination,
    taken: datetime,
    began: float,
    progress: Progress,
    *,
    running: bool | None,
) -> DumpReport:
    reader, with_indexes = BlockReader.of(repository), wanted.indexes == COPY
    with clean_image(
        reader, plan, with_indexes=with_indexes, scratch=wanted.scratch, jobs=wanted.jobs, progress=progress
    ) as image:
        found = examine(image.store.directory, image.log)
        whole = with_indexes and not image.was_recovered
        origin = _Origin(
            running=running,
            indexes=COPY if whole else REBUILD,
            label=plan.base.label if running is None else None,
            segments=len(plan.segments),
            recovered_by=NATIVE if image.was_recovered else None,
        )
        members, places = FilesOfImage(image.store, image.log), (image.store.directory, image.log)
        # What is in the archive is of the moment that was restored to, not of the base.
        moment = image.end.commit_time if plan.segments or plan.goes_back else None
        return _write(
            members, places, found, destination, wanted, plan.base.database, moment or taken, origin, began, progress
        )


def _write(
    members: Members,
    places: tuple[Path, Path],
    found: Examined,
    destination: Destination,
    wanted: Wanted,
    database: str,
    taken: datetime,
    origin: _Origin,
    began: float,
    progress: Progress,
) -> DumpReport:
    metadata = backup_metadata(*places, found, database, taken) if wanted.format == BACKUP else None
    done = pack(members, destination, metadata, database, threads=processors(), progress=progress)
    return _report(done, found, destination, wanted, database, origin, began)


def _report(
    done: Packed,
    found: Examined,
    destination: Destination,
    wanted: Wanted,
    database: str,
    origin: _Origin,
    began: float,
) -> DumpReport:
    return DumpReport(
        database=database,
        path=destination.address,
        format=wanted.format,
        files=done.files,
        content_bytes=done.content_bytes,
        size_bytes=done.size_bytes,
        store_id=str(found.store_id),
        store_format=found.store_id.store_format,
        kernel_version=kernel_version_name(found.kernel_version),
        last_tx=found.last_transaction,
        last_commit_time=found.last_commit_time,
        running=origin.running,
        label=origin.label,
        segments=origin.segments,
        recovered_by=origin.recovered_by,
        indexes=origin.indexes,
        seconds=round(time.monotonic() - began, 3),
        next_steps=tuple(_next_steps(found, origin, wanted)),
    )


def _next_steps(found: Examined, origin: _Origin, wanted: Wanted) -> Iterator[str]:
    if origin.indexes == REBUILD:
        yield "Neo4j rebuilds the indexes at its first start on it; on a large graph that takes a while."
    if found.store_id.legacy:
        yield "Neo4j 5 needs 'neo4j-admin database migrate' after loading it."
    if wanted.format == BACKUP:
        yield "Load it with 'neo4j-admin database load' of Neo4j 5.26 or later, or with 'neokeep load'."
