"""The Python API: every command as a function that takes paths or objects and returns a report.

Failures are raised as errors of neokeep.errors; only `backup` reports failed databases beside those that succeeded, and
`verify` and `check` report what they found. See docs/reference.md.
"""

from __future__ import annotations

from datetime import timedelta
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING

from neokeep.artifact import api as archives
from neokeep.errors import UsageError
from neokeep.progress import Progress, Silent
from neokeep.storage.place import Place
from neokeep.workers import default_jobs

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from threading import Event
    from typing import TypeVar

    from neokeep.neo4j.source import Source
    from neokeep.reports import (
        ArchiveEvent,
        BackupReport,
        CheckReport,
        CollectReport,
        ConsolidateReport,
        ExpireReport,
        HoldReport,
        InfoReport,
        LogReport,
        RebuildIndexReport,
        RestoreReport,
        VerifyReport,
    )
    from neokeep.repository.repository import Repository

    Directory = str | PathLike[str]
    Item = TypeVar("Item")

_SILENT: Progress = Silent()
_ONE_DAY = 86_400
_SEVEN_DAYS = 7 * _ONE_DAY

dump, load, inspect = archives.dump, archives.load, archives.inspect


def init(place: Directory | Place) -> Repository:
    """Make a new repository in an empty or new directory, bucket or prefix.

    A directory or URL; or a `neokeep.storage.place.Place`, which also says how to reach it.
    """
    from neokeep.repository.open import init_repository

    return init_repository(_place(place))


def open_repository(place: Directory | Place) -> Repository:
    """Open a repository by its directory, its URL, or a `neokeep.storage.place.Place`."""
    from neokeep.repository.open import open_repository as open_place

    return open_place(_place(place))


def find_source(home: Directory, configuration_directory: Directory | None = None, name: str | None = None) -> Source:
    """Find the Neo4j server at a home; `name` is the one that its backups will carry."""
    from neokeep.neo4j.source import find_source as find

    return find(Path(home), _optional(configuration_directory), name)


def backup(
    source: Source | Directory,
    repository: Repository | Place | Directory,
    databases: Sequence[str] = (),
    *,
    type: str = "auto",  # noqa: A002  the word of the command line
    full_every: int | None = _SEVEN_DAYS,
    full_after: int | None = None,
    full_at_log_share: float | None = 1.0,
    indexes: str = "copy",
    rate_limit: int | None = None,
    jobs: int | None = None,
    gentle: bool = True,
    progress: Progress = _SILENT,
) -> BackupReport:
    """Back up databases of a server, running or not; all of them when none is named.

    `type` is 'full', 'incremental' or 'auto': incremental where the chain holds and no full backup is due. It is due
    when the newest one is `full_every` seconds old, has `full_after` incremental ones behind it, or when the archived
    log has grown to `full_at_log_share` of it, both compressed; None: no such rule. `indexes` is 'copy' or 'rebuild',
    `rate_limit` is in bytes per second, `gentle` lets the database go first.
    """
    from neokeep.capture.backup import back_up
    from neokeep.capture.options import checked_options

    policy = (full_every, full_after, full_at_log_share)
    options = checked_options(type, policy, indexes, rate_limit, jobs, gentle=gentle)
    names = _list(databases)
    return back_up(_source(source), _repository(repository), names, options=options, progress=progress)


def archive(
    sources: Sequence[Source | Directory],
    repository: Repository | Place | Directory,
    databases: Sequence[str] = (),
    *,
    interval: float = 1,
    segment_size: int | None = None,
    full_every: int | None = _SEVEN_DAYS,
    full_after: int | None = None,
    full_at_log_share: float | None = 1.0,
    indexes: str = "copy",
    rate_limit: int | None = None,
    jobs: int | None = None,
    gentle: bool = True,
    tell: Callable[[ArchiveEvent], None] | None = None,
    stopping: Event | None = None,
) -> None:
    """Follow databases of servers until `stopping` is set or the process is interrupted; all when none is named.

    New transactions are shipped `interval` seconds after the last ones, or when they take `segment_size` bytes of log.
    `tell` gets every event, from several threads. The other options are those of the full backups it takes.
    """
    from neokeep.archive.archiver import Archiver
    from neokeep.archive.options import SEGMENT_SIZE, ArchiveOptions
    from neokeep.capture.options import checked_options

    policy = (full_every, full_after, full_at_log_share)
    capture = checked_options("full", policy, indexes, rate_limit, jobs, gentle=gentle)
    options = ArchiveOptions(interval, segment_size or SEGMENT_SIZE, capture)
    names, found = _list(databases), [_source(source) for source in _list(sources)]
    Archiver(found, _repository(repository), names, options, tell or (lambda _: None)).run(stopping)


