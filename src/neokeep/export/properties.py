"""The properties of a batch of nodes or relationships: where their blocks are, and of what type each value is.

Nothing is decoded here but what the type depends on: years, and the first bytes of arrays.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from neokeep.export.kinds import BITS, EMPTY_LIST, LIST, NEAR_DAYS, NEAR_SECONDS, Type
from neokeep.neo4j.recovery.layout import ID_BITS, Store
from neokeep.neo4j.store import records
from neokeep.neo4j.store.blocks import Blocks, blocks_of
from neokeep.neo4j.store.chains import dynamic_values, property_levels
from neokeep.neo4j.store.kernels import find_blocks, number_slots
from neokeep.neo4j.store.records import LONGS
from neokeep.neo4j.store.value_types import OF_KINDS, OF_TEMPORAL_KINDS, by_number
from neokeep.neo4j.store.values import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from neokeep.neo4j.store.damage import Damage
    from neokeep.neo4j.store.pages import Numbers, RecordTable
    from neokeep.neo4j.store.records import Longs

KEY_BITS = ID_BITS[Store.PROPERTY_KEY]
REST_BITS = 63 - BITS
"""Bits of a slot, which is a positive number, below the type: so slots that are sorted have each type in one piece."""

_GROUPS = (1 << REST_BITS - KEY_BITS) - 1
_FAR = {
    Type.DATE: Type.FAR_DATE,
    Type.LOCAL_DATETIME: Type.FAR_LOCAL_DATETIME,
    Type.ZONED_DATETIME: Type.FAR_ZONED_DATETIME,
}
_BY_KIND, _BY_TEMPORAL = (
    by_number({kind: Type[one.name] for kind, one in meanings.items()}) for meanings in (OF_KINDS, OF_TEMPORAL_KINDS)
)
_FAR_OF = by_number(_FAR)
_OF_ELEMENTS = np.where(_BY_KIND > 0, LIST + _BY_KIND, 0)
_OF_ELEMENTS[Kind.BYTE] = Type.BYTES
_OF_ELEMENTS[[Kind.STRING, Kind.POINT]] = LIST + Type.STRING, LIST + Type.POINT
_OF_ELEMENTS[Kind.SHORT_STRING] = 0


@dataclass(frozen=True, slots=True)
class Found:
    """Blocks, an element each: the row of the entity, the key, the kind, and the place of its first long.

    `longs` are those of all records that were read, a row of four each; `records` are the ids of these.
    """

    row: Numbers
    key: Numbers
    kind: Numbers
    place: Numbers
    longs: Longs
    records: Numbers

    def __len__(self) -> int:
        return len(self.row)

    def __getitem__(self, chosen: Any) -> Found:
        part = (self.row[chosen], self.key[chosen], self.kind[chosen], self.place[chosen])
        return Found(*part, self.longs, self.records)

    def long(self, number: int) -> Longs:
        """Give one of the longs of each block; zero where its record ends before."""
        at = self.place + number
        own = self.longs.reshape(-1)[np.minimum(at, self.longs.size - 1)]
        return np.where(at // LONGS == self.place // LONGS, own, np.uint64(0)) if number else own

    def bits(self, first: int, width: int) -> Numbers:
        """Give some bits of the first long of each block, without sign."""
        return (self.long(0) >> np.uint64(first) & np.uint64((1 << width) - 1)).astype(np.int64)

    def blocks(self) -> Blocks:
        """Give them as the decoder of single values takes them."""
        longs = np.stack([self.long(number) for number in range(LONGS)], axis=1)
        return Blocks(self.row, self.records[self.place // LONGS], self.key, self.kind, longs)


def find_properties(tables: Mapping[Store, RecordTable], heads: Numbers, damages: list[Damage]) -> Found:
    """Find the blocks in the chains that begin with the records `heads` (-1: none); what is damaged is told."""
    parts, longs, ids, base = [], [], [], 0
    for level in property_levels(tables[Store.PROPERTY], heads, damages):
        own = np.ascontiguousarray(level.records.longs)
        row, key, kind, place = (np.empty(LONGS * len(own), np.int64) for _ in range(4))
        count = find_blocks(own, LONGS * base, np.ascontiguousarray(level.rows), row, key, kind, place)
        if count < 0:
            blocks_of(level.rows, level.ids, own, damages)
            count = -count - 1
        parts.append((row[:count], key[:count], kind[:count], place[:count]))
        longs.append(own)
        ids.append(level.ids)
        base += len(own)
    if not parts:
        none = np.zeros(0, np.int64)
        return Found(none, none, none, none, np.zeros((0, LONGS), np.uint64), none)
    if len(parts) == 1:
        return Found(*parts[0], longs[0], ids[0])
    row, key, kind, place = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    return Found(row, key, kind, place, np.concatenate(longs), np.concatenate(ids))


def types_of(found: Found, tables: Mapping[Store, RecordTable]) -> Numbers:
    """Give the type of each value; 0 of what is of none that there is. Damage is told where values are decoded."""
    types = _BY_KIND[found.kind]
    moments = np.flatnonzero(found.kind == Kind.TEMPORAL)
    if len(moments):
        types[moments] = _of_moments(found[moments])
    short = np.flatnonzero(found.kind == Kind.SHORT_ARRAY)
    if len(short):
        own = found[short]
        types[short] = _of_elements(own.bits(28, 4), own.bits(32, 6) == 0)
    arrays = np.flatnonzero(found.kind == Kind.ARRAY)
    if len(arrays):
        types[arrays] = _of_arrays(found[arrays].bits(28, 36), tables)
    return types


def _of_elements(kinds: Numbers, empty: Any) -> Numbers:
    types = _OF_ELEMENTS[kinds]
    return np.where(empty & (types > LIST), EMPTY_LIST, types)


def _of_moments(found: Found) -> Numbers:
    kinds = found.bits(28, 4)
    types = _BY_TEMPORAL[kinds]
    dates = np.flatnonzero(types == Type.DATE)
    if len(dates):
        days = day_numbers(found[dates])
        types[dates[(days < NEAR_DAYS[0]) | (days > NEAR_DAYS[1])]] = Type.FAR_DATE
    moments = np.flatnonzero((types == Type.LOCAL_DATETIME) | (types == Type.ZONED_DATETIME))
    if len(moments):
        seconds = found[moments].long(1).view(np.int64)
        far = moments[(seconds < NEAR_SECONDS[0]) | (seconds > NEAR_SECONDS[1])]
        types[far] = _FAR_OF[types[far]]
    return types


def day_numbers(found: Found) -> Numbers:
    """Give the number that dates and local times hold: it stands in the first long, or in the next one."""
    return np.where(found.bits(32, 1) != 0, found.bits(33, 31), found.long(1).view(np.int64))


def _of_arrays(heads: Numbers, tables: Mapping[Store, RecordTable]) -> Numbers:
    """Tell types by the first bytes of arrays; those of times are decoded, since their years decide."""
    first = records.dynamic(tables[Store.ARRAYS].at(heads))
    length, data = first.length, first.data
    kinds = np.where(first.used & (length > 0), data[:, 0] & 15, 0).astype(np.int64)
    # Behind the head: numbers of an array of numbers, the count of one of texts.
    empty = np.where(kinds == Kind.STRING, ~data[:, 1:5].any(axis=1), length <= 3)
    empty |= (kinds == Kind.POINT) & (length <= 9)
    types = _of_elements(kinds, empty)
    temporal = np.flatnonzero(kinds == Kind.TEMPORAL)
    for row, content in zip(temporal.tolist(), dynamic_values(tables[Store.ARRAYS], heads[temporal], []), strict=True):
        types[row] = _of_times(content)
    return types


def _of_times(content: bytes | None) -> int:
    from neokeep.neo4j.store.arrays import NotAnArray, stored_array

    try:
        values = stored_array(content or b"")
    except NotAnArray:
        return 0
    if not len(values):
        return EMPTY_LIST
    kind = int(_BY_TEMPORAL[(content or b"")[1] & 15])
    if kind == Type.DATE and any(not NEAR_DAYS[0] <= value.days <= NEAR_DAYS[1] for value in values):
        kind = Type.FAR_DATE
    elif kind in _FAR and kind != Type.DATE:
        low, high = NEAR_SECONDS
        kind = kind if all(low <= value.seconds <= high for value in values) else _FAR[Type(kind)]
    return LIST + kind


def slots_of(groups: Numbers, found: Found, types: Numbers) -> Numbers:
    """Number the column of each value: by its type, the table of its entity (an element a row), and its key."""
    slots = np.empty(len(found), np.int64)
    number_slots(np.ascontiguousarray(groups), found.row, found.key, types, KEY_BITS, REST_BITS, slots)
    return slots


def slot_of(group: int, key: int, kind: int) -> int:
    """Number one column."""
    return kind << REST_BITS | group << KEY_BITS | key


def parts_of_slot(slot: int) -> tuple[int, int, int]:
    """Give the table, the key and the type of a column by its number."""
    return slot >> KEY_BITS & _GROUPS, slot & (1 << KEY_BITS) - 1, slot >> REST_BITS
