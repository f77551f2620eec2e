"""How many relationships nodes have: outgoing, incoming, and all of them. Twelve bytes a node, eight without loops.

A relationship from a node to itself goes out and comes in; among all of them it counts once, as in Cypher.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Iterator

    from neokeep.neo4j.store.pages import Numbers
    from neokeep.statistics.classes import Classes

LARGEST = 10
PERCENTILES = (50.0, 75.0, 90.0, 95.0, 99.0, 99.9)
_COUNTED = 1 << 16
_AT_ONCE = 1 << 20

Counts = NDArray[np.uint32]


class Degrees:
    """Counts relationships at their ends. Pages of memory that no loop touches are never taken."""

    def __init__(self, nodes: int) -> None:
        self.outgoing: Counts = np.zeros(nodes, np.uint32)
        self.incoming: Counts = np.zeros(nodes, np.uint32)
        self.loops: Counts = np.zeros(nodes, np.uint32)
        self._lock = threading.Lock()

    def add(self, start: Numbers, end: Numbers) -> None:
        """Count relationships; threads may do so at once. Nodes that are none are left out."""
        loops = start[start == end]
        with self._lock:
            for counts, nodes in ((self.outgoing, start), (self.incoming, end), (self.loops, loops)):
                inside = nodes[(nodes >= 0) & (nodes < len(counts))]
                # A value of the same type as the array: anything else is many times slower.
                np.add.at(counts, inside, np.uint32(1))

    def distributions(self, classes: Classes) -> tuple[Distribution, Distribution, Distribution]:
        """Give the distributions of outgoing, incoming and all relationships over the nodes in use."""
        found = [Distribution.empty()] * 3
        for start in range(0, len(self.outgoing), _AT_ONCE):
            some = slice(start, start + _AT_ONCE)
            used = np.flatnonzero(classes.in_use(start, start + _AT_ONCE))
            both = self.outgoing[some].astype(np.int64) + self.incoming[some] - self.loops[some]
            counts = (self.outgoing[some], self.incoming[some], both)
            parts = [Distribution.of(used + start, own[used].astype(np.int64)) for own in counts]
            found = [known.merged(part) for known, part in zip(found, parts, strict=True)]
        return found[0], found[1], found[2]


@dataclass(frozen=True, slots=True, eq=False)
class Distribution:
    """How often each degree comes: `few[d]` nodes have the degree d; `many` are the larger ones, ascending.

    `largest` are up to ten nodes with the most relationships as (id, degree), of equal ones those with smaller ids.
    """

    few: Numbers
    many: Numbers
    largest: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, ids: Numbers, degrees: Numbers) -> Distribution:
        """Count the degrees of nodes."""
        small = degrees < _COUNTED
        candidates = np.arange(len(degrees))
        if len(degrees) > LARGEST:
            least = np.partition(degrees, len(degrees) - LARGEST)[len(degrees) - LARGEST]
            candidates = np.flatnonzero(degrees >= least)
        order = candidates[np.lexsort((ids[candidates], -degrees[candidates]))][:LARGEST]
        largest = tuple(zip(ids[order].tolist(), degrees[order].tolist(), strict=True))
        return cls(np.bincount(degrees[small], minlength=_COUNTED), np.sort(degrees[~small]), largest)

    @classmethod
    def empty(cls) -> Distribution:
        """Give that of no nodes."""
        return cls(np.zeros(_COUNTED, np.int64), np.zeros(0, np.int64), ())

    def merged(self, other: Distribution) -> Distribution:
        """Put the distributions of two parts of the nodes together; their order does not matter."""
        pairs = sorted((*self.largest, *other.largest), key=lambda pair: (-pair[1], pair[0]))
        many = np.sort(np.concatenate([self.many, other.many]))
        return Distribution(self.few + other.few, many, tuple(pairs[:LARGEST]))

    @property
    def nodes(self) -> int:
        """The number of nodes."""
        return int(self.few.sum()) + len(self.many)

    @property
    def total(self) -> int:
        """The sum of all degrees."""
        return int(self.few @ np.arange(_COUNTED)) + int(self.many.sum())

    @property
    def maximum(self) -> int:
        """The largest degree; 0 where there are no nodes."""
        return self.largest[0][1] if self.largest else 0

    def percentile(self, percent: float) -> int:
        """Give the smallest degree that so many percent of the nodes do not exceed (nearest rank)."""
        if not self.nodes:
            return 0
        rank = max(1, -(-self.nodes * round(percent * 10) // 1000))
        below = np.cumsum(self.few)
        if rank <= below[-1]:
            return int(np.searchsorted(below, rank))
        return int(self.many[rank - int(below[-1]) - 1])

    def buckets(self) -> Iterator[tuple[int, int, int]]:
        """Give buckets from 0 up to the largest degree: 0, 1, 2 to 3, 4 to 7, and so on; with each, its nodes."""
        yield 0, 0, int(self.few[0])
        low = 1
        while low <= self.maximum:
            high = 2 * low - 1
            count = int(self.few[low : high + 1].sum()) if low < _COUNTED else 0
            count += int(np.searchsorted(self.many, high, "right") - np.searchsorted(self.many, low))
            yield low, high, count
            low *= 2
