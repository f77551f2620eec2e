"""Keys of indexes of properties are decoded to what is equal where values are, and stand in the order of values."""

from __future__ import annotations

import struct
from datetime import date
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neokeep.consistency.key_order import behind
from neokeep.neo4j.store.index_keys import OPAQUE, UNREAD, decode, layout_of, text_hashes
from neokeep.neo4j.store.tree_entries import DynamicEntries

EPOCH = date(1970, 1, 1).toordinal()


def entries_of(keys: list[bytes]) -> DynamicEntries:
    lengths = np.array([len(key) for key in keys], np.int64)
    content = np.frombuffer(b"".join(keys), np.uint8)
    return DynamicEntries(np.arange(len(keys)), content, np.cumsum(lengths) - lengths, lengths)


def encoded(value: Any) -> bytes:
    match value:
        case bool():
            return struct.pack(">bb", 8, value)
        case int():
            return struct.pack(">bbq", 9, 3, value)
        case float():
            return struct.pack(">bbd", 9, 5, value)
        case str():
            return struct.pack(">bH", 7, len(value.encode())) + value.encode()
        case date():
            return struct.pack(">bq", 3, value.toordinal() - EPOCH)
    raise AssertionError(value)


def key(entity: int, *values: Any) -> bytes:
    return struct.pack(">q", entity) + b"".join(encoded(value) for value in values)


def columns_of(*keys: bytes, properties: int = 1) -> list[tuple[int, ...]]:
    found, bad = decode(entries_of(list(keys)), properties)
    assert not len(bad)
    return [tuple(int(column[row]) for own in found.values for column in own.columns) for row in range(len(keys))]


def test_a_character_is_a_text() -> None:
    # As 4.4 wrote it for a value that was imported as one.
    character = bytes.fromhex("000000000000000207800130")
    assert columns_of(character) == columns_of(key(2, "0"))


@pytest.mark.parametrize("bits", [0x7FF8000000000000, 0xFFF8000000000001, 0x7FF0000000000001])
def test_all_that_is_no_number_is_equal(bits: int) -> None:
    none = struct.pack(">qbbQ", 1, 9, 5, bits)
    assert columns_of(none) == columns_of(key(1, float("nan")))
    assert columns_of(none) != columns_of(key(1, float("inf")))


def test_behind_a_point_nothing_of_a_key_is_read() -> None:
    point = struct.pack(">qb", 5, 0) + bytes.fromhex("1c23883ff00000000000004000000000000000")
    first, second = columns_of(point + encoded(7), point + encoded(8), properties=2)
    assert first == second
    assert (first[0], first[4]) == (OPAQUE, UNREAD)


def test_what_is_no_key_is_told() -> None:
    keys = [key(1, 5), key(1, 5)[:-1], key(1, 5) + b"\0", b"\0\0", struct.pack(">qb", 1, 40), struct.pack(">q", 1)]
    found, bad = decode(entries_of(keys), 1)
    assert found.entities.tolist() == [1]
    assert bad.tolist() == [1, 2, 3, 4, 5]


def test_layouts_are_known_by_provider_and_number_of_properties() -> None:
    assert layout_of("lucene+native-3.0", 1) is None
    one, two = layout_of("range-1.0", 1), layout_of("range-1.0", 2)
    assert one is not None
    assert two is not None
    assert two.identifier == one.identifier + 1


@given(st.lists(st.binary(max_size=60), max_size=20), st.integers(1, 3))
def test_no_bytes_make_decoding_crash(keys: list[bytes], properties: int) -> None:
    found, bad = decode(entries_of(keys), properties)
    assert len(found.entities) + len(bad) == len(keys)
    assert len(behind(found)) == max(0, len(found.entities) - 1)


VALUES = st.one_of(
    st.booleans(),
    st.integers(-(1 << 63), (1 << 63) - 1),
    st.integers(-3, 3),
    st.floats(),
    st.text(st.characters(max_codepoint=1000), max_size=20),
    st.text("ab", max_size=18),
    st.dates(),
)


@given(st.lists(st.tuples(VALUES, VALUES), min_size=2, max_size=2), st.integers(0, 3), st.integers(0, 3))
def test_values_are_equal_where_their_columns_are(rows: list[tuple[Any, Any]], one: int, other: int) -> None:
    (first, second), keys = rows, [key(entity, *row) for entity, row in zip((one, other), rows, strict=True)]
    found = columns_of(*keys, properties=2)
    same = [
        encoded(left) == encoded(right) or left != left != right != right
        for left, right in zip(first, second, strict=True)
    ]
    assert (found[0] == found[1]) is all(same)


RANKS = {date: 3, str: 7, bool: 8, int: 9, float: 9}


def ordered(first: Any, second: Any) -> bool | None:
    """Tell whether the second of two values comes behind the first; None where it is not known, or they are equal."""
    ranks = [RANKS[type(value)] for value in (first, second)]
    if ranks[0] != ranks[1]:
        return ranks[0] < ranks[1]
    if isinstance(first, str):
        known = (first + second).isascii() and first != second
        return first < second if known else None
    if first == second or first != first or second != second:
        return None
    if isinstance(first, float) or isinstance(second, float):
        return None if float(first) == float(second) else float(first) < float(second)
    return bool(first < second)


@given(VALUES, VALUES)
def test_a_key_is_behind_another_where_its_value_is(first: Any, second: Any) -> None:
    found, _ = decode(entries_of([key(9, first), key(2, second)]), 1)
    expected = ordered(first, second)
    if expected is not None:
        assert behind(found).tolist() == [expected]


@given(VALUES, st.integers(0, 5), st.integers(0, 5))
def test_of_equal_values_the_entity_decides(value: Any, one: int, other: int) -> None:
    found, _ = decode(entries_of([key(one, value, 1), key(other, value, 1)]), 2)
    exact = not isinstance(value, float) and not (isinstance(value, str) and not value.isascii())
    if exact:
        assert behind(found).tolist() == [other > one]


@given(st.lists(st.binary(max_size=40), max_size=10))
def test_texts_have_the_same_hash_where_they_are_the_same(texts: list[bytes]) -> None:
    lengths = np.array([len(text) for text in texts], np.int64)
    content = np.frombuffer(b"".join(texts) + b"\xff" * 8, np.uint8)
    hashes = text_hashes(content, np.cumsum(lengths) - lengths, lengths).tolist()
    pairs = list(zip(texts, lengths.tolist(), hashes, strict=True))
    for text, length, own in pairs:
        for other, others_length, others in pairs:
            assert (text == other) is ((length, own) == (others_length, others))
