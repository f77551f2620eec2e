"""The labels of nodes: up to seven in the field of the record, more of them in dynamic records."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from neokeep.neo4j.recovery.layout import Store
from neokeep.neo4j.store import records as columns
from neokeep.neo4j.store.arrays import NotAnArray, stored_array
from neokeep.neo4j.store.chains import dynamic_values
from neokeep.neo4j.store.damage import Code, Damage
from neokeep.neo4j.store.values import Kind

if TYPE_CHECKING:
    from neokeep.neo4j.store.chains import Met
    from neokeep.neo4j.store.pages import Bytes, Numbers, RecordTable

_ELSEWHERE = 1 << 39
_RECORD = (1 << 36) - 1
_INLINE_BITS, _MOST_INLINE = 36, 7
_HEAD, _LABEL_BITS = 3, 63
_AT_ONCE = 1 << 13


@dataclass(frozen=True, slots=True)
class Labels:
    """Labels of nodes, an element for each that a node has: `rows` tell the nodes by their places."""

    rows: Numbers
    labels: Numbers


def labels_of(
    fields: Numbers, ids: Numbers, table: RecordTable, damages: list[Damage], *, met: Met | None = None
) -> Labels:
    """Read the labels of nodes by their label fields; `ids` are those of the nodes, `table` holds what is elsewhere.

    `met` is as in dynamic_values.
    """
    there = np.flatnonzero(fields & _ELSEWHERE)
    short, rest = _of_one_record(table, fields[there] & _RECORD, ids[there], met)
    contents = dynamic_values(table, fields[there[rest]] & _RECORD, damages, met=met)
    found = [*_inline(fields, ids, damages), _elsewhere(there[rest], contents, ids, damages)]
    found += [Labels(there[part.rows], part.labels) for part in short]
    rows = np.concatenate([part.rows for part in found])
    order = np.argsort(rows, kind="stable")
    return Labels(rows[order], np.concatenate([part.labels for part in found])[order])


def distinct_labels(
    fields: Numbers, ids: Numbers, table: RecordTable, damages: list[Damage]
) -> tuple[Labels, Numbers, Numbers, Numbers]:
    """Read the labels of nodes, once for all with the same field: those have the same labels.

    Gives the labels, by the places of the distinct fields; where those of each begin in them, and the last end; of each
    field the place of the first node with it; and of each node the place of its field.
    """
    distinct, first, places = np.unique(fields, return_index=True, return_inverse=True)
    found = labels_of(distinct, ids[first], table, damages)
    return found, np.searchsorted(found.rows, np.arange(len(distinct) + 1)), first, places


def _inline(fields: Numbers, ids: Numbers, damages: list[Damage]) -> list[Labels]:
    counts = np.where(fields & _ELSEWHERE == 0, fields >> _INLINE_BITS, 0)
    parts = []
    for count in range(1, _MOST_INLINE + 1):
        rows = np.flatnonzero(counts == count)
        width = _INLINE_BITS // count
        labels = fields[rows, None] >> width * np.arange(count) & (1 << width) - 1
        unordered = rows[(np.diff(labels, axis=1) <= 0).any(axis=1)]
        damages.extend(
            Damage(Code.LABEL_FIELD, Store.NODE, node, "its labels are not in order")
            for node in ids[unordered].tolist()
        )
        parts.append(Labels(np.repeat(rows, count), labels.reshape(-1)))
    return parts


def _of_one_record(table: RecordTable, records: Numbers, ids: Numbers, met: Met | None) -> tuple[list[Labels], Numbers]:
    """Read the labels of nodes that have one whole record for them, which most have: many at a time.

    Gives the labels, by their places in `records`, and the places of all others, damaged ones too.
    """
    held = table.at(records)
    heads = columns.dynamic(held)
    kind, last, width = (heads.data[:, place].astype(np.int64) for place in range(_HEAD))
    room = heads.data.shape[1]
    whole = heads.used & heads.starts & (heads.next == columns.NONE) & (heads.length > _HEAD) & (heads.length <= room)
    whole &= (kind == Kind.LONG) & (last <= 8) & (width > 0) & (width <= _LABEL_BITS)
    counts = ((heads.length - _HEAD) * 8 - np.where(last, 8 - last, 0)) // np.maximum(width, 1)
    shapes = np.where(whole & (counts >= 2), width << 32 | counts, 0)
    good, parts = np.zeros(len(records), np.bool_), []
    for shape in np.unique(shapes[shapes > 0]).tolist():
        own = np.flatnonzero(shapes == shape)
        for begin in range(0, len(own), _AT_ONCE):
            rows = own[begin : begin + _AT_ONCE]
            numbers = _unpacked(heads.data[rows, _HEAD:], width=shape >> 32, count=shape & 0xFFFF_FFFF)
            fine = (numbers[:, 0] == ids[rows]) & (np.diff(numbers[:, 1:], axis=1) > 0).all(axis=1)
            good[rows] = fine
            labels = numbers[fine, 1:]
            parts.append(Labels(np.repeat(rows[fine], labels.shape[1]), labels.reshape(-1)))
    if met is not None:
        met(table.store, records[good])
    return parts, np.flatnonzero(~good)


def _unpacked(data: Bytes, *, width: int, count: int) -> Numbers:
    """Take numbers of `width` bits out of each row, least significant first: int64, a row each."""
    bits = np.unpackbits(data, axis=1, count=count * width, bitorder="little").reshape(-1, width)
    wide = np.zeros((len(bits), 64), np.uint8)
    wide[:, :width] = bits
    found: Numbers = np.packbits(wide, axis=1, bitorder="little").view("<i8").reshape(len(data), count)
    return found


def _elsewhere(there: Numbers, contents: list[bytes | None], ids: Numbers, damages: list[Damage]) -> Labels:
    rows, labels = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for row, content in zip(there.tolist(), contents, strict=True):
        if content is None:
            continue
        owned = _owned(content, int(ids[row]))
        if isinstance(owned, str):
            damages.append(Damage(Code.LABEL_FIELD, Store.NODE, int(ids[row]), owned))
            continue
        rows.append(np.full(len(owned), row, np.int64))
        labels.append(owned)
    return Labels(np.concatenate(rows), np.concatenate(labels))


def _owned(content: bytes, node: int) -> Numbers | str:
    """Read the labels in a dynamic chain, or say what is wrong with it: it begins with the node that it belongs to."""
    try:
        numbers = stored_array(content)
    except NotAnArray as problem:
        return f"its labels cannot be read: {problem}"
    if isinstance(numbers, tuple) or numbers.dtype != np.int64 or len(numbers) < 2:
        return "its labels are not numbers"
    if numbers[0] != node:
        return f"its labels say that they belong to node {numbers[0]}"
    if (np.diff(numbers[1:]) <= 0).any():
        return "its labels are not in order"
    return numbers[1:]
