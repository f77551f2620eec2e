"""The index against a dict, and the set of ids against a set."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.properties import examples
from helpers.txlog import flipped
from neokeep.errors import IntegrityError
from neokeep.repository.index import BlockIndex, IdSet, decode_index, encode_index, index_name
from neokeep.repository.pack import ENTRY, Pack

HEADS = st.sampled_from([b"\0" * 8, b"\0" * 7 + b"\1", b"\xff" * 8, b"abcdefgh"])
IDS = st.builds(lambda head, tail: head + bytes([tail]) * 24, HEADS, st.integers(0, 5))
NUMBERS = st.sampled_from([0, 1, 77, 2**32 - 1])
ENTRIES = st.lists(st.tuples(IDS, NUMBERS, NUMBERS, NUMBERS), max_size=6)
PACKS = st.dictionaries(st.integers(0, 255).map(lambda number: bytes([number]) * 32), ENTRIES, max_size=4)


def pack(identity: bytes, entries: list[tuple[bytes, int, int, int]], size: int = 77) -> Pack:
    return Pack(identity, size, np.array(entries, dtype=ENTRY))


def void(ids: list[bytes]) -> np.ndarray[tuple[int], np.dtype[np.void]]:
    return np.frombuffer(b"".join(ids), "V32")


def plain(packs: tuple[Pack, ...]) -> list[tuple[bytes, int, bytes]]:
    return [(item.identity, item.size, item.entries.tobytes()) for item in packs]


@examples(40)
@given(PACKS)
def test_an_index_object_comes_back(content: dict[bytes, list[tuple[bytes, int, int, int]]]) -> None:
    packs = tuple(pack(identity, entries) for identity, entries in content.items())
    data = encode_index(packs)
    assert plain(decode_index(index_name(data), data)) == plain(packs)


def test_every_flipped_byte_and_every_cut_of_an_index_object_is_noticed() -> None:
    data = encode_index([pack(b"p" * 32, [(b"i" * 32, 8, 10, 20)])])
    for at in range(len(data)):
        for damaged in (flipped(data, at), data[:at]):
            with pytest.raises(IntegrityError) as failure:
                decode_index(index_name(data), damaged)
            assert "only a cache" in failure.value.remedy


@examples(40)
@given(PACKS, st.lists(IDS, max_size=20), st.data())
def test_a_block_is_found_in_a_pack_that_holds_it_and_in_a_good_one_if_there_is_one(
    content: dict[bytes, list[tuple[bytes, int, int, int]]], asked: list[bytes], choices: st.DataObject
) -> None:
    damaged = (
        frozenset(choices.draw(st.lists(st.sampled_from(sorted(content)), unique=True))) if content else frozenset()
    )
    index = BlockIndex((pack(identity, entries) for identity, entries in content.items()), damaged)
    holders: dict[bytes, set[tuple[bytes, int, int, int]]] = {}
    for identity, entries in content.items():
        for block, offset, stored, size in entries:
            holders.setdefault(block, set()).add((identity, offset, stored, size))
    asked = asked + list(holders)
    rows = index.find(void(asked)) if asked else np.empty(0, np.int64)
    assert len(index) == sum(map(len, content.values()))
    for block, row in zip(asked, rows, strict=True):
        if block not in holders:
            assert row == -1
            continue
        one = np.array([row])
        place = index.locate(one)
        info = index.packs[int(place.pack[0])]
        assert int(index.packs_of(one)[0]) == int(place.pack[0])
        found = (info.identity, int(place.offset[0]), int(place.stored[0]), int(index.sizes(one)[0]))
        assert found in holders[block]
        assert info.damaged == (info.identity in damaged)
        assert not info.damaged or all(identity in damaged for identity, *_ in holders[block])


def test_an_empty_index_finds_nothing() -> None:
    index = BlockIndex([])
    assert len(index) == 0
    assert list(index.find(void([b"x" * 32]))) == [-1]
    assert list(index.find(np.empty(0, "V32"))) == []


def test_the_same_pack_in_two_index_objects_counts_once() -> None:
    one = pack(b"p" * 32, [(b"i" * 32, 8, 10, 20)])
    assert len(BlockIndex([one, one])) == 1


@settings(deadline=None)
@given(st.lists(IDS, max_size=60), st.integers(1, 7))
def test_the_set_of_ids_is_a_set(ids: list[bytes], seal_at: int) -> None:
    model: set[bytes] = set()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(IdSet, "SEAL_AT", seal_at)
        growing = IdSet()
        for identity in ids:
            assert growing.add(identity) == (identity not in model)
            model.add(identity)
