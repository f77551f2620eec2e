"""The Python API: every command as a function that takes paths or objects and returns a report.

Failures are raised as errors of neokeep.errors; only `backup` reports failed databases beside those that succeeded, and
`verify` and `check` report what they found. See docs/reference.md.
"""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from neokeep.artifact import api as archives
from neokeep.errors import UsageError
from neokeep.progress import Progress, Silent
from neokeep.storage.place import NO_KEYS, KeySources, Place
from neokeep.workers import default_jobs

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from threading import Event
    from typing import TypeVar

    from neokeep.encryption.secrets import Role
    from neokeep.neo4j.source import Source
    from neokeep.reports import (
        ArchiveEvent,
        BackupReport,
        CheckReport,
        CollectReport,
        ConsolidateReport,
        CopyReport,
        ExpireReport,
        HealReport,
        HoldReport,
        InfoReport,
        KeyListReport,
        KeyPairReport,
        KeyReport,
        LogReport,
        RebuildIndexReport,
        RestoreReport,
        VerifyReport,
    )
    from neokeep.repository.repository import Repository

    Directory = str | PathLike[str]
    Item = TypeVar("Item")
    Where = Repository | Place | Directory
    OneOrSeveral = Where | Sequence[Where]

_SILENT: Progress = Silent()
_ONE_DAY = 86_400
_SEVEN_DAYS = 7 * _ONE_DAY

dump, load, inspect = archives.dump, archives.load, archives.inspect


def init(
    place: Directory | Place, *, recipients: Sequence[Directory] = (), writer_recipients: Sequence[Directory] = ()
) -> Repository:
    """Make a new repository in an empty or new directory, bucket or prefix.

    A directory or URL; or a `neokeep.storage.place.Place`, which also says how to reach it and what opens it. With a
    key there, or with recipients (files of public keys), it is encrypted; who is only a writer cannot restore.
    """
    from neokeep.repository.open import init_repository

    return init_repository(_place(place), _paths(recipients), _paths(writer_recipients))


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
    progress: Progress = _SILENT,
) -> BackupReport:
    """Back up databases of a server, running or not; all of them when none is named.

    `type` is 'full', 'incremental' or 'auto': incremental where the chain holds and no full backup is due. It is due
    when the newest one is `full_every` seconds old, has `full_after` incremental ones behind it, or when the archived
    log has grown to `full_at_log_share` of it, both compressed; None: no such rule. `indexes` is 'copy' or 'rebuild',
    `rate_limit` is in bytes per second, `gentle` lets the database go first.

    With a list of repositories a full backup is read once for all that need it; what fails with one is in the report.
    """
    from neokeep.capture.backup import back_up
    from neokeep.capture.options import checked_options

    policy = (full_every, full_after, full_at_log_share)
    options = checked_options(type, policy, indexes, rate_limit, jobs, gentle=gentle)
    names = _list(databases)
    if not isinstance(repository, list | tuple):
        return back_up(_source(source), _repository(repository), names, options=options, progress=progress)
    from neokeep.capture.several import Destination, back_up_to_several

    destinations = [Destination(url, open_it) for url, open_it in _openers(repository)]
    return back_up_to_several(_source(source), destinations, names, options=options, progress=progress)


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
    capture = checked_options("full", policy, indexes, rate_limit, jobs, gentle=gentle)
    options = ArchiveOptions(interval, segment_size or SEGMENT_SIZE, capture)
    names, found = _list(databases), [_source(source) for source in _list(sources)]
    hear = tell or (lambda _: None)
    if isinstance(repository, list | tuple):
        from neokeep.archive.several import SeveralArchivers

        SeveralArchivers(found, _openers(repository), names, options, hear).run(stopping)
        return
    from neokeep.archive.archiver import Archiver

    Archiver(found, _repository(repository), names, options, hear).run(stopping)


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
    progress: Progress = _SILENT,
) -> RestoreReport:
    """Restore a database into a Neo4j home: the backup with this label, up to a moment, or the newest there is.

    `to_transaction` is inclusive; a `to_time` without a zone is refused. `recover` is None, 'neo4j' or 'native'.
    Of several repositories the first gives it that can; where it fails, the next takes over, block by block.
    """
    if recover not in {None, "neo4j", "native"}:
        raise UsageError(f"recover={recover!r} is not known", remedy="Use 'neo4j', 'native' or None.")
    from neokeep.restore.targets import make_moment

    options: dict[str, Any] = {
        "configuration_directory": _optional(configuration_directory),
        "label": label,
        "from_source": from_source,
        "restored_as": restored_as,
        "overwrite": overwrite,
        "recover": recover,
        "moment": make_moment(to_time, to_transaction, before_transaction),
        "jobs": jobs or default_jobs(),
        "progress": progress,
    }
    if isinstance(repository, list | tuple):
        from neokeep.restore.several import restore_from_several

        return restore_from_several(_openers(repository), Path(home), database, **options)
    from neokeep.restore.restore import restore as restore_database

    return restore_database(_repository(repository), Path(home), database, **options)


