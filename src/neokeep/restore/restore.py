"""`restore`: from a backup to a database directory of a stopped server, an empty home, or a free name.

Everything is checked before the target is touched; the new database is complete, proven and durable beside it before
one atomic operation puts it in place.
"""

from __future__ import annotations

import os
import shutil
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import structs

from neokeep import reports
from neokeep.copies.lost import EitherReader
from neokeep.copies.same import same_names
from neokeep.errors import IntegrityError, LockedError, NeokeepError, SourceError, SpaceError, UsageError
from neokeep.files import explained
from neokeep.neo4j import locks
from neokeep.neo4j.names import require_database_name
from neokeep.neo4j.source import SYSTEM_DATABASE, Source, find_source, future_source
from neokeep.repository.contents import file_list
from neokeep.repository.info import backup_info
from neokeep.repository.reader import BlockReader
from neokeep.restore.choose import choose_plan
from neokeep.restore.logs import LogEnd, apply_segments, cut_log, end_at
from neokeep.restore.plan import require_openable
from neokeep.restore.spares import Spares, Unasked
from neokeep.restore.swap import Place, Staging, require_unused, settle, stage, swap
from neokeep.restore.targets import NEWEST, Moment, RestorePlan
from neokeep.restore.write import Owner, make_directory, write_files
from neokeep.units import format_size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from neokeep.progress import Progress
    from neokeep.repository.manifest import FileEntry, Manifest
    from neokeep.repository.repository import Repository
    from neokeep.restore.recover import Recovery

_HEADROOM = 64 * 1024 * 1024
"""Bytes left free on the target's disk, for a server that has to start there."""


@dataclass(frozen=True, slots=True)
class _Target:
    """Where to restore to: the server, the name there, and the two directories."""

    source: Source
    database: str
    place: Place


@dataclass(frozen=True, slots=True)
class _Written:
    """Where the written log ends, and the engine that recovered, if one did."""

    end: LogEnd
    engine: str | None


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
    recover: str | None = None,
    moment: Moment = NEWEST,
    jobs: int,
    progress: Progress,
    others: Sequence[Repository] = (),
) -> reports.RestoreReport:
    """Restore `database` up to a moment, or as it was in the backup with a label; the newest by default.

    What is damaged, missing or away is taken from `others` that hold the same backup.

    Raises:
        LockedError: the target database is open in a running server.
        UsageError: the target exists and `overwrite` is not given, the moment lies outside every restore window, or the
            choice of backup is not clear.
        RepositoryError, IntegrityError, SpaceError, AccessError, SourceError: what it says; the target is as it was.
    """
    began = time.monotonic()
    source = _target_source(home, configuration_directory)
    plan = choose_plan(
        repository, database.lower(), label=label, from_source=from_source, home=str(source.home), moment=moment
    )
    target = _target(source, plan.base, restored_as)
    if plan.remark:
        progress.say(plan.remark)
    _require_engine(plan, recover)
    require_openable(plan.base, plan.kernel_version, source.version)
    recovery = _recovery(recover, source)
    spares = Spares(repository, others, progress) if others else None
    reader = _reader(repository, others)
    files = _files(reader, plan.base)
    owner = _owner(source)
    for directory in (target.place.store.parent, target.place.log.parent):
        make_directory(directory, owner)
    with ExitStack() as guard:
        guard.enter_context(locks.hold_directory(target.place.store.parent))
        _keep_out_servers(target, guard)
        require_unused(target.place)
        settle(target.place)
        replaced = target.place.exists()
        if replaced and not overwrite:
            raise UsageError(
                f"{target.place.store} exists already",
                remedy="Restore under another name with --as NAME, or replace it with --overwrite.",
            )
        _require_space(target, files, plan)
        staging = stage(target.place)
        try:
            written = _write(reader, files, plan, target, staging, owner, recovery, jobs, progress, spares)
            swap(target.place, staging)
        except BaseException:
            settle(target.place)
            raise
        finally:
            progress.end()
    report = _report(plan, written, target, began, replaced=replaced)
    return structs.replace(
        report, repository=repository.storage.url, fell_over=tuple(spares.used) if spares is not None else ()
    )


def _reader(repository: Repository, others: Sequence[Repository]) -> BlockReader:
    """Read blocks from a repository; single ones, which hold lists, also from others where they have the same ids."""
    if not others:
        return BlockReader.of(repository)
    reader = BlockReader(Unasked(repository.storage), repository.read_index())
    for other in others:
        if same_names(repository, other):
            with suppress(NeokeepError):
                return EitherReader(reader.storage, reader.index, BlockReader.of(other))
    return reader


def _files(reader: BlockReader, base: Manifest) -> list[FileEntry]:
    files = file_list(reader, base)
    if len(files) != base.file_count:
        raise IntegrityError(f"the file list of {base.label} is not complete", remedy="Use another backup.")
    return files


def _target_source(home: Path, configuration_directory: Path | None) -> Source:
    """Find the server at `home`; a missing or empty directory becomes a home with Neo4j's default layout."""
    if not home.exists() or (home.is_dir() and not any(home.iterdir())):
        return future_source(home, configuration_directory)
    return find_source(home, configuration_directory)


def _target(source: Source, manifest: Manifest, restored_as: str | None) -> _Target:
    name = manifest.database if restored_as is None else require_database_name(restored_as)
    if SYSTEM_DATABASE in (name, manifest.database) and name != manifest.database:
        raise UsageError(
            f"the system database cannot change places with another: {manifest.database} as {name}",
            remedy="Restore 'system' under its own name only.",
        )
    found = source.place_of(name)
    return _Target(source, name, Place.at(found.store_directory, found.log_directory))


