"""Relationships are counted by type and labels the same way by compiled code as without it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from neokeep.consistency.tallies import Tally
from neokeep.neo4j.recovery.layout import RECORD_BYTES, Store
from neokeep.neo4j.store import records as columns

if TYPE_CHECKING:
    from neokeep.consistency.label_sets import LabelSets

TYPES = 3


class Sets:
    """Stands for LabelSets, with sets that were drawn."""

    def __init__(self, numbers: list[int], kind: type[np.unsignedinteger]) -> None:
        self.numbers = np.array(numbers, kind)
        self.sets = [()] * (max(numbers, default=0) + 1)

    def of(self, nodes: np.ndarray) -> np.ndarray:
        inside = (nodes >= 0) & (nodes < len(self.numbers))
        return np.where(inside, self.numbers[np.where(inside, nodes, 0)] if len(self.numbers) else 0, 0)


def record(used: bool, start: int, end: int, kind: int) -> bytes:
    raw = bytearray(RECORD_BYTES[Store.RELATIONSHIP])
    raw[0] = used | start >> 32 << 1
    raw[1:5], raw[5:9] = (start & 0xFFFFFFFF).to_bytes(4, "big"), (end & 0xFFFFFFFF).to_bytes(4, "big")
    raw[9:13] = (kind | end >> 32 << 28).to_bytes(4, "big")
    return bytes(raw)


NODES = st.integers(0, 12) | st.sampled_from([(1 << 32) - 1, 1 << 32, (1 << 35) - 1])
ROWS = st.lists(st.tuples(st.booleans(), NODES, NODES, st.integers(0, TYPES - 1)), max_size=30)


@given(
    ROWS, st.lists(st.integers(0, 9), max_size=10), st.sampled_from([np.uint8, np.uint16, np.uint32]), st.integers(0)
)
def test_compiled_code_counts_the_same(
    rows: list[tuple[bool, int, int, int]], numbers: list[int], kind: type[np.unsignedinteger], first: int
) -> None:
    first %= 1 << 34
    sets: LabelSets = Sets(numbers, kind)  # type: ignore[assignment]
    raw = b"".join(record(*row) for row in rows)
    records = np.frombuffer(raw, np.uint8).reshape(-1, RECORD_BYTES[Store.RELATIONSHIP])
    held, slow, quick = columns.relationships(records), Tally(), Tally()
    ids = np.arange(first, first + len(rows), dtype=np.int64)[held.used]
    slow.add(sets, ids, held.type[held.used], held.node[0][held.used], held.node[1][held.used])
    assert quick.add_stretch(sets, first, records, TYPES)
    assert (quick.starts, quick.ends) == (slow.starts, slow.ends)
    assert np.array_equal(quick.sums, slow.sums)


def test_a_type_that_is_none_is_left_to_the_slower_way() -> None:
    records = np.frombuffer(record(True, 1, 2, TYPES), np.uint8).reshape(1, -1)
    sets: LabelSets = Sets([0, 1, 2], np.uint8)  # type: ignore[assignment]
    tally = Tally()
    assert not tally.add_stretch(sets, 0, records, TYPES)
    assert not tally.starts
    assert not tally.sums.any()
