"""Merging: few segments are left, no byte is rewritten often, nothing is lost whatever is merged and removed."""

from __future__ import annotations

import math
import random
from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.chains import CHAIN, NOW
from helpers.properties import examples
from neokeep.repository.merging import (
    GRACE,
    LARGEST,
    MERGE,
    RESTING,
    plan_merges,
    plan_removals,
)
from neokeep.repository.segment import (
    SegmentName,
    contiguous,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from neokeep.repository.merging import Group

SMALLEST = 400
"""No segment takes fewer bytes: its header alone has so many."""


def segment(first: int, last: int, size: int = 1000, *, hours: float = 0, variant: int = 0) -> SegmentName:
    identity = b"".join(number.to_bytes(8, "big") for number in (variant, first, last, size))
    return SegmentName(CHAIN, first, last, size, identity, NOW + timedelta(hours=hours))


def path_of(sizes: Sequence[int]) -> list[SegmentName]:
    return [segment(number, number, size) for number, size in enumerate(sizes, 1)]


def merged_path(path: list[SegmentName], groups: Sequence[Group]) -> list[SegmentName]:
    """The way through the chain once some groups are merged."""
    instead = {group[0].first: group for group in groups}
    covered = {part.first for group in groups for part in group[1:]}
    found: list[SegmentName] = []
    for one in path:
        group = instead.get(one.first)
        if group is not None:
            found.append(segment(group[0].first, group[-1].last, sum(part.size for part in group)))
        elif one.first not in covered:
            found.append(one)
    return found


SIZES = st.lists(
    st.one_of(st.integers(SMALLEST, 2000), st.integers(SMALLEST, 300_000), st.integers(SMALLEST, 2 * LARGEST)),
    max_size=120,
)


@examples(200)
@given(SIZES, st.sets(st.integers(0, 119), max_size=10))
def test_groups_are_neighbours_on_the_way_that_fit_into_one_segment_and_are_in_one_group_only(
    sizes: list[int], heavy: set[int]
) -> None:
    path = path_of(sizes)
    resting = {path[at].hash for at in heavy if at < len(path)}
    groups = plan_merges(path, resting)
    for group in groups:
        assert len(group) > 1
        assert all(one.last + 1 == following.first for one, following in pairwise(group))
        assert sum(part.size for part in group) <= LARGEST
        assert all(part.size < RESTING and part.hash not in resting for part in group)
    parts = [part.first for group in groups for part in group]
    assert len(parts) == len(set(parts))
    assert plan_merges(path, resting) == groups


@examples(100)
@given(SIZES)
def test_a_group_holds_many_or_is_large_or_stands_before_a_segment_that_rests(sizes: list[int]) -> None:
    path = path_of(sizes)
    resting = {one.first for one in path if one.size >= RESTING}
    for group in plan_merges(path):
        small = next((at for at in range(group[-1].last + 1, len(path) + 1) if at in resting), None)
        assert len(group) >= MERGE or sum(part.size for part in group) > LARGEST - RESTING or small is not None


def test_what_rests_is_left_alone_and_so_is_what_is_too_little() -> None:
    assert plan_merges([]) == []
    assert plan_merges(path_of([RESTING] * 50)) == []
    assert plan_merges(path_of([1000] * (MERGE - 1))) == []
    assert [len(group) for group in plan_merges(path_of([1000] * (3 * MERGE)))] == [MERGE] * 3


def test_the_larger_ones_are_merged_too_while_small_ones_never_cease_to_come() -> None:
    """The new small segments at the end must not keep what stands before them from being merged."""
    path = path_of([100_000] * MERGE + [1000] * MERGE)
    assert [[part.size for part in group] for group in plan_merges(path)] == [[1000] * MERGE, [100_000] * MERGE]


def test_small_segments_between_two_that_rest_are_merged_however_few_they_are() -> None:
    path = path_of([RESTING, 1000, 1000, 1000, RESTING, 1000, RESTING, 1000, 1000])
    assert [[part.first for part in group] for group in plan_merges(path)] == [[2, 3, 4]]


def test_a_large_segment_is_not_written_anew_for_a_few_small_ones() -> None:
    assert plan_merges(path_of([RESTING - 1] + [1000] * (MERGE - 1))) == []


ARRIVALS: dict[str, Callable[[random.Random], int]] = {
    "one small transaction a second": lambda _: 600,
    "all sizes alike": lambda chance: int(SMALLEST * 10 ** (chance.random() * 3.8)),
    "seldom a bulk load": lambda chance: 3_500_000 if chance.random() < 0.05 else 700,
    "about the size of an order": lambda chance: chance.choice([15_000, 17_000, 250_000, 260_000]),
    "just too small to rest, and tiny": lambda chance: chance.choice([RESTING - 100, SMALLEST]),
    "seldom one that is just too small to rest": lambda chance: RESTING - 1 if chance.random() < 0.07 else SMALLEST,
}


@pytest.mark.parametrize("kind", ARRIVALS)
@pytest.mark.parametrize("at_once", [*(pytest.param(many, marks=pytest.mark.slow) for many in (1, 7)), 60, 5000])
def test_of_five_thousand_segments_few_are_left_and_no_byte_is_rewritten_often(kind: str, at_once: int) -> None:
    chance = random.Random(at_once)
    sizes = [ARRIVALS[kind](chance) for _ in range(5000)]
    path: list[SegmentName] = []
    rewritten = [0] * (len(sizes) + 1)
    for arrived in range(1, len(sizes) + 1):
        path.append(segment(arrived, arrived, sizes[arrived - 1]))
        if arrived % at_once and arrived < len(sizes):
            continue
        rounds = 0
        while groups := plan_merges(path):
            rounds += 1
            assert rounds < 30, "it never comes to its end"
            for group in groups:
                for number in range(group[0].first, group[-1].last + 1):
                    rewritten[number] += 1
            path = merged_path(path, groups)
    assert [one.first for one in path] == [1, *(one.last + 1 for one in path[:-1])]
    total = sum(sizes)
    assert len(path) <= 64 + 2 * total // RESTING
    # Each time, what holds a byte at least doubles until it rests; and a run between two that rest is merged once more.
    assert max(rewritten) <= math.log2(LARGEST / SMALLEST) + 1
    assert sum(count * size for count, size in zip(rewritten[1:], sizes, strict=True)) <= 5 * total


RANGES = st.lists(
    st.tuples(st.integers(1, 20), st.integers(0, 9), st.integers(0, 6), st.integers(0, 3)), min_size=1, max_size=18
)


@examples(400)
@given(RANGES, st.data())
def test_only_what_a_segment_on_the_way_stands_for_long_enough_goes_and_the_way_stays_the_same(
    ranges: list[tuple[int, int, int, int]], data: st.DataObject
) -> None:
    segments = sorted(
        {segment(first, first + more, hours=hours, variant=variant) for first, more, hours, variant in ranges},
        key=lambda one: (one.first, one.last, one.hash),
    )
    path = contiguous(segments, 0)
    plan = plan_removals(segments, path)
    planned = {part.name: larger for larger, parts in plan.items() for part in parts}
    for one in segments:
        standing = [
            larger
            for larger in path
            if larger.first <= one.first and one.last <= larger.last and larger.created <= path[-1].created - GRACE
        ]
        assert (one.name in planned) == (bool(standing) and one not in path)
    gone = data.draw(st.sets(st.sampled_from(sorted(planned)))) if planned else set()
    left = [one for one in segments if one.name not in gone]
    assert contiguous(left, 0) == path
    assert contiguous([one for one in segments if one.name not in planned], 0) == path


def test_a_clock_that_was_set_back_delays_removals_and_never_hastens_them() -> None:
    parts = [segment(1, 1, hours=9), segment(2, 2, hours=9)]
    merged = segment(1, 2, hours=5)
    for hours, removed in ((5, 0), (5.5, 0), (6, 2)):
        path = [merged, segment(3, 3, hours=hours)]
        assert sum(map(len, plan_removals([*parts, *path], path).values())) == removed


@pytest.mark.slow
def test_five_thousand_segments_are_looked_through_at_once() -> None:
    """Every segment is held against the one on the way that may stand for it, not against all of them."""
    path = [segment(begin, begin + 9) for begin in range(1, 50_000, 10)] + [segment(50_001, 50_001, hours=2)]
    parts = [segment(number, number) for number in range(1, 50_001)]
    assert sum(map(len, plan_removals([*parts, *path], path).values())) == len(parts)
