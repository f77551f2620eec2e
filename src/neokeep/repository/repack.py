"""Rewriting packs of which little is needed, and putting small ones together: the part of `collect` that copies.

Needed blocks are copied as they are stored, decoded and hashed on the way, into new packs, which are read back whole.
Only then the old packs are condemned. They go in a later run, by the ordinary rules, if everything that is needed of
them is in another good pack by then: killed at any moment, a block is in the old pack, and perhaps in a new one too.
docs/architecture.md has the argument why this needs no mark of a writer.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from blake3 import blake3

from neokeep.errors import AWAY, IntegrityError, LockedError, NeokeepError, RepositoryError
from neokeep.repository.condemned import condemn
from neokeep.repository.fetch import LARGEST_GAP, LONGEST_READ
from neokeep.repository.index import RowsByPack, encode_index, index_name
from neokeep.repository.pack import TARGET_SIZE, PackBuilder, pack_name
from neokeep.repository.reader import BlockReader
from neokeep.storage.base import ObjectExists

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from numpy.typing import NDArray

    from neokeep.progress import Progress
    from neokeep.repository.index import BlockIndex
    from neokeep.repository.lease import Lease
    from neokeep.repository.pack import Pack
    from neokeep.repository.reader import BlockReader
    from neokeep.repository.repository import Repository

REPACK_BELOW = 0.5
"""Packs of which less than this share is needed are rewritten: each byte that is copied gives at least one back."""

SMALL = TARGET_SIZE // 4
FEW = 16
"""Small packs that may lie about before they become one."""

BATCH = 64
"""Packs that are condemned together when what is needed of them is safe: what a kill costs at most."""


@dataclass(frozen=True, slots=True)
class Rewrite:
    """A pack to rewrite: its number in the index, its size, and the stored bytes that are needed, a `little` or not."""

    number: int
    size: int
    needed: int
    little: bool


@dataclass(slots=True)
class Repacked:
    """What came of it: old packs and their bytes, new ones, bytes copied, and why it stopped early."""

    packs: int = 0
    bytes: int = 0
    into: int = 0
    copied: int = 0
    stopped_because: str = ""
    damaged: list[str] = field(default_factory=list)

    def add(self, copied: Sequence[Rewrite]) -> None:
        """Count packs of which everything that is needed was copied."""
        self.packs += len(copied)
        self.bytes += sum(one.size for one in copied)
        self.copied += sum(one.needed for one in copied)


def plan_repack(
    index: BlockIndex, rows: NDArray[np.bool_], candidates: Collection[bytes], below: float
) -> list[Rewrite]:
    """Choose the packs to rewrite, the least needed first: `rows` of the index are needed, `candidates` may go.

    Small packs count where there are many of them; they alone are worth copying whole.
    """
    needed = index.stored_by_pack(np.flatnonzero(rows))
    everything = index.stored_by_pack(np.arange(len(index)))
    some = [
        Rewrite(number, pack.size, int(needed[number]), bool(needed[number] < min(below, 1) * everything[number]))
        for number, pack in enumerate(index.packs)
        if pack.identity in candidates and needed[number] and not pack.damaged and not pack.condemned
    ]
    together = sum(one.size < SMALL for one in some) >= FEW
    chosen = [one for one in some if one.little or (together and one.size < SMALL)]
    return sorted(chosen, key=lambda one: (one.needed / one.size, index.packs[one.number].identity))


def repack(
    repository: Repository,
    reader: BlockReader,
    rows: NDArray[np.bool_],
    plan: Sequence[Rewrite],
    lease: Lease,
    progress: Progress,
) -> Repacked:
    """Copy what is needed of some packs into new ones, and condemn the old ones.

    A pack in which a needed block is damaged is marked so and stays. That there is no space ends the work early.

    Raises:
        LeaseLost: another process collects; what was condemned so far is safe to go.
    """
    done = Repacked()
    if not plan:
        return done
    progress.begin("rewriting packs", sum(one.needed for one in plan))
    by_pack = RowsByPack(reader.index, rows)
    try:
        for at in range(0, len(plan), BATCH):
            _Batch(repository, reader, by_pack, lease, progress, done).run(plan[at : at + BATCH])
    except (*AWAY, LockedError):
        raise
    except NeokeepError as problem:
        # What was deleted before is worth a report, and the old packs are as good as they were.
        done.stopped_because = problem.message
    finally:
        progress.end()
    return done


class _Batch:
    """Some old packs that are copied, and condemned together at the end."""

    def __init__(
        self,
        repository: Repository,
        reader: BlockReader,
        by_pack: RowsByPack,
        lease: Lease,
        progress: Progress,
        done: Repacked,
    ) -> None:
        self._repository = repository
        self._storage = repository.storage
        self._reader = reader
        self._index = reader.index
        self._by_pack = by_pack
        self._lease = lease
        self._progress = progress
        self._done = done

    def run(self, plan: Sequence[Rewrite]) -> None:
        builder = PackBuilder(self._create, self._storage.content_keys)
        copied: list[Rewrite] = []
        try:
            for one in plan:
                self._lease.renew()
                if self._copy(one, builder):
                    copied.append(one)
                self._progress.advance(one.needed)
            builder.flush()
            packs = builder.packs
        finally:
            builder.close()
        if not copied:
            return
        self._read_back(packs)
        data = encode_index(packs)
        self._create(index_name(data), data)
        self._lease.check()
        condemn(self._storage, [self._index.packs[one.number].identity for one in copied], [])
        self._done.add(copied)
        self._done.into += len(packs)

    def _copy(self, one: Rewrite, builder: PackBuilder) -> bool:
        """Copy the needed blocks of a pack; False, and nothing is said of it, where one cannot be had."""
        pack = self._index.packs[one.number]
        try:
            for identity, offset, stored, size in self._blocks(pack_name(pack.identity), self._by_pack.of(one.number)):
                opened = self._reader.opened(one.number, offset, stored, identity)
                self._reader.decode_opened(opened, identity, size)
                builder.add(identity, b"", opened, size)
        except IntegrityError as problem:
            self._repository.mark_damaged(pack.identity)
            self._done.damaged.append(f"{pack_name(pack.identity)}: {problem.message}")
            return False
        return True

    def _blocks(self, name: str, rows: NDArray[np.int64]) -> Iterator[tuple[bytes, int, memoryview, int]]:
        """Read stored blocks of a pack in stretches; give id, offset, stored bytes and content size of each."""
        where, ids, sizes = self._index.locate(rows), self._index.ids(rows), self._index.sizes(rows)
        for first, last in _stretches(where.offset, where.stored):
            start = int(where.offset[first])
            end = int(where.offset[last - 1] + where.stored[last - 1])
            data = memoryview(self._storage.read(name, start, end - start))
            for at in range(first, last):
                begin = int(where.offset[at]) - start
                stored = data[begin : begin + int(where.stored[at])]
                yield ids[at].tobytes(), begin + start, stored, int(sizes[at])

    def _read_back(self, packs: Sequence[Pack]) -> None:
        """Prove that new packs are in the storage as they were made."""
        for pack in packs:
            self._lease.renew()
            if blake3(self._storage.read(pack_name(pack.identity))).digest() != pack.identity:
                raise RepositoryError(
                    f"{pack_name(pack.identity)} was stored and is not what was written",
                    remedy="Look at the storage; the packs that it was to replace are untouched.",
                )

    def _create(self, name: str, data: bytes | memoryview) -> None:
        try:
            self._storage.create(name, data)
        except ObjectExists:
            return  # The same bytes, by its name.


def _stretches(offsets: NDArray[np.int64], stored: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Cut blocks that lie in order into reads: near ones together, none too long."""
    first = 0
    for at in range(1, len(offsets) + 1):
        if at < len(offsets):
            gap = offsets[at] - offsets[at - 1] - stored[at - 1]
            if gap <= LARGEST_GAP and offsets[at] + stored[at] - offsets[first] <= LONGEST_READ:
                continue
        yield first, at
        first = at
