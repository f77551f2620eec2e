"""Which property keys are used with which types of values, counted by what has them: a label, a relationship type.

Only the first long of each value is looked at, so texts and arrays are not read, but for the first record of each array
that is not in a block.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from neokeep.neo4j.recovery.layout import Store
from neokeep.neo4j.recovery.meaning import block_longs
from neokeep.neo4j.store.chains import property_levels
from neokeep.statistics import value_types

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from neokeep.neo4j.store.damage import Damage
    from neokeep.neo4j.store.pages import Numbers, RecordTable
    from neokeep.neo4j.store.records import Longs

KEY_BITS = 24
USE_BITS = KEY_BITS + value_types.BITS
"""Bits of a key and a type; above them stands what has the property."""

_LONGS, _FEW_COUNTERS = 4, 1 << 16


@dataclass(frozen=True, slots=True, eq=False)
class Uses:
    """Properties by what has them: `owner`, `key` and `type` together come once here, `count` times in the records.

    `longs` is the number of longs that all of them take there.
    """

    owner: Numbers
    key: Numbers
    type: Numbers
    count: Numbers
    longs: int

    @property
    def packed(self) -> Numbers:
        """Key and type as one number of USE_BITS."""
        return self.key << value_types.BITS | self.type


def uses_of(
    tables: Mapping[Store, RecordTable], heads: Numbers, owners: Numbers, damages: list[Damage]
) -> Iterator[Uses]:
    """Count the properties of entities by their first property records (-1: none); `owners` number what has them.

    Owners are numbers from 0 on, few more than there are different ones. What the first records of chains hold comes
    first, then what the second ones hold, and so on: however many properties there are, few are held at once.
    """
    for level in property_levels(tables[Store.PROPERTY], heads, damages):
        found = list(_blocks(level.records.longs))
        rows = np.concatenate([rows for rows, _ in found])
        first = np.concatenate([first for _, first in found])
        types = value_types.types_of(first, tables[Store.ARRAYS])
        yield _counted(owners[level.rows[rows]], first & 0xFF_FFFF, types, int(block_longs(first).sum()))


def _blocks(longs: Longs) -> Iterator[tuple[Numbers, Numbers]]:
    """Find where blocks begin in property records: the rows, and the first longs, of those at each of four places."""
    behind = np.zeros(len(longs), np.int64)
    for place in range(_LONGS):
        first = longs[:, place].astype(np.int64)
        rows = np.flatnonzero((behind == place) & (first >> KEY_BITS & 15 != 0))
        behind[rows] += block_longs(first[rows])
        # One that is longer than the rest of its record is damaged, and no value.
        whole = behind[rows] <= _LONGS
        yield rows[whole], first[rows[whole]]


def _counted(owner: Numbers, key: Numbers, value_type: Numbers, longs: int) -> Uses:
    """Count equal ones; by counters where these are few for what is counted, else by sorting, which takes longer."""
    keys, types = int(key.max(initial=0)) + 1, 1 << value_types.BITS
    numbers = (owner * keys + key) * types + value_type
    if int(numbers.max(initial=0)) <= _FEW_COUNTERS + len(numbers):
        counters = np.bincount(numbers)
        found = np.flatnonzero(counters)
        counts = counters[found]
    else:
        found, counts = np.unique(numbers, return_counts=True)
    rest = found // types
    return Uses(rest // keys, rest % keys, found % types, counts.astype(np.int64), longs)
