"""Choosing what of a store is in memory while chains are followed.

Where their first records lie close together these are stretches of the file, else the records of some chains at a time.
Memory is bounded by STRETCH and GATHERED, or by one chain where that is longer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from neokeep.neo4j.store.chains import CycleGuard
from neokeep.neo4j.store.pages import distinct
from neokeep.neo4j.store.records import NONE

if TYPE_CHECKING:
    from neokeep.neo4j.store.pages import Bytes, Numbers, RecordTable

STRETCH = 2 << 20
"""Bytes of a stretch."""
GATHERED = 4 << 20
"""Bytes of records that are gathered together, where they are of several chains."""
_CHAINS_AT_ONCE = 4096
_MARKS_FOR_EACH = 32
"""Marks that are looked through for each head rather than to compare heads."""
_NO_IDS = np.zeros(0, np.int64)

Next = Callable[["Bytes"], "Numbers"]
"""Tells of records (a row each) which follow them; -1 for none."""


@dataclass(frozen=True, slots=True)
class Window:
    """Records in memory: those that follow on one another from `first` on, or those with `ids`, which are sorted.

    They lie in `pages` of `page_bytes` as in the file, so that `first` is the first of a page; those with ids one
    behind the other.
    """

    pages: Bytes
    page_bytes: int
    first: int
    ids: Numbers


Follow = Callable[[Window, "Numbers"], "Numbers | None"]
"""Follows chains within a window by their first records; gives those that lead out of it, None where one is broken."""

Look = Callable[[Window], None]
"""Looks at the pages of a window that is a stretch of the file."""


def follow_all(table: RecordTable, heads: Numbers, following: Next, follow: Follow, look: Look) -> bool:
    """Have chains followed by their first records, in any order; tells whether all are whole."""
    left = _along(table, _sorted(heads), follow, look)
    if left is None:
        return False
    at, several = 0, _CHAINS_AT_ONCE
    while at < len(left):
        window = _gathered(table, left[at : at + several], following)
        if window is None and several > 1:
            several //= 2
            continue
        out = None if window is None else follow(window, left[at : at + several])
        # Chains were followed to their ends, so none leads out.
        if out is None or len(out):
            return False
        at += several
    return True


def _sorted(heads: Numbers) -> Numbers:
    if (heads[1:] >= heads[:-1]).all():
        return heads
    ordered = distinct(heads, _MARKS_FOR_EACH)
    # Only in a store that is not whole do several chains begin with the same record.
    return ordered if len(ordered) == len(heads) else np.sort(heads)


def _along(table: RecordTable, heads: Numbers, follow: Follow, look: Look) -> Numbers | None:
    """Follow chains where their first records, sorted, lie close together; gives the other ones."""
    reach = max(1, STRETCH // table.geometry.record_bytes)
    left, at = [heads[:0]], 0
    if len(heads) and heads[-1] >= table.count:
        return None
    while at < len(heads):
        first = int(heads[at])
        behind = int(np.searchsorted(heads, first + reach))
        span = int(heads[behind - 1]) - first + 1
        if span > (behind - at) * table.geometry.per_page:
            # Fewer than one in a page: to gather them means to read less.
            left.append(heads[at:behind])
        else:
            more = 2 * span // (behind - at) + table.geometry.per_page
            begin = first - first % table.geometry.per_page
            pages = table.pages_with(begin, min(first + span + more, table.count))
            window = Window(pages, table.geometry.page_bytes, begin, _NO_IDS)
            look(window)
            out = follow(window, heads[at:behind])
            if out is None:
                return None
            left.append(out)
        at = behind
    return np.concatenate(left)


def _gathered(table: RecordTable, heads: Numbers, following: Next) -> Window | None:
    """Read all records of chains; None where they are too many, several chains share one, or one bites its tail."""
    guard, rows, ids = CycleGuard(heads.copy()), np.arange(len(heads)), heads
    found, records, size = [], [], 0
    while len(ids):
        read = table.at(ids)
        size += read.nbytes
        if size > GATHERED and len(heads) > 1:
            return None
        found.append(ids)
        records.append(read)
        behind = following(read)
        rows, ids = rows[behind != NONE], behind[behind != NONE]
        if guard.repeated(rows, ids).any():
            return None
    known = np.concatenate(found)
    order = np.argsort(known, kind="stable")
    known = known[order]
    if (known[1:] == known[:-1]).any():
        return None
    geometry = table.geometry
    packed = np.concatenate(records)[order].reshape(-1)
    return Window(packed, geometry.per_page * geometry.record_bytes, 0, known)
