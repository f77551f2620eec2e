"""What of a stored record means something: whether it is in use, and which of its bytes count.

Free records, the bytes behind the end of a dynamic record and those behind the last block of a property record are
left over from earlier and say nothing. Layouts: docs/neo4j-formats.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from neokeep.neo4j.recovery.layout import DYNAMIC, DYNAMIC_HEAD, Store

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]
    Flags = NDArray[np.bool_]

_LONGS = 4
_STRING_BITS = np.array([8, 4, 4, 5, 5, 5, 6, 6, 6, 7, 8, 4, 4, *[8] * 19], np.int64)
"""Bits of a character, by the encoding of a short string."""


def place_of_use(store: Store) -> tuple[int, int]:
    """Tell which byte of a record says whether it is in use, and which of its bits: none is set when it is free."""
    # Of a property bits 24 to 27 of the first block are its type.
    return (0, 0x10) if store in DYNAMIC else (13, 15) if store is Store.PROPERTY else (0, 1)


def records_in_use(store: Store, records: Bytes) -> Flags:
    """Tell which records, one a row, are in use."""
    place, mask = place_of_use(store)
    found: Flags = records[:, place] & mask != 0
    return found


def different_rows(store: Store, first: Bytes, second: Bytes, used: Sequence[Flags]) -> NDArray[np.int64]:
    """List the rows in which two sides of records, with the flags of each, mean different things."""
    sides = [cleared(store, records, flags) for records, flags in zip((first, second), used, strict=True)]
    return np.flatnonzero((used[0] != used[1]) | (sides[0] != sides[1]).any(axis=1))


def cleared(store: Store, records: Bytes, used: Flags) -> Bytes:
    """Copy records with zeros in place of all that says nothing."""
    records = records.copy()
    records[~used] = 0
    columns = np.arange(records.shape[1])
    if store in DYNAMIC:
        lengths = records[:, 1:4].astype(np.int64) @ np.array([1 << 16, 1 << 8, 1])
        records[columns >= DYNAMIC_HEAD + lengths[:, None]] = 0
    if store is Store.PROPERTY:
        records[columns >= 9 + 8 * _longs_in_use(records)[:, None]] = 0
    return records


def _longs_in_use(records: Bytes) -> NDArray[np.int64]:
    """Count the longs that the blocks of each property record take, up to the first that is none."""
    longs = np.ascontiguousarray(records[:, 9:41]).view(">u8").astype(np.int64)
    behind = np.zeros(len(records), np.int64)
    for place in range(_LONGS):
        begins = (behind == place) & (longs[:, place] >> 24 & 15 != 0)
        behind[begins] += block_longs(longs[begins, place])
    return np.minimum(behind, _LONGS)


def block_longs(first: NDArray[np.int64]) -> NDArray[np.int64]:
    """Count the longs of property blocks by their first ones."""
    kind, value = first >> 24 & 15, first >> 28 & 0xF_FFFF_FFFF
    inline = value & 1 != 0
    count = np.ones(len(first), np.int64)
    count[(kind == 6) & ~inline] = 2
    count[kind == 8] = 2
    text, array, point, moment = kind == 11, kind == 12, kind == 13, kind == 14
    count[text] = -(-(39 + (value >> 5 & 63) * _STRING_BITS[value & 31]) // 64)[text]
    bits = value >> 10 & 63
    count[array] = -(-(44 + (value >> 4 & 63) * np.where(bits == 0, 64, bits)) // 64)[array]
    count[point] = 1 + (value >> 4 & 15)[point]
    which, inline = value & 15, value >> 4 & 1 != 0
    by_kind = np.array([1, 1, 1, 2, 2, 3, 4, *[1] * 9], np.int64)[which]
    count[moment] = np.where((which <= 2) & ~inline, 2, by_kind)[moment]
    return count
