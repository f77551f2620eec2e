"""Counting by keys in bounded memory, so that parts that were counted apart can be put together in any order.

While there are few different keys all are kept. Beyond a limit only those stay whose scrambled bits begin with zeros,
one more zero each time it is passed: a fair sample of the keys, each with its exact count. Which stay depends on the
keys alone, so every way to split the work gives the same. (The thinning is that of adaptive sampling: P. Flajolet, On
adaptive sampling, 1990.)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Iterable

    from neokeep.neo4j.store.pages import Flags, Numbers

Keys = NDArray[np.uint64]

MOST_KEYS = 1 << 20
"""Different keys that a tally keeps: 24 MiB."""

_WAITING = 1 << 18
_NONE = np.zeros(0, np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Tally:
    """Keys (uint64, ascending) with their counts, and the smallest of the numbers that were given with each.

    `total` counts all, also what is not kept. One in 2**`halvings` of the keys is kept.
    """

    keys: Keys
    counts: Numbers
    first: Numbers
    total: int
    halvings: int = 0
    most: int = MOST_KEYS

    @classmethod
    def of(cls, keys: Keys, counts: Numbers, first: Numbers | None = None, *, most: int = MOST_KEYS) -> Tally:
        """Count keys that may come more than once; `first` are numbers to keep the smallest of, zeros when None."""
        known = np.zeros(len(keys), np.int64) if first is None else first
        return _summed(keys, counts, known, int(counts.sum()), 0, most)

    @classmethod
    def empty(cls, most: int = MOST_KEYS) -> Tally:
        """Give one that has counted nothing."""
        return cls(_NONE.astype(np.uint64), _NONE, _NONE, 0, 0, most)

    @classmethod
    def joined(cls, several: Iterable[Tally]) -> Tally:
        """Put parts together, one at least; their order does not matter."""
        parts = list(several)
        return _summed(
            np.concatenate([part.keys for part in parts]),
            np.concatenate([part.counts for part in parts]),
            np.concatenate([part.first for part in parts]),
            sum(part.total for part in parts),
            max(part.halvings for part in parts),
            min(part.most for part in parts),
        )

    @property
    def distinct(self) -> int:
        """The number of different keys; an estimate where not all are kept."""
        return len(self.keys) << self.halvings

    def commonest(self, most: int) -> Numbers:
        """Give the places of the keys with the largest counts, the largest first, equal ones by their keys."""
        if most < len(self.counts):
            least = np.partition(self.counts, len(self.counts) - most)[len(self.counts) - most]
            candidates = np.flatnonzero(self.counts >= least)
        else:
            candidates = np.arange(len(self.counts))
        found: Numbers = candidates[np.argsort(-self.counts[candidates], kind="stable")][:most]
        return found


class Collector:
    """Takes counts as they come, and puts them together when many wait."""

    def __init__(self, most: int = MOST_KEYS) -> None:
        self._tally = Tally.empty(most)
        self._waiting: list[Tally] = []
        self._count = 0

    def add(self, keys: Keys, counts: Numbers, first: Numbers | None = None) -> None:
        """Count more; see Tally.of."""
        part = Tally.of(keys, counts, first, most=self._tally.most)
        self._waiting.append(part)
        self._count += len(part.keys)
        # Each time at least as much waits as was kept, so every key is sorted a few times only.
        if self._count >= max(_WAITING, len(self._tally.keys)):
            self.tally()

    def tally(self) -> Tally:
        """Give what was counted so far."""
        self._tally = Tally.joined([self._tally, *self._waiting])
        self._waiting, self._count = [], 0
        return self._tally


def scrambled(keys: Keys) -> Keys:
    """Mix the bits of keys one to one: the finalizer of SplitMix64 (Steele, Lea and Flood, 2014)."""
    mixed = keys ^ (keys >> np.uint64(30))
    mixed = mixed * np.uint64(0xBF58476D1CE4E5B9)
    mixed = mixed ^ (mixed >> np.uint64(27))
    mixed = mixed * np.uint64(0x94D049BB133111EB)
    found: Keys = mixed ^ (mixed >> np.uint64(31))
    return found


def _summed(keys: Keys, counts: Numbers, first: Numbers, total: int, halvings: int, most: int) -> Tally:
    if halvings:
        kept = _stay(keys, halvings)
        keys, counts, first = keys[kept], counts[kept], first[kept]
    order = np.argsort(keys, kind="stable")
    keys, counts, first = keys[order], counts[order], first[order]
    begins = np.flatnonzero(np.diff(keys, prepend=~keys[:1]) != 0)
    if len(begins):
        keys, counts, first = keys[begins], np.add.reduceat(counts, begins), np.minimum.reduceat(first, begins)
    while len(keys) > most:
        halvings += 1
        kept = _stay(keys, halvings)
        keys, counts, first = keys[kept], counts[kept], first[kept]
    return Tally(keys, counts, first, total, halvings, most)


def _stay(keys: Keys, halvings: int) -> Flags:
    # The finalizer leaves zero as it is, which must not make that key stay for ever.
    kept: Flags = scrambled(keys + np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(64 - halvings) == 0
    return kept
