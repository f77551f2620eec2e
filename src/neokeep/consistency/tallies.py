"""What is counted of relationships on the way, to be held against counts and token indexes later.

Tallies of parts of a store are made apart and then merged. Memory depends on how many types and sets of labels there
are, and on how they meet.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from neokeep.consistency.claims import fingerprints

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from neokeep.consistency.label_sets import LabelSets
    from neokeep.neo4j.store.pages import Bytes, Numbers

TYPE_BITS = 16
WORTH_COMPILING = 1 << 20
"""Relationships or nodes from which on compiled code is quicker: it takes a moment to load."""
_FEW = 1 << 18
_MOST_PLACES = 1 << 18


@dataclass(slots=True)
class Tally:
    """How many relationships there are: of each type by the set of labels of the start, and of the end.

    Keys are the set, shifted by TYPE_BITS, and the type. `sums` are those of the fingerprints of ids, by type.
    """

    starts: Counter[int] = field(default_factory=Counter)
    ends: Counter[int] = field(default_factory=Counter)
    sums: NDArray[np.uint64] = field(default_factory=lambda: np.zeros(1 << TYPE_BITS, np.uint64))

    def add(self, labels: LabelSets, ids: Numbers, types: Numbers, start: Numbers, end: Numbers) -> None:
        """Count relationships in use."""
        if not len(ids):
            return
        np.add.at(self.sums, types, fingerprints(ids))
        for counter, nodes in ((self.starts, start), (self.ends, end)):
            keys, counts = grouped(labels.of(nodes).astype(np.int64) << TYPE_BITS | types)
            counter.update(dict(zip(keys.tolist(), counts.tolist(), strict=True)))

    def add_stretch(self, labels: LabelSets, first: int, records: Bytes, types: int) -> bool:
        """Count the relationships of a stretch of records, with compiled code; tells whether that was possible.

        It is where all are of the first so many `types`, and there are not too many sets.
        """
        # Compiled code takes a moment to load, which a small store need not wait for.
        from neokeep.consistency.proof.tallies import tally

        places = len(labels.sets) * types
        if places > _MOST_PLACES:
            return False
        starts, ends, sums = np.zeros(places, np.int64), np.zeros(places, np.int64), np.zeros(types, np.int64)
        sets = labels.numbers
        if not tally(records.reshape(-1), first, sets.view(np.uint8), sets.itemsize, types, starts, ends, sums):
            return False
        for counter, counted in ((self.starts, starts), (self.ends, ends)):
            found = np.flatnonzero(counted)
            keys = found // types << TYPE_BITS | found % types
            counter.update(dict(zip(keys.tolist(), counted[found].tolist(), strict=True)))
        self.sums[:types] += sums.view(np.uint64)
        return True

    def merge(self, other: Tally) -> None:
        """Add what was counted elsewhere."""
        self.starts.update(other.starts)
        self.ends.update(other.ends)
        self.sums += other.sums


def grouped(keys: Numbers) -> tuple[Numbers, Numbers]:
    """Count how often each key is there; where keys are small that takes no sorting."""
    if keys.max(initial=0) < _FEW:
        counts = np.bincount(keys)
        found = np.flatnonzero(counts)
        return found, counts[found]
    return np.unique(keys, return_counts=True)
