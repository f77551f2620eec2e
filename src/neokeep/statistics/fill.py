"""How full record stores are: places that are in use, that are free, and what a copy without gaps would take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from neokeep.neo4j.recovery.layout import DYNAMIC, WITH_HEADER, Store
from neokeep.neo4j.recovery.meaning import records_in_use
from neokeep.neo4j.store import records as columns

if TYPE_CHECKING:
    from collections.abc import Iterable

    from neokeep.neo4j.store.pages import Batch, RecordTable


@dataclass(frozen=True, slots=True)
class FillPart:
    """What is known of some of the records: those in use, the largest id of them (-1: none), and bytes of values.

    Values are counted in dynamic records only.
    """

    in_use: int
    highest: int
    value_bytes: int

    @classmethod
    def joined(cls, several: Iterable[FillPart]) -> FillPart:
        """Put parts together; their order does not matter."""
        parts = list(several)
        return cls(
            sum(part.in_use for part in parts),
            max((part.highest for part in parts), default=-1),
            sum(part.value_bytes for part in parts),
        )


def fill_part(store: Store, batches: Iterable[Batch]) -> FillPart:
    """Look at batches of records of a store."""
    in_use, highest, value_bytes = 0, -1, 0
    for batch in batches:
        used = records_in_use(store, batch.records)
        # Record 0 of some stores says something of the file, and is never a record.
        used[batch.ids < int(store in WITH_HEADER)] = False
        rows = np.flatnonzero(used)
        if not len(rows):
            continue
        in_use, highest = in_use + len(rows), batch.first + int(rows[-1])
        if store in DYNAMIC:
            held = columns.dynamic(batch.records[rows])
            value_bytes += int(np.minimum(held.length, held.data.shape[1]).sum())
    return FillPart(in_use, highest, value_bytes)


@dataclass(frozen=True, slots=True)
class Fill:
    """One store file: what it holds, and what of it is room.

    `free` are the places below the highest record in use, `behind` those above it. `slack_bytes` is room in records in
    use that no value takes; where values are not counted it is None, as `value_bytes` is. `copy_bytes` is the size of
    a file with the same records and no gaps.
    """

    store: Store
    file_bytes: int
    record_bytes: int
    in_use: int
    free: int
    behind: int
    value_bytes: int | None
    slack_bytes: int | None
    copy_bytes: int

    @property
    def freed_bytes(self) -> int:
        """What a copy without gaps would free."""
        return max(0, self.file_bytes - self.copy_bytes)


PROPERTY_BYTES = 32
"""Bytes for values in a property record."""


def fill_of(table: RecordTable, part: FillPart, *, property_longs: int) -> Fill:
    """Sum up what is known of a store; `property_longs` are those that values take in property records."""
    store, geometry = table.store, table.geometry
    header = int(store in WITH_HEADER)
    room = geometry.record_bytes - 8 if store in DYNAMIC else PROPERTY_BYTES
    value_bytes = part.value_bytes if store in DYNAMIC else property_longs * 8 if store is Store.PROPERTY else None
    places = part.in_use + header
    return Fill(
        store=store,
        file_bytes=table.pages.size(table.name) or 0,
        record_bytes=geometry.record_bytes,
        in_use=part.in_use,
        free=max(part.highest, header - 1) + 1 - header - part.in_use,
        behind=table.count - max(part.highest, header - 1) - 1,
        value_bytes=value_bytes,
        slack_bytes=None if value_bytes is None else max(0, part.in_use * room - value_bytes),
        copy_bytes=geometry.file_bytes(places - 1) if places else 0,
    )
