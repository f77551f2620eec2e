"""Records are found by their ids wherever their pages lie, whatever was read before them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.graph_columns import MemoryPages
from neokeep.neo4j.recovery.layout import FILES, Geometry, Store
from neokeep.neo4j.store import pages
from neokeep.neo4j.store.pages import RecordTable, Window

COUNT = 60_000
steps = st.lists(st.lists(st.integers(-3, COUNT + 3), max_size=30), min_size=1, max_size=4)
"""Ids that are asked for one after the other."""


def table_of(*, aligned: bool) -> RecordTable:
    """Make a store of properties that is cut off within its last page."""
    geometry = Geometry.of(41, aligned=aligned)
    content = np.random.default_rng(1).integers(0, 256, geometry.file_bytes(COUNT - 1), np.uint8)
    size = geometry.offset(COUNT - 1) + geometry.record_bytes
    return RecordTable(MemoryPages({FILES[Store.PROPERTY]: content[:size].tobytes()}), Store.PROPERTY, geometry, COUNT)


TABLES = {aligned: table_of(aligned=aligned) for aligned in (True, False)}


def expected(table: RecordTable, ids: list[int]) -> list[bytes]:
    assert isinstance(table.pages, MemoryPages)
    content, width = table.pages.files[table.name], table.geometry.record_bytes
    return [content[table.geometry.offset(one) :][:width] if 0 <= one < table.count else bytes(width) for one in ids]


@pytest.mark.parametrize("aligned", [True, False])
@pytest.mark.parametrize("at_once", [1, 7, 4096])
@given(steps)
def test_records_are_those_with_the_ids(aligned: bool, at_once: int, asked: list[list[int]]) -> None:
    table = TABLES[aligned]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pages, "PAGES_AT_ONCE", at_once)
        window = Window(table)
        for ids in asked:
            assert [row.tobytes() for row in window.at(np.array(ids, np.int64))] == expected(table, ids)


@given(st.integers(0, COUNT - 1), st.integers(1, 3000), st.integers(0, 5))
def test_pages_close_together_are_read_in_one_piece_and_once(start: int, count: int, step: int) -> None:
    table, read = TABLES[True], []

    class Counted(MemoryPages):
        def read(self, name: str, offset: int, length: int) -> pages.Bytes:
            read.append((offset, length))
            return super().read(name, offset, length)

    assert isinstance(table.pages, MemoryPages)
    window = Window(replace(table, pages=Counted(table.pages.files)))
    ids = np.minimum(start + step * np.arange(count), COUNT - 1)
    window.at(ids)
    # What follows in a chain is often near.
    window.at(ids[::-1])
    assert len(read) == 1


@given(st.booleans(), st.integers(0, COUNT + 5), st.none() | st.integers(0, COUNT + 5), st.integers(1, 1000))
def test_stretches_follow_on_one_another_and_are_cut_at_pages(
    aligned: bool, start: int, stop: int | None, most: int
) -> None:
    table = TABLES[aligned]
    per_page = table.geometry.per_page
    found = list(table.stretches(most, start=start, stop=stop))
    end = min(COUNT, COUNT if stop is None else stop)
    assert [one for begin, behind in found for one in range(begin, behind)] == list(range(start, end))
    assert all(begin % per_page == 0 for begin, _ in found[1:])
    assert all(0 < behind - begin <= max(most, per_page) for begin, behind in found)
