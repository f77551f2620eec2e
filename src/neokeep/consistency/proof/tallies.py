"""Compiled: sums over all relationships, and over the entries of token indexes.

The first are held against counts (see consistency/tallies.py), the others against these and against nodes (see
consistency/token_indexes.py).
"""

from __future__ import annotations

from neokeep.consistency.proof.bits import long, mixed, number4, reference
from neokeep.neo4j.recovery.bits import byte
from neokeep.neo4j.recovery.compiled import Bytes, Numbers, compiled, compiled_part
from neokeep.neo4j.recovery.layout import RECORD_BYTES, Store

_BYTES = RECORD_BYTES[Store.RELATIONSHIP]


@compiled_part
def _set(sets: Bytes, width: int, node: int) -> int:
    """Read the set of labels of a node, a little-endian number; 0 where there is no such node."""
    if node < 0 or (node + 1) * width > len(sets):
        return 0
    found = 0
    for place in range(width):
        found |= byte(sets, node * width + place) << (8 * place)
    return found


@compiled
def tally(
    records: Bytes, first: int, sets: Bytes, width: int, types: int, starts: Numbers, ends: Numbers, sums: Numbers
) -> bool:
    """Count relationships in use by the set of the start, and of the end; and sum up fingerprints by type.

    `sets` has `width` bytes for each node; `starts` and `ends` have a place for each set and type (set * types + type).
    Tells whether all are of such types and sets; else what was counted is of no use.
    """
    for row in range(len(records) // _BYTES):
        record = row * _BYTES
        head = byte(records, record)
        if head & 1 == 0:
            continue
        word = number4(records, record + 9)
        kind = word & 0xFFFF
        start = _set(sets, width, reference(records, record + 1, head >> 1 & 7)) * types + kind
        end = _set(sets, width, reference(records, record + 5, word >> 28 & 7)) * types + kind
        if kind >= types or start >= len(starts) or end >= len(ends):
            return False
        starts[start] += 1
        ends[end] += 1
        sums[kind] += mixed(first + row, 0, 0, 0)
    return True


@compiled
def entity_sums(ranges: Numbers, width: int, values: Bytes, sums: Numbers) -> None:
    """Sum up, for each entry of a token index, the fingerprints of the entities that it stands for.

    `ranges` are the numbers of ranges of `width` (64) entities; `values` has a bit for each, the last one first.
    """
    for row in range(len(ranges)):
        word, first, total = long(values, 8 * row), ranges[row] * width, 0
        for bit in range(width):
            if word >> bit & 1 != 0:
                total += mixed(first + bit, 0, 0, 0)
        sums[row] = total
