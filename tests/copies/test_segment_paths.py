"""Which segments are fetched: enough to reach as far as both repositories do, and never one that is not needed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from helpers.chains import named
from neokeep.copies.segments import plan_path
from neokeep.repository.segment import SegmentName, contiguous

AFTER = 3


@st.composite
def segments(draw: st.DrawFn) -> list[SegmentName]:
    """Some segments behind transaction 3, which may overlap and leave gaps."""
    found = draw(st.lists(st.tuples(st.integers(4, 20), st.integers(0, 6), st.integers(1, 9)), max_size=12))
    return [named(first, first + more, size=size) for first, more, size in found]


def reached(found: list[SegmentName]) -> int:
    path = contiguous(found, AFTER)
    return path[-1].last if path else AFTER


@given(segments(), segments())
def test_a_path_leads_on_without_a_gap_as_far_as_both_together_do(
    own: list[SegmentName], others: list[SegmentName]
) -> None:
    path = plan_path(own, others, AFTER)
    ends = [AFTER, *(step.segment.last for step in path)]
    assert [step.segment.first - 1 for step in path] == ends[:-1]
    assert ends[-1] == reached([*own, *others])
    assert all(step.segment in (others if step.missing else own) for step in path)


@given(segments(), segments())
def test_with_what_was_missing_the_target_reaches_as_far(own: list[SegmentName], others: list[SegmentName]) -> None:
    fetched = [step.segment for step in plan_path(own, others, AFTER) if step.missing]
    assert reached([*own, *fetched]) == reached([*own, *others])
    assert not any(step.missing for step in plan_path([*own, *fetched], others, AFTER))


@given(segments(), segments())
def test_nothing_is_fetched_where_the_target_reaches_as_far_already(
    own: list[SegmentName], others: list[SegmentName]
) -> None:
    if reached(own) == reached([*own, *others]):
        assert not any(step.missing for step in plan_path(own, others, AFTER))


def test_a_gap_takes_the_one_segment_that_fills_it() -> None:
    own = [named(4, 10), named(21, 30, size=500)]
    others = [named(4, 10), named(11, 20), named(21, 30, size=500)]
    assert [step.segment for step in plan_path(own, others, AFTER) if step.missing] == [others[1]]


def test_a_merged_segment_is_taken_where_the_small_ones_are_gone() -> None:
    own = [named(4, 7), named(8, 10)]
    merged = named(4, 20, size=100)
    assert [step.segment for step in plan_path(own, [merged], AFTER)] == [merged]
