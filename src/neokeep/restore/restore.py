"""`restore`: from a backup to a database directory of a stopped server, an empty home, or a free name.

Everything is checked before the target is touched; the new database is complete, proven and durable beside it before
one atomic operation puts it in place.
"""

from __future__ import annotations

import os
import shutil
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from neokeep import reports
from neokeep.errors import LockedError, RepositoryError, SpaceError, UsageError
from neokeep.files import explained
from neokeep.neo4j import locks
from neokeep.neo4j.names import require_database_name
from neokeep.neo4j.source import SYSTEM_DATABASE, Source, find_source, future_source
from neokeep.repository.contents import file_list
from neokeep.repository.info import backup_info
from neokeep.repository.manifest import Manifest
from neokeep.repository.reader import BlockReader
from neokeep.restore.plan import choose_backup, require_openable
from neokeep.restore.swap import Place, Staging, settle, stage, swap
from neokeep.restore.write import Owner, make_directory, write_files
from neokeep.units import format_size

if TYPE_CHECKING:
    from neokeep.neo4j.distribution import Distribution
    from neokeep.progress import Progress
    from neokeep.repository.repository import Repository

_HEADROOM = 64 * 1024 * 1024
"""Bytes left free on the target's disk, for a server that has to start there."""


@dataclass(frozen=True, slots=True)
class _Target:
    """Where to restore to: the server, the name there, and the two directories."""

    source: Source
    database: str
    place: Place


def restore(
    repository: Repository,
    home: Path,
    database: str,
    *,
    configuration_directory: Path | None = None,
    label: str | None = None,
    from_source: str | None = None,
    restored_as: str | None = None,
    overwrite: bool = False,
    recover: bool = False,
    jobs: int,
    progress: Progress,
) -> reports.RestoreReport:
    """Restore a backup of `database`, the newest by default.

    Raises:
        LockedError: the target database is open in a running server.
        UsageError: the target exists and `overwrite` is not given, or the choice of backup is not clear.
        RepositoryError, IntegrityError, SpaceError, AccessError, SourceError: what it says; the target is as it was.
    """
    began = time.monotonic()
    source = _target_source(home, configuration_directory)
    manifest = _choose(repository, database, label, from_source, source)
    target = _target(source, manifest, restored_as)
    require_openable(manifest, source.version)
    distribution = _distribution(source) if recover else None
    owner = _owner(source)
    for directory in (target.place.store.parent, target.place.log.parent):
        make_directory(directory, owner)
    with ExitStack() as guard:
        _keep_out_servers(target, guard)
        settle(target.place)
        replaced = target.place.exists()
        if replaced and not overwrite:
            raise UsageError(
                f"{target.place.store} exists already",
                remedy="Restore under another name with --as NAME, or replace it with --overwrite.",
            )
        _require_space(target, manifest)
        staging = stage(target.place)
        try:
            _write(repository, manifest, target, staging, owner, distribution, jobs, progress)
            swap(target.place, staging)
        except BaseException:
            settle(target.place)
            raise
        finally:
            progress.end()
    return _report(manifest, target, began, replaced=replaced, recovered=recover)


def _target_source(home: Path, configuration_directory: Path | None) -> Source:
    """Find the server at `home`; a missing or empty directory becomes a home with Neo4j's default layout."""
    if not home.exists() or (home.is_dir() and not any(home.iterdir())):
        return future_source(home, configuration_directory)
    return find_source(home, configuration_directory)


def _choose(
    repository: Repository, database: str, label: str | None, from_source: str | None, source: Source
) -> Manifest:
    if label is not None:
        candidates = [repository.manifest(label)]
    else:
        candidates = [item for item in repository.manifests() if isinstance(item, Manifest)]
    return choose_backup(candidates, database.lower(), label=label, from_source=from_source, home=str(source.home))


def _target(source: Source, manifest: Manifest, restored_as: str | None) -> _Target:
    name = manifest.database if restored_as is None else require_database_name(restored_as)
    if SYSTEM_DATABASE in (name, manifest.database) and name != manifest.database:
        raise UsageError(
            f"the system database cannot change places with another: {manifest.database} as {name}",
            remedy="Restore 'system' under its own name only.",
        )
    found = source.place_of(name)
    return _Target(source, name, Place.at(found.store_directory, found.log_directory))


