"""`heal`: what one repository has lost is fetched from another one by content, proven, and stored anew.

Nothing that is whole is touched. Blocks and segments are stored beside the damaged ones, under names that those do not
have; a manifest that cannot be read is deleted when all it needs is durable, and created anew. A note of that, made
before, lets a run that was killed in between be finished by the next one.
"""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from neokeep import reports
from neokeep.copies.blocks import BlockTable, block_table
from neokeep.copies.copy import copy_full
from neokeep.copies.lost import EitherReader, lost_rows, merged, names_by_place, part_of
from neokeep.copies.refetch import refetch
from neokeep.copies.same import same_backup, same_names
from neokeep.copies.segments import fetch_segments, plan_path
from neokeep.copies.server_files import Shared, bring_incremental, shared_by
from neokeep.errors import AWAY, IntegrityError, NeokeepError, RepositoryError, UsageError
from neokeep.repository.chains import chain_of
from neokeep.repository.contents import files_of, listings
from neokeep.repository.manifest import Manifest, manifest_name
from neokeep.repository.reader import BlockReader
from neokeep.repository.segment import SegmentMissing, list_segments, read_segment
from neokeep.repository.sessions import BackupVoid
from neokeep.repository.survey import carriers_of
from neokeep.repository.verify import verify
from neokeep.storage.base import ObjectExists, ObjectMissing

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from neokeep.progress import Progress
    from neokeep.repository.repository import Repository

NOTES = "healing"
"""An object here says that the manifest of its name is being stored anew."""


@dataclass(slots=True)
class _Healing:
    """A healing on its way: of `target`, from `source`."""

    target: Repository
    source: Repository
    reader: BlockReader
    jobs: int
    progress: Progress
    manifests: list[str] = field(default_factory=list)
    failures: dict[str, NeokeepError] = field(default_factory=dict)
    segments: int = 0
    bytes_read: int = 0
    stored_bytes: int = 0

    def failed(self, label: str, problem: NeokeepError) -> None:
        """Note what could not be healed of a backup; the first reason counts."""
        if isinstance(problem, AWAY):
            raise problem
        self.failures.setdefault(label, problem)


def heal(
    target: Repository, source: Repository, labels: Sequence[str] = (), *, jobs: int, progress: Progress
) -> reports.HealReport:
    """Verify a repository, and store anew what is damaged or missing as far as another one has it.

    Backups that are named are brought back too when they are gone; else a backup that is gone has expired, unless an
    incremental one goes on with it.

    Raises:
        UsageError: both are one repository.
        CredentialsError, ClockError, UnreachableError, SpaceError, AccessError: one of them cannot be used.
    """
    if source.config.repository_id == target.config.repository_id:
        raise UsageError(f"{target.storage.url} cannot heal itself", remedy="Give another repository with --from.")
    began = time.monotonic()
    found = verify(target, None, jobs=jobs, progress=progress)
    work = _Healing(target, source, BlockReader.of(source), jobs, progress)
    try:
        for label in _lost_manifests(work, labels):
            _guarded(work, label, lambda label=label: _heal_manifest(work, label))  # type: ignore[misc]
        items = [item for item in target.manifests() if isinstance(item, Manifest)]
        bases = [item for item in items if item.type == "full"]
        carriers = dict.fromkeys(carriers_of(bases, items).values())
        blocks, own_blocks = _heal_blocks(work, [*bases, *carriers])
        for base in bases:
            ends = [item.end.transaction or 0 for item in items if item.base == base.label]
            _guarded(work, base.label, lambda base=base, ends=ends: _heal_log(work, base, ends))  # type: ignore[misc]
    finally:
        progress.end()
    rebuilt = _heal_index(work, found.damaged_objects)
    _tell_unreadable(work, found.damaged_objects)
    return reports.HealReport(
        repository=target.storage.url,
        source=source.storage.url,
        ok=not work.failures,
        damaged_objects=found.damaged_objects,
        manifests=tuple(work.manifests),
        blocks=blocks,
        own_blocks=own_blocks,
        segments=work.segments,
        rebuilt_index=rebuilt,
        failures=tuple(
            reports.Failure(subject=label, kind=problem.kind, message=problem.message, remedy=problem.remedy)
            for label, problem in work.failures.items()
        ),
        bytes_read=work.bytes_read,
        stored_bytes=work.stored_bytes,
        seconds=round(time.monotonic() - began, 3),
    )


