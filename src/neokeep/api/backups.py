"""Making backups, following databases, restoring, and looking at what there is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from neokeep.api.places import (
    SILENT,
    checked_list,
    openers,
    optional_path,
    paths_of,
    place_of,
    repository_at,
    source_of,
)
from neokeep.errors import UsageError
from neokeep.workers import default_jobs

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from threading import Event

    from neokeep.api.places import Directory, OneOrSeveral
    from neokeep.neo4j.source import Source
    from neokeep.progress import Progress
    from neokeep.reports import ArchiveEvent, BackupReport, ConsolidateReport, InfoReport, LogReport, RestoreReport
    from neokeep.repository.repository import Repository
    from neokeep.storage.place import Place

_SEVEN_DAYS = 7 * 86_400


def init(
    place: Directory | Place, *, recipients: Sequence[Directory] = (), writer_recipients: Sequence[Directory] = ()
) -> Repository:
    """Make a new repository in an empty or new directory, bucket or prefix.

    A directory or URL; or a `neokeep.storage.place.Place`, which also says how to reach it and what opens it. With a
    key there, or with recipients (files of public keys), it is encrypted; who is only a writer cannot restore.
    """
    from neokeep.repository.open import init_repository

    return init_repository(place_of(place), paths_of(recipients), paths_of(writer_recipients))


def backup(
    source: Source | Directory,
    repository: OneOrSeveral,
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
    server_files: str = "config",
    check: bool = False,
    scratch: Directory | None = None,
    progress: Progress = SILENT,
) -> BackupReport:
    """Back up databases of a server, running or not; all of them when none is named.

    `type` is 'full', 'incremental' or 'auto': incremental where the chain holds and no full backup is due. It is due
    when the newest one is `full_every` seconds old, has `full_after` incremental ones behind it, or when the archived
    log has grown to `full_at_log_share` of it, both compressed; None: no such rule. `indexes` is 'copy' or 'rebuild',
    `rate_limit` is in bytes per second, `gentle` lets the database go first. `server_files` says what else of the
    server goes with each backup: 'none', 'config' (configuration, certificates, licences, a list of plugins) or 'all'
    (plugins too). Private keys and secrets go into an encrypted repository only.

    With `check` the graph in each backup is checked then, with its log applied below `scratch`; one that is not whole
    is kept, and the report says so. That needs a reader key where the repository is encrypted.

    With a list of repositories a full backup is read once for all that need it; what fails with one is in the report.
    """
    from neokeep.capture.backup import back_up
    from neokeep.capture.options import checked_options

    policy = (full_every, full_after, full_at_log_share)
    options = checked_options(type, policy, indexes, rate_limit, jobs, gentle=gentle, server_files=server_files)
    names = checked_list(databases)
    if not isinstance(repository, list | tuple):
        opened = repository_at(repository)
        if check and opened.storage.content_keys is not None:
            opened.storage.content_keys.require_reader()  # Before the work: a writer cannot read what it wrote.
        report = back_up(source_of(source), opened, names, options=options, progress=progress)
        return _checked(report, opened, scratch, jobs, progress) if check else report
    from neokeep.capture.several import Destination, back_up_to_several

    destinations = [Destination(url, open_it) for url, open_it in openers(repository)]
    report = back_up_to_several(source_of(source), destinations, names, options=options, progress=progress)
    if not check:
        return report
    from msgspec.structs import replace

    first, *others = (
        _checked(one, destination.repository, scratch, jobs, progress)
        for one, destination in zip((report, *report.others), destinations, strict=True)
    )
    return replace(first, others=tuple(others))


def _checked(
    report: BackupReport,
    repository: Repository | None,
    scratch: Directory | None,
    jobs: int | None,
    progress: Progress,
) -> BackupReport:
    from neokeep.consistency.backups import check_backups

    place = optional_path(scratch)
    return check_backups(report, repository, scratch=place, jobs=jobs or default_jobs(), progress=progress)


def archive(
    sources: Sequence[Source | Directory],
    repository: OneOrSeveral,
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
    server_files: str = "config",
    tell: Callable[[ArchiveEvent], None] | None = None,
    stopping: Event | None = None,
) -> None:
    """Follow databases of servers until `stopping` is set or the process is interrupted; all when none is named.

    New transactions are shipped `interval` seconds after the last ones, or when they take `segment_size` bytes of log.
    `tell` gets every event, from several threads. The other options are those of the full backups it takes. Of several
    repositories each is served at its own pace.
    """
    from neokeep.archive.options import SEGMENT_SIZE, ArchiveOptions
    from neokeep.capture.options import checked_options

    policy = (full_every, full_after, full_at_log_share)
    capture = checked_options("full", policy, indexes, rate_limit, jobs, gentle=gentle, server_files=server_files)
    options = ArchiveOptions(interval, segment_size or SEGMENT_SIZE, capture)
    names, found = checked_list(databases), [source_of(source) for source in checked_list(sources)]
    hear = tell or (lambda _: None)
    if isinstance(repository, list | tuple):
        from neokeep.archive.several import SeveralArchivers

        SeveralArchivers(found, openers(repository), names, options, hear).run(stopping)
        return
    from neokeep.archive.archiver import Archiver

    Archiver(found, repository_at(repository), names, options, hear).run(stopping)


def restore(
    repository: OneOrSeveral,
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
    progress: Progress = SILENT,
) -> RestoreReport:
    """Restore a database into a Neo4j home: the backup with this label, up to a moment, or the newest there is.

    `to_transaction` is inclusive; a `to_time` without a zone is refused. `recover` is None, 'neo4j' or 'native'.
    Of several repositories the first gives it that can; where it fails, the next takes over, block by block.
    """
    if recover not in {None, "neo4j", "native"}:
        raise UsageError(f"recover={recover!r} is not known", remedy="Use 'neo4j', 'native' or None.")
    from neokeep.restore.targets import make_moment

    options: dict[str, Any] = {
        "configuration_directory": optional_path(configuration_directory),
        "label": label,
        "from_source": from_source,
        "restored_as": restored_as,
        "overwrite": overwrite,
        "recover": recover,
        "moment": make_moment(to_time, to_transaction, before_transaction),
        # It waits for the disk at both ends.
        "jobs": jobs or default_jobs(waiting=2),
        "progress": progress,
    }
    if isinstance(repository, list | tuple):
        from neokeep.restore.several import restore_from_several

        return restore_from_several(openers(repository), Path(home), database, **options)
    from neokeep.restore.restore import restore as restore_database

    return restore_database(repository_at(repository), Path(home), database, **options)


def info(repository: OneOrSeveral, database: str | None = None, label: str | None = None) -> InfoReport:
    """Tell what backups and restore windows there are: all, those of one database, or one backup and its window.

    Of several repositories each is asked in turn.
    """
    from neokeep.repository.info import describe

    if not isinstance(repository, list | tuple):
        return describe(repository_at(repository), database, label)
    from neokeep.copies.each import ask_each

    return ask_each(openers(repository), lambda opened: describe(opened, database, label))


def log(
    repository: OneOrSeveral,
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
    """List archived transactions of a database and what each did: those of a backup's chain, or of the newest one.

    Of several repositories the first answers that can.
    """
    from neokeep.repository.history import history
    from neokeep.repository.transactions import TransactionFilter
    from neokeep.restore.choose import choose_chain

    wanted = TransactionFilter(first, last, since, until, deletes_more_than)

    def ask(opened: Repository) -> LogReport:
        chain = choose_chain(opened, database.lower(), label=label, from_source=from_source)
        return history(opened, chain, wanted, limit)

    if not isinstance(repository, list | tuple):
        return ask(repository_at(repository))
    from neokeep.copies.each import ask_first

    return ask_first(openers(repository), ask)


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
    progress: Progress = SILENT,
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
        repository_at(repository),
        database.lower(),
        label=label,
        from_source=from_source,
        distribution=Distribution.of_home(Path(home)) if engine == "neo4j" and home is not None else None,
        scratch=optional_path(scratch),
        jobs=jobs or default_jobs(),
        progress=progress,
    )