def restore(
    repository: Repository | Place | Directory,
    home: Directory,
    database: str,
    *,
    configuration_directory: Directory | None = None,
    label: str | None = None,
    from_source: str | None = None,
    restored_as: str | None = None,
    overwrite: bool = False,
    recover: str | None = None,
    to_time: datetime | None = None,
    to_transaction: int | None = None,
    before_transaction: int | None = None,
    jobs: int | None = None,
    progress: Progress = _SILENT,
) -> RestoreReport:
    """Restore a database into a Neo4j home: the backup with this label, up to a moment, or the newest there is.

    `to_transaction` is inclusive; a `to_time` without a zone is refused. `recover` is None, 'neo4j' or 'native'.
    """
    if recover not in {None, "neo4j", "native"}:
        raise UsageError(f"recover={recover!r} is not known", remedy="Use 'neo4j', 'native' or None.")
    from neokeep.restore.restore import restore as restore_database
    from neokeep.restore.targets import make_moment

    return restore_database(
        _repository(repository),
        Path(home),
        database,
        configuration_directory=_optional(configuration_directory),
        label=label,
        from_source=from_source,
        restored_as=restored_as,
        overwrite=overwrite,
        recover=recover,
        moment=make_moment(to_time, to_transaction, before_transaction),
        jobs=jobs or default_jobs(),
        progress=progress,
    )


def info(
    repository: Repository | Place | Directory, database: str | None = None, label: str | None = None
) -> InfoReport:
    """Tell what backups and restore windows there are: all, those of one database, or one backup and its window."""
    from neokeep.repository.info import describe

    return describe(_repository(repository), database, label)


def log(
    repository: Repository | Place | Directory,
    database: str,
    *,
    label: str | None = None,
    from_source: str | None = None,
    first: int | None = None,
    last: int | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    deletes_more_than: int | None = None,
    limit: int = 1000,
) -> LogReport:
    """List archived transactions of a database and what each did: those of a backup's chain, or of the newest one."""
    from neokeep.repository.history import history
    from neokeep.repository.transactions import TransactionFilter
    from neokeep.restore.choose import choose_chain

    opened = _repository(repository)
    chain = choose_chain(opened, database.lower(), label=label, from_source=from_source)
    wanted = TransactionFilter(first, last, since, until, deletes_more_than)
    return history(opened, chain, wanted, limit)


def consolidate(
    repository: Repository | Place | Directory,
    database: str,
    *,
    label: str | None = None,
    from_source: str | None = None,
    engine: str = "native",
    home: Directory | None = None,
    scratch: Directory | None = None,
    jobs: int | None = None,
    progress: Progress = _SILENT,
) -> ConsolidateReport:
    """Make a full backup of a full backup and the log behind it: of the newest chain, or of that of a backup.

    `engine` is 'native', which leaves indexes out, or 'neo4j', which keeps them and runs the Neo4j at `home`. Work is
    done below `scratch`, by default where the system keeps temporary files.
    """
    from neokeep.image.consolidate import consolidate as make_full
    from neokeep.neo4j.distribution import Distribution

    if engine not in {"neo4j", "native"}:
        raise UsageError(f"engine={engine!r} is not known", remedy="Use 'native' or 'neo4j'.")
    if engine == "neo4j" and home is None:
        raise UsageError(
            "Neo4j's engine needs a Neo4j", remedy="Give the home of an installation of the same version with --home."
        )
    return make_full(
        _repository(repository),
        database.lower(),
        label=label,
        from_source=from_source,
        distribution=Distribution.of_home(Path(home)) if engine == "neo4j" and home is not None else None,
        scratch=_optional(scratch),
        jobs=jobs or default_jobs(),
        progress=progress,
    )


def verify(
    repository: Repository | Place | Directory,
    label: str | None = None,
    *,
    recover: bool = False,
    scratch: Directory | None = None,
    jobs: int | None = None,
    progress: Progress = _SILENT,
) -> VerifyReport:
    """Read, decode and hash all that the backups need; the report says what is damaged.

    With `recover` the log of each chain is applied to its full backup below `scratch`, and must fit it.
    """
    from neokeep.image.verify import verify_recovered
    from neokeep.repository.verify import verify as verify_repository

    opened, threads = _repository(repository), jobs or default_jobs()
    report = verify_repository(opened, label, jobs=threads, progress=progress)
    if not recover:
        return report
    return verify_recovered(opened, report, scratch=_optional(scratch), jobs=threads, progress=progress)