def _guarded(work: _Healing, label: str, heal_it: Callable[[], None]) -> None:
    try:
        heal_it()
    except (IntegrityError, RepositoryError) as problem:
        work.failed(label, problem)


def _lost_manifests(work: _Healing, labels: Sequence[str]) -> list[str]:
    """List the labels whose manifests are damaged, were being stored anew, or are gone and missed; full ones first."""
    storage = work.target.storage
    items = list(work.target.manifests())
    present = {item.label for item in items}
    readable = [item for item in items if isinstance(item, Manifest)]
    # Whose writer was given up has lost its blocks for good: that is no damage.
    lost = {item.label for item in items if not isinstance(item, Manifest) and not isinstance(item.error, BackupVoid)}
    lost |= {item.base for item in readable if item.base is not None} - present
    lost |= set(labels) - present
    for item in storage.list(NOTES):
        label = item.name.removeprefix(f"{NOTES}/")
        if any(one.label == label for one in readable):
            storage.delete(item.name)  # It was stored anew, only the note remained.
        else:
            lost.add(label)
    return sorted(lost, key=lambda label: ("_" in label[-18:], label))


def _heal_manifest(work: _Healing, label: str) -> None:
    """Store a manifest anew, with all that it needs.

    Raises:
        ObjectMissing: the source does not have that backup either.
    """
    manifest = work.source.manifest(label)
    note = f"{NOTES}/{label}"
    storage = work.target.storage

    def replace() -> None:
        with suppress(ObjectExists):
            storage.create(note, b"")
        storage.delete(manifest_name(label))

    if manifest.type == "full":
        copied = copy_full(
            work.reader, work.source, work.target, manifest,
            jobs=work.jobs, progress=work.progress, before_commit=replace,
        )  # fmt: skip
        work.bytes_read += copied.bytes_read
        work.stored_bytes += copied.stored_bytes
        _mark_damaged_log(work, manifest)
    else:
        bring_incremental(
            work.reader, work.source, work.target, manifest, shared=_shared_with_base(work, manifest),
            jobs=work.jobs, progress=work.progress, before_commit=replace,
        )  # fmt: skip
    storage.delete(note)
    work.manifests.append(label)


def _shared_with_base(work: _Healing, manifest: Manifest) -> Shared:
    """Find what an incremental backup may share with its full one, where both repositories can read that."""
    with suppress(ObjectMissing, IntegrityError):
        base = manifest.base or ""
        return shared_by(work.source.manifest(base), work.target.manifest(base))
    return {}


def _mark_damaged_log(work: _Healing, base: Manifest) -> None:
    """Look at a chain that a verification could not look at, for want of its manifest."""
    for segment in list_segments(work.target.storage, base.label):
        try:
            read_segment(work.target.storage, segment)
        except SegmentMissing:
            continue
        except IntegrityError:
            work.target.mark_damaged(segment.hash)


