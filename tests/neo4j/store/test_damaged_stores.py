"""Whatever the bytes of a store are: reading ends, and gives values or says which record is damaged."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.flipped import FlippedPages
from helpers.properties import examples
from helpers.small_store import unpack
from neokeep.errors import IntegrityError
from neokeep.neo4j.recovery.layout import FILES, Store
from neokeep.neo4j.store.arrays import NotAnArray, short_array, stored_array
from neokeep.neo4j.store.chains import dynamic_values, property_levels
from neokeep.neo4j.store.damage import Code, Damage
from neokeep.neo4j.store.graph import GraphReader
from neokeep.neo4j.store.pages import DirectoryPages, open_tables
from neokeep.neo4j.store.texts import decode_short_strings

if TYPE_CHECKING:
    from collections.abc import Iterator

LARGEST_FILE = 4 * 8192


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DirectoryPages]:
    with DirectoryPages(unpack(tmp_path_factory.mktemp("small"))) as found:
        yield found


def read_everything(reader: GraphReader) -> list[Damage]:
    damages: list[Damage] = []
    for store in (Store.LABEL, Store.TYPE, Store.PROPERTY_KEY):
        reader.tokens(store)
    reader.schema_rules(damages)
    for nodes in reader.nodes():
        nodes.properties.by_row(len(nodes.ids))
        damages += nodes.damages
    for relationships in reader.relationships():
        relationships.properties.by_row(len(relationships.ids))
        damages += relationships.damages
    return damages + reader.token_damages


@given(
    flips=st.dictionaries(
        st.tuples(st.sampled_from(sorted(FILES.values())), st.integers(0, LARGEST_FILE)),
        st.integers(0, 255),
        min_size=1,
        max_size=40,
    )
)
def test_no_damage_makes_reading_crash_or_endless(pages: DirectoryPages, flips: dict[tuple[str, int], int]) -> None:
    try:
        reader = GraphReader(FlippedPages(pages, flips), aligned=True)
    except IntegrityError:
        return
    for damage in read_everything(reader):
        assert damage.detail
        assert damage.record >= 0


@examples(20)
@given(seed=st.integers(0, 1 << 32), store=st.sampled_from(list(Store)))
def test_a_page_of_anything_is_read_to_its_end(pages: DirectoryPages, seed: int, store: Store) -> None:
    noise = np.random.default_rng(seed).integers(0, 256, 8188).tolist()
    flips = {(FILES[store], 4 + at): value for at, value in enumerate(noise)}
    read_everything(GraphReader(FlippedPages(pages, flips), aligned=True))


@given(st.binary(max_size=80))
def test_bytes_are_an_array_or_told_to_be_none(content: bytes) -> None:
    with contextlib.suppress(NotAnArray):
        assert isinstance(stored_array(content), tuple | np.ndarray)


@given(st.lists(st.integers(0, (1 << 64) - 1), min_size=4, max_size=4))
def test_longs_are_a_short_text_or_array_or_told_to_be_none(longs: list[int]) -> None:
    row = np.array([longs], np.uint64)
    (text,) = decode_short_strings(row)
    assert text is None or len(text) <= 63
    with contextlib.suppress(NotAnArray):
        assert len(short_array(row[0])) <= 63


def first_with_next(pages: DirectoryPages, store: Store) -> int:
    """Find a record of a chain that goes on."""
    table = open_tables(pages, aligned=True)[store]
    (batch,) = table.batches()
    low = batch.records[:, 5:9] if store is Store.PROPERTY else batch.records[:, 4:8]
    used = batch.records[:, 13] & 15 != 0 if store is Store.PROPERTY else batch.records[:, 0] & 0x90 == 0x10
    return int(np.flatnonzero(used & (low != 255).any(axis=1) & (batch.ids > 0))[0])


@pytest.mark.parametrize(
    ("store", "next_at", "code"),
    [
        (Store.PROPERTY, 5, Code.PROPERTY_CHAIN_CYCLE),
        (Store.STRINGS, 4, Code.DYNAMIC_CHAIN_CYCLE),
        (Store.ARRAYS, 4, Code.DYNAMIC_CHAIN_CYCLE),
    ],
)
def test_a_chain_that_bites_its_tail_is_told(pages: DirectoryPages, store: Store, next_at: int, code: Code) -> None:
    record = first_with_next(pages, store)
    offset = open_tables(pages, aligned=True)[store].geometry.offset(record) + next_at
    flips = {(FILES[store], offset + step): byte for step, byte in enumerate(record.to_bytes(4, "big"))}
    reader = GraphReader(FlippedPages(pages, flips), aligned=True)
    found = [damage for damage in read_everything(reader) if damage.code is code]
    assert [(damage.store, damage.record) for damage in found] == [(store, record)]


def test_chains_that_run_into_one_another_are_told_and_cost_no_more_than_the_file(pages: DirectoryPages) -> None:
    tables, damages = open_tables(pages, aligned=True), list[Damage]()
    heads = np.full(100_000, first_with_next(pages, Store.STRINGS))
    values = dynamic_values(tables[Store.STRINGS], heads, damages)
    assert {damage.code for damage in damages} == {Code.DYNAMIC_SHARED}
    assert set(values) == {None}
    damages = []
    heads = np.full(100_000, first_with_next(pages, Store.PROPERTY))
    assert list(property_levels(tables[Store.PROPERTY], heads, damages)) == []
    assert {damage.code for damage in damages} == {Code.PROPERTY_SHARED}


def test_a_record_behind_the_end_of_the_file_is_not_in_use(pages: DirectoryPages) -> None:
    tables, damages = open_tables(pages, aligned=True), list[Damage]()
    assert dynamic_values(tables[Store.STRINGS], np.array([1 << 35, -1]), damages) == [None, None]
    assert [damage.code for damage in damages] == [Code.DYNAMIC_NOT_IN_USE] * 2


@given(
    numbers=st.lists(st.integers(0, (1 << 64) - 1), min_size=1, max_size=30),
    width=st.integers(1, 64),
    times=st.sampled_from([1, 5000]),
)
def test_numbers_of_any_width_are_unpacked(numbers: list[int], width: int, times: int) -> None:
    expected = [number & (1 << width) - 1 for number in numbers] * times
    bits = "".join(format(number, f"0{width}b")[::-1] for number in expected)
    padded = bits.ljust(-(-len(bits) // 8) * 8, "0")
    data = np.packbits(np.frombuffer(padded.encode(), np.uint8) - ord("0"), bitorder="little").tobytes()
    found = stored_array(bytes([6, len(bits) % 8, width]) + data)
    assert not isinstance(found, tuple)
    assert found.view(np.uint64).tolist() == expected