def check(
    home: Directory,
    place: Directory | Place,
    *,
    configuration_directory: Directory | None = None,
    interval_seconds: int = _ONE_DAY,
    progress: Progress = _SILENT,
) -> CheckReport:
    """Try everything that a backup will need; `interval_seconds` is the time between two backups."""
    from neokeep.check.check import run_check

    return run_check(
        Path(home),
        _optional(configuration_directory),
        _place(place),
        interval_seconds=interval_seconds,
        progress=progress,
    )


def expire(
    repository: Repository | Place | Directory,
    database: str | None = None,
    label: str | None = None,
    *,
    keep_last: int | None = None,
    keep_within: timedelta | None = None,
    keep_daily: int | None = None,
    keep_weekly: int | None = None,
    keep_monthly: int | None = None,
    keep_yearly: int | None = None,
    dry_run: bool = False,
    collect: bool = True,
    grace: timedelta | None = None,
    progress: Progress = _SILENT,
) -> ExpireReport:
    """Remove the backups that no rule keeps, of all databases or one; with a label, that backup alone.

    A rule keeps a full backup with all that goes on from it. `collect` gives back the space, see there for `grace`.
    """
    from neokeep.repository.expire import expire as expire_backups
    from neokeep.repository.expiry import Policy

    opened = _repository(repository)
    policy = Policy(keep_last, keep_within, keep_daily, keep_weekly, keep_monthly, keep_yearly)
    report = expire_backups(opened, policy, database=database, label=label, dry_run=dry_run)
    if dry_run or not collect:
        return report
    from msgspec.structs import replace

    return replace(report, collected=_collect(opened, grace, dry_run=False, progress=progress))


def hold(
    repository: Repository | Place | Directory, label: str, *, reason: str, until: datetime | None = None
) -> HoldReport:
    """Keep a backup and all that it needs from expiring, until it is released or a time has come."""
    from neokeep.repository.holds import describe_holds, place_hold

    if until is not None and until.tzinfo is None:
        raise UsageError(f"the time {until} has no zone", remedy="Give one, such as UTC.")
    opened = _repository(repository)
    place_hold(opened, label, reason, until)
    return describe_holds(opened, label)


def release(repository: Repository | Place | Directory, label: str) -> HoldReport:
    """End all holds of a backup."""
    from neokeep.repository.holds import describe_holds, release_holds

    opened = _repository(repository)
    release_holds(opened, label)
    return describe_holds(opened, label)


def collect(
    repository: Repository | Place | Directory,
    *,
    grace: timedelta | None = None,
    dry_run: bool = False,
    progress: Progress = _SILENT,
) -> CollectReport:
    """Delete what was found not to be needed `grace` ago (a day) and still is not, and find what is not needed now."""
    return _collect(_repository(repository), grace, dry_run=dry_run, progress=progress)


def rebuild_index(
    repository: Repository | Place | Directory, *, jobs: int | None = None, progress: Progress = _SILENT
) -> RebuildIndexReport:
    """Make the index of a repository anew from its packs."""
    from neokeep.repository.reindex import rebuild_index as rebuild

    return rebuild(_repository(repository), jobs=jobs or default_jobs(), progress=progress)


def _collect(opened: Repository, grace: timedelta | None, *, dry_run: bool, progress: Progress) -> CollectReport:
    from neokeep.repository.collect import collect as collect_garbage

    return collect_garbage(
        opened, grace=timedelta(days=1) if grace is None else grace, dry_run=dry_run, progress=progress
    )


def _source(source: Source | Directory) -> Source:
    return find_source(source) if isinstance(source, str | PathLike) else source


def _list(items: Sequence[Item]) -> Sequence[Item]:
    if isinstance(items, str):
        raise UsageError("a list is one text", remedy=f"Give a list: [{items!r}].")
    return items


def _repository(place: Repository | Place | Directory) -> Repository:
    return open_repository(place) if isinstance(place, str | PathLike | Place) else place


def _place(place: Directory | Place) -> str | Place:
    return place if isinstance(place, Place) else fspath(place)


def _optional(directory: Directory | None) -> Path | None:
    return None if directory is None else Path(directory)