def _require_engine(plan: RestorePlan, recover: str | None) -> None:
    if plan.goes_back and recover == "neo4j":
        raise UsageError(
            f"the wanted moment lies before the end of {plan.base.label}; Neo4j's recovery cannot go back",
            remedy="Leave --recover out: neokeep goes back by itself, and Neo4j rebuilds the indexes.",
        )


def _recovery(engine: str | None, source: Source) -> Recovery | None:
    """Find what recovery needs; only neokeep's own can do without the target's Neo4j."""
    if engine is None:
        return None
    from neokeep.neo4j.distribution import Distribution
    from neokeep.restore.recover import NATIVE, Recovery

    try:
        return Recovery(engine, Distribution.of_home(source.home))
    except SourceError:
        if engine != NATIVE:
            raise
        return Recovery(engine, None)


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


def _require_space(target: _Target, files: Sequence[FileEntry], plan: RestorePlan) -> None:
    """Ask each disk for what it will get; log in segments is compressed, to a quarter or so."""
    needed: dict[int, int] = {}
    places = {"store": target.place.store.parent, "log": target.place.log.parent}
    devices = {area: directory.stat().st_dev for area, directory in places.items()}
    for file in files:
        needed[devices[file.area]] = needed.get(devices[file.area], _HEADROOM) + file.content.size
    needed[devices["log"]] = needed.get(devices["log"], _HEADROOM) + 4 * plan.log_bytes
    for area, directory in places.items():
        free = shutil.disk_usage(directory).free
        if free < needed.get(devices[area], 0):
            raise SpaceError(
                f"restoring {plan.base.label} needs {format_size(needed[devices[area]])} in {directory}, "
                f"{format_size(free)} are free",
                remedy="Free space there; the old database is kept until the new one is complete.",
            )


def _write(
    reader: BlockReader,
    files: Sequence[FileEntry],
    plan: RestorePlan,
    target: _Target,
    staging: Staging,
    owner: Owner,
    recovery: Recovery | None,
    jobs: int,
    progress: Progress,
    spares: Spares | None,
) -> _Written:
    """Write the base, the log on top of it, and recover where that is wanted."""
    base = plan.base
    for directory in {staging.store, staging.log}:
        make_directory(directory, owner)
    areas = {"store": staging.store, "log": staging.log}
    fill = None if spares is None else lambda lost, make_sink: spares.fill(reader, base, files, lost, make_sink, jobs)
    write_files(reader, files, areas, owner, jobs=jobs, progress=progress, others=fill)
    end = LogEnd(base.end.transaction or 0, base.end.commit_time)
    if plan.segments:
        progress.begin("applying archived log", plan.log_bytes)
        elsewhere = spares.storages if spares is not None else ()
        apply_segments(reader.storage, plan.segments, staging.log, owner, base, progress, elsewhere)
        end = cut_log(staging.log, plan.moment, base.end.transaction or 0)
    engine = None
    if plan.goes_back:
        from neokeep.restore.recover import NATIVE, recover_natively

        end = end_at(staging.log, plan.moment, (base.opens or base.end).transaction or 0)
        recover_natively(staging, target.database, base.store_format, progress, last=end.transaction)
        engine = NATIVE
    elif recovery is not None:
        from neokeep.restore.recover import recover

        engine = recover(recovery, staging, target.database, base.store_format, progress)
    for directory in {staging.store, staging.log} if engine else ():
        _give(directory, owner)
    return _Written(end, engine)


def _give(directory: Path, owner: Owner) -> None:
    """Recovery made files as the user who runs neokeep: give them to the server's user too."""
    for folder, _, names in os.walk(directory):
        for path in (Path(folder), *(Path(folder) / name for name in names)):
            owner.apply(path)


def _report(
    plan: RestorePlan, written: _Written, target: _Target, began: float, *, replaced: bool
) -> reports.RestoreReport:
    info, end = backup_info(plan.base), written.end
    return reports.RestoreReport(
        label=plan.base.label,
        segments=len(plan.segments),
        database=plan.base.database,
        restored_as=target.database,
        home=str(target.source.home),
        store_directory=str(target.place.store),
        log_directory=str(target.place.log),
        last_tx=end.transaction,
        last_commit_time=end.commit_time,
        size_bytes=info.size_bytes,
        file_count=info.file_count,
        seconds=round(time.monotonic() - began, 3),
        recovered=written.engine is not None,
        recovered_by=written.engine,
        replaced=replaced,
        left_out=info.left_out,
        next_steps=_next_steps(target, info, written.engine),
    )


def _next_steps(target: _Target, info: reports.BackupInfo, engine: str | None) -> tuple[str, ...]:
    steps: list[str] = []
    if engine is None:
        steps.append("Start Neo4j: it recovers the database first, as after a crash.")
    if engine == "native":
        steps.append("Neo4j rebuilds all indexes at its first start; on a large graph that takes a while.")
    elif any(item.rebuilt for item in info.left_out):
        steps.append("Neo4j rebuilds what was left out at its first start; on a large graph that takes a while.")
    if target.database not in (target.source.default_database, SYSTEM_DATABASE):
        steps.append(
            f"On Community, set initial.dbms.default_database={target.database} (4.4: dbms.default_database) "
            f"to open it; on Enterprise, run CREATE DATABASE `{target.database}`."
        )
    return tuple(steps)
