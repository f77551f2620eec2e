"""Pages of records turned by columns, and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.properties import examples
from neokeep.errors import IntegrityError
from neokeep.neo4j.store.layout import RECORD_SIZES
from neokeep.repository.block import COLUMNS, RAW, ZSTD, BlockEncoder, block_id, decode_block
from neokeep.repository.columns import PAGE, can_turn, from_columns, to_columns

SIZES = st.integers(2, 255)


def pages(count: int, seed: bytes) -> bytes:
    """Make pages that differ everywhere a little."""
    return b"".join((seed + bytes([at % 251, at // 251 % 251])) * (PAGE // (len(seed) + 2) + 1) for at in range(count))[
        : count * PAGE
    ]


def slowly_turned(content: bytes, record_size: int) -> bytes:
    """Turn byte by byte, as docs/format.md says it."""
    held = PAGE // record_size * record_size
    records = b"".join(content[at : at + held] for at in range(0, len(content), PAGE))
    rests = b"".join(content[at + held : at + PAGE] for at in range(0, len(content), PAGE))
    return b"".join(records[column::record_size] for column in range(record_size)) + rests


@examples(40)
@given(st.integers(1, 3), SIZES, st.binary(min_size=1, max_size=40))
def test_pages_are_turned_as_the_format_says_and_come_back(count: int, record_size: int, seed: bytes) -> None:
    content = pages(count, seed)
    turned = to_columns(memoryview(content), record_size)
    assert turned == slowly_turned(content, record_size)
    assert from_columns(turned, record_size) == content


@pytest.mark.parametrize("record_size", sorted(RECORD_SIZES.values()))
def test_a_block_of_a_record_store_comes_back_and_is_marked_as_turned(record_size: int) -> None:
    content = pages(8, b"record of some store")
    stored = b"".join(BlockEncoder(1).encode(memoryview(content), record_size))
    assert (stored[0], stored[1]) == (COLUMNS, record_size)
    assert decode_block(memoryview(stored), block_id(content), len(content)) == content


@pytest.mark.parametrize(("size", "record_size"), [(0, 15), (PAGE - 1, 15), (PAGE, 0), (PAGE, 1), (PAGE, 256)])
def test_what_is_no_pages_of_records_is_not_turned(size: int, record_size: int) -> None:
    assert not can_turn(size, record_size)
    head, _ = BlockEncoder(1).encode(memoryview(bytes(size)), min(record_size, 256))
    assert head[0] in {RAW, ZSTD}


@examples(200)
@given(st.data())
def test_any_damage_of_a_turned_block_is_noticed(choices: st.DataObject) -> None:
    content = pages(2, b"some record")
    stored = bytearray(b"".join(BlockEncoder(1).encode(memoryview(content), 41)))
    stored[choices.draw(st.integers(0, len(stored) - 1))] ^= choices.draw(st.integers(1, 255))
    cut = choices.draw(st.integers(0, len(stored)))
    for damaged in (stored, stored[:cut]):
        try:
            found = bytes(decode_block(memoryview(bytes(damaged)), block_id(content), len(content)))
        except IntegrityError:
            continue
        assert found == content