def _distribution(source: Source) -> Distribution:
    from neokeep.neo4j.distribution import Distribution

    return Distribution.of_home(source.home)


def _owner(source: Source) -> Owner:
    """New files belong to whom the nearest existing directory belongs to."""
    directory = source.databases_directory
    while not directory.is_dir():
        directory = directory.parent
    with explained("look at", directory):
        return Owner.of(directory)


def _keep_out_servers(target: _Target, guard: ExitStack) -> None:
    """Hold Neo4j's own locks, so that no server opens the database while it is replaced.

    A free name may be restored beside a running server, which does not look there.
    """
    store_lock = target.source.databases_directory / locks.STORE_LOCK
    try:
        guard.enter_context(locks.hold(store_lock))
    except LockedError:
        if target.place.exists() or target.database in (target.source.default_database, SYSTEM_DATABASE):
            raise
    if target.place.store.is_dir():
        guard.enter_context(locks.hold(target.place.store / locks.DATABASE_LOCK))


def _require_space(target: _Target, manifest: Manifest) -> None:
    needed = manifest.statistics.size_bytes + _HEADROOM
    for directory in {target.place.store.parent, target.place.log.parent}:
        free = shutil.disk_usage(directory).free
        if free < needed:
            raise SpaceError(
                f"restoring {manifest.label} needs {format_size(needed)} in {directory}, {format_size(free)} are free",
                remedy="Free space there; the old database is kept until the new one is complete.",
            )


def _write(
    repository: Repository,
    manifest: Manifest,
    target: _Target,
    staging: Staging,
    owner: Owner,
    distribution: Distribution | None,
    jobs: int,
    progress: Progress,
) -> None:
    reader = BlockReader.of(repository)
    files = file_list(reader, manifest)
    if len(files) != manifest.file_count:
        raise RepositoryError(f"the file list of {manifest.label} is not complete", remedy="Use another backup.")
    for directory in {staging.store, staging.log}:
        make_directory(directory, owner)
    areas = {"store": staging.store, "log": staging.log}
    write_files(reader, files, areas, owner, jobs=jobs, progress=progress)
    if distribution is not None:
        from neokeep.restore.recover import recover

        progress.say(f"Neo4j {distribution.version} recovers {target.database}")
        recover(staging, target.database, distribution)
        for directory in {staging.store, staging.log}:
            _give(directory, owner)


def _give(directory: Path, owner: Owner) -> None:
    """Recovery made files as the user who runs neokeep: give them to the server's user too."""
    for folder, _, names in os.walk(directory):
        for path in (Path(folder), *(Path(folder) / name for name in names)):
            owner.apply(path)


def _report(
    manifest: Manifest, target: _Target, began: float, *, replaced: bool, recovered: bool
) -> reports.RestoreReport:
    info = backup_info(manifest)
    return reports.RestoreReport(
        label=manifest.label,
        database=manifest.database,
        restored_as=target.database,
        home=str(target.source.home),
        store_directory=str(target.place.store),
        log_directory=str(target.place.log),
        last_tx=info.last_tx,
        last_commit_time=info.last_commit_time,
        size_bytes=info.size_bytes,
        file_count=info.file_count,
        seconds=round(time.monotonic() - began, 3),
        recovered=recovered,
        replaced=replaced,
        left_out=info.left_out,
        next_steps=_next_steps(target, info, recovered=recovered),
    )


def _next_steps(target: _Target, info: reports.BackupInfo, *, recovered: bool) -> tuple[str, ...]:
    steps: list[str] = []
    if not recovered:
        steps.append("Start Neo4j: it recovers the database first, as after a crash.")
    if any(item.rebuilt for item in info.left_out):
        steps.append("Neo4j rebuilds what was left out at its first start; on a large graph that takes a while.")
    if target.database not in (target.source.default_database, SYSTEM_DATABASE):
        steps.append(
            f"On Community, set initial.dbms.default_database={target.database} (4.4: dbms.default_database) "
            f"to open it; on Enterprise, run CREATE DATABASE `{target.database}`."
        )
    return tuple(steps)
