"""Counts by keys are right whatever way they come in, and bounded; value for value as a dictionary has them."""

from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from neokeep.statistics.tally import Collector, Tally, scrambled

PAIRS = st.lists(st.tuples(st.integers(0, (1 << 64) - 1) | st.integers(0, 9), st.integers(1, 5), st.integers(-1, 99)))


def tally_of(pairs: list[tuple[int, int, int]], most: int = 1 << 20) -> Tally:
    return Tally.of(
        np.array([key for key, _, _ in pairs], np.uint64),
        np.array([count for _, count, _ in pairs], np.int64),
        np.array([first for _, _, first in pairs], np.int64),
        most=most,
    )


def plain(tally: Tally) -> tuple[list[int], list[int], list[int], int, int]:
    return tally.keys.tolist(), tally.counts.tolist(), tally.first.tolist(), tally.total, tally.halvings


@given(PAIRS)
def test_keys_come_once_with_all_their_counts_and_the_smallest_number(pairs: list[tuple[int, int, int]]) -> None:
    expected, first = Counter[int](), dict[int, int]()
    for key, count, number in pairs:
        expected[key] += count
        first[key] = min(number, first.get(key, number))
    tally = tally_of(pairs)
    assert dict(zip(tally.keys.tolist(), tally.counts.tolist(), strict=True)) == expected
    assert dict(zip(tally.keys.tolist(), tally.first.tolist(), strict=True)) == first
    assert tally.total == expected.total()
    assert tally.distinct == len(expected)


@given(st.lists(PAIRS, min_size=1), st.integers(1, 12), st.randoms())
def test_parts_give_the_same_in_any_order_and_split(
    parts: list[list[tuple[int, int, int]]], most: int, random: object
) -> None:
    whole = tally_of([pair for part in parts for pair in part], most)
    tallies = [tally_of(part, most) for part in parts]
    random.shuffle(tallies)  # type: ignore[attr-defined]
    assert plain(Tally.joined(tallies)) == plain(whole)
    paired = tallies[0]
    for tally in tallies[1:]:
        paired = Tally.joined([paired, tally])
    assert plain(paired) == plain(whole)
    collector = Collector(most)
    for part in parts:
        own = tally_of(part)
        collector.add(own.keys, own.counts, own.first)
    assert plain(collector.tally()) == plain(whole)


def test_too_many_keys_leave_a_fair_sample_with_exact_counts() -> None:
    count, most = 200_000, 1000
    tally = Tally.of(np.arange(count, dtype=np.uint64), np.arange(count) + 1, most=most)
    assert most // 4 < len(tally.keys) <= most
    assert (tally.counts == tally.keys.astype(np.int64) + 1).all()
    assert tally.total == count * (count + 1) // 2
    assert abs(tally.distinct - count) < count / 5


@given(st.lists(st.integers(1, 9), max_size=40), st.integers(1, 10))
def test_the_commonest_are_the_largest_counts_first(counts: list[int], most: int) -> None:
    tally = Tally.of(np.arange(len(counts), dtype=np.uint64), np.array(counts, np.int64))
    expected = sorted(range(len(counts)), key=lambda place: (-counts[place], place))[:most]
    assert tally.commonest(most).tolist() == expected


@given(st.lists(st.integers(0, (1 << 64) - 1), unique=True))
def test_scrambling_keeps_keys_apart(keys: list[int]) -> None:
    assert len(set(scrambled(np.array(keys, np.uint64)).tolist())) == len(keys)