def _heal_blocks(work: _Healing, holders: Sequence[Manifest]) -> tuple[int, int]:
    """Store lost blocks anew; return how many, and how many of them were whole in a damaged pack."""
    own = BlockReader.of(work.target)
    alike = same_names(work.source, work.target)
    reader = EitherReader(own.storage, own.index, work.reader) if alike else own
    lost: dict[str, BlockTable] = {}
    names: list[tuple[BlockTable, np.typing.NDArray[np.bytes_]]] = []
    for base in holders:
        try:
            found = listings(reader, base)
            table = block_table(reader, found, lists=True)
            lost[base.label] = part = part_of(table, lost_rows(own.index, table))
            if len(part.ids) and not alike:
                theirs = listings(work.reader, _twin(work, base))
                names.append((part, names_by_place(part, (own, files_of(found)), (work.reader, files_of(theirs)))))
        except (IntegrityError, RepositoryError) as problem:
            if alike or isinstance(problem, AWAY):
                work.failed(base.label, problem)
            else:
                # Without its own lists nothing tells what its blocks are called: all of it is stored anew.
                _guarded(work, base.label, lambda label=base.label: _heal_manifest(work, label))  # type: ignore[misc]
    together = merged(list(lost.values()))
    known = together.ids.copy() if alike else _known_names(together, names)
    done = refetch(own, work.reader, work.target, together, known, jobs=work.jobs, progress=work.progress)
    work.bytes_read += done.bytes_read
    work.stored_bytes += done.stored_bytes
    for label, part in lost.items():
        count = int(np.isin(part.ids, done.unhealed).sum())
        if count:
            work.failed(label, IntegrityError(
                f"{count} of its blocks are damaged or missing here, and {work.source.storage.url} does not have them "
                "either",
                remedy="Heal it from another repository, or give the backup up: neokeep expire --backup " + label,
            ))  # fmt: skip
    return len(together.ids) - len(done.unhealed), done.own


def _known_names(
    together: BlockTable, names: Sequence[tuple[BlockTable, np.typing.NDArray[np.bytes_]]]
) -> np.typing.NDArray[np.bytes_]:
    known = np.zeros(len(together.ids), together.ids.dtype)
    for part, called in names:
        found = called != b""
        known[np.searchsorted(together.ids, part.ids[found])] = called[found]
    return known


def _twin(work: _Healing, base: Manifest) -> Manifest:
    """Find the same backup in the source."""
    twin = work.source.manifest(base.label)
    if not same_backup(twin, base):
        raise RepositoryError(
            f"{work.source.storage.url} holds another backup with the label {base.label}",
            remedy="Heal from a repository that this backup was copied to.",
        )
    return twin


def _heal_log(work: _Healing, base: Manifest, ends: Sequence[int]) -> None:
    """Fetch segments until the chain reaches as far as it did.

    Raises:
        IntegrityError: the source does not have what is missing.
    """
    storage, after = work.target.storage, base.end.transaction or 0
    listed = list_segments(storage, base.label)
    marked = work.target.damaged_objects()
    good = [segment for segment in listed if segment.hash not in marked]
    goal = max([after, *ends, *(segment.last for segment in listed)])
    path = plan_path(good, [], after)
    if (path[-1].segment.last if path else after) >= goal:
        return
    with suppress(ObjectMissing):
        others = chain_of(work.source, _twin(work, base)).segments
        path = plan_path(good, [segment for segment in others if segment.first <= goal], after)
    fetched = fetch_segments(work.source.storage, storage, base, path, work.progress, created_at=datetime.now(UTC))
    work.segments += fetched.segments
    work.bytes_read += fetched.bytes_read
    work.stored_bytes += fetched.stored_bytes
    reached = path[-1].segment.last if path else after
    if reached < goal:
        raise IntegrityError(
            f"its chain is whole only up to transaction {reached} of {goal}, and {work.source.storage.url} does not "
            "have what follows",
            remedy="Heal it from another repository; restores up to that transaction work.",
        )


def _heal_index(work: _Healing, damaged: Sequence[str]) -> bool:
    """Make the index anew where an object of it is damaged."""
    if not any(name.startswith("index/") for name in damaged):
        return False
    from neokeep.repository.reindex import rebuild_index

    try:
        rebuild_index(work.target, jobs=work.jobs, progress=work.progress)
    except NeokeepError as problem:
        work.failed("the index", problem)
        return False
    return True


def _tell_unreadable(work: _Healing, damaged: Sequence[str]) -> None:
    """What a disk did not give may come again: it is not taken for lost, and told."""
    marked = {identity.hex() for identity in work.target.damaged_objects()}
    for text in damaged:
        name = text.split(": ", 1)[0]
        if name.startswith("packs/") and name.rsplit("/", 1)[1] not in marked:
            work.failed(name, IntegrityError(f"{text}, now", remedy="Look at the disk that holds it, and try again."))
