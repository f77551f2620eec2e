"""Keeping repositories well: verifying, checking, expiring, collecting, copying, healing."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from neokeep.api.places import SILENT, checked_list, openers, optional_path, place_of, repository_at
from neokeep.errors import UsageError
from neokeep.workers import default_jobs

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from neokeep.api.places import Directory, OneOrSeveral
    from neokeep.progress import Progress
    from neokeep.reports import (
        CheckReport,
        CollectReport,
        CopyReport,
        ExpireReport,
        HealReport,
        HoldReport,
        RebuildIndexReport,
        VerifyReport,
    )
    from neokeep.repository.repository import Repository
    from neokeep.storage.place import Place


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
    progress: Progress = SILENT,
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
        return verify_recovered(opened, report, scratch=optional_path(scratch), jobs=threads, progress=progress)

    if not isinstance(repository, list | tuple):
        return ask(repository_at(repository))
    from neokeep.copies.each import ask_each

    return ask_each(openers(repository), ask)


def check(
    home: Directory,
    place: Directory | Place,
    *,
    configuration_directory: Directory | None = None,
    interval_seconds: int = 86_400,
    progress: Progress = SILENT,
) -> CheckReport:
    """Try everything that a backup will need; `interval_seconds` is the time between two backups."""
    from neokeep.check.check import run_check

    conf = optional_path(configuration_directory)
    return run_check(Path(home), conf, place_of(place), interval_seconds=interval_seconds, progress=progress)


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
    require_consistent: bool = False,
    dry_run: bool = False,
    collect: bool = True,
    grace: timedelta | None = None,
    repack_below: float = 0.5,
    progress: Progress = SILENT,
) -> ExpireReport:
    """Remove the backups that no rule keeps, of all databases or one; with a label, that backup alone.

    A rule keeps a full backup with all that goes on from it. `require_consistent`: one that was found not to be
    consistent takes no place of another, and the newest that was found consistent stays. `collect` gives back the
    space, see there for `grace`.
    """
    from neokeep.repository.expire import expire as expire_backups
    from neokeep.repository.expiry import Policy

    opened = repository_at(repository)
    policy = Policy(keep_last, keep_within, keep_daily, keep_weekly, keep_monthly, keep_yearly, require_consistent)
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
    opened = repository_at(repository)
    place_hold(opened, label, reason, until)
    return describe_holds(opened, label)


def release(repository: Repository | Place | Directory, label: str) -> HoldReport:
    """End all holds of a backup."""
    from neokeep.repository.holds import describe_holds, release_holds

    opened = repository_at(repository)
    release_holds(opened, label)
    return describe_holds(opened, label)


def collect(
    repository: Repository | Place | Directory,
    *,
    grace: timedelta | None = None,
    repack_below: float = 0.5,
    dry_run: bool = False,
    progress: Progress = SILENT,
) -> CollectReport:
    """Delete what was found not to be needed `grace` ago (a day) and still is not, and find what is not needed now.

    Packs of which less than the share `repack_below` is needed are rewritten; 0: none are.
    """
    from neokeep.repository.collect import collect as collect_garbage

    opened, due = repository_at(repository), timedelta(days=1) if grace is None else grace
    return collect_garbage(opened, grace=due, repack_below=repack_below, dry_run=dry_run, progress=progress)


_collect = collect  # `expire` has an argument of that name.


def copy_backups(
    source: Repository | Place | Directory,
    target: Repository | Place | Directory,
    labels: Sequence[str] = (),
    database: str | None = None,
    *,
    jobs: int | None = None,
    progress: Progress = SILENT,
) -> CopyReport:
    """Copy backups of one repository into another with their labels: some, those of a database, or all.

    A full backup comes with the archived log of its chain. What the target has already is not stored again; the report
    tells which backups could not be copied.
    """
    from neokeep.copies.copy import copy_backups as copy

    return copy(
        repository_at(source),
        repository_at(target),
        checked_list(labels),
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
    progress: Progress = SILENT,
) -> HealReport:
    """Verify a repository and store anew what is damaged or missing, as far as another repository has it.

    Backups that are named in `labels` are brought back also when they are gone altogether.
    """
    from neokeep.copies.heal import heal as heal_from

    opened = repository_at(repository)
    return heal_from(
        opened, repository_at(source), checked_list(labels), jobs=jobs or default_jobs(), progress=progress
    )


def rebuild_index(
    repository: Repository | Place | Directory, *, jobs: int | None = None, progress: Progress = SILENT
) -> RebuildIndexReport:
    """Make the index of a repository anew from its packs."""
    from neokeep.repository.reindex import rebuild_index as rebuild

    return rebuild(repository_at(repository), jobs=jobs or default_jobs(), progress=progress)
