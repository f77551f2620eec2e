"""`restore`: from a backup to a database directory of a stopped server, an empty home, or a free name.

Everything is checked before the target is touched; the new database is complete, proven and durable beside it before
one atomic operation puts it in place.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import structs

from neokeep import reports
from neokeep.copies.lost import EitherReader
from neokeep.copies.same import same_names
from neokeep.errors import IntegrityError, NeokeepError, SourceError, UsageError
from neokeep.repository.contents import file_list
from neokeep.repository.info import backup_info
from neokeep.repository.reader import BlockReader
from neokeep.restore.choose import choose_plan
from neokeep.restore.logs import LogEnd, apply_segments, cut_log, end_at
from neokeep.restore.plan import require_openable
from neokeep.restore.spares import Spares, Unasked
from neokeep.restore.target import find_target, how_to_open, replacement, require_space, target_source
from neokeep.restore.targets import NEWEST, Moment, RestorePlan
from neokeep.restore.write import write_files

if TYPE_CHECKING:
    from collections.abc import Sequence

    from neokeep.neo4j.source import Source
    from neokeep.progress import Progress
    from neokeep.repository.manifest import FileEntry, Manifest
    from neokeep.repository.repository import Repository
    from neokeep.restore.recover import Recovery
    from neokeep.restore.target import Replacement, Target
    from neokeep.restore.write import Owner


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
    source = target_source(home, configuration_directory)
    plan = choose_plan(
        repository, database.lower(), label=label, from_source=from_source, home=str(source.home), moment=moment
    )
    target = find_target(source, plan.base.database, restored_as)
    if plan.remark:
        progress.say(plan.remark)
    _require_engine(plan, recover)
    require_openable(plan.base, plan.kernel_version, source.version)
    recovery = _recovery(recover, source)
    spares = Spares(repository, others, progress) if others else None
    reader = _reader(repository, others)
    files = _files(reader, plan.base)
    try:
        with replacement(target, overwrite=overwrite) as new:
            require_space(target, f"restoring {plan.base.label}", _needed(files, plan))
            written = _write(reader, files, plan, target, new, recovery, jobs, progress, spares)
    finally:
        progress.end()
    report = _report(plan, written, target, began, replaced=new.replaced)
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


def _needed(files: Sequence[FileEntry], plan: RestorePlan) -> dict[str, int]:
    """Add up the bytes of each area; log in segments is compressed, to a quarter or so."""
    needed = {"store": 0, "log": 4 * plan.log_bytes}
    for file in files:
        needed[file.area] += file.content.size
    return needed


def _write(
    reader: BlockReader,
    files: Sequence[FileEntry],
    plan: RestorePlan,
    target: Target,
    new: Replacement,
    recovery: Recovery | None,
    jobs: int,
    progress: Progress,
    spares: Spares | None,
) -> _Written:
    """Write the base, the log on top of it, and recover where that is wanted."""
    base, staging, owner = plan.base, new.staging, new.owner
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
    plan: RestorePlan, written: _Written, target: Target, began: float, *, replaced: bool
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


def _next_steps(target: Target, info: reports.BackupInfo, engine: str | None) -> tuple[str, ...]:
    steps: list[str] = []
    if engine is None:
        steps.append("Start Neo4j: it recovers the database first, as after a crash.")
    if engine == "native":
        steps.append("Neo4j rebuilds all indexes at its first start; on a large graph that takes a while.")
    elif any(item.rebuilt for item in info.left_out):
        steps.append("Neo4j rebuilds what was left out at its first start; on a large graph that takes a while.")
    return (*steps, *how_to_open(target))
