"""What there is to do to prove that a store is whole: stretches of record stores, each on its own.

The outcome is the same however the stores are cut, and in whatever order: each part gives sums.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from neokeep.consistency.state import MET_STORES
from neokeep.neo4j.recovery.layout import WITH_HEADER, Store

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from neokeep.neo4j.store.pages import RecordTable

BYTES_AT_ONCE = 2 << 20


@dataclass(frozen=True, slots=True)
class Work:
    """Records of a store from `start` to before `stop`: to be looked at, or (`used`) to be claimed where in use.

    `bytes` is the size of these records.
    """

    store: Store
    start: int
    stop: int
    bytes: int
    used: bool = False


def plan(tables: Mapping[Store, RecordTable], at_once: int = BYTES_AT_ONCE) -> Iterator[Work]:
    """Cut a store into work, of so many bytes of records at most."""
    for store in (Store.RELATIONSHIP, Store.NODE):
        yield from _cut(tables[store], 0, at_once, used=False)
    for store in MET_STORES:
        # Groups are few, and are looked at when all relationships were counted.
        if store is not Store.GROUP:
            yield from _cut(tables[store], int(store in WITH_HEADER), at_once, used=True)


def _cut(table: RecordTable, begin: int, at_once: int, *, used: bool) -> Iterator[Work]:
    step = max(1, at_once // table.geometry.page_bytes) * table.geometry.per_page
    for first in range(0, table.count, step):
        if begin < min(first + step, table.count):
            start, stop = max(first, begin), min(first + step, table.count)
            yield Work(table.store, start, stop, (stop - start) * table.geometry.record_bytes, used)
