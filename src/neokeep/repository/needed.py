"""Which packs and segments the backups of a repository need: what garbage collection decides by.

Nothing here deletes. When a single backup cannot be read, what it needs is not known, and there is no answer at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from neokeep.errors import IntegrityError, NeokeepError
from neokeep.repository.block import ID_SIZE
from neokeep.repository.chains import chain_of
from neokeep.repository.contents import blocks_of, has_blocks
from neokeep.repository.manifest import PREFIX as MANIFESTS
from neokeep.repository.manifest import Manifest, manifest_name
from neokeep.repository.merging import GRACE as MERGED
from neokeep.repository.merging import plan_removals
from neokeep.repository.segment import PREFIX as SEGMENTS
from neokeep.repository.segment import list_segments, read_segment
from neokeep.repository.sessions import BackupVoid
from neokeep.storage.base import ObjectMissing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime

    from neokeep.repository.index import BlockIndex, PackInfo
    from neokeep.repository.manifest import BlockList
    from neokeep.repository.reader import BlockReader
    from neokeep.repository.repository import DamagedManifest, Repository
    from neokeep.repository.segment import SegmentName
    from neokeep.storage.base import Storage


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The backups of a repository, and the labels of manifests that are no backups since their writer was given up."""

    manifests: tuple[Manifest, ...]
    void: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NeededPacks:
    """The packs that hold what the backups need, by id, the bytes in them that no backup needs, and the needed rows.

    `rows` says of each row of the index whether it is needed: of several copies of a block only one is.
    """

    identities: frozenset[bytes]
    unused_bytes: int
    rows: np.typing.NDArray[np.bool_]


def read_catalogue(repository: Repository) -> Catalogue:
    """Read all manifests.

    Raises:
        IntegrityError: one cannot be read, so what it needs is not known.
    """
    manifests: list[Manifest] = []
    void: list[str] = []
    for item in repository.manifests():
        if isinstance(item, Manifest):
            manifests.append(item)
        elif isinstance(item.error, BackupVoid):
            void.append(item.label)
        else:
            raise _unknown(item)
    return Catalogue(tuple(manifests), tuple(void))


def needed_packs(reader: BlockReader, manifests: Iterable[Manifest], renew: Callable[[], object]) -> NeededPacks:
    """Find for every block of some backups a pack that holds it: a good one that is not condemned where there is one.

    `renew` is called between backups, since reading many takes long.

    Raises:
        IntegrityError: the lists of a backup cannot be read, so what it needs is not known.
    """
    index = reader.index
    used = np.zeros(len(index), np.bool_)
    seen: set[BlockList] = set()
    for manifest in manifests:
        if has_blocks(manifest):
            renew()
            _mark_blocks(reader, manifest, used, seen)
    rows = np.flatnonzero(used)
    numbers = np.unique(index.packs_of(rows))
    everything = index.stored_by_pack(np.arange(len(index)))
    unused = everything - index.stored_by_pack(rows)
    return NeededPacks(frozenset(index.packs[at].identity for at in numbers), int(unused[numbers].sum()), used)


def _mark_blocks(
    reader: BlockReader, manifest: Manifest, used: np.typing.NDArray[np.bool_], seen: set[BlockList]
) -> None:
    try:
        for ids, _ in blocks_of(reader, manifest, seen):
            rows = reader.index.find(np.frombuffer(ids, f"V{ID_SIZE}"))
            used[rows[rows >= 0]] = True
    except NeokeepError as problem:
        raise IntegrityError(
            f"what backup {manifest.label} needs cannot be found out, so nothing can be deleted: {problem.message}",
            remedy=f"Run 'neokeep verify'. If it is lost, give it up: neokeep expire --backup {manifest.label}",
        ) from problem


def unneeded_packs(index: BlockIndex, needed: NeededPacks) -> list[PackInfo]:
    """List the packs without which every backup is whole and that are not condemned yet."""
    return [pack for pack in index.packs if pack.identity not in needed.identities and not pack.condemned]


def unneeded_segments(repository: Repository, manifests: Sequence[Manifest], now: datetime) -> list[SegmentName]:
    """List the segments of chains whose full backup is gone, and those that a larger one stands for."""
    bases = {item.label: item for item in manifests if item.type == "full"}
    chains = {item.name.split("/")[1] for item in repository.storage.list(SEGMENTS) if item.name.count("/") == 2}
    found: list[SegmentName] = []
    for chain in sorted(chains):
        segments = list_segments(repository.storage, chain)
        if chain in bases:
            found += _superseded(repository, bases[chain], segments, now)
        elif manifest_is_gone(repository.storage, chain):
            found += segments
    return found


def _superseded(
    repository: Repository, base: Manifest, segments: Sequence[SegmentName], now: datetime
) -> list[SegmentName]:
    """List the segments of a chain that a larger one on its way stands for, where that can be read whole."""
    plan = plan_removals(segments, chain_of(repository, base).segments, MERGED, now)
    return [part for larger, parts in plan.items() if _is_whole(repository.storage, larger) for part in parts]


def _is_whole(storage: Storage, segment: SegmentName) -> bool:
    try:
        read_segment(storage, segment)
    except IntegrityError:
        return False
    return True


def manifest_is_gone(storage: Storage, label: str) -> bool:
    """Tell whether there is no manifest of a label, damaged or not; asked by name, since listings may lag behind."""
    try:
        storage.stat(manifest_name(label))
    except (ObjectMissing, ValueError):
        return True
    return False


def _unknown(item: DamagedManifest) -> IntegrityError:
    return IntegrityError(
        f"the manifest {MANIFESTS}/{item.label} cannot be read, so what that backup needs is not known and nothing can "
        f"be deleted: {item.error.message}",
        remedy=f"Run 'neokeep verify'. If that backup is lost, give it up: neokeep expire --backup {item.label}",
    )
