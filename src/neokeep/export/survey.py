"""The first pass: which tables there are, how many rows each has, and the keys and types of the values in it.

From it comes the plan of all columns, so that each table has its final schema before its first row is written.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from neokeep.export.entities import Side, Tokens, ranges, read_entities
from neokeep.export.properties import find_properties, parts_of_slot, slots_of, types_of
from neokeep.neo4j.recovery.layout import Store
from neokeep.parallel import in_order

if TYPE_CHECKING:
    from neokeep.neo4j.store.graph import GraphReader
    from neokeep.neo4j.store.pages import Numbers
    from neokeep.progress import Progress

RECORDS_AT_ONCE = 32 * 1024
BYTES_AT_ONCE = 64 * 1024 * 1024
_LEAST_AT_ONCE = 256


@dataclass(frozen=True, slots=True)
class Surveyed:
    """What one table has: rows, and how many values of each key and type."""

    rows: int
    values: dict[tuple[int, int], int]


def survey(reader: GraphReader, side: Side, *, jobs: int, progress: Progress) -> dict[Tokens, Surveyed]:
    """Read all nodes or relationships, and where their values are."""
    table = reader.tables[side.store]
    rows: Counter[Tokens] = Counter()
    values: dict[Tokens, Counter[tuple[int, int]]] = {}
    units = [partial(_survey, reader, side, *one) for one in ranges(table, records_at_once(reader, side))]
    progress.begin(f"looking at the {side.value}", table.count * table.geometry.record_bytes)
    try:
        for tables, counts, slots, times in in_order(units, jobs):
            progress.advance(table.count * table.geometry.record_bytes // len(units))
            for tokens, count in zip(tables, counts.tolist(), strict=True):
                rows[tokens] += count
                values.setdefault(tokens, Counter())
            for slot, number in zip(slots.tolist(), times.tolist(), strict=True):
                group, key, kind = parts_of_slot(slot)
                values[tables[group]][key, kind] += number
    finally:
        progress.end()
    return {tokens: Surveyed(rows[tokens], dict(own)) for tokens, own in values.items()}


def records_at_once(reader: GraphReader, side: Side) -> int:
    """Decide how many records to read together: fewer where texts and arrays are long for the number of records."""
    heavy = (reader.tables[store] for store in (Store.STRINGS, Store.ARRAYS))
    size = sum(table.count * table.geometry.record_bytes for table in heavy)
    average = size // max(1, reader.tables[side.store].count)
    return max(_LEAST_AT_ONCE, min(RECORDS_AT_ONCE, BYTES_AT_ONCE // max(1, average)))


def _survey(
    reader: GraphReader, side: Side, start: int, stop: int
) -> tuple[tuple[Tokens, ...], Numbers, Numbers, Numbers]:
    # What is damaged is told in the second pass.
    entities = read_entities(reader.tables, side, start, stop, [])
    found = find_properties(reader.tables, entities.heads, [])
    types = types_of(found, reader.tables)
    slots = slots_of(entities.groups, found, types)[types > 0]
    counts = np.bincount(entities.groups, minlength=len(entities.tables))
    return entities.tables, counts, *np.unique(slots, return_counts=True)