def info(repository: OneOrSeveral, database: str | None = None, label: str | None = None) -> InfoReport:
    """Tell what backups and restore windows there are: all, those of one database, or one backup and its window.

    Of several repositories each is asked in turn.
    """
    from neokeep.repository.info import describe

    if not isinstance(repository, list | tuple):
        return describe(_repository(repository), database, label)
    from neokeep.copies.each import ask_each

    return ask_each(_openers(repository), lambda opened: describe(opened, database, label))


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
        return ask(_repository(repository))
    from neokeep.copies.each import ask_first

    return ask_first(_openers(repository), ask)


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
    repository: OneOrSeveral,
    label: str | None = None,
    *,
    depth: str = "content",
    part: str | None = None,
    again: bool = False,
    resume_within: timedelta = timedelta(days=7),
    recover: bool = False,
    scratch: Directory | None = None,
    jobs: int | None = None,
    progress: Progress = _SILENT,
) -> VerifyReport:
    """Read, decode and hash all that the backups need; the report says what is damaged.

    `depth` 'structure' reads no content, `part` only that of a share: '3/30', or 'auto/30'. What was interrupted
    `resume_within` is gone on with, unless `again`. With `recover` the log is applied below `scratch`, and must fit. Of
    several repositories each is verified in turn.
    """
    from neokeep.image.verify import verify_recovered
    from neokeep.repository.verify import verify as verify_repository
    from neokeep.repository.verify_options import VerifyOptions

    options = VerifyOptions(depth=depth, part=part, again=again, resume_within=resume_within, recover=recover)
    threads = jobs or default_jobs()

    def ask(opened: Repository) -> VerifyReport:
        report = verify_repository(opened, label, options=options, jobs=threads, progress=progress)
        if not recover:
            return report
        return verify_recovered(opened, report, scratch=_optional(scratch), jobs=threads, progress=progress)

    if not isinstance(repository, list | tuple):
        return ask(_repository(repository))
    from neokeep.copies.each import ask_each

    return ask_each(_openers(repository), ask)


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

    conf = _optional(configuration_directory)
    return run_check(Path(home), conf, _place(place), interval_seconds=interval_seconds, progress=progress)


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
    repack_below: float = 0.5,
    progress: Progress = _SILENT,
) -> ExpireReport:
    """Remove the backups that no rule keeps, of all databases or one; with a label, that backup alone.

    A rule keeps a full backup with all that goes on from it. `collect` gives back the space, see there for `grace`.
    """
    from neokeep.repository.expire import expire as expire_backups
    from neokeep.repository.expiry import Policy

    opened = _repository(repository)
    policy = Policy(keep_last, keep_within, keep_daily, keep_weekly, keep_monthly, keep_yearly)
    if collect and not dry_run and opened.storage.content_keys is not None:
        opened.storage.content_keys.require_reader()  # Before anything goes: what is left could not be collected.
    report = expire_backups(opened, policy, database=database, label=label, dry_run=dry_run)
    if dry_run or not collect:
        return report
    from msgspec.structs import replace

    return replace(report, collected=_collect(opened, grace=grace, repack_below=repack_below, progress=progress))


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
    repack_below: float = 0.5,
    dry_run: bool = False,
    progress: Progress = _SILENT,
) -> CollectReport:
    """Delete what was found not to be needed `grace` ago (a day) and still is not, and find what is not needed now.

    Packs of which less than the share `repack_below` is needed are rewritten; 0: none are.
    """
    from neokeep.repository.collect import collect as collect_garbage

    opened, due = _repository(repository), timedelta(days=1) if grace is None else grace
    return collect_garbage(opened, grace=due, repack_below=repack_below, dry_run=dry_run, progress=progress)


_collect = collect  # `expire` has an argument of that name.


