"""Packs: what they hold can be read from themselves, and no damage goes unnoticed."""

from __future__ import annotations

import pytest
from blake3 import blake3
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.properties import examples
from helpers.txlog import flipped
from neokeep.errors import IntegrityError
from neokeep.repository import pack as packs
from neokeep.repository.block import BlockEncoder, block_id, decode_block
from neokeep.repository.pack import Pack, PackBuilder, check_pack, pack_name, read_footer

CONTENTS = st.lists(st.binary(max_size=400), max_size=12)


def build(contents: list[bytes]) -> tuple[list[Pack], dict[str, bytes]]:
    stored: dict[str, bytes] = {}
    builder, encoder = PackBuilder(lambda name, view: stored.update({name: bytes(view)})), BlockEncoder(1)
    for content in contents:
        builder.add(block_id(content), *encoder.encode(memoryview(content)), len(content))
    builder.flush()
    built = builder.packs
    builder.close()
    return built, stored


def contents_of(pack: Pack, data: bytes) -> list[bytes]:
    found: list[bytes] = []
    for entry in pack.entries:
        stored = memoryview(data)[int(entry["offset"]) : int(entry["offset"]) + int(entry["stored"])]
        found.append(bytes(decode_block(stored, entry["id"].tobytes(), int(entry["size"]))))
    return found


@examples(40)
@given(CONTENTS)
def test_blocks_come_back_from_the_pack_that_its_footer_describes(contents: list[bytes]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(packs, "TARGET_SIZE", 1000)
        built, stored = build(contents)
    found: list[bytes] = []
    for pack in built:
        data = stored[pack_name(pack.identity)]
        assert (len(data), blake3(data).digest()) == (pack.size, pack.identity)
        again = check_pack(pack.identity, data)
        assert again.entries.tobytes() == pack.entries.tobytes()
        found += contents_of(again, data)
    assert found == contents
    assert len(stored) == len(built)


@examples(40)
@given(st.lists(st.binary(min_size=100, max_size=400), min_size=1, max_size=12), st.integers(500, 3000))
def test_a_pack_is_never_larger_than_its_buffer(contents: list[bytes], target: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(packs, "TARGET_SIZE", target)
        built, _ = build(contents)
    for pack in built:
        assert pack.size <= target + packs.FOOTER_ROOM
        assert int(pack.entries["offset"][-1]) + int(pack.entries["stored"][-1]) <= target


def test_a_full_footer_begins_a_new_pack(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packs, "MOST_ENTRIES", 3)
    built, _ = build([bytes([number]) for number in range(8)])
    assert [len(pack.entries) for pack in built] == [3, 3, 2]
    room = packs.MOST_ENTRIES * packs.ENTRY.itemsize + packs.TRAILER_SIZE
    assert room <= packs.FOOTER_ROOM


def test_a_smaller_first_pack_is_followed_by_whole_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packs, "TARGET_SIZE", packs.HEAD_SIZE + 8 * 101)
    builder = PackBuilder(lambda name, view: None, first=0.5)
    for number in range(16):
        builder.add(block_id(bytes([number])), b"\0", bytes([number]) * 100, 100)
    builder.flush()
    builder.close()
    assert [len(pack.entries) for pack in builder.packs] == [3, 8, 5]


def test_nothing_makes_no_pack() -> None:
    assert build([]) == ([], {})


def test_the_same_blocks_stored_again_get_another_name() -> None:
    (first,), (second,) = build([b"same"])[0], build([b"same"])[0]
    assert first.identity != second.identity


def test_what_another_builder_collected_is_taken_over() -> None:
    stored: dict[str, bytes] = {}
    first, second = (PackBuilder(lambda name, view: stored.update({name: bytes(view)})) for _ in range(2))
    for builder, content in ((first, b"one"), (second, b"two"), (second, b"three")):
        builder.add(block_id(content), b"\0", content, len(content))
    first.absorb(second)
    first.flush()
    second.flush()
    assert second.packs == []
    (pack,) = first.packs
    assert contents_of(pack, stored[pack_name(pack.identity)]) == [b"one", b"two", b"three"]


def test_every_flipped_byte_of_a_pack_is_noticed() -> None:
    (pack,), stored = build([b"first" * 9, bytes(300), b"third"])
    (data,) = stored.values()
    for at in range(len(data)):
        with pytest.raises(IntegrityError):
            check_pack(pack.identity, flipped(data, at))


def test_every_flipped_byte_of_a_footer_is_noticed_without_reading_the_rest() -> None:
    (pack,), stored = build([b"first" * 9, b"third"])
    (data,) = stored.values()
    footer = len(pack.entries) * packs.ENTRY.itemsize + packs.TRAILER_SIZE
    padding = range(len(data) - 12, len(data) - 8)
    for at in range(len(data) - footer, len(data)):
        if at not in padding:
            with pytest.raises(IntegrityError):
                footer_of(flipped(data, at))


def footer_of(data: bytes) -> Pack:
    def read(offset: int, length: int) -> bytes:
        assert offset >= 0, "no storage can read before the begin of an object"
        return data[offset : offset + length]

    return read_footer(bytes(32), len(data), read)


def test_a_pack_cut_anywhere_is_refused() -> None:
    _, stored = build([b"first" * 9, b"third"])
    (data,) = stored.values()
    assert len(footer_of(data).entries) == 2
    for cut in range(len(data)):
        with pytest.raises(IntegrityError):
            footer_of(data[:cut])


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(IntegrityError):
        footer_of(data)
