"""Labels in dynamic records: what is read many at a time is what is read one by one, whole or damaged."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.graph_columns import DYNAMIC_BYTES, Entity, written
from neokeep.neo4j.recovery.layout import FILES, Store
from neokeep.neo4j.store import labels as reading
from neokeep.neo4j.store import records as columns
from neokeep.neo4j.store.labels import Labels, labels_of
from neokeep.neo4j.store.pages import open_tables

if TYPE_CHECKING:
    from random import Random

    from neokeep.neo4j.store.damage import Damage
    from neokeep.neo4j.store.pages import Numbers, RecordTable

    Read = tuple[list[int], list[int], list[Damage], list[int]]

LABELS = st.sets(st.integers(0, 40) | st.integers(0, 1 << 31), max_size=12)


def read(fields: Numbers, ids: Numbers, table: RecordTable) -> Read:
    damages: list[Damage] = []
    met: list[int] = []
    found = labels_of(fields, ids, table, damages, met=lambda _, records: met.extend(records.tolist()))
    return found.rows.tolist(), found.labels.tolist(), damages, sorted(met)


def one_by_one(table: RecordTable, records: Numbers, ids: Numbers, met: object) -> tuple[list[Labels], Numbers]:
    return [], np.arange(len(records))


@given(
    nodes=st.dictionaries(st.integers(0, 400), LABELS, min_size=1, max_size=12),
    random=st.randoms(use_true_random=False),
    others=st.sets(st.integers(0, 400), max_size=6),
    flips=st.lists(st.tuples(st.integers(DYNAMIC_BYTES, 40 * DYNAMIC_BYTES), st.integers(0, 255)), max_size=6),
)
def test_many_at_a_time_are_the_same_as_one_by_one(
    nodes: dict[int, set[int]], random: Random, others: set[int], flips: list[tuple[int, int]]
) -> None:
    reader = written({number: Entity({}, labels=tuple(labels)) for number, labels in nodes.items()}, {}, random)
    files = reader.tables[Store.NODE].pages.files  # type: ignore[attr-defined]
    content = bytearray(files[FILES[Store.NODE_LABELS]])
    for at, value in flips:
        if at < len(content):
            content[at] = value
    files[FILES[Store.NODE_LABELS]] = bytes(content)
    table = open_tables(reader.tables[Store.NODE].pages, aligned=True)[Store.NODE_LABELS]
    ids = np.array(sorted(nodes))
    fields = columns.nodes(reader.tables[Store.NODE].at(ids)).labels
    # Some records belong to other nodes than those that name them.
    ids[np.isin(ids, list(others))] += 1000
    found = read(fields, ids, table)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "_of_one_record", one_by_one)
        rows, labels, damages, met = read(fields, ids, table)
    # A damaged record is told once either way; whole ones are met once.
    assert found == (rows, labels, damages, met)
    if not flips and not others & set(nodes):
        pairs = [(row, label) for row, number in enumerate(ids.tolist()) for label in sorted(nodes[number])]
        assert list(zip(rows, labels, strict=True)) == pairs
        assert damages == []
