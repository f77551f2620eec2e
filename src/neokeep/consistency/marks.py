"""Sets of record ids: as bits, an eighth of a byte for each record of a store however many are in them, or as a sum."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from neokeep.consistency.claims import Claims
    from neokeep.neo4j.recovery.layout import Store
    from neokeep.neo4j.store.pages import Bytes, Flags, Numbers


class Met(Protocol):
    """Is told which records of a store something led to."""

    def mark(self, ids: Numbers) -> Numbers:
        """Note ids; gives those that are known to have been noted before, or come more than once, each once."""

    def are_new(self, ids: Numbers) -> bool:
        """Tell of sorted ids whether none is known to have been noted before, and none comes more than once."""

    def missed(self, ids: Numbers) -> Numbers:
        """Give those of all ids in use that are known not to have been noted; to be asked when all were."""


class Marks:
    """A set of ids below `count`; others are never in it and cannot be marked. `bits` begin with the lowest of each."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.bits: Bytes = np.zeros(count // 8 + 1, np.uint8)

    def has(self, ids: Numbers) -> Flags:
        """Tell which ids are in the set."""
        inside = (ids >= 0) & (ids < self.count)
        known = ids if inside.all() else np.where(inside, ids, 0)
        found: Flags = inside & (self.bits[known >> 3] >> (known & 7).astype(np.uint8) & 1 != 0)
        return found

    def mark(self, ids: Numbers) -> Numbers:
        """Put ids into the set; gives those that were there already, or come more than once, each once."""
        rising = bool((ids[1:] > ids[:-1]).all())
        if rising and (not len(ids) or (ids[0] >= 0 and ids[-1] < self.count)):
            several, again = ids, ids[self.has(ids)]
        else:
            several, times = np.unique(ids[(ids >= 0) & (ids < self.count)], return_counts=True)
            again = several[(times > 1) | self.has(several)]
        if len(several):
            # Ids of one byte stand together: they are sorted.
            places = several >> 3
            begins = np.flatnonzero(np.diff(places, prepend=-1))
            bits = np.left_shift(1, several & 7).astype(np.uint8)
            self.bits[places[begins]] |= np.bitwise_or.reduceat(bits, begins)
        return again

    def are_new(self, ids: Numbers) -> bool:
        """Tell of sorted ids whether none is in the set, and none comes more than once."""
        return bool((ids[1:] > ids[:-1]).all()) and not self.has(ids).any()

    def missed(self, ids: Numbers) -> Numbers:
        """Give the ids that are not in the set."""
        return ids[~self.has(ids)]

    def mark_range(self, first: int, flags: Flags) -> None:
        """Put those of ids that follow on one another into the set that have a flag, from `first` on."""
        packed = np.packbits(np.concatenate([np.zeros(first & 7, np.bool_), flags]), bitorder="little")
        self.bits[first >> 3 : (first >> 3) + len(packed)] |= packed


class ClaimedMarks:
    """A set of ids that is claimed and not kept: whether all were met once is told by the sum of all claims."""

    def __init__(self, claims: Claims, store: int) -> None:
        self._claims = claims
        self._store = store

    def mark(self, ids: Numbers) -> Numbers:
        """Claim that ids were met. None are known to have been before."""
        self._claims.one("met", ids, self._store)
        return ids[:0]

    def are_new(self, ids: Numbers) -> bool:
        """Tell whether none comes more than once."""
        return bool((ids[1:] > ids[:-1]).all())

    def missed(self, ids: Numbers) -> Numbers:
        """Claim that ids are in use. None are known to have been missed."""
        self._claims.other("met", ids, self._store)
        return ids[:0]


class PagesTaken:
    """Pages of stores that somebody has taken, each once, where threads take them: a byte for each page."""

    def __init__(self, pages: Mapping[Store, int]) -> None:
        """Begin with none; `pages` has the number of those of each store."""
        self._taken = {store: np.zeros(count, np.bool_) for store, count in pages.items()}
        self._lock = threading.Lock()

    def take(self, store: Store, first: int, count: int) -> Flags:
        """Take so many pages; tells which of them nobody had."""
        with self._lock:
            taken = self._taken[store][first : first + count]
            found: Flags = ~taken
            taken[:] = True
        return found
