"""`collect`: give back the space of what no backup needs, in two phases that may lie days apart.

A first run condemns: it stores a list of packs and segments that nothing needs. A later one, when the grace period is
over by the storage's clock and no writer is at work that did not know the list, looks at everything again and deletes
what is still not needed. docs/architecture.md has the argument why no backup can lose a block by it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from neokeep import reports
from neokeep.encryption.key_object import PREFIX as KEYS
from neokeep.repository.condemned import Condemned, condemn, list_condemned
from neokeep.repository.holds import PREFIX as HOLDS
from neokeep.repository.lease import leased, storage_time
from neokeep.repository.locking import Extended, extend_locks
from neokeep.repository.manifest import manifest_name
from neokeep.repository.needed import (
    Catalogue,
    NeededPacks,
    needed_packs,
    read_catalogue,
    unneeded_packs,
    unneeded_segments,
)
from neokeep.repository.pack import pack_name
from neokeep.repository.reader import BlockReader
from neokeep.repository.reindex import consolidate_index
from neokeep.repository.removing import Remover
from neokeep.repository.repack import REPACK_BELOW, Repacked, Rewrite, plan_repack, repack
from neokeep.repository.repository import CONFIG, DAMAGED, DamagedManifest, pack_identities
from neokeep.repository.segment import PREFIX as SEGMENTS
from neokeep.repository.sessions import (
    PATIENCE,
    REVOKED,
    BackupVoid,
    WriterMark,
    list_writers,
    revoke,
    revoked_writers,
)
from neokeep.units import format_time

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from neokeep.progress import Progress
    from neokeep.repository.index import BlockIndex
    from neokeep.repository.lease import Lease
    from neokeep.repository.repository import Repository

LEASE = "collect"
LASTS = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class _View:
    """The repository as it was found, in the order in which it has to be read."""

    now: datetime
    condemned: list[Condemned]
    writers: list[WriterMark]
    """Those that are at work."""
    finished: list[WriterMark]
    """Those that committed, or were given up."""
    reader: BlockReader
    catalogue: Catalogue
    needed: NeededPacks
    segments: dict[str, int]
    created: dict[bytes, datetime]
    """When packs were stored."""

    @property
    def index(self) -> BlockIndex:
        return self.reader.index


@dataclass(slots=True)
class _Done:
    """What came of it."""

    packs: int = 0
    segments: int = 0
    reprieved: int = 0
    freed: int = 0
    waiting: list[str] = field(default_factory=list)
    pending_bytes: int = 0
    pending_packs: int = 0
    pending_segments: int = 0
    removable_from: datetime | None = None
    repacked: Repacked = field(default_factory=Repacked)
    locks: Extended = field(default_factory=Extended)


def collect(
    repository: Repository,
    *,
    grace: timedelta,
    repack_below: float = REPACK_BELOW,
    dry_run: bool = False,
    progress: Progress,
) -> reports.CollectReport:
    """Delete what was condemned long enough ago and is still not needed; condemn what is not needed now.

    Packs of which less than the share `repack_below` is needed are rewritten; 0 leaves them as they are.

    Raises:
        LockedError: another process collects.
        IntegrityError: a backup cannot be read, so what it needs is not known; nothing was deleted.
        KeyNeededError: the repository is encrypted, and only a writer's key is at hand.
    """
    began = time.monotonic()
    storage = repository.storage
    if storage.content_keys is not None:
        storage.content_keys.require_reader()
    done = _Done()
    if dry_run:
        view = _look(repository, storage_time(storage), lambda: None)
        for one in view.condemned:
            _judge(view, one, grace, done)
        _condemn(repository, view, grace, done, dry_run=True)
        done.repacked.add(_repack_plan(view, grace, repack_below))
        return _report(repository, view, done, None, began, dry_run=True)
    with leased(storage, LEASE, LASTS) as lease:
        remover = Remover(storage, lease)
        _give_up_late_writers(repository, lease)
        progress.say("looking for what no backup needs")
        view = _look(repository, lease.check(), lease.renew)
        done.locks = extend_locks(storage, _kept(repository, view), lease.renew)
        remover.remove((manifest_name(label), 0) for label in view.catalogue.void)
        remover.remove((mark.name, 0) for mark in view.finished)
        swept = [_sweep(repository, view, one, grace, done, remover) for one in view.condemned]
        if any(swept):
            consolidate_index(repository, remover)
        _condemn(repository, view, grace, done, dry_run=False)
        # A store that does not delete would only get fuller by it.
        plan = [] if remover.refused or remover.locked else _repack_plan(view, grace, repack_below)
        done.repacked = repack(repository, view.reader, view.needed.rows, plan, lease, progress)
        done.freed = remover.freed
        return _report(repository, view, done, remover, began, dry_run=False)


def _look(repository: Repository, now: datetime, renew: Callable[[], object]) -> _View:
    """Read everything. What is condemned and who writes come before the manifests: see docs/architecture.md."""
    condemned = list_condemned(repository.storage)
    writers = list_writers(repository.storage)
    packs = frozenset(pack for one in condemned for pack in one.packs)
    reader = BlockReader(repository.storage, repository.read_index(packs))
    catalogue = read_catalogue(repository)
    renew()
    needed = needed_packs(reader, catalogue.manifests, renew)
    segments = {one.name: one.size for one in unneeded_segments(repository, catalogue.manifests, now)}
    # A writer is over when its manifest was seen by this very look, whose answer is what is deleted by.
    over = {item.writer for item in catalogue.manifests} | revoked_writers(repository.storage)
    at_work = [mark for mark in writers if mark.identity not in over]
    finished = [mark for mark in writers if mark.identity in over]
    created = {one: item.created for one, item in pack_identities(repository.storage.list("packs")).items()}
    return _View(now, condemned, at_work, finished, reader, catalogue, needed, segments, created)


def _kept(repository: Repository, view: _View) -> Iterator[str]:
    """Name what the kept backups need, and what is needed to open them."""
    storage = repository.storage
    yield CONFIG
    yield from (item.name for prefix in (KEYS, HOLDS) for item in storage.list(prefix))
    yield from (manifest_name(manifest.label) for manifest in view.catalogue.manifests)
    yield from (item.name for item in storage.list(SEGMENTS) if item.name not in view.segments)
    yield from (pack_name(identity) for identity in view.needed.identities)


def _give_up_late_writers(repository: Repository, lease: Lease) -> None:
    """Revoke the writers that began too long ago and have no manifest."""
    storage = repository.storage
    writers = list_writers(storage)
    finished = {item.writer for item in read_catalogue(repository).manifests}
    now = lease.check()
    late = [mark for mark in writers if mark.identity not in finished and now - mark.created > PATIENCE]
    given_up = {mark.identity for mark in late if revoke(storage, mark.identity)}
    if given_up:
        # A backup may have been committed since the first look. It was not late then: it counts.
        void = [item.error for item in repository.manifests() if isinstance(item, DamagedManifest)]
        for identity in {error.writer for error in void if isinstance(error, BackupVoid)} & given_up:
            storage.delete(f"{REVOKED}/{identity}")


def _judge(view: _View, one: Condemned, grace: timedelta, done: _Done) -> list[tuple[str, int]] | None:
    """Decide what of a list may be deleted now, by name and size; None where it has to wait."""
    sizes = {pack.identity: pack.size for pack in view.index.packs}
    packs = [identity for identity in one.packs if identity in sizes]
    # The oldest first: where a storage locks objects for a time, these can go, and those that cannot come last.
    doomed = sorted(
        (identity for identity in packs if identity not in view.needed.identities),
        key=lambda identity: view.created.get(identity, view.now),
    )
    segments = [name for name in one.segments if name in view.segments]
    unaware = [mark for mark in view.writers if one.name not in mark.record.knows]
    if view.now - one.created < grace or unaware:
        done.pending_packs += len(doomed)
        done.pending_segments += len(segments)
        done.pending_bytes += sum(sizes[identity] for identity in doomed)
        done.pending_bytes += sum(view.segments[name] for name in segments)
        due = one.created + grace
        done.removable_from = min(due, done.removable_from or due)
        if view.now >= due:
            done.waiting += [_waiting_for(mark) for mark in unaware]
        return None
    done.packs += len(doomed)
    done.segments += len(segments)
    done.reprieved += len(packs) - len(doomed)
    return [
        *((pack_name(identity), sizes[identity]) for identity in doomed),
        *((name, view.segments[name]) for name in segments),
    ]


def _waiting_for(mark: WriterMark) -> str:
    return (
        f"a backup began at {format_time(mark.created)} on {mark.record.host} (process {mark.record.process}) and may "
        f"count on what was condemned later; if it was killed, it is given up at {format_time(mark.created + PATIENCE)}"
    )


def _sweep(
    repository: Repository, view: _View, one: Condemned, grace: timedelta, done: _Done, remover: Remover
) -> bool:
    """Delete what a list condemned and is still not needed, then the list; tell whether packs were deleted."""
    doomed = _judge(view, one, grace, done)
    if doomed is None:
        return False
    complete = remover.remove(doomed)
    left = [name for name, _ in doomed if name not in remover.gone]
    done.packs -= sum(name.startswith("packs/") for name in left)
    done.segments -= sum(name.startswith("segments/") for name in left)
    marks = {item.name.rsplit("/", 1)[1]: item.name for item in repository.storage.list(DAMAGED)}
    hashes = [name.replace("-", "/").rsplit("/", 1)[1] for name, _ in doomed if name in remover.gone]
    complete = remover.remove((marks[found], 0) for found in hashes if found in marks) and complete
    if complete:
        # Only now, when no pack of it is left: a writer that does not find the list must not find the packs either.
        remover.remove([(one.name, 0)])
    return any(name.startswith("packs/") and name in remover.gone for name, _ in doomed)


def _condemn(repository: Repository, view: _View, grace: timedelta, done: _Done, *, dry_run: bool) -> None:
    """Store a list of what is not needed now; what is young may belong to a backup on its way."""
    old = _old_packs(view, grace)
    packs = [pack for pack in unneeded_packs(view.index, view.needed) if pack.identity in old]
    known = {name for one in view.condemned for name in one.segments}
    segments = {name: size for name, size in view.segments.items() if name not in known}
    if not packs and not segments:
        return
    if not dry_run:
        condemn(repository.storage, [pack.identity for pack in packs], sorted(segments))
    done.pending_packs += len(packs)
    done.pending_segments += len(segments)
    done.pending_bytes += sum(pack.size for pack in packs) + sum(segments.values())
    due = view.now + grace
    done.removable_from = min(due, done.removable_from or due)


def _old_packs(view: _View, grace: timedelta) -> set[bytes]:
    """Find the packs that are older than the grace period and than every writer at work."""
    oldest = min((mark.created for mark in view.writers), default=view.now)
    until = min(oldest, view.now - grace)
    return {identity for identity, created in view.created.items() if created <= until}


def _repack_plan(view: _View, grace: timedelta, below: float) -> list[Rewrite]:
    return plan_repack(view.index, view.needed.rows, _old_packs(view, grace), below) if below else []


def _report(
    repository: Repository, view: _View, done: _Done, remover: Remover | None, began: float, *, dry_run: bool
) -> reports.CollectReport:
    refused = {} if remover is None else remover.refused
    return reports.CollectReport(
        repository=repository.storage.url,
        dry_run=dry_run,
        removed_packs=done.packs,
        removed_segments=done.segments,
        freed_bytes=done.freed,
        reprieved_packs=done.reprieved,
        condemned_packs=done.pending_packs,
        condemned_segments=done.pending_segments,
        condemned_bytes=done.pending_bytes,
        removable_from=done.removable_from,
        waiting_for=tuple(dict.fromkeys(done.waiting)),
        void_backups=view.catalogue.void,
        refused_objects=len(refused),
        refused_because=next(iter(refused.values()), ""),
        locked_objects=0 if remover is None else len(remover.locked),
        locked_until=None if remover is None else remover.locked_until,
        unused_bytes=view.needed.unused_bytes,
        repacked_packs=done.repacked.packs,
        repacked_bytes=done.repacked.bytes,
        repacked_into=done.repacked.into,
        copied_bytes=done.repacked.copied,
        repacking_stopped_because=done.repacked.stopped_because,
        damaged_packs=tuple(done.repacked.damaged),
        extended_locks=done.locks.count,
        locks_not_extended=len(done.locks.failed),
        locks_not_extended_because=next(iter(done.locks.failed.values()), ""),
        seconds=round(time.monotonic() - began, 3),
    )
