"""Which base and segments a moment needs, against a slow model that knows every transaction."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.chains import named
from helpers.manifests import full_manifest
from helpers.properties import examples
from neokeep.errors import UsageError
from neokeep.repository.chains import Chain
from neokeep.repository.manifest import LogPoint, Manifest
from neokeep.repository.windows import Window
from neokeep.restore.targets import NEWEST, Moment, RestorePlan, make_moment, plan_backup, plan_moment

BEGIN = datetime(2026, 11, 22, 10, tzinfo=UTC)


def time_of(transaction: int) -> datetime:
    return BEGIN + timedelta(seconds=transaction)


def base(label: str, last: int, finished: int, opens: int | None = None) -> Manifest:
    return full_manifest(
        label,
        opens=None if opens is None else LogPoint(version=0, offset=0, transaction=opens, commit_time=time_of(opens)),
        started_at=time_of(finished),
        finished_at=time_of(finished),
        end=LogPoint(version=0, offset=0, transaction=last, commit_time=time_of(last)),
        first_transaction=last,
    )


def window(
    label: str, last: int, lengths: tuple[int, ...] = (), finished: int | None = None, opens: int | None = None
) -> Window:
    """A base that ends with transaction `last`, and segments of some lengths behind it."""
    segments = []
    reached = last
    for length in lengths:
        segments.append(named(reached + 1, reached + length, chain=label))
        reached += length
    chain = Chain(base(label, last, last if finished is None else finished, opens), tuple(segments))
    return Window(chain, time_of(last if opens is None else opens), time_of(reached))


@dataclass(frozen=True)
class Reached:
    """What a plan comes to, for the eyes of the model."""

    label: str
    segments: int
    moment: Moment


def reached(plan: RestorePlan) -> Reached:
    return Reached(plan.base.label, len(plan.segments), plan.moment)


A = window("a", 10, (5, 5), finished=1)
B = window("b", 18, (2, 10), finished=2)
C = window("c", 40, (), finished=3)


def test_without_a_moment_the_newest_base_and_all_its_log_are_taken() -> None:
    assert reached(plan_moment([A, B], NEWEST)) == Reached("b", 2, NEWEST)
    assert reached(plan_moment([B, A, C], NEWEST)) == Reached("c", 0, NEWEST)


@pytest.mark.parametrize(
    ("transaction", "label", "segments"),
    [(11, "a", 1), (15, "a", 1), (16, "a", 2), (17, "a", 2), (19, "b", 1), (20, "b", 1), (21, "b", 2), (30, "b", 2)],
)
def test_a_transaction_takes_the_segments_up_to_it_and_no_more(transaction: int, label: str, segments: int) -> None:
    plan = plan_moment([A, B, C], Moment(transaction=transaction))
    assert reached(plan) == Reached(label, segments, Moment(transaction=transaction))


@pytest.mark.parametrize(("transaction", "label"), [(10, "a"), (18, "b"), (40, "c")])
def test_the_transaction_with_which_a_base_ends_is_the_base_as_it_is(transaction: int, label: str) -> None:
    assert reached(plan_moment([A, B, C], Moment(transaction=transaction))) == Reached(label, 0, NEWEST)


@pytest.mark.parametrize("order", [[A, B, C], [C, B, A], [B, C, A]])
def test_where_windows_overlap_the_newest_base_is_taken_since_it_needs_the_least_log(order: list[Window]) -> None:
    for transaction in (18, 19, 20):
        assert plan_moment(order, Moment(transaction=transaction)).base.label == "b"
        assert plan_moment(order, Moment(time=time_of(transaction))).base.label == "b"
    assert plan_moment(order, Moment(time=time_of(17))).base.label == "a"


@pytest.mark.parametrize(
    ("wanted", "near"),
    [
        (Moment(transaction=9), ["the nearest after is 10"]),
        (Moment(transaction=35), ["the nearest before is 30", "the nearest after is 40"]),
        (Moment(transaction=41), ["the nearest before is 40"]),
        (Moment(time=time_of(9)), ["the nearest after is 2026-11-22T10:00:10.000Z"]),
        (Moment(time=time_of(31)), ["before is 2026-11-22T10:00:30.000Z", "after is 2026-11-22T10:00:40.000Z"]),
        (Moment(time=BEGIN + timedelta(days=1)), ["the nearest before is 2026-11-22T10:00:40.000Z"]),
    ],
)
def test_outside_every_window_the_windows_and_the_nearest_points_are_told(wanted: Moment, near: list[str]) -> None:
    with pytest.raises(UsageError, match="lies outside every restore window") as failure:
        plan_moment([A, B, C], wanted)
    assert "transactions 10 to 20, 2026-11-22T10:00:10.000Z to 2026-11-22T10:00:20.000Z (a)" in failure.value.message
    assert "transactions 40 to 40" in failure.value.message
    for text in near:
        assert text in failure.value.remedy
    assert ("before" in failure.value.remedy) == any("before" in text for text in near)


def test_a_window_whose_times_are_not_known_is_told_and_still_reached_by_its_transactions() -> None:
    blind = Window(A.chain, None, None)
    assert plan_moment([blind], Moment(transaction=12)).base.label == "a"
    with pytest.raises(UsageError, match="transactions 10 to 20, unknown to unknown"):
        plan_moment([blind], Moment(time=time_of(12)))


WINDOWS = st.lists(st.tuples(st.integers(0, 30), st.lists(st.integers(1, 6), max_size=4)), min_size=1, max_size=4).map(
    lambda drawn: [window(f"w{at}", last, tuple(more), finished=at) for at, (last, more) in enumerate(drawn)]
)


def model(windows: list[Window], transaction: int) -> tuple[str, int] | None:
    """Try the bases from the newest on, and walk from transaction to transaction."""
    for one in sorted(windows, key=lambda item: item.chain.base.finished_at, reverse=True):
        at, used = one.chain.base.end.transaction or 0, 0
        held = [number for segment in one.chain.segments for number in range(segment.first, segment.last + 1)]
        if at == transaction:
            return one.chain.base.label, 0
        if transaction in held:
            used = sum(segment.first <= transaction for segment in one.chain.segments)
            return one.chain.base.label, used
    return None


@examples(200)
@given(WINDOWS, st.integers(0, 60))
def test_any_transaction_is_planned_as_a_walk_from_base_to_base_would(windows: list[Window], transaction: int) -> None:
    wanted = model(windows, transaction)
    if wanted is None:
        with pytest.raises(UsageError, match="outside every restore window"):
            plan_moment(windows, Moment(transaction=transaction))
        return
    plan = plan_moment(windows, Moment(transaction=transaction))
    assert (plan.base.label, len(plan.segments)) == wanted
    assert plan.moment in (Moment(transaction=transaction), NEWEST)
    assert (plan.moment == NEWEST) == (plan.base.end.transaction == transaction)


@examples(200)
@given(WINDOWS, st.integers(-2000, 60_000))
def test_any_time_is_planned_in_the_newest_window_that_is_open_then_of_those_that_were_lived(
    windows: list[Window], milliseconds: int
) -> None:
    time = BEGIN + timedelta(milliseconds=milliseconds)
    newest_first = sorted(windows, key=lambda item: item.chain.base.finished_at, reverse=True)
    open_then = [item for item in newest_first if time_of(item.first) <= time <= time_of(item.last)]
    if not open_then:
        with pytest.raises(UsageError, match="outside every restore window"):
            plan_moment(windows, Moment(time=time))
        return
    plan = plan_moment(windows, Moment(time=time))
    open_then = [item for item in open_then if item.chain.base.finished_at <= time] or open_then
    assert plan.base == open_then[0].chain.base
    held = {number for segment in plan.segments for number in range(segment.first, segment.last + 1)}
    assert {number for number in range(open_then[0].first + 1, 61) if time_of(number) <= time} <= held
    assert plan.moment == Moment(time=time)


def test_a_full_backup_by_its_label_is_restored_as_it_is() -> None:
    assert reached(plan_backup(A.chain, "a", 10)) == Reached("a", 0, NEWEST)


@pytest.mark.parametrize(("last", "segments"), [(10, 0), (12, 1), (15, 1), (16, 2), (20, 2)])
def test_an_incremental_backup_by_its_label_ends_where_it_ended(last: int, segments: int) -> None:
    plan = plan_backup(A.chain, "a_i", last)
    assert reached(plan) == Reached("a", segments, Moment(transaction=last))
    assert plan.log_bytes == segments


def test_an_incremental_backup_whose_log_is_not_whole_is_refused() -> None:
    with pytest.raises(UsageError, match="needs the log up to transaction 21, but its chain is whole only up to 20"):
        plan_backup(A.chain, "a_i", 21)


def test_a_moment_is_one_target_or_none() -> None:
    assert make_moment(None, None, None) == NEWEST
    assert make_moment(BEGIN, None, None) == Moment(time=BEGIN)
    assert make_moment(None, 7, None) == Moment(transaction=7)
    assert make_moment(None, None, 7) == Moment(transaction=6)


@pytest.mark.parametrize("given_targets", [(BEGIN, 1, None), (BEGIN, None, 1), (None, 1, 1), (BEGIN, 1, 1)])
def test_several_targets_are_refused(given_targets: tuple[datetime | None, int | None, int | None]) -> None:
    with pytest.raises(UsageError, match="several targets"):
        make_moment(*given_targets)


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(UsageError, match="has no zone") as failure:
        make_moment(BEGIN.replace(tzinfo=None), None, None)
    assert "Z" in failure.value.remedy


def test_a_base_without_any_transaction_opens_its_window_at_zero() -> None:
    empty = msgspec.structs.replace(base("e", 0, 1), end=LogPoint(version=0, offset=0))
    one = Window(Chain(empty, (named(1, 4, chain="e"),)), None, time_of(4))
    assert (one.first, one.last) == (0, 4)
    assert len(plan_moment([one], Moment(transaction=3)).segments) == 1


def test_a_time_is_restored_from_the_history_that_was_lived_at_that_time() -> None:
    lived = window("lived", 10, (10,), finished=11)
    after_a_loss = replace(window("after", 10, (5,), finished=40), closes_at=time_of(45))
    assert plan_moment([lived, after_a_loss], Moment(time=time_of(15))).base.label == "lived"
    assert plan_moment([lived, after_a_loss], Moment(time=time_of(41))).base.label == "after"


@pytest.mark.parametrize("by_time", [False, True])
def test_what_lies_before_the_end_of_a_full_backup_is_undone_where_no_other_chain_holds_it(by_time: bool) -> None:
    def plan(transaction: int) -> RestorePlan:
        wanted = Moment(time=time_of(transaction)) if by_time else Moment(transaction=transaction)
        return plan_moment([older, newer], wanted)

    older, newer = window("a", 10, (5,), finished=10, opens=7), window("b", 30, (5,), finished=30, opens=12)
    assert [(plan(at).base.label, plan(at).goes_back) for at in (7, 9)] == [("a", True)] * 2
    assert [(plan(at).base.label, plan(at).goes_back) for at in (10, 12, 15)] == [("a", False)] * 3
    assert [(plan(at).base.label, plan(at).goes_back) for at in (16, 29)] == [("b", True)] * 2
    assert [(plan(at).base.label, plan(at).goes_back) for at in (30, 35)] == [("b", False)] * 2
    for at in (6, 36):
        with pytest.raises(UsageError, match="transactions 12 to 35"):
            plan(at)
