"""Texts of a batch as one Arrow array: characters go from records to UTF-8 without a Python object each.

What is irregular, and so perhaps damaged, is left to the decoder of single values, which tells what is wrong.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from neokeep.neo4j.recovery.layout import Store
from neokeep.neo4j.store import records
from neokeep.neo4j.store.blocks import Decoder
from neokeep.neo4j.store.kernels import copy_pieces, measure_texts, write_texts
from neokeep.neo4j.store.records import NONE
from neokeep.neo4j.store.values import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from neokeep.export.properties import Found
    from neokeep.neo4j.store.damage import Damage
    from neokeep.neo4j.store.pages import Numbers, RecordTable

_BAD = -1

MOST_BYTES = 64 * 1024 * 1024
"""Texts and arrays of one range of records that are decoded at once, unless they are of one node or relationship."""


class TooMuch(Exception):
    """The values of a range of records take too much memory: it has to be read in smaller parts."""


class Weighed:
    """Counts the bytes of dynamic records as they are read; see Met in chains.py."""

    def __init__(self, found: Found, tables: Mapping[Store, RecordTable]) -> None:
        self._several = bool(len(found)) and bool((found.row != found.row[0]).any())
        self._tables = tables
        self._bytes = 0

    def __call__(self, store: Store, ids: Numbers) -> None:
        """Take records into account.

        Raises:
            TooMuch: they are too many.
        """
        self._bytes += len(ids) * self._tables[store].geometry.record_bytes
        if self._several and self._bytes > MOST_BYTES:
            raise TooMuch


def texts_of(found: Found, tables: Mapping[Store, RecordTable], damages: list[Damage]) -> pa.LargeStringArray:
    """Decode texts of all kinds; null where one is damaged, which is told."""
    lengths = np.full(len(found), _BAD, np.int64)
    short = np.flatnonzero(found.kind == Kind.SHORT_STRING)
    measured = np.empty(len(short), np.int64)
    longs = np.ascontiguousarray(found.longs)
    measure_texts(longs, np.ascontiguousarray(found.place[short]), measured)
    lengths[short] = measured
    far = np.flatnonzero(found.kind == Kind.STRING)
    pieces, own = _pieces(tables, found[far].bits(28, 36), Weighed(found, tables))
    lengths[far] = own
    ends = np.cumsum(np.maximum(lengths, 0))
    starts = ends - np.maximum(lengths, 0)
    buffer = np.empty(int(ends[-1]) if len(ends) else 0, np.uint8)
    write_texts(longs, np.ascontiguousarray(found.place[short]), measured, starts[short], buffer)
    for rows, offsets, sizes, data in pieces:
        good = own[rows] != _BAD
        at = starts[far[rows[good]]] + offsets[good]
        copy_pieces(np.ascontiguousarray(data[good]), np.ascontiguousarray(sizes[good]), at, buffer)
    whole = _array(np.append(0, ends), buffer, lengths == _BAD)
    try:
        whole.validate(full=True)
    except pa.ArrowInvalid:
        bad = np.array([not _is_text(value) for value in whole.cast(pa.large_binary())], np.bool_)
        lengths[bad] = _BAD
        whole = _array(np.append(0, ends), buffer, lengths == _BAD)
    irregular = np.flatnonzero(lengths == _BAD)
    return whole if not len(irregular) else _mended(whole, found, irregular, tables, damages)


def _pieces(
    tables: Mapping[Store, RecordTable], heads: Numbers, weighed: Weighed
) -> tuple[list[tuple[Numbers, Numbers, Numbers, NDArray[np.uint8]]], Numbers]:
    """Read dynamic chains: of each level the rows, where their pieces begin, how long they are, and their bytes.

    The lengths of whole texts come too; -1 where a chain is not regular: which way is not told here.
    """
    parts, lengths = [], np.zeros(len(heads), np.int64)
    rows, ids, first, read = np.arange(len(heads)), heads, True, 0
    while len(rows):
        table = tables[Store.STRINGS]
        read += len(rows)
        weighed(table.store, ids)
        found = records.dynamic(table.at(ids))
        size = found.data.shape[1]
        more = found.next != NONE
        good = found.used & (found.length <= size) & (found.starts == first) & (~more | (found.length == size))
        if read > table.count:
            good[:] = False
        lengths[rows[~good]] = _BAD
        rows, more, sizes = rows[good], more[good], found.length[good]
        parts.append((rows, lengths[rows], sizes, found.data[good]))
        lengths[rows] += sizes
        rows, ids, first = rows[more], found.next[good][more], False
    return parts, lengths


def _array(offsets: Numbers, data: NDArray[np.uint8], missing: NDArray[np.bool_]) -> pa.LargeStringArray:
    valid = None
    if missing.any():
        valid = pa.py_buffer(np.packbits(~missing, bitorder="little"))
    buffers = [valid, pa.py_buffer(offsets.astype(np.int64)), pa.py_buffer(data)]
    return pa.Array.from_buffers(pa.large_string(), len(missing), buffers)


def _is_text(value: pa.Scalar) -> bool:
    try:
        str(value.as_py() or b"", "utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _mended(
    whole: pa.LargeStringArray,
    found: Found,
    irregular: Numbers,
    tables: Mapping[Store, RecordTable],
    damages: list[Damage],
) -> pa.LargeStringArray:
    """Put in what the decoder of single values makes of the texts that were left out: characters, and damage."""
    values: list[str | None] = [None] * len(irregular)
    for column in Decoder(tables).columns(found[irregular].blocks(), damages):
        for row, value in zip(column.rows.tolist(), column.values.tolist(), strict=True):
            values[row] = _encodable(value)
    mask = np.zeros(len(found), np.bool_)
    mask[irregular] = True
    return pc.replace_with_mask(whole, pa.array(mask), pa.array(values, pa.large_string()))


def _encodable(text: str) -> str:
    """Half of a surrogate pair, which a character can hold, is no text elsewhere."""
    return text.encode("utf-8", "replace").decode("utf-8")
