"""Whether two sides of a store say the same, without looking anything up: by sums of fingerprints.

Each side claims things, such as "relationship 7 follows on 5 in the chain of node 3". Both sides claim the same if and
only if the fingerprints of all claims have the same sum, modulo 2^64 (but for chance, which is as likely as two equal
random numbers of 64 bits). So all chains are proven by reading each record once, in the order in which they lie; only
where sums differ is everything looked up, to find the records.

A fingerprint is the finalizer of SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014)
over the columns, each times a random odd number (multilinear hashing: Lemire, Kaser: Strongly universal string hashing
is fast, 2014). Compiled code makes the same ones: proof/bits.py.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Mapping

    from neokeep.neo4j.store.pages import Flags, Numbers

Fingerprints = NDArray[np.uint64]

MULTIPLIERS = (0x9E3779B97F4A7C15, 0xD1342543DE82EF95, 0xA0761D6478BD642F, 0xE7037ED1A0B428DB)
"""One for each of the columns that are mixed at once; compiled code knows these."""
START, FIRST, SECOND = 0x589965CC75374CC3, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
_MASK = (1 << 64) - 1


def fingerprints(*columns: Numbers | int) -> Fingerprints:
    """Give a number of 64 bits for each row of the columns, which depends on all and on their order."""
    while len(columns) > len(MULTIPLIERS):
        first, rest = columns[: len(MULTIPLIERS)], columns[len(MULTIPLIERS) :]
        columns = (fingerprints(*first).view(np.int64), *rest)
    mixed = np.full(1, START, np.uint64)
    for column, multiplier in zip(columns, MULTIPLIERS, strict=False):
        mixed = mixed + np.atleast_1d(np.asarray(column, np.int64)).view(np.uint64) * np.uint64(multiplier)
    mixed ^= mixed >> np.uint64(30)
    mixed *= np.uint64(FIRST)
    mixed ^= mixed >> np.uint64(27)
    mixed *= np.uint64(SECOND)
    mixed ^= mixed >> np.uint64(31)
    return mixed


_OWNERS = 1 << 16
"""Sums that owners share by the low bits of their ids."""


@dataclass(slots=True)
class Claims:
    """The sums of some kinds of claims: those of the one side less those of the other.

    `owners`, where they are kept, are sums of all kinds by the first column of the claims, which has to be whose chains
    they are of: few owners share one.
    """

    sums: dict[str, int] = field(default_factory=dict)
    owners: Fingerprints | None = None

    @classmethod
    def by_owner(cls) -> Claims:
        """Begin with sums by owners too."""
        return cls(owners=np.zeros(_OWNERS, np.uint64))

    def one(self, what: str, *columns: Numbers | int) -> None:
        """Add claims of the one side, a row each; the first column tells how many."""
        self._add(what, 1, columns)

    def other(self, what: str, *columns: Numbers | int) -> None:
        """Add claims of the other side."""
        self._add(what, -1, columns)

    def add(self, what: str, total: int) -> None:
        """Add a sum of claims: of the one side, less those of the other."""
        self.sums[what] = (self.sums.get(what, 0) + total) & _MASK

    def merge(self, sums: Mapping[str, int]) -> None:
        """Add the sums of another part of the store."""
        for what, total in sums.items():
            self.add(what, total)

    def join(self, other: Claims) -> None:
        """Add all claims of another part of the store, those by owners too where both keep them."""
        self.merge(other.sums)
        if self.owners is not None and other.owners is not None:
            self.owners += other.owners

    def _add(self, what: str, sign: int, columns: tuple[Numbers | int, ...]) -> None:
        if not np.size(columns[0]):
            return
        found = fingerprints(*columns)
        self.add(what, sign * int(found.sum()))
        if self.owners is not None:
            change = np.add if sign > 0 else np.subtract
            change.at(self.owners, np.asarray(columns[0]) & _OWNERS - 1, found)

    def doubtful(self, owners: Numbers) -> Flags:
        """Tell of which owners not all claims agree; of few others too. All where sums by owners are not kept."""
        if self.owners is None:
            return np.ones(len(owners), np.bool_)
        found: Flags = self.owners[owners & _OWNERS - 1] != 0
        return found

    @property
    def agree(self) -> bool:
        """Whether both sides claimed the same."""
        return not any(self.sums.values())
