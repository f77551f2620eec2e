"""Following chains of records, all of a batch in step: each level is one read of many records.

A chain that bites its own tail is found by Brent's method (An improved Monte Carlo factorization algorithm, 1980). The
chains of a batch share no record, so more records than the file has are never read: no damage makes reading endless.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from neokeep.neo4j.store import records as columns
from neokeep.neo4j.store.damage import Code, Damage
from neokeep.neo4j.store.pages import Window
from neokeep.neo4j.store.records import NONE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from neokeep.neo4j.recovery.layout import Store
    from neokeep.neo4j.store.pages import Flags, Numbers, RecordTable

_WORTH_COMPILING = 4096
"""Records for which loading compiled code is worth it: that takes as long as reading a million."""

Met = Callable[["Store", "Numbers"], None]


@dataclass(slots=True)
class CycleGuard:
    """Remembers one record of each chain, a later one after each power of two of steps."""

    marks: Numbers
    _steps: int = 0
    _power: int = 1

    def repeated(self, rows: Numbers, ids: Numbers) -> Flags:
        """Tell which chains (`rows`) came to a record again; to be asked once a step, with the records it came to."""
        found: Flags = self.marks[rows] == ids
        self._steps += 1
        if self._steps == self._power:
            self.marks[rows] = ids
            self._steps, self._power = 0, 2 * self._power
        return found


@dataclass(frozen=True, slots=True)
class Level:
    """Records at the same distance from the begin of their chains: `rows` tell the chains, by their places in heads."""

    rows: Numbers
    ids: Numbers
    records: columns.PropertyRecords


def property_levels(table: RecordTable, heads: Numbers, damages: list[Damage]) -> Iterator[Level]:
    """Follow chains of property records from their first ones (-1: no chain); damage ends a chain and is told."""
    guard, read, window = CycleGuard(heads.copy()), 0, Window(table)
    rows = np.flatnonzero(heads != NONE)
    ids = heads[rows]
    while len(rows):
        read += len(rows)
        if read > table.count:
            damages.append(
                Damage(Code.PROPERTY_SHARED, table.store, int(ids[0]), "more than one chain goes through it")
            )
            return
        found = _properties(window, ids)
        damages.extend(
            Damage(Code.PROPERTY_NOT_IN_USE, table.store, record, "a chain goes through it")
            for record in ids[~found.used].tolist()
        )
        if not found.used.all():
            rows, ids, found = rows[found.used], ids[found.used], _only(found, found.used)
        yield Level(rows, ids, found)
        following = found.next != NONE
        rows, ids = rows[following], found.next[following]
        again = guard.repeated(rows, ids)
        damages.extend(
            Damage(Code.PROPERTY_CHAIN_CYCLE, table.store, record, "a chain comes to it again")
            for record in ids[again].tolist()
        )
        rows, ids = rows[~again], ids[~again]


def _properties(window: Window, ids: Numbers) -> columns.PropertyRecords:
    """Read property records by their ids; what no place in the file has is not in use."""
    if len(ids) < _WORTH_COMPILING:
        return columns.properties(window.at(ids))
    from neokeep.neo4j.store.kernels import property_records

    count = len(ids)
    used, previous, following = np.zeros(count, np.bool_), np.zeros(count, np.int64), np.zeros(count, np.int64)
    longs = np.zeros((count, columns.LONGS), np.uint64)
    for held in window.held(ids):
        property_records(held.content, held.offsets, held.rows, used.view(np.uint8), previous, following, longs)
    return columns.PropertyRecords(used, previous, following, longs)


def _only(found: columns.PropertyRecords, chosen: Flags) -> columns.PropertyRecords:
    return columns.PropertyRecords(found.used[chosen], found.previous[chosen], found.next[chosen], found.longs[chosen])


@dataclass(slots=True)
class _Bodies:
    """Bytes of dynamic chains as they are put together; None where a chain is damaged."""

    parts: list[list[bytes] | None]
    damages: list[Damage] = field(default_factory=list)


def dynamic_values(
    table: RecordTable, heads: Numbers, damages: list[Damage], *, met: Met | None = None
) -> list[bytes | None]:
    """Read the bytes of dynamic chains by their first records; None where one is damaged, which is told.

    A record of a chain is in use and full where another follows, and only the first says that it is one. `met` is told
    the store and the ids of the records in use that were read.
    """
    bodies = _Bodies([[] for _ in range(len(heads))], damages)
    guard, read = CycleGuard(heads.copy()), 0
    rows, ids, first = np.arange(len(heads)), heads, True
    while len(rows):
        read += len(rows)
        if read > table.count:
            _damaged(bodies, table, rows, ids, Code.DYNAMIC_SHARED, "more than one chain goes through it")
            break
        found = columns.dynamic(table.at(ids))
        if met is not None:
            met(table.store, ids[found.used])
        good = _take(table, rows, ids, found, bodies, first=first)
        following = good & (found.next != NONE)
        rows, ids, first = rows[following], found.next[following], False
        again = guard.repeated(rows, ids)
        _damaged(bodies, table, rows[again], ids[again], Code.DYNAMIC_CHAIN_CYCLE, "a chain comes to it again")
        rows, ids = rows[~again], ids[~again]
    return [None if parts is None else b"".join(parts) for parts in bodies.parts]


def _take(
    table: RecordTable, rows: Numbers, ids: Numbers, found: columns.DynamicRecords, bodies: _Bodies, *, first: bool
) -> Flags:
    """Add the data of good records to their chains; tells which are good."""
    size = found.data.shape[1]
    bad = (
        (~found.used, Code.DYNAMIC_NOT_IN_USE, "a chain goes through it"),
        (found.length > size, Code.DYNAMIC_LENGTH, "it is longer than a record"),
        (found.starts != first, Code.DYNAMIC_NOT_FIRST, "what it says of its place in the chain is not so"),
        ((found.next != NONE) & (found.length < size), Code.DYNAMIC_NOT_FULL, "it is not full, but another follows"),
    )
    good = np.ones(len(rows), np.bool_)
    for wrong, code, detail in bad:
        _damaged(bodies, table, rows[good & wrong], ids[good & wrong], code, detail)
        good &= ~wrong
    for place, row in zip(np.flatnonzero(good).tolist(), rows[good].tolist(), strict=True):
        parts = bodies.parts[row]
        if parts is not None:
            parts.append(found.data[place, : found.length[place]].tobytes())
    return good


def _damaged(bodies: _Bodies, table: RecordTable, rows: Numbers, ids: Numbers, code: Code, detail: str) -> None:
    for row, record in zip(rows.tolist(), ids.tolist(), strict=True):
        bodies.parts[row] = None
        bodies.damages.append(Damage(code, table.store, record, detail))
