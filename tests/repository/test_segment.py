"""Segments: what is stored comes back, every damage is noticed, and a chain is as long as nothing is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.chains import CHAIN, header, named
from helpers.properties import examples
from helpers.storages import MemoryStorage
from helpers.txlog import flipped
from neokeep.errors import IntegrityError
from neokeep.repository.segment import (
    Piece,
    SegmentName,
    contiguous,
    list_segments,
    read_segment,
    store_segment,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

PIECES = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 2**40), st.binary(max_size=200)), max_size=4)


@settings(deadline=None)
@given(st.integers(1, 2**60), st.integers(0, 2**60), PIECES)
def test_a_segment_comes_back_and_its_name_tells_what_it_holds(
    first: int, more: int, parts: list[tuple[int, int, bytes]]
) -> None:
    storage = MemoryStorage()
    pieces = [Piece(version=version, start=start, length=len(data)) for version, start, data in parts]
    data = b"".join(content for _, _, content in parts)
    wanted = header(first, first + more, pieces)
    segment = store_segment(storage, wanted, data)
    assert read_segment(storage, segment) == (wanted, data)
    assert list_segments(storage, CHAIN) == [segment]
    assert (segment.first, segment.last, segment.size) == (first, first + more, len(storage.objects[segment.name]))


def stored(data: bytes = b"some log" * 40) -> tuple[MemoryStorage, SegmentName]:
    storage = MemoryStorage()
    return storage, store_segment(storage, header(2, 5, [Piece(version=0, start=64, length=len(data))]), data)


def test_every_flipped_byte_and_every_cut_is_noticed() -> None:
    storage, segment = stored()
    data = storage.objects[segment.name]
    for at in range(len(data)):
        for damaged in (flipped(data, at), data[:at]):
            storage.replace(segment.name, damaged)
            with pytest.raises(IntegrityError, match=f"the segment {segment.name} is damaged") as failure:
                read_segment(storage, segment)
            assert failure.value.remedy
    storage.replace(segment.name, data + b"\0")
    with pytest.raises(IntegrityError):
        read_segment(storage, segment)


def test_a_missing_segment_is_told_as_missing() -> None:
    storage, segment = stored()
    storage.delete(segment.name)
    with pytest.raises(IntegrityError, match="is missing"):
        read_segment(storage, segment)


def test_the_same_segment_is_stored_once() -> None:
    storage, segment = stored()
    data = read_segment(storage, segment)
    assert store_segment(storage, *data) == segment
    assert storage.names("segments/") == [segment.name]


def test_a_segment_that_replaces_a_damaged_one_gets_a_name_of_its_own() -> None:
    storage, segment = stored()
    before, data = read_segment(storage, segment)
    storage.replace(segment.name, bytes(len(storage.objects[segment.name])))
    later = msgspec.structs.replace(before, created_at=before.created_at.replace(year=2027))
    again = store_segment(storage, later, data)
    assert again.name != segment.name
    assert read_segment(storage, again) == (later, data)


def test_a_segment_under_the_name_of_another_is_refused() -> None:
    storage, segment = stored()
    content = storage.objects[segment.name]
    for other in (
        SegmentName(CHAIN, 3, 5, segment.size, segment.hash),
        SegmentName(CHAIN, 2, 6, segment.size, segment.hash),
        SegmentName("other-20261122-173015F", 2, 5, segment.size, segment.hash),
    ):
        storage.create(other.name, content)
        with pytest.raises(IntegrityError, match="is damaged"):
            read_segment(storage, other)


def test_pieces_have_to_cover_the_bytes() -> None:
    storage = MemoryStorage()
    segment = store_segment(storage, header(2, 5, [Piece(version=0, start=64, length=7)]), b"eight---")
    with pytest.raises(IntegrityError, match="is damaged"):
        read_segment(storage, segment)


def test_listing_ignores_strangers_and_other_chains_and_sorts() -> None:
    storage = MemoryStorage()
    hashed = "ab" * 32
    for name in ("x", f"{2:020}-{5:020}", f"{2:020}-{5:020}-{hashed[1:]}", f"{2}-{5}-{hashed}", f"{hashed}"):
        storage.create(f"segments/{CHAIN}/{name}", b"")
    storage.create(f"segments/{CHAIN}/{6:020}-{9:020}-{hashed}", b"123")
    storage.create(f"segments/{CHAIN}/{2:020}-{5:020}-{hashed}", b"1")
    storage.create(f"segments/{CHAIN}_20261122-180000I/{2:020}-{5:020}-{hashed}", b"1")
    listed = list_segments(storage, CHAIN)
    assert [(item.first, item.last, item.size) for item in listed] == [(2, 5, 1), (6, 9, 3)]
    assert {item.hash.hex() for item in listed} == {hashed}


def farthest(segments: Sequence[SegmentName], after: int) -> int:
    """The slow model: every transaction is followed one segment at a time, by every way there is."""
    reachable, grown = {after}, True
    while grown:
        ends = {item.last for item in segments if item.first - 1 in reachable}
        grown = not ends <= reachable
        reachable |= ends
    return max(reachable)


RANGES = st.lists(st.tuples(st.integers(1, 20), st.integers(0, 6)), max_size=14)


@examples(300)
@given(RANGES, st.integers(0, 8))
def test_what_is_chosen_follows_on_without_a_gap_and_stops_only_at_one(
    ranges: list[tuple[int, int]], begin: int
) -> None:
    segments = [named(first, first + more) for first, more in ranges]
    chosen = contiguous(segments, begin)
    reached = begin
    for segment in chosen:
        assert segment.first == reached + 1
        reached = segment.last
    assert reached == farthest(segments, begin)


def test_the_way_that_leads_farthest_is_taken_and_not_the_longest_next_step() -> None:
    archived, backed_up, archived_next = named(101, 150), named(101, 160), named(151, 170)
    assert contiguous([archived, backed_up, archived_next], 100) == [archived, archived_next]


def test_of_two_ways_to_the_same_end_the_one_with_fewer_segments_is_taken() -> None:
    merged = named(1, 9)
    assert contiguous([named(1, 3), named(4, 9), merged], 0) == [merged]


@examples(300)
@given(st.lists(st.integers(1, 4), min_size=1, max_size=8), st.data())
def test_merged_segments_and_repeated_ones_lead_as_far_as_their_parts(lengths: list[int], data: st.DataObject) -> None:
    ends = [sum(lengths[: at + 1]) for at in range(len(lengths))]
    begins = [0, *ends[:-1]]
    segments = [named(begin + 1, end) for begin, end in zip(begins, ends, strict=True)]
    merges = data.draw(st.lists(st.tuples(st.sampled_from(begins), st.sampled_from(ends)), max_size=4))
    segments += [named(begin + 1, end) for begin, end in merges if begin < end]
    shuffled = data.draw(st.permutations(segments))
    assert contiguous(shuffled, 0)[-1].last == farthest(segments, 0) == ends[-1]
