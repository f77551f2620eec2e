"""The index: which pack holds which block. A cache that can always be rebuilt from the packs' footers.

In memory it is a few numpy columns and their order by the first eight bytes of the ids, 60 bytes a block; in the
repository it is write-once objects, each named by the BLAKE3 of its bytes. Bytes are laid out in docs/format.md.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from blake3 import blake3

from neokeep.errors import IntegrityError
from neokeep.repository.pack import ENTRY, SEAL_SIZE, Pack

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

MAGIC = b"NKINDX1\n"
SEALED_MAGIC = b"NKINDX2\n"
_HEAD = struct.Struct("<8sI4x")
_PACK = struct.Struct("<32sQI4x")
_SEALED_PACK = struct.Struct(f"<32sQI4x{SEAL_SIZE}s")


def encode_index(packs: Sequence[Pack]) -> bytes:
    """Serialise the footers of some packs as one index object; of sealed packs with what their keys come from."""
    sealed = any(pack.seal for pack in packs)
    parts = [_HEAD.pack(SEALED_MAGIC if sealed else MAGIC, len(packs))]
    for pack in packs:
        facts = (pack.identity, pack.size, len(pack.entries))
        parts += [_SEALED_PACK.pack(*facts, pack.seal) if sealed else _PACK.pack(*facts), pack.entries.tobytes()]
    return b"".join(parts)


def index_name(data: bytes) -> str:
    """Return the object name of an index object."""
    return f"index/{blake3(data).hexdigest()}"


def decode_index(name: str, data: bytes) -> tuple[Pack, ...]:
    """Undo `encode_index`.

    Raises:
        IntegrityError: the bytes are not those that the name promises.
    """
    if index_name(data) != name:
        raise IntegrityError(f"{name} is damaged", remedy="It is only a cache: neokeep reads the packs instead.")
    magic, count = _HEAD.unpack_from(data, 0)
    layout = _SEALED_PACK if magic == SEALED_MAGIC else _PACK
    packs: list[Pack] = []
    at = _HEAD.size
    for _ in range(count):
        identity, size, entries, *seal = layout.unpack_from(data, at)
        at += layout.size
        packs.append(Pack(identity, size, np.frombuffer(data, ENTRY, entries, at), *seal))
        at += entries * ENTRY.itemsize
    return tuple(packs)


@dataclass(frozen=True, slots=True)
class PackInfo:
    """A pack of the index: id, size in bytes, whether a verification found it damaged, and whether it is condemned.

    `seal` is what the key of its blocks comes from; empty where they are not sealed.
    """

    identity: bytes
    size: int
    damaged: bool
    condemned: bool = False
    seal: bytes = b""


class Location(NamedTuple):
    """Where blocks are: pack number (place in `BlockIndex.packs`), offset, stored bytes; int64 arrays of one shape."""

    pack: NDArray[np.int64]
    offset: NDArray[np.int64]
    stored: NDArray[np.int64]


class BlockIndex:
    """An immutable, sorted table of blocks.

    Where several packs hold a block, one that is not damaged is found, and of those one that is not condemned.
    """

    def __init__(
        self,
        packs: Iterable[Pack],
        damaged: frozenset[bytes] = frozenset(),
        condemned: frozenset[bytes] = frozenset(),
    ) -> None:
        unique = {pack.identity: pack for pack in packs}
        ordered = sorted(
            unique.values(), key=lambda pack: (pack.identity in damaged, pack.identity in condemned, pack.identity)
        )
        self.packs = tuple(
            PackInfo(pack.identity, pack.size, pack.identity in damaged, pack.identity in condemned, pack.seal)
            for pack in ordered
        )
        entries = np.concatenate([pack.entries for pack in ordered]) if ordered else np.empty(0, ENTRY)
        numbers = np.repeat(
            np.arange(len(ordered), dtype=np.uint32), np.array([len(pack.entries) for pack in ordered], dtype=np.int64)
        )
        keys = _keys(entries["id"])
        order = np.argsort(keys, kind="stable")
        self._keys = keys[order]
        # The entries stay where they are: a sorted copy of them would double what a large index needs at its peak.
        self._order = order.astype(np.uint32)
        self._entries = entries
        self._packs = numbers

    def __len__(self) -> int:
        return len(self._keys)

    def find(self, ids: NDArray[np.void]) -> NDArray[np.int64]:
        """Return the row of each id (1-d array of V32) in this table, or -1."""
        return find_sorted(self._keys, self._entries["id"], ids, self._order)

    def packs_of(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the number of the pack that holds each row."""
        return self._packs[self._order[rows]].astype(np.int64)

    def locate(self, rows: NDArray[np.int64]) -> Location:
        """Return where the blocks of some rows are."""
        places = self._order[rows]
        entries = self._entries[places]
        return Location(
            self._packs[places].astype(np.int64), entries["offset"].astype(np.int64), entries["stored"].astype(np.int64)
        )

    def stored_by_pack(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Add up for each pack what those of its blocks take that are in some rows."""
        places = self._order[rows]
        sums = np.bincount(self._packs[places], weights=self._entries["stored"][places], minlength=len(self.packs))
        return sums.astype(np.int64)

    def stored_bytes(self, rows: NDArray[np.int64]) -> int:
        """Add up what the blocks of some rows take in their packs."""
        return int(self._entries["stored"][self._order[rows]].sum(dtype=np.int64))

    def ids(self, rows: NDArray[np.int64]) -> NDArray[np.void]:
        """Return the ids (V32) of some rows."""
        result: NDArray[np.void] = self._entries["id"][self._order[rows]]
        return result

    def sizes(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the content size in bytes of some rows."""
        result: NDArray[np.int64] = self._entries["size"][self._order[rows]].astype(np.int64)
        return result


class RowsByPack:
    """Some rows of an index in the order in which their blocks lie, found by pack."""

    def __init__(self, index: BlockIndex, chosen: NDArray[np.bool_]) -> None:
        rows = np.flatnonzero(chosen)
        where = index.locate(rows)
        order = np.lexsort((where.offset, where.pack))
        self._rows, self._packs = rows[order], where.pack[order]

    def of(self, number: int) -> NDArray[np.int64]:
        """Return the rows of the pack of a number."""
        first, last = np.searchsorted(self._packs, [number, number + 1])
        return self._rows[first:last]


class IdSet:
    """A growing set of ids: a small Python set in front of sorted arrays, so that a million cost 40 MB and not 130."""

    SEAL_AT = 1 << 17

    def __init__(self) -> None:
        self._recent: set[bytes] = set()
        self._sealed: list[tuple[NDArray[np.uint64], NDArray[np.void]]] = []

    def add(self, identity: bytes) -> bool:
        """Add an id; False when it was there."""
        if identity in self._recent:
            return False
        if self._sealed:
            one = np.frombuffer(identity, "V32")
            if any(find_sorted(keys, ids, one)[0] >= 0 for keys, ids in self._sealed):
                return False
        self._recent.add(identity)
        if len(self._recent) >= self.SEAL_AT:
            ids = np.frombuffer(b"".join(self._recent), "V32")
            keys = _keys(ids)
            order = np.argsort(keys, kind="stable")
            self._sealed.append((keys[order], ids[order]))
            self._recent = set()
        return True


def find_sorted(
    sorted_keys: NDArray[np.uint64],
    table: NDArray[np.void],
    ids: NDArray[np.void],
    order: NDArray[np.uint32] | None = None,
) -> NDArray[np.int64]:
    """Return the row of each id in a table sorted by the ids' first eight bytes, or -1.

    `table` holds the ids in the order of the keys, or `order` says where in it the id of each key stands.
    """
    rows = np.full(len(ids), -1, dtype=np.int64)
    if not len(sorted_keys) or not len(ids):
        return rows
    keys = _keys(ids)
    candidates = np.searchsorted(sorted_keys, keys, side="left")
    pending = np.arange(len(ids))
    # Ids that share their first eight bytes stand side by side: step on until the whole id matches.
    while len(pending):
        at = candidates[pending]
        inside = at < len(sorted_keys)
        pending, at = pending[inside], at[inside]
        same_key = sorted_keys[at] == keys[pending]
        pending, at = pending[same_key], at[same_key]
        match = table[at if order is None else order[at]] == ids[pending]
        rows[pending[match]] = at[match]
        pending = pending[~match]
        candidates[pending] += 1
    return rows


def _keys(ids: NDArray[np.void]) -> NDArray[np.uint64]:
    plain = np.ascontiguousarray(ids).view(np.uint8).reshape(-1, 32)
    return np.ascontiguousarray(plain[:, :8]).view(">u8").reshape(-1).astype(np.uint64)
