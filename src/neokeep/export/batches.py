"""The second pass: record batches of tables, made from ranges of records on several threads, in the order of ids."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from neokeep.export.entities import Entities, Side, ranges, read_entities
from neokeep.export.properties import Found, find_properties, slots_of, types_of
from neokeep.export.survey import records_at_once
from neokeep.export.texts import TooMuch
from neokeep.export.values import fitted, positions, tell_unreadable, values_of
from neokeep.neo4j.store.kernels import find_slots, order_blocks, order_by
from neokeep.parallel import in_order

if TYPE_CHECKING:
    from collections.abc import Iterator

    from neokeep.export.plan import Layout, Table
    from neokeep.neo4j.store.damage import Damage
    from neokeep.neo4j.store.graph import GraphReader
    from neokeep.neo4j.store.pages import Flags, Numbers
    from neokeep.progress import Progress


@dataclass(frozen=True, slots=True)
class Part:
    """Rows of one table, by its number in the layout."""

    table: int
    rows: pa.RecordBatch


Columns = frozenset[str]


def read_parts(
    reader: GraphReader,
    layout: Layout,
    damages: list[Damage],
    *,
    jobs: int,
    progress: Progress,
    columns: Columns | None = None,
) -> Iterator[Part]:
    """Read all rows of the tables of a layout, or some columns of them; what is damaged is told, and null."""
    store = reader.tables[layout.side.store]
    units = [
        partial(_read_whole, reader, layout, columns, *one)
        for one in ranges(store, records_at_once(reader, layout.side))
    ]
    for parts, met in in_order(units, jobs):
        damages.extend(met)
        progress.advance(store.count * store.geometry.record_bytes // len(units))
        yield from parts


def _read_whole(
    reader: GraphReader, layout: Layout, columns: Columns | None, start: int, stop: int
) -> tuple[list[Part], list[Damage]]:
    """Read a range, or both halves of it one after the other where its values take too much memory."""
    try:
        return _read(reader, layout, columns, start, stop)
    except TooMuch:
        middle = (start + stop) // 2
        first, told = _read_whole(reader, layout, columns, start, middle)
        second, more = _read_whole(reader, layout, columns, middle, stop)
        return first + second, told + more


def _read(
    reader: GraphReader, layout: Layout, columns: Columns | None, start: int, stop: int
) -> tuple[list[Part], list[Damage]]:
    damages: list[Damage] = []
    entities = read_entities(reader.tables, layout.side, start, stop, damages)
    numbers = np.array([layout.numbers.get(tokens, -1) for tokens in entities.tables], np.int64)
    groups = numbers[entities.groups] if len(numbers) else entities.groups
    if (numbers < 0).any():
        entities, groups = _only(entities, groups >= 0), groups[groups >= 0]
    wanted = _wanted(layout, columns)
    heads = entities.heads if wanted is None or wanted.any() else np.full(len(groups), -1, np.int64)
    values = _Values.read(reader, layout, groups, find_properties(reader.tables, heads, damages), wanted, damages)
    return list(_parts(layout, entities, groups, values, columns)), damages


def _only(entities: Entities, chosen: Flags) -> Entities:
    ends = tuple(one[chosen] for one in entities.ends)
    return Entities(entities.ids[chosen], ends, entities.heads[chosen], entities.groups[chosen], entities.tables)


def _wanted(layout: Layout, columns: Columns | None) -> Flags | None:
    """Tell the slots whose columns are asked for."""
    if columns is None:
        return None
    names = [layout.tables[table].columns[place].name for table, place in zip(layout.table, layout.column, strict=True)]
    return np.array([name in columns for name in names], np.bool_)


@dataclass(frozen=True, slots=True)
class _Values:
    """Decoded values: of each slot the rows of the entities, an array, and its type."""

    rows: dict[int, Numbers]
    arrays: dict[int, pa.Array]
    kinds: dict[int, int]

    @classmethod
    def read(
        cls, reader: GraphReader, layout: Layout, groups: Numbers, found: Found, wanted: Flags | None,
        damages: list[Damage],
    ) -> _Values:  # fmt: skip
        types = types_of(found, reader.tables)
        unreadable = np.flatnonzero(types == 0)
        if len(unreadable):
            tell_unreadable(found[unreadable], reader.tables, damages)
        asked = np.ones(len(layout.slots), np.bool_) if wanted is None else wanted
        found, edges = _by_slots(found, slots_of(groups, found, types), layout.slots, asked)
        rows: dict[int, Numbers] = {}
        arrays: dict[int, pa.Array] = {}
        present = np.flatnonzero(np.diff(edges)).tolist()
        # Slots are ordered by the types of their values first.
        for kind, own in groupby(present, lambda slot: int(layout.kinds[slot])):
            slots = list(own)
            begin, end = int(edges[slots[0]]), int(edges[slots[-1] + 1])
            array = values_of(kind, found[begin:end], reader.tables, damages)
            for slot in slots:
                first, last = int(edges[slot]), int(edges[slot + 1])
                rows[slot], arrays[slot] = found.row[first:last], array.slice(first - begin, last - first)
        return cls(rows, arrays, {slot: int(layout.kinds[slot]) for slot in rows})


def _by_slots(found: Found, slots: Numbers, known: Numbers, asked: Flags) -> tuple[Found, Numbers]:
    """Order values by their slots, and leave out those not asked for: where each slot begins comes too, and the end."""
    places, counts = np.empty(len(found), np.int64), np.zeros(len(known), np.int64)
    find_slots(slots, known, asked.view(np.uint8), places, counts)
    edges = np.concatenate([[0], np.cumsum(counts)])
    if len(found) and counts.max(initial=0) == len(found):
        return found, edges
    row, key, kind, place = (np.empty(int(edges[-1]), np.int64) for _ in range(4))
    order_blocks(places, edges[:-1].copy(), found.row, found.key, found.kind, found.place, row, key, kind, place)
    return Found(row, key, kind, place, found.longs, found.records), edges


def _ordered(slots: Numbers, count: int) -> tuple[Numbers, Numbers]:
    """Order elements by their slots: their places, and where each slot begins and the last one ends."""
    edges = np.concatenate([[0], np.cumsum(np.bincount(slots, minlength=count))])
    order = np.empty(len(slots), np.int64)
    order_by(np.ascontiguousarray(slots), edges[:-1].copy(), order)
    return order, edges


def _parts(
    layout: Layout, entities: Entities, groups: Numbers, values: _Values, columns: Columns | None
) -> Iterator[Part]:
    order, edges = _ordered(groups, len(layout.tables))
    ranks = np.empty(len(groups), np.int64)
    ranks[order] = np.arange(len(groups)) - edges[groups[order]]
    words = _words(layout, entities)
    slots: dict[int, list[int]] = {}
    for slot in values.rows:
        slots.setdefault(int(layout.table[slot]), []).append(slot)
    for number in np.flatnonzero(np.diff(edges)).tolist():
        chosen = order[edges[number] : edges[number + 1]]
        by_column: dict[int, list[int]] = {}
        for slot in slots.get(number, []):
            by_column.setdefault(int(layout.column[slot]), []).append(slot)
        table = layout.tables[number]
        arrays = _own(table, entities, words, chosen, columns)
        for place, column in enumerate(table.columns):
            if columns is None or column.name in columns:
                arrays[column.name] = _column(values, by_column.get(place, []), ranks, len(chosen), column.type)
        fields = [table.schema.field(name) for name in arrays]
        yield Part(number, pa.RecordBatch.from_arrays(list(arrays.values()), schema=pa.schema(fields)))


def _words(layout: Layout, entities: Entities) -> dict[str, pa.Array]:
    """Give what label sets and types are called, an element for each that is in a batch."""
    words = [list(layout.words.get(tokens, ())) for tokens in entities.tables]
    if layout.side is Side.NODES:
        return {"labels": pa.array(words, pa.list_(pa.string()))}
    return {"type": pa.array([one[0] if one else None for one in words], pa.string())}


def _own(
    table: Table, entities: Entities, words: dict[str, pa.Array], chosen: Numbers, columns: Columns | None
) -> dict[str, pa.Array]:
    found: dict[str, pa.Array] = {}
    for name in table.own:
        if columns is not None and name not in columns and name != "id":
            continue
        if name == "id":
            found[name] = pa.array(entities.ids[chosen])
        elif name in {"start", "end"}:
            found[name] = pa.array(entities.ends[name == "end"][chosen])
        else:
            found[name] = words[name].take(pa.array(entities.groups[chosen]))
    return found


def _column(values: _Values, slots: list[int], ranks: Numbers, count: int, type_: pa.DataType) -> pa.Array:
    if not slots:
        return pa.nulls(count, type_)
    parts = [fitted(values.kinds[slot], values.arrays[slot], type_) for slot in slots]
    array = parts[0] if len(parts) == 1 else pa.concat_arrays(parts)
    taken = positions(ranks[np.concatenate([values.rows[slot] for slot in slots])], count)
    return array if taken is None else array.take(taken)
