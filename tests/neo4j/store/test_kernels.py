"""Compiled code over property blocks does what the plain code does: where blocks are, and short texts in UTF-8."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from helpers.graph_columns import MemoryPages
from neokeep.neo4j.recovery.layout import FILES, RECORD_BYTES, Geometry, Store
from neokeep.neo4j.store import records as columns
from neokeep.neo4j.store.blocks import Blocks, Decoder, blocks_of
from neokeep.neo4j.store.kernels import (
    are_in_order,
    copy_pieces,
    find_blocks,
    find_slots,
    measure_texts,
    nodes_in_use,
    order_blocks,
    order_by,
    property_records,
    read_doubles,
    read_integers,
    relationships_in_use,
    write_texts,
)
from neokeep.neo4j.store.pages import RecordTable
from neokeep.neo4j.store.texts import UTF_8, decode_short_strings

if TYPE_CHECKING:
    from random import Random

    from neokeep.neo4j.store.damage import Damage

longs = st.integers(0, 2**64 - 1)


@st.composite
def first_longs(draw: st.DrawFn) -> int:
    """Make the first long of a block, of a type that is more than none."""
    return draw(longs) & ~(0xF << 24) | draw(st.integers(0, 14)) << 24


records = st.lists(st.lists(st.one_of(first_longs(), longs), min_size=4, max_size=4), min_size=1, max_size=5)


@given(records)
def test_blocks_are_found_where_the_plain_code_finds_them(made: list[list[int]]) -> None:
    own = np.array(made, np.uint64)
    chains = np.arange(len(own)) + 7
    damages: list[Damage] = []
    expected = blocks_of(chains, np.arange(len(own)), own, damages)
    chain, key, kind, place = (np.empty(4 * len(own), np.int64) for _ in range(4))
    count = find_blocks(own, 8, chains, chain, key, kind, place)
    assert (count < 0) == bool(damages)
    count = -count - 1 if count < 0 else count
    assert chain[:count].tolist() == expected.chain.tolist()
    assert key[:count].tolist() == expected.key.tolist()
    assert kind[:count].tolist() == expected.kind.tolist()
    assert own.reshape(-1)[place[:count] - 8].tolist() == expected.longs[:, 0].tolist()


@given(st.integers(0, 31), st.integers(0, 63), st.lists(longs, min_size=4, max_size=4))
def test_short_texts_are_those_that_the_plain_code_reads(encoding: int, length: int, rest: list[int]) -> None:
    first = rest[0] & ~(0x7FF << 28) | encoding << 28 | length << 33
    own = np.array([[first, *rest[1:]]], np.uint64)
    (expected,) = decode_short_strings(own)
    lengths, places = np.empty(1, np.int64), np.zeros(1, np.int64)
    measure_texts(own, places, lengths)
    if lengths[0] < 0:
        assert expected is None
        return
    out = np.empty(int(lengths[0]), np.uint8)
    write_texts(own, places, lengths, np.zeros(1, np.int64), out)
    if expected is None:
        assert encoding == UTF_8
        assert not is_text(out.tobytes())
    else:
        assert out.tobytes().decode() == expected


def is_text(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True


@given(st.lists(st.integers(0, 6)))
def test_elements_are_ordered_by_slots_and_keep_their_order_in_each(slots: list[int]) -> None:
    own = np.array(slots, np.int64)
    edges = np.concatenate([[0], np.cumsum(np.bincount(own, minlength=7))])[:-1]
    order = np.empty(len(own), np.int64)
    order_by(own, np.ascontiguousarray(edges), order)
    assert order.tolist() == np.argsort(own, kind="stable").tolist()


@given(st.lists(st.binary(min_size=1, max_size=9), min_size=1, max_size=5))
def test_pieces_are_put_where_they_belong(pieces: list[bytes]) -> None:
    data = np.zeros((len(pieces), 9), np.uint8)
    for row, piece in enumerate(pieces):
        data[row, : len(piece)] = list(piece)
    lengths = np.array([len(piece) for piece in pieces])
    out = np.empty(int(lengths.sum()), np.uint8)
    copy_pieces(data, lengths, np.cumsum(lengths) - lengths, out)
    assert out.tobytes() == b"".join(pieces)


@given(st.lists(st.binary(min_size=41, max_size=41), min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_property_records_are_those_that_the_plain_code_reads(made: list[bytes], chance: Random) -> None:
    content, order = b"".join(made), chance.sample(range(len(made)), len(made))
    rows = np.array(order, np.int64)
    used, longs = np.zeros(len(made), np.uint8), np.zeros((len(made), 4), np.uint64)
    before, after = np.zeros(len(made), np.int64), np.zeros(len(made), np.int64)
    property_records(np.frombuffer(content, np.uint8), rows * 41, rows, used, before, after, longs)
    expected = columns.properties(np.frombuffer(content, np.uint8).reshape(-1, 41))
    assert (used != 0).tolist() == expected.used.tolist()
    assert before.tolist() == expected.previous.tolist()
    assert after.tolist() == expected.next.tolist()
    assert longs.tolist() == expected.longs.tolist()


@given(st.integers(0, 2**32 - 1), st.booleans(), st.integers(0, 900), st.integers(0, 900))
def test_relationships_and_nodes_in_use_are_those_that_the_plain_code_reads(
    seed: int, aligned: bool, start: int, count: int
) -> None:
    chance = np.random.default_rng(seed)
    for store in (Store.RELATIONSHIP, Store.NODE):
        geometry = Geometry.of(RECORD_BYTES[store], aligned=aligned)
        content = chance.integers(0, 256, geometry.file_bytes(1999), np.uint8)
        # References that are none are of ones.
        content[chance.random(len(content)) < 0.5] = 255
        table = RecordTable(MemoryPages({FILES[store]: content.tobytes()}), store, geometry, 2000)
        stop = start + count
        first = start // geometry.per_page * geometry.per_page
        where = (table.pages_with(start, stop), geometry.page_bytes, first, start, stop)
        plain = table.at(np.arange(start, stop))
        if store is Store.RELATIONSHIP:
            tie = columns.relationships(plain)
            expected = [np.arange(start, stop), *tie.node, tie.type, tie.property]
            made = [np.empty(count, np.int64) for _ in expected]
            found, used = relationships_in_use(*where, *made), tie.used
        else:
            node = columns.nodes(plain)
            expected = [np.arange(start, stop), node.labels, node.property]
            made = [np.empty(count, np.int64) for _ in expected]
            found, used = nodes_in_use(*where, *made), node.used
        assert [one[:found].tolist() for one in made] == [one[used].tolist() for one in expected]


@given(
    st.lists(st.integers(0, 12), max_size=40),
    st.sets(st.integers(0, 12)),
    st.lists(st.booleans(), min_size=13, max_size=13),
)
def test_blocks_are_ordered_by_slots_that_are_known_and_asked_for(
    made: list[int], known: set[int], wanted: list[bool]
) -> None:
    own = np.array(sorted(known), np.int64)
    asked = np.array(wanted[: len(own)], np.uint8)
    places, counts = np.empty(len(made), np.int64), np.zeros(len(own), np.int64)
    find_slots(np.array(made, np.int64), own, asked, places, counts)
    where = {slot: place for place, slot in enumerate(own.tolist()) if asked[place]}
    assert places.tolist() == [where.get(slot, -1) for slot in made]
    assert counts.tolist() == [places.tolist().count(place) for place in range(len(own))]
    edges = np.cumsum(counts) - counts
    columns_of = [np.arange(len(made)) + 100 * number for number in range(4)]
    ordered = [np.empty(int(counts.sum()), np.int64) for _ in columns_of]
    order_blocks(places, edges, *columns_of, *ordered)
    kept = [row for row in np.argsort(places, kind="stable").tolist() if places[row] >= 0]
    assert [one.tolist() for one in ordered] == [[row + 100 * number for row in kept] for number in range(4)]


@given(st.sampled_from([2, 3, 5, 6]), st.lists(longs, min_size=4, max_size=4), st.integers(0, 3))
def test_integers_are_those_of_the_decoder_and_never_read_behind_their_record(
    kind: int, made: list[int], place: int
) -> None:
    made[place] = made[place] & ~(0xF << 24) | kind << 24
    # What lies behind belongs to another record, or to nothing.
    own, at = np.array([made, [2**64 - 1] * 4], np.uint64), np.array([place], np.int64)
    block = np.zeros((1, 4), np.uint64)
    block[0, : 4 - place] = made[place:]
    none = np.zeros(1, np.int64)
    (column,) = Decoder({}).columns(Blocks(none, none, none, np.array([kind]), block), [])
    out = np.empty(1, np.int64)
    read_integers(own, np.array([kind]), at, out)
    assert out.tolist() == column.values.tolist()
    read_doubles(own, at, out)
    assert out.view(np.uint64).tolist() == block[:, 1].tolist()


@given(st.lists(st.integers(0, 3), max_size=3))
def test_rows_are_in_order_when_each_is_its_own_place(rows: list[int]) -> None:
    assert are_in_order(np.array(rows, np.int64)) == (rows == list(range(len(rows))))
