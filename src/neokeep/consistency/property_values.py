"""Values of properties as an index of properties holds them: equal numbers where the values are, see index_keys.py."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from neokeep.consistency.claims import Fingerprints, fingerprints
from neokeep.neo4j.recovery.layout import Store
from neokeep.neo4j.store import records as columns
from neokeep.neo4j.store.blocks import Column, Decoder, blocks_of_chains
from neokeep.neo4j.store.index_keys import DAY, OPAQUE, UNREAD, NumberType, ValueType, canonical_bits, text_hashes
from neokeep.neo4j.store.values import Date, DateTime, Duration, Kind, LocalDateTime, LocalTime, Time

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from neokeep.consistency.label_sets import LabelSets
    from neokeep.neo4j.store.damage import Damage
    from neokeep.neo4j.store.pages import Flags, Numbers, RecordTable
    from neokeep.progress import Progress

_AT_ONCE = 16 * 1024
"""Entities whose values are held together."""
_NANOSECONDS = 10**9
_NUMBERS = {
    Kind.BYTE: NumberType.BYTE,
    Kind.SHORT: NumberType.SHORT,
    Kind.INTEGER: NumberType.INTEGER,
    Kind.LONG: NumberType.LONG,
    Kind.FLOAT: NumberType.FLOAT,
    Kind.DOUBLE: NumberType.DOUBLE,
}
_DOUBTFUL = (Kind.BYTE, Kind.SHORT, Kind.INTEGER, Kind.FLOAT, Kind.CHARACTER)
"""Types that only embedded databases write: how an index holds them was not seen, so their values are not compared."""


@dataclass(frozen=True, slots=True)
class Indexed:
    """What an index is on: nodes with any of some labels, or relationships of any of some types, with all the keys."""

    store: Store
    tokens: tuple[int, ...]
    keys: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Expected:
    """What an index has to hold: entities with the fingerprint of each and its values.

    `doubtful` are those whose value may stand there in another way; `damaged` says that values could not be read.
    """

    entities: Numbers
    prints: Fingerprints
    doubtful: Flags
    damaged: bool


def expected_of(
    tables: Mapping[Store, RecordTable], labels: LabelSets, several: Sequence[Indexed], progress: Progress
) -> Iterator[tuple[Expected, ...]]:
    """Read what some indexes of one store have to hold, in batches in the order of entities: a part for each index."""
    for batch in tables[several[0].store].batches():
        if several[0].store is Store.NODE:
            nodes = columns.nodes(batch.records)
            used, heads, sets = nodes.used, nodes.property, labels.of(batch.ids)
            members = [_with_any(labels, one.tokens)[sets] for one in several]
        else:
            ties = columns.relationships(batch.records)
            used, heads = ties.used, ties.property
            members = [np.isin(ties.type, one.tokens) for one in several]
        rows = np.flatnonzero(used & np.logical_or.reduce(members))
        for begin in range(0, len(rows), _AT_ONCE):
            some = rows[begin : begin + _AT_ONCE]
            values = _Values(tables, batch.ids[some], heads[some], {key for one in several for key in one.keys})
            yield tuple(values.expected(one, own[some]) for one, own in zip(several, members, strict=True))
        progress.advance(batch.records.size)


def _with_any(labels: LabelSets, tokens: tuple[int, ...]) -> Flags:
    flags: Flags = np.logical_or.reduce([labels.with_label(label) for label in tokens])
    return flags


class _Values:
    """The values of some entities, by some keys."""

    def __init__(self, tables: Mapping[Store, RecordTable], ids: Numbers, heads: Numbers, keys: set[int]) -> None:
        damages: list[Damage] = []
        self._ids, self._blocks = ids, blocks_of_chains(tables[Store.PROPERTY], heads, damages, keys)
        # The last stands for a value that is not there.
        self._values = np.zeros((4, len(self._blocks) + 1), np.int64)
        self._values[0] = UNREAD
        for column in Decoder(tables).columns(self._blocks, damages):
            self._values[:, column.rows] = _canonical(column)
        self._damaged = bool(damages)

    def expected(self, indexed: Indexed, members: Flags) -> Expected:
        """Tell what an index has to hold of those that are members of it by their tokens."""
        present, read_on = members.copy(), np.ones(len(members), np.bool_)
        doubtful = np.zeros(len(members), np.bool_)
        told: list[Numbers] = []
        for key in indexed.keys:
            own = np.flatnonzero(self._blocks.key == key)
            place = np.full(len(members), -1)
            place[self._blocks.chain[own]] = own
            present &= place >= 0
            doubtful[self._blocks.chain[own[np.isin(self._blocks.kind[own], _DOUBTFUL)]]] = True
            found = self._values[:, np.where(read_on, place, -1)]
            told.extend(found)
            read_on &= found[0] != OPAQUE
        kept = [self._ids[present], *(column[present] for column in told)]
        prints = fingerprints(*kept) if present.any() else np.zeros(0, np.uint64)
        return Expected(self._ids[present], prints, doubtful[present], self._damaged and bool(members.any()))


def _canonical(column: Column) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Give the type of each value and its three numbers: four rows."""
    made = np.zeros((4, len(column.rows)), np.int64)
    values: Any = column.values
    if column.kind == Kind.BOOLEAN:
        made[0], made[1] = ValueType.BOOLEAN, values
    elif column.kind in _NUMBERS:
        made[0], made[1] = ValueType.NUMBER, _NUMBERS[column.kind]
        made[2] = canonical_bits(made[1], _bits(column))
    elif column.kind in (Kind.STRING, Kind.SHORT_STRING, Kind.CHARACTER):
        made[0] = ValueType.TEXT
        made[1], made[2] = _texts(values)
    elif column.kind == Kind.TEMPORAL:
        for row, value in enumerate(values):
            made[:, row] = _moment(value)
    else:
        made[0] = OPAQUE
    return made


def _bits(column: Column) -> Numbers:
    if column.kind == Kind.FLOAT:
        return np.asarray(column.values, np.float32).view(np.uint32).astype(np.int64)
    if column.kind == Kind.DOUBLE:
        return np.asarray(column.values, np.float64).view(np.int64)
    return column.values.astype(np.int64)


def _texts(values: Any) -> tuple[Numbers, Numbers]:
    encoded = [value.encode("utf-8", "surrogatepass") for value in values]
    lengths = np.array([len(one) for one in encoded], np.int64)
    content = np.frombuffer(b"".join(encoded) + bytes(8), np.uint8)
    return text_hashes(content, np.cumsum(lengths) - lengths, lengths), lengths


def _moment(value: Any) -> tuple[int, int, int, int]:
    made = (OPAQUE, 0, 0, 0)
    match value:
        case Date(days):
            made = (ValueType.DATE, days, 0, 0)
        case LocalTime(nanoseconds):
            made = (ValueType.LOCAL_TIME, nanoseconds, 0, 0)
        case Time(nanoseconds, offset):
            made = (ValueType.TIME, (nanoseconds - offset * _NANOSECONDS) % DAY, 0, 0)
        case LocalDateTime(seconds, nanoseconds):
            made = (ValueType.LOCAL_DATE_TIME, seconds, nanoseconds, 0)
        case DateTime(seconds, nanoseconds, _):
            made = (ValueType.DATE_TIME, seconds, nanoseconds, 0)
        case Duration(months, days, _, nanoseconds):
            made = (ValueType.DURATION, months, days, nanoseconds)
    return made