def copy_backups(
    source: Repository | Place | Directory,
    target: Repository | Place | Directory,
    labels: Sequence[str] = (),
    database: str | None = None,
    *,
    jobs: int | None = None,
    progress: Progress = _SILENT,
) -> CopyReport:
    """Copy backups of one repository into another with their labels: some, those of a database, or all.

    A full backup comes with the archived log of its chain. What the target has already is not stored again; the report
    tells which backups could not be copied.
    """
    from neokeep.copies.copy import copy_backups as copy

    return copy(
        _repository(source),
        _repository(target),
        _list(labels),
        database,
        jobs=jobs or default_jobs(),
        progress=progress,
    )


def heal(
    repository: Repository | Place | Directory,
    source: Repository | Place | Directory,
    labels: Sequence[str] = (),
    *,
    jobs: int | None = None,
    progress: Progress = _SILENT,
) -> HealReport:
    """Verify a repository and store anew what is damaged or missing, as far as another repository has it.

    Backups that are named in `labels` are brought back also when they are gone altogether.
    """
    from neokeep.copies.heal import heal as heal_from

    opened = _repository(repository)
    return heal_from(opened, _repository(source), _list(labels), jobs=jobs or default_jobs(), progress=progress)


def rebuild_index(
    repository: Repository | Place | Directory, *, jobs: int | None = None, progress: Progress = _SILENT
) -> RebuildIndexReport:
    """Make the index of a repository anew from its packs."""
    from neokeep.repository.reindex import rebuild_index as rebuild

    return rebuild(_repository(repository), jobs=jobs or default_jobs(), progress=progress)


def key_list(place: Directory | Place) -> KeyListReport:
    """List the keys of an encrypted repository; no key is needed for it."""
    from neokeep.repository.keys import describe_keys

    return describe_keys(_place(place))


def key_add(
    place: Directory | Place,
    *,
    role: Role = "reader",
    name: str = "",
    recipient: Directory | None = None,
    new: KeySources = NO_KEYS,
) -> KeyReport:
    """Add a key for a recipient (a file with a public key), or for the new passphrase that `new` finds."""
    from neokeep.repository.keys import add_one

    if role not in {"reader", "writer"}:
        raise UsageError(f"role={role!r} is not known", remedy="Use 'reader' or 'writer'.")
    return add_one(_place(place), role=role, name=name, recipient=_optional(recipient), new=new)


def key_remove(place: Directory | Place, identity: str) -> KeyReport:
    """Remove a key by its id or the begin of it; the last reader key stays."""
    from neokeep.repository.keys import remove_one

    return remove_one(_place(place), identity)


def key_change_passphrase(place: Directory | Place, new: KeySources) -> KeyReport:
    """Put the passphrase that `new` finds in the place of the one that opens the repository."""
    from neokeep.repository.keys import change_passphrase

    return change_passphrase(_place(place), new)


def key_generate(path: Directory) -> KeyPairReport:
    """Make a pair of keys: the private one in a new file, the public one beside it with `.pub` added."""
    from neokeep.repository.keys import generate

    return generate(Path(path))


def _source(source: Source | Directory) -> Source:
    return find_source(source) if isinstance(source, str | PathLike) else source


def _list(items: Sequence[Item]) -> Sequence[Item]:
    if isinstance(items, str):
        raise UsageError("a list is one text", remedy=f"Give a list: [{items!r}].")
    return items


def _openers(repositories: Sequence[Where]) -> list[tuple[str, Callable[[], Repository]]]:
    """Give for each of several repositories its name and the way to open it."""
    if not repositories:
        raise UsageError("there is no repository in the list", remedy="Give one or more.")
    return [(_url(one), partial(_repository, one)) for one in repositories]


def _url(place: Repository | Place | Directory) -> str:
    return str(_place(place)) if isinstance(place, str | PathLike | Place) else place.storage.url


def _repository(place: OneOrSeveral) -> Repository:
    if isinstance(place, list | tuple):
        raise UsageError("several repositories were given", remedy="Do this with one at a time.")
    return open_repository(place) if isinstance(place, str | PathLike | Place) else cast("Repository", place)


def _place(place: Directory | Place) -> str | Place:
    return place if isinstance(place, Place) else fspath(place)


def _paths(files: Sequence[Directory]) -> tuple[Path, ...]:
    return tuple(map(Path, _list(files)))


def _optional(directory: Directory | None) -> Path | None:
    return None if directory is None else Path(directory)
