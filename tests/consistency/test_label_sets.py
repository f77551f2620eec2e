"""Each node is in the set of its labels, however the store is cut and on however many threads it is read."""

from __future__ import annotations

import random
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.graph_columns import MemoryPages
from helpers.properties import examples
from neokeep.consistency.claims import fingerprints
from neokeep.consistency.label_sets import LabelSets
from neokeep.neo4j.recovery.layout import FILES, PAGE, RECORD_BYTES, Geometry, Store
from neokeep.neo4j.store import pages as reading
from neokeep.neo4j.store.pages import RecordTable

if TYPE_CHECKING:
    from neokeep.neo4j.store.graph import GraphReader

WIDTH = 9
"""Bits of a label where there are four of them in the field."""
FEW = 100
LABELS = st.lists(st.integers(0, (1 << WIDTH) - 1), max_size=4, unique=True).map(lambda one: tuple(sorted(one)))


def field(labels: tuple[int, ...]) -> int:
    width = 36 // len(labels) if labels else 0
    return len(labels) << 36 | sum(label << width * place for place, label in enumerate(labels))


def reader_of(nodes: list[tuple[int, ...] | None]) -> GraphReader:
    """Make a store of nodes with labels; None is a record that is not in use, with labels left in it."""
    lies = Geometry.of(RECORD_BYTES[Store.NODE], aligned=True)
    content = bytearray(PAGE * -(-len(nodes) // lies.per_page))
    for number, labels in enumerate(nodes):
        at = number // lies.per_page * PAGE + number % lies.per_page * lies.record_bytes
        said = field(labels if labels is not None else (3,)).to_bytes(5, "big")
        content[at] = labels is not None
        content[at + 9 : at + 14] = said[1:] + said[:1]
    table = RecordTable(MemoryPages({FILES[Store.NODE]: bytes(content)}), Store.NODE, lies, len(nodes))
    return cast("GraphReader", SimpleNamespace(tables={Store.NODE: table, Store.NODE_LABELS: table}))


@given(st.lists(LABELS, min_size=1, max_size=20), st.integers(0, 3000), st.integers(0), st.integers(1, 3))
@examples(60)
def test_the_labels_of_each_node_are_those_of_its_set(
    kinds: list[tuple[int, ...]], count: int, seed: int, jobs: int
) -> None:
    chance = random.Random(seed)
    nodes = [chance.choice([*kinds[: 1 + number // 500], None]) for number in range(count)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "RECORDS_AT_ONCE", FEW)
        found = LabelSets(reader_of(nodes), jobs)
    assert [found.sets[number] for number in found.numbers] == [one or () for one in nodes]
    assert not found.damaged
    for number, own in enumerate(found.sets):
        ids = np.array([at for at, one in enumerate(nodes) if one == own], np.int64)
        assert found.counts[number] == len(ids)
        assert found.sums[number] == (fingerprints(ids).sum() if len(ids) else 0)
