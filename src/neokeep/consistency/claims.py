"""Whether two sides of a store say the same, without looking anything up: by sums of fingerprints.

Each side claims things, such as "relationship 7 follows on 5 in the chain of node 3". Both sides claim the same if and
only if the fingerprints of all claims have the same sum, modulo 2^64 (but for chance, which is as likely as two equal
random numbers of 64 bits). So all chains are proven by reading each record once, in the order in which they lie; only
where sums differ is everything looked up, to find the records. Fingerprints: the finalizer of SplitMix64 (Steele, Lea,
Flood: Fast splittable pseudorandom number generators, 2014).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from neokeep.neo4j.store.pages import Numbers

Fingerprints = NDArray[np.uint64]

_STEP, _FIRST, _SECOND = (np.uint64(number) for number in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))
_MASK = (1 << 64) - 1


def fingerprints(*columns: Numbers | int) -> Fingerprints:
    """Give a number of 64 bits for each row of the columns, which depends on all of them and on their order."""
    mixed = np.zeros(1, np.uint64)
    for column in columns:
        mixed = (mixed + _STEP) ^ np.asarray(column, np.int64).astype(np.uint64)
        mixed ^= mixed >> np.uint64(30)
        mixed *= _FIRST
        mixed ^= mixed >> np.uint64(27)
        mixed *= _SECOND
        mixed ^= mixed >> np.uint64(31)
    return mixed


@dataclass(slots=True)
class Claims:
    """The sums of some kinds of claims: those of the one side less those of the other."""

    sums: dict[str, int] = field(default_factory=dict)

    def one(self, what: str, *columns: Numbers | int) -> None:
        """Add claims of the one side, a row each; the first column tells how many."""
        self._add(what, 1, columns)

    def other(self, what: str, *columns: Numbers | int) -> None:
        """Add claims of the other side."""
        self._add(what, -1, columns)

    def _add(self, what: str, sign: int, columns: tuple[Numbers | int, ...]) -> None:
        total = int(fingerprints(*columns).sum()) if np.size(columns[0]) else 0
        self.sums[what] = (self.sums.get(what, 0) + sign * total) & _MASK

    @property
    def agree(self) -> bool:
        """Whether both sides claimed the same."""
        return not any(self.sums.values())
