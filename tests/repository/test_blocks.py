"""Blocks, and lists of blocks: what comes back is what went in, or an error."""

from __future__ import annotations

import pytest
from blake3 import blake3
from hypothesis import given, settings
from hypothesis import strategies as st

from neokeep.errors import IntegrityError
from neokeep.repository import blocklist
from neokeep.repository.block import (
    ID_SIZE,
    LARGEST_BLOCK,
    RAW,
    ZSTD,
    BlockEncoder,
    block_id,
    block_size,
    decode_block,
)
from neokeep.repository.blocklist import block_length, expand, make_block_list, split_ids
from neokeep.repository.manifest import BlockList

PAGE = 8192
TIB = 1 << 40
CONTENTS = st.one_of(
    st.binary(max_size=3000), st.builds(lambda part, times: part * times, st.binary(max_size=9), st.integers(0, 999))
)


def stored_block(content: bytes) -> bytes:
    return b"".join(BlockEncoder(1).encode(memoryview(content)))


@settings(deadline=None)
@given(CONTENTS)
def test_a_block_comes_back(content: bytes) -> None:
    stored = stored_block(content)
    assert bytes(decode_block(memoryview(stored), block_id(content), len(content))) == content
    assert len(stored) <= len(content) + 1


def test_what_does_not_compress_is_stored_raw() -> None:
    noise = b"".join(blake3(bytes([number])).digest() for number in range(200))
    assert stored_block(noise)[0] == RAW
    assert stored_block(bytes(10_000))[0] == ZSTD


@settings(deadline=None)
@given(CONTENTS, st.data())
def test_any_damage_of_a_stored_block_is_noticed(content: bytes, choices: st.DataObject) -> None:
    stored = bytearray(stored_block(content))
    at = choices.draw(st.integers(0, len(stored) - 1))
    stored[at] ^= choices.draw(st.integers(1, 255))
    try:
        decoded = bytes(decode_block(memoryview(stored), block_id(content), len(content)))
    except IntegrityError:
        return
    assert decoded == content


@pytest.mark.parametrize("content", [b"x" * 500, bytes(range(256))])
def test_every_cut_of_a_stored_block_is_noticed_even_when_nothing_is_left(content: bytes) -> None:
    stored = stored_block(content)
    for cut in range(len(stored)):
        with pytest.raises(IntegrityError, match=block_id(content).hex()):
            decode_block(memoryview(stored[:cut]), block_id(content), len(content))


def test_the_content_must_be_the_one_that_the_id_names() -> None:
    other = stored_block(b"other content")
    with pytest.raises(IntegrityError):
        decode_block(memoryview(other), block_id(b"right content"), len(b"right content"))
    with pytest.raises(IntegrityError):
        decode_block(memoryview(other), block_id(b"other content"), 12)
    with pytest.raises(IntegrityError):
        decode_block(memoryview(b"\x02" + other[1:]), block_id(b"other content"), 13)


@settings(deadline=None)
@given(st.integers(0, 16 * TIB))
def test_a_block_holds_whole_pages_and_fits_its_buffers(size: int) -> None:
    assert block_size(size) % PAGE == 0
    assert PAGE <= block_size(size) <= LARGEST_BLOCK


@settings(deadline=None)
@given(st.integers(0, 16 * TIB), st.integers(0, 16 * TIB))
def test_larger_files_never_have_smaller_blocks(one: int, other: int) -> None:
    small, large = sorted((one, other))
    assert block_size(small) <= block_size(large)


@settings(deadline=None)
@given(st.integers(0, TIB))
def test_a_terabyte_has_fewer_than_two_million_blocks(size: int) -> None:
    assert -(-size // block_size(size)) < 2_000_000


def ids_of(count: int) -> bytes:
    return b"".join(blake3(number.to_bytes(4, "big")).digest() for number in range(count))


class Shelf:
    """Blocks by id."""

    def __init__(self) -> None:
        self.blocks: dict[bytes, bytes] = {}

    def put(self, content: memoryview) -> bytes:
        self.blocks[block_id(content)] = bytes(content)
        return block_id(content)

    def get(self, identity: bytes, size: int) -> bytes:
        assert len(self.blocks[identity]) == size
        return self.blocks[identity]


@settings(deadline=None)
@given(st.integers(0, 300), st.integers(1, 64), st.integers(0, 63))
def test_a_list_of_blocks_comes_back_inline_or_as_blocks(count: int, size: int, short: int) -> None:
    content_size = max(0, count * size - min(short, size - 1)) if count else 0
    shelf = Shelf()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocklist, "MAP_BLOCK", 4 * ID_SIZE)
        listed = make_block_list(content_size, size, ids_of(count), shelf.put)
        assert expand(listed, shelf.get) == ids_of(count)
    assert listed.depth == (1 if count > blocklist.INLINE else 0)
    assert len(listed.ids) <= max(blocklist.INLINE, -(-count // 4)) * ID_SIZE
    assert bool(shelf.blocks) == (listed.depth == 1)


@pytest.mark.parametrize("count", [3, 40])
def test_a_list_that_does_not_match_its_hash_is_refused(count: int) -> None:
    shelf = Shelf()
    listed = make_block_list(count * 10, 10, ids_of(count), shelf.put)
    wrong: list[dict[str, object]] = [
        {"hash": bytes(32)},
        {"size": count * 10 + 1},
        {"ids": listed.ids + bytes(32)},
        {"ids": listed.ids[:-32]},
        {"depth": 1 - listed.depth},
    ]
    for change in wrong:
        fields = {name: getattr(listed, name) for name in BlockList.__struct_fields__} | change
        with pytest.raises((IntegrityError, KeyError, AssertionError)):
            expand(BlockList(**fields), shelf.get)


def test_the_last_block_is_as_long_as_what_is_left() -> None:
    listed = BlockList(size=25, block_size=10, depth=0, ids=b"", hash=b"")
    assert [block_length(listed, number) for number in range(3)] == [10, 10, 5]


@settings(deadline=None)
@given(st.integers(0, 20))
def test_ids_are_cut_apart(count: int) -> None:
    assert b"".join(split_ids(ids_of(count))) == ids_of(count)
    assert len(split_ids(ids_of(count))) == count
