"""Property blocks: the values that property records hold, found and decoded by columns.

`blocks_of` finds where the blocks of records begin. `Decoder` gives their values as `Column`s, one for each kind:
numbers and flags as numpy's types, all else as objects of values.py. Longs: docs/neo4j-formats.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from neokeep.neo4j.recovery.layout import Store
from neokeep.neo4j.recovery.meaning import block_longs
from neokeep.neo4j.store.arrays import NotAnArray, short_array, stored_array, zoned
from neokeep.neo4j.store.chains import dynamic_values, property_levels
from neokeep.neo4j.store.damage import Code, Damage
from neokeep.neo4j.store.records import LONGS
from neokeep.neo4j.store.texts import decode_short_strings
from neokeep.neo4j.store.values import (
    Date,
    Duration,
    Kind,
    LocalDateTime,
    LocalTime,
    Point,
    Temporal,
    TemporalKind,
    Time,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from numpy.typing import NDArray

    from neokeep.neo4j.store.chains import Met
    from neokeep.neo4j.store.pages import Flags, Numbers, RecordTable
    from neokeep.neo4j.store.records import Longs

_DAY = 86_400 * 10**9
_KEY_BITS, _TYPE_BITS = 24, 4


@dataclass(frozen=True, slots=True)
class Blocks:
    """Blocks of property records, an element each: the chain and the record it is of, its key, kind and longs.

    `chain` is what the caller numbers chains by. Of the four `longs` (uint64) those behind the block are zeros.
    """

    chain: Numbers
    record: Numbers
    key: Numbers
    kind: Numbers
    longs: Longs

    def __len__(self) -> int:
        return len(self.chain)

    def __getitem__(self, rows: Numbers | Flags) -> Blocks:
        return Blocks(self.chain[rows], self.record[rows], self.key[rows], self.kind[rows], self.longs[rows])

    @classmethod
    def joined(cls, parts: list[Blocks]) -> Blocks:
        """Put blocks behind one another."""
        if not parts:
            none = np.zeros(0, np.int64)
            return cls(none, none, none, none, np.zeros((0, LONGS), np.uint64))
        return cls(
            np.concatenate([part.chain for part in parts]),
            np.concatenate([part.record for part in parts]),
            np.concatenate([part.key for part in parts]),
            np.concatenate([part.kind for part in parts]),
            np.concatenate([part.longs for part in parts]),
        )


@dataclass(frozen=True, slots=True)
class Column:
    """Values of one kind: `rows` are their places among the blocks, `values` an element each."""

    kind: Kind
    rows: Numbers
    values: NDArray[Any]


def blocks_of(chain: Numbers, record: Numbers, longs: Longs, damages: list[Damage]) -> Blocks:
    """Find the blocks in property records that are in use; those of one record stay in their order.

    A block that is longer than the rest of its record is told, and left out.
    """
    behind, found = np.zeros(len(longs), np.int64), []
    for place in range(LONGS):
        first = longs[:, place].astype(np.int64)
        begins = np.flatnonzero((behind == place) & (first >> _KEY_BITS & 15 != 0))
        count = block_longs(first[begins])
        behind[begins] += count
        whole = place + count <= LONGS
        damages.extend(
            Damage(Code.PROPERTY_BLOCK, Store.PROPERTY, number, "a block is longer than the record")
            for number in record[begins[~whole]].tolist()
        )
        begins, count = begins[whole], count[whole]
        own = np.zeros((len(begins), LONGS), np.uint64)
        own[:, : LONGS - place] = longs[begins, place:]
        own[np.arange(LONGS) >= count[:, None]] = 0
        head = first[begins]
        found.append((begins, Blocks(chain[begins], record[begins], head & 0xFF_FFFF, head >> _KEY_BITS & 15, own)))
    order = np.argsort(np.concatenate([begins for begins, _ in found]), kind="stable")
    return Blocks.joined([blocks for _, blocks in found])[order]


def blocks_of_chains(
    table: RecordTable, heads: Numbers, damages: list[Damage], keys: Collection[int] | None = None
) -> Blocks:
    """Read the blocks in the chains that begin with the property records `heads` (-1: none), or those of some keys."""
    parts = []
    for level in property_levels(table, heads, damages):
        blocks = blocks_of(level.rows, level.ids, level.records.longs, damages)
        parts.append(blocks if keys is None else blocks[np.isin(blocks.key, list(keys))])
    return Blocks.joined(parts)


class Decoder:
    """Decodes blocks; the bytes of long strings and arrays are read from their stores, `met` as in dynamic_values."""

    def __init__(self, tables: Mapping[Store, RecordTable], *, met: Met | None = None) -> None:
        self._tables = tables
        self._met = met

    def columns(self, blocks: Blocks, damages: list[Damage]) -> Iterator[Column]:
        """Decode all blocks, kind by kind; what cannot be decoded is told, and in no column."""
        for kind in np.unique(blocks.kind).tolist():
            rows = np.flatnonzero(blocks.kind == kind)
            if kind not in _DECODERS and kind not in (Kind.STRING, Kind.ARRAY):
                _tell(blocks[rows], f"there is no type {kind}", damages)
                continue
            values = self._values(Kind(kind), blocks[rows], damages)
            if values.dtype == np.object_:
                good = np.array([value is not None for value in values], np.bool_)
                rows, values = rows[good], values[good]
            yield Column(Kind(kind), rows, values)

    def _values(self, kind: Kind, blocks: Blocks, damages: list[Damage]) -> NDArray[Any]:
        if kind in (Kind.STRING, Kind.ARRAY):
            return self._dynamic(kind, blocks, damages)
        values = _DECODERS[kind](blocks.longs)
        if values.dtype == np.object_:
            for row in range(len(values)):
                if values[row] is None or isinstance(values[row], NotAnArray):
                    _tell(blocks[np.array([row])], str(values[row] or "its text has no such character"), damages)
                    values[row] = None
        return values

    def _dynamic(self, kind: Kind, blocks: Blocks, damages: list[Damage]) -> NDArray[np.object_]:
        store = Store.STRINGS if kind == Kind.STRING else Store.ARRAYS
        heads = (blocks.longs[:, 0] >> np.uint64(28)).astype(np.int64)
        values = np.empty(len(heads), np.object_)
        for row, content in enumerate(dynamic_values(self._tables[store], heads, damages, met=self._met)):
            if content is None:
                continue
            try:
                values[row] = content.decode() if kind == Kind.STRING else stored_array(content)
            except UnicodeDecodeError:
                _tell(blocks[np.array([row])], "its text is not UTF-8", damages)
            except NotAnArray as problem:
                _tell(blocks[np.array([row])], str(problem), damages)
        return values


def _tell(blocks: Blocks, why: str, damages: list[Damage]) -> None:
    for record, key in zip(blocks.record.tolist(), blocks.key.tolist(), strict=True):
        damages.append(Damage(Code.PROPERTY_VALUE, Store.PROPERTY, record, f"the value of key {key}: {why}"))


def _bits(longs: Longs, first: int, width: int) -> Longs:
    return longs[:, 0] >> np.uint64(first) & np.uint64((1 << width) - 1)


def _integers(longs: Longs) -> NDArray[np.int64]:
    inline = _bits(longs, 28, 1) != 0
    # 35 bits without a sign; what is larger or negative stands in the next long.
    return np.where(inline, longs[:, 0] >> np.uint64(29), longs[:, 1]).astype(np.int64)


def _each(decode: Callable[[Longs], Any]) -> Callable[[Longs], NDArray[Any]]:
    """Make a decoder of columns out of one of single blocks."""

    def decode_all(longs: Longs) -> NDArray[np.object_]:
        values = np.empty(len(longs), np.object_)
        for row, own in enumerate(longs):
            try:
                values[row] = decode(own)
            except NotAnArray as problem:
                values[row] = problem
        return values

    return decode_all


def _point(longs: Longs) -> Point:
    head = int(longs[0])
    dimension = head >> 32 & 15
    if head >> 28 & 15 != 1 or dimension not in (2, 3):
        raise NotAnArray(f"there are no points of {dimension} dimensions")
    return Point(head >> 40 & 0xFFFF, tuple(longs[1 : 1 + dimension].view(np.float64).tolist()))


def _moment(longs: Longs) -> Temporal:
    head, rest = int(longs[0]), longs[1:].view(np.int64).tolist()
    kind, high = head >> 28 & 15, head >> 32
    if kind in (TemporalKind.DATE, TemporalKind.LOCAL_TIME):
        number = high >> 1 if high & 1 else rest[0]
        return Date(number) if kind == TemporalKind.DATE else LocalTime(number)
    if kind == TemporalKind.LOCAL_DATE_TIME:
        return LocalDateTime(rest[0], high)
    if kind == TemporalKind.TIME:
        offset = high - (high >> 31 << 32)
        # What is stored is the time of day in UTC.
        return Time((rest[0] + offset * 10**9) % _DAY, offset)
    if kind == TemporalKind.DATE_TIME:
        return zoned(rest[0], high >> 1, rest[1] << 1 | high & 1)
    if kind == TemporalKind.DURATION:
        return Duration(rest[0], rest[1], rest[2], high)
    raise NotAnArray(f"there are no times of type {kind}")


_CHARACTERS = np.frompyfunc(lambda number: chr(int(number)), 1, 1)

_DECODERS: dict[int, Callable[[Longs], NDArray[Any]]] = {
    Kind.BOOLEAN: lambda longs: _bits(longs, 28, 1) != 0,
    Kind.BYTE: lambda longs: _bits(longs, 28, 8).astype(np.uint8).view(np.int8),
    Kind.SHORT: lambda longs: _bits(longs, 28, 16).astype(np.uint16).view(np.int16),
    Kind.CHARACTER: lambda longs: _CHARACTERS(_bits(longs, 28, 16)),
    Kind.INTEGER: lambda longs: _bits(longs, 28, 32).astype(np.uint32).view(np.int32),
    Kind.LONG: _integers,
    Kind.FLOAT: lambda longs: _bits(longs, 28, 32).astype(np.uint32).view(np.float32),
    Kind.DOUBLE: lambda longs: np.ascontiguousarray(longs[:, 1]).view(np.float64),
    Kind.SHORT_STRING: decode_short_strings,
    Kind.SHORT_ARRAY: _each(short_array),
    Kind.POINT: _each(_point),
    Kind.TEMPORAL: _each(_moment),
}
