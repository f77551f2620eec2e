"""Shares of a repository: every object is in exactly one, and what was proven when is told right, however it came."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neokeep.errors import UsageError
from neokeep.repository.coverage import (
    SPACE,
    Coverage,
    Part,
    Stretch,
    combined,
    filled,
    key_of,
    next_part,
    oldest_in,
    proven_at,
    read_part,
)

NOON = datetime(2027, 1, 1, 12, tzinfo=UTC)
HASHES = st.binary(min_size=32, max_size=32)


def hour(number: int) -> datetime:
    return NOON + timedelta(hours=number)


@st.composite
def stretches(draw: st.DrawFn) -> Stretch:
    first = draw(st.integers(0, 30))
    return Stretch(first=first, last=draw(st.integers(first, 31)), proven=hour(draw(st.integers(0, 5))))


def told(coverage: Coverage) -> list[datetime | None]:
    return [proven_at(coverage, key) for key in range(32)]


def model(given_stretches: list[Stretch]) -> list[datetime | None]:
    return [
        max((one.proven for one in given_stretches if one.first <= key <= one.last), default=None) for key in range(32)
    ]


@given(HASHES, st.integers(1, 1000))
def test_every_object_is_in_exactly_one_part_whatever_their_number(identity: bytes, of: int) -> None:
    number = key_of(identity) * of // SPACE + 1
    assert Part(number, of).holds(identity)
    assert not any(Part(other, of).holds(identity) for other in (number - 1, number + 1) if 1 <= other <= of)


@given(st.integers(1, 1000))
def test_parts_lie_side_by_side_and_leave_nothing_out(of: int) -> None:
    parts = [Part(number, of) for number in range(1, of + 1)]
    assert (parts[0].first, parts[-1].last) == (0, SPACE - 1)
    assert all(one.last + 1 == other.first for one, other in pairwise(parts))
    shares = [part.last - part.first for part in parts]
    assert max(shares) - min(shares) <= 1


@given(st.lists(stretches(), max_size=8))
def test_of_stretches_that_overlap_the_newest_counts(some: list[Stretch]) -> None:
    coverage = combined(some)
    assert told(coverage) == model(some)
    assert all(one.last < other.first for one, other in pairwise(coverage))
    assert combined(coverage) == coverage


@given(st.lists(stretches(), max_size=6), st.integers(0, 31), st.integers(0, 31), st.integers(0, 6))
def test_only_what_was_not_proven_since_is_proven_now(some: list[Stretch], one: int, other: int, since: int) -> None:
    first, last = min(one, other), max(one, other)
    before = told(combined(some))
    after = told(filled(combined(some), first, last, hour(since), hour(7)))
    for key in range(32):
        was = before[key]
        due = first <= key <= last and (was is None or was < hour(since))
        assert after[key] == (hour(7) if due else was)


@given(st.integers(1, 40))
def test_the_next_part_is_each_once_and_then_the_oldest_again(of: int) -> None:
    coverage: Coverage = ()
    taken: list[int] = []
    for turn in range(2 * of):
        part = next_part(coverage, of)
        taken.append(part.number)
        coverage = filled(coverage, part.first, part.last, hour(turn), hour(turn))
    assert sorted(taken[:of]) == list(range(1, of + 1))
    assert taken[of:] == taken[:of]


def test_another_number_of_parts_goes_on_with_what_is_the_oldest() -> None:
    coverage: Coverage = ()
    for turn in range(3):
        part = Part(turn + 1, 3)
        coverage = filled(coverage, part.first, part.last, hour(turn), hour(turn))
    assert next_part(coverage, 6) == Part(1, 6)
    assert oldest_in(coverage, Part(2, 2)) == hour(1)
    assert oldest_in((), Part(1, 1)) is None


@pytest.mark.parametrize("text", ["", "3", "0/3", "4/3", "3/0", "1/1001", "auto", "auto/0", "a/3", "-1/3", "1/3/4"])
def test_what_is_no_part_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is no part"):
        read_part(text)


def test_a_part_is_read() -> None:
    assert (read_part("3/30"), read_part(" auto/7 ")) == ((3, 30), (None, 7))
