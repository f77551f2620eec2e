"""Sets of record ids as bits: an eighth of a byte for each record of a store, however many are in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from neokeep.neo4j.store.pages import Flags, Numbers


class Marks:
    """A set of ids below `count`; others are never in it and cannot be marked."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._bits = np.zeros(count // 8 + 1, np.uint8)

    def has(self, ids: Numbers) -> Flags:
        """Tell which ids are in the set."""
        inside = (ids >= 0) & (ids < self.count)
        known = np.where(inside, ids, 0)
        found: Flags = inside & (self._bits[known >> 3] >> (known & 7).astype(np.uint8) & 1 != 0)
        return found

    def mark(self, ids: Numbers) -> Numbers:
        """Put ids into the set; gives those that were there already, or come more than once, each once."""
        several, times = np.unique(ids[(ids >= 0) & (ids < self.count)], return_counts=True)
        again = several[(times > 1) | self.has(several)]
        if len(several):
            # Ids of one byte stand together: they are sorted.
            places = several >> 3
            begins = np.flatnonzero(np.diff(places, prepend=-1))
            bits = np.left_shift(1, several & 7).astype(np.uint8)
            self._bits[places[begins]] |= np.bitwise_or.reduceat(bits, begins)
        return again
