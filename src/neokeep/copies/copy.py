"""`copy-backups`: backups of one repository into another, with the archived log of their chains.

Full backups go chain by chain, the newest first, each committed by its manifest when all its blocks are durable; then
the log, then the incremental backups that name its end. What the target has is not stored again, so a copy that was
killed goes on where it was, and one that runs every night takes what is new.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from neokeep import reports
from neokeep.copies.same import same_backup
from neokeep.copies.segments import Fetched, fetch_segments, plan_path
from neokeep.copies.server_files import Shared, bring, bring_incremental, copied, shared_by
from neokeep.errors import AWAY, AccessError, IntegrityError, NeokeepError, RepositoryError, SpaceError, UsageError
from neokeep.repository.chains import chain_of
from neokeep.repository.holds import list_holds
from neokeep.repository.manifest import Manifest
from neokeep.repository.needed import manifest_is_gone
from neokeep.repository.reader import BlockReader
from neokeep.repository.segment import SegmentMissing, list_segments
from neokeep.repository.writer import BlockWriter
from neokeep.storage.base import ObjectExists, ObjectMissing

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from neokeep.progress import Progress
    from neokeep.repository.repository import DamagedManifest, Repository

_STOPS = (*AWAY, SpaceError, AccessError)
"""What would fail for every other backup too."""
_MERGED_TRIES = 5


@dataclass(frozen=True, slots=True)
class _Chain:
    """What is copied of one chain: the full backup, and the incremental ones, oldest first."""

    base: Manifest
    incremental: tuple[Manifest, ...]


@dataclass(slots=True)
class _Work:
    """A copy on its way."""

    source: Repository
    target: Repository
    reader: BlockReader
    jobs: int
    progress: Progress
    done: list[reports.CopiedBackup] = field(default_factory=list)
    failures: list[reports.Failure] = field(default_factory=list)


def copy_backups(
    source: Repository,
    target: Repository,
    labels: Sequence[str] = (),
    database: str | None = None,
    *,
    jobs: int,
    progress: Progress,
) -> reports.CopyReport:
    """Copy the backups with some labels, those of a database, or all; a full backup comes with its whole chain.

    Raises:
        UsageError: both are one repository.
        RepositoryError: there is no backup with a label that was named.
        CredentialsError, ClockError, UnreachableError, SpaceError, AccessError: one of them cannot be used any more.
    """
    if source.config.repository_id == target.config.repository_id:
        raise UsageError(
            f"{source.storage.url} and {target.storage.url} are one repository", remedy="Copy into another one."
        )
    began = time.monotonic()
    found = list(source.manifests())
    chains, failures = plan_chains(found, labels, database, source.storage.url)
    # Read after the manifests: whatever they need is in it, or was there and is gone.
    work = _Work(source, target, BlockReader.of(source), jobs, progress, failures=failures)
    target.storage.clear_abandoned()
    try:
        for chain in chains:
            _copy_chain(work, chain)
    finally:
        progress.end()
    wanted = {item.label for chain in chains for item in (chain.base, *chain.incremental)}
    now = datetime.now(UTC)
    return reports.CopyReport(
        repository=source.storage.url,
        target=target.storage.url,
        backups=tuple(work.done),
        failures=tuple(work.failures),
        held=tuple(sorted({one.label for one in list_holds(source.storage) if one.counts_at(now)} & wanted)),
        bytes_read=sum(one.bytes_read for one in work.done),
        stored_bytes=sum(one.stored_bytes for one in work.done),
        seconds=round(time.monotonic() - began, 3),
    )


def plan_chains(
    found: Sequence[Manifest | DamagedManifest], labels: Collection[str], database: str | None, url: str
) -> tuple[list[_Chain], list[reports.Failure]]:
    """Choose what is copied, the newest chain first; what cannot be read is a failure where it was wanted.

    Raises:
        ObjectMissing: there is no backup with a label that was named.
    """
    for label in labels:
        if all(item.label != label for item in found):
            raise ObjectMissing(
                f"there is no backup {label} in {url}", remedy=f"List them with: neokeep info --repo {url}"
            )
    readable = {item.label: item for item in found if isinstance(item, Manifest)}
    chosen = [
        item
        for item in readable.values()
        if (item.label in labels if labels else True) and database in (None, item.database)
    ]
    bases: dict[str, list[Manifest]] = {}
    failures: list[reports.Failure] = []
    for item in chosen:
        base = item.base or item.label
        if base not in readable:
            problem = RepositoryError(
                f"{base}, with which it goes on, cannot be read or is gone",
                remedy="Run 'neokeep verify' on the source.",
            )
            failures.append(_failure(item.label, problem))
            continue
        following = bases.setdefault(base, [])
        if item.base is not None:
            following.append(item)
    damaged = [item for item in found if not isinstance(item, Manifest)]
    failures += [
        _failure(item.label, item.error)
        for item in damaged
        if item.label in labels or (not labels and _may_be_of(item, database))
    ]
    chains = [
        _Chain(readable[base], tuple(sorted(items, key=lambda one: (one.end.transaction or 0, one.finished_at))))
        for base, items in bases.items()
    ]
    return sorted(chains, key=lambda chain: chain.base.finished_at, reverse=True), failures


def copy_full(
    reader: BlockReader,
    source: Repository,
    target: Repository,
    manifest: Manifest,
    *,
    jobs: int,
    progress: Progress,
    before_commit: Callable[[], None] | None = None,
) -> reports.CopiedBackup:
    """Store one full backup in another repository under its label; `before_commit` is called with all blocks durable.

    Raises:
        IntegrityError: a block is missing or damaged in the source.
        ObjectExists: the label was taken meanwhile.
    """
    writer = BlockWriter(target)
    try:
        brought = bring(reader, source, target, manifest, writer, jobs=jobs, progress=progress)
        writer.finish()
        cost = msgspec.structs.replace(
            manifest.statistics,
            stored_bytes=writer.stored_bytes,
            new_blocks=writer.new_blocks,
            compressed_bytes=writer.compressed_bytes,
        )
        if before_commit is not None:
            before_commit()
        own = msgspec.structs.replace(manifest, files=brought.files, server=brought.server, statistics=cost)
        writer.commit(own, keep_label=True)
    finally:
        writer.close()
    return copied(manifest, writer, brought.moved.bytes_read)


def _copy_chain(work: _Work, chain: _Chain) -> None:
    """Copy one chain as far as it goes; what fails is noted, and what rests on it."""
    base = chain.base
    try:
        full = _copy_base(work, base)
        log, reached = _copy_log(work, base)
    except _STOPS:
        raise
    except NeokeepError as problem:
        work.failures += [_failure(base.label, _explained(work, base, problem))]
        work.failures += [
            _failure(item.label, RepositoryError(f"{base.label}, with which it goes on, was not copied"))
            for item in chain.incremental
        ]
        return
    work.done.append(
        msgspec.structs.replace(
            full,
            bytes_read=full.bytes_read + log.bytes_read,
            stored_bytes=full.stored_bytes + log.stored_bytes,
            segments=log.segments,
        )
    )
    shared = shared_by(base, work.target.manifest(base.label)) if chain.incremental and base.server else {}
    for item in chain.incremental:
        try:
            work.done.append(_copy_incremental(work, item, reached, shared))
        except _STOPS:
            raise
        except NeokeepError as problem:
            work.failures.append(_failure(item.label, _explained(work, item, problem)))


def _copy_base(work: _Work, base: Manifest) -> reports.CopiedBackup:
    if _is_present(work.target, base):
        return _present(base)
    work.progress.say(f"copying {base.label}")
    try:
        return copy_full(work.reader, work.source, work.target, base, jobs=work.jobs, progress=work.progress)
    except ObjectExists:
        if _is_present(work.target, base):  # Another copy was quicker.
            return _present(base)
        raise


def _copy_log(work: _Work, base: Manifest) -> tuple[Fetched, int]:
    """Bring the chain of a full backup as far as the source has it; return up to which transaction it is then."""
    for _ in range(_MERGED_TRIES):
        there = chain_of(work.source, base)
        damaged = work.target.damaged_objects()
        own = [one for one in list_segments(work.target.storage, base.label) if one.hash not in damaged]
        path = plan_path(own, there.segments, base.end.transaction or 0)
        try:
            fetched = fetch_segments(work.source.storage, work.target.storage, base, path, work.progress)
        except SegmentMissing:
            continue  # It was merged into a larger one while others were read.
        return fetched, path[-1].segment.last if path else base.end.transaction or 0
    raise IntegrityError(
        f"the archived log of {base.label} in {work.source.storage.url} changes faster than it can be copied",
        remedy="Repeat the copy: it goes on where it was.",
    )


def _copy_incremental(work: _Work, item: Manifest, reached: int, shared: Shared) -> reports.CopiedBackup:
    if _is_present(work.target, item):
        if item.server is not None and item.server.files not in shared:
            shared.update(shared_by(item, work.target.manifest(item.label)))
        return _present(item)
    if reached < (item.end.transaction or 0):
        raise IntegrityError(
            f"the chain of {item.base} is whole only up to transaction {reached}; {item.label} needs "
            f"{item.end.transaction}",
            remedy="Run 'neokeep verify' on the source.",
        )
    try:
        return bring_incremental(
            work.reader, work.source, work.target, item, shared=shared, jobs=work.jobs, progress=work.progress
        )
    except ObjectExists:
        if not _is_present(work.target, item):
            raise
        return _present(item)


def _is_present(target: Repository, manifest: Manifest) -> bool:
    """Tell whether the target has this very backup.

    Raises:
        RepositoryError: it has another one of this label.
        IntegrityError: its own cannot be read.
    """
    if manifest_is_gone(target.storage, manifest.label):
        return False
    try:
        other = target.manifest(manifest.label)
    except IntegrityError as problem:
        raise IntegrityError(
            f"{target.storage.url} has {manifest.label}, but cannot read it: {problem.message}",
            remedy=f"Heal it: neokeep heal --repo {target.storage.url} --from REPOSITORY",
        ) from problem
    if not same_backup(other, manifest):
        raise RepositoryError(
            f"{target.storage.url} holds another backup with the label {manifest.label}, of {other.source.name} on "
            f"{other.source.host}",
            remedy="Labels stay as they are: copy this one into another repository.",
        )
    return True


def _present(manifest: Manifest) -> reports.CopiedBackup:
    return reports.CopiedBackup(
        label=manifest.label, type=manifest.type, database=manifest.database, state="present", bytes_read=0,
        stored_bytes=0, blocks=0, skipped_blocks=0, segments=0,
    )  # fmt: skip


def _explained(work: _Work, item: Manifest, problem: NeokeepError) -> NeokeepError:
    """Tell a backup that expired meanwhile from one that is damaged."""
    if isinstance(problem, IntegrityError | ObjectMissing) and manifest_is_gone(work.source.storage, item.label):
        return RepositoryError(
            f"{item.label} expired in {work.source.storage.url} while it was copied",
            remedy="Nothing of it is kept. Hold what has to be copied (neokeep hold), or copy earlier.",
        )
    return problem


def _may_be_of(item: DamagedManifest, database: str | None) -> bool:
    return database is None or item.label.startswith(f"{database}-")


def _failure(label: str, problem: NeokeepError) -> reports.Failure:
    return reports.Failure(subject=label, kind=problem.kind, message=problem.message, remedy=problem.remedy)
