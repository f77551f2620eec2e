"""Compiled code over property blocks does what the plain code does: where blocks are, and short texts in UTF-8."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from neokeep.neo4j.store.blocks import blocks_of
from neokeep.neo4j.store.kernels import copy_pieces, find_blocks, measure_texts, order_by, write_texts
from neokeep.neo4j.store.texts import UTF_8, decode_short_strings

if TYPE_CHECKING:
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
