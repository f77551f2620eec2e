"""The planner of expiry: against a slow and obvious model, and its promises one by one."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.properties import examples
from neokeep.repository.expiry import (
    Point,
    Policy,
    Verdict,
    plan_expiry,
    plan_giving_up,
    require_consistent_left,
    require_unbroken,
)

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
FAR = NOW + timedelta(days=4000)


def full(label: str, days_ago: float, **fields: object) -> Point:
    made = Point(label, "full", "production", "neo4j", NOW - timedelta(days=days_ago))
    return replace(made, **fields)  # type: ignore[arg-type]


def incremental(base: Point, number: int, days_ago: float) -> Point:
    label = f"{base.label}_{number}I"
    return replace(
        base, label=label, type="incremental", base=base.label, finished_at=NOW - timedelta(days=days_ago), reaches=None
    )


def unreadable(label: str, base: str | None = None) -> Point:
    return Point(label, "unknown", "", "", None, base)


def kept(verdicts: list[Verdict]) -> list[str]:
    return [verdict.point.label for verdict in verdicts if verdict.keep]


@dataclass(frozen=True)
class Case:
    points: list[Point]
    policy: Policy
    held: dict[str, str]
    database: str | None


@st.composite
def cases(draw: st.DrawFn) -> Case:
    points: list[Point] = []
    for number in range(draw(st.integers(0, 12))):
        database, source = draw(st.sampled_from(["neo4j", "system"])), draw(st.sampled_from(["a", "b"]))
        days = draw(st.integers(0, 900)) + draw(st.sampled_from([0.0, 0.25, 0.5]))
        base = full(f"F{number:03}F", days, database=database, source=source, reaches=draw(st.integers(0, 3)))
        chain = [base, *(incremental(base, at, days - at / 100) for at in range(draw(st.integers(0, 3))))]
        chain = [replace(point, consistent=draw(st.sampled_from([None, True, False]))) for point in chain]
        lost = draw(st.sampled_from(["none"] * 6 + ["base", "damaged base", "damaged incremental"]))
        if lost == "base":
            chain = chain[1:]
        elif lost == "damaged base":
            chain[0] = unreadable(base.label)
        elif lost == "damaged incremental" and len(chain) > 1:
            chain[1] = unreadable(chain[1].label, base.label)
        points += chain
    counts = st.none() | st.integers(1, 4)
    within = draw(st.none() | st.integers(1, 400).map(lambda days: timedelta(days=days)))
    policy = Policy(draw(counts), within, draw(counts), draw(counts), draw(counts), draw(counts), draw(st.booleans()))
    held = draw(st.lists(st.sampled_from([point.label for point in points]), max_size=2)) if points else []
    return Case(points, policy, dict.fromkeys(held, "a reason"), draw(st.sampled_from([None, None, "neo4j"])))


def model(case: Case) -> set[str]:
    """What stays, decided chain by chain and rule by rule, each time by looking at everything."""
    chains: dict[str, list[Point]] = defaultdict(list)
    for point in case.points:
        chains[point.base or point.label].append(point)
    stays: set[str] = set()
    for label, members in chains.items():
        bases = [point for point in members if point.label == label and point.type == "full"]
        if not bases:
            proven_lost = all(point.label != label for point in members)
            for point in members:
                judged = point.finished_at is not None and case.database in (None, point.database)
                if not (proven_lost and judged and not any(one.label in case.held for one in members)):
                    stays.add(point.label)
            continue
        if _chain_stays(case, bases[0], members):
            stays |= {point.label for point in members}
    return stays


def _chain_stays(case: Case, base: Point, members: list[Point]) -> bool:
    if case.database not in (None, base.database) or any(point.label in case.held for point in members):
        return True
    same = [point for point in case.points if (point.source, point.database) == (base.source, base.database)]
    reference = min(NOW, max(point.finished_at for point in same if point.finished_at))
    rivals = [point for point in same if point.type == "full"]
    if _rules_keep(case.policy, base, rivals, reference):
        return True
    if not case.policy.require_consistent:
        return False
    found = {point.label: outcome(point, same) for point in rivals}
    if found[base.label] == "consistent" and not any(
        when(point) > when(base) and found[point.label] == "consistent" for point in rivals
    ):
        return True
    good = [point for point in rivals if found[point.label] != "inconsistent"]
    return base in good and _rules_keep(case.policy, base, good, reference)


def outcome(base: Point, same: list[Point]) -> str:
    said = [point.consistent for point in same if base.label in (point.label, point.base)]
    return "consistent" if True in said else "inconsistent" if False in said else "unknown"


def _rules_keep(policy: Policy, base: Point, rivals: list[Point], reference: datetime) -> bool:
    newer = [point for point in rivals if when(point) > when(base)]
    if not newer or (len(newer) == 1 and (base.reaches or 0) > (newer[0].reaches or 0)):
        return True
    if policy.last is not None and len(newer) < policy.last:
        return True
    if policy.within is not None and all(reference - when(point)[0] <= policy.within for point in newer):
        return True
    patterns = {"%Y-%m-%d": policy.daily, "%G-%V": policy.weekly, "%Y-%m": policy.monthly, "%Y": policy.yearly}
    for pattern, number in patterns.items():
        periods = {when(point)[0].strftime(pattern) for point in newer}
        if number is not None and when(base)[0].strftime(pattern) not in periods and len(periods) < number:
            return True
    return False


def when(point: Point) -> tuple[datetime, str]:
    assert point.finished_at is not None
    return point.finished_at, point.label


def lost_bases(points: list[Point]) -> set[str]:
    return {point.base for point in points if point.base} - {point.label for point in points}


@examples(600)
@given(cases())
def test_the_plan_is_that_of_the_model_and_never_breaks_a_chain(case: Case) -> None:
    verdicts = plan_expiry(
        case.points, case.policy, NOW, held=case.held, lost_bases=lost_bases(case.points), database=case.database
    )
    assert [verdict.point for verdict in verdicts] == case.points
    assert set(kept(verdicts)) == model(case)
    assert all(verdict.reasons and all(verdict.reasons) for verdict in verdicts)
    require_unbroken(verdicts)


@examples(200)
@given(cases())
def test_what_was_kept_is_kept_again_when_the_rest_has_gone(case: Case) -> None:
    stays = kept(plan_expiry(case.points, case.policy, NOW, held=case.held, database=case.database))
    rest = [point for point in case.points if point.label in stays]
    again = plan_expiry(rest, case.policy, NOW, held=case.held, database=case.database)
    assert {point.label for point in rest if point.type == "full"} <= set(kept(again))


@examples(200)
@given(cases())
def test_the_newest_full_backup_of_every_database_of_every_source_stays(case: Case) -> None:
    stays = kept(plan_expiry(case.points, case.policy, FAR, held=case.held))
    owners = {(point.source, point.database) for point in case.points if point.type == "full"}
    for owner in owners:
        fulls = [one for one in case.points if one.type == "full" and (one.source, one.database) == owner]
        assert max(fulls, key=when).label in stays


@examples(200)
@given(cases())
def test_to_require_consistency_keeps_more_and_never_less(case: Case) -> None:
    policies = [replace(case.policy, require_consistent=required) for required in (False, True)]
    without, required = (
        set(kept(plan_expiry(case.points, policy, NOW, held=case.held, database=case.database))) for policy in policies
    )
    assert without <= required
    known = all(point.consistent is None for point in case.points)
    assert not known or without == required


def test_what_was_found_inconsistent_takes_no_place_of_another() -> None:
    points = [
        full("F4", 4),
        full("F3", 3, consistent=True),
        full("F2", 2, consistent=False),
        full("F1", 1),
        full("F0", 0),
    ]
    points[4] = replace(points[4], consistent=False)
    assert kept(plan_expiry(points, Policy(last=2), NOW)) == ["F1", "F0"]
    verdicts = plan_expiry(points, Policy(last=2, require_consistent=True), NOW)
    assert kept(verdicts) == ["F3", "F1", "F0"]
    assert verdicts[1].reasons == (
        "the newest that was found consistent",
        "one of the last 2, but for what was found inconsistent",
    )


def test_the_newest_that_was_found_consistent_stays_however_old() -> None:
    points = [full("F900", 900, consistent=True), *(full(f"F{days}", days, consistent=False) for days in (3, 2, 1))]
    assert kept(plan_expiry(points, Policy(last=1, require_consistent=True), NOW)) == ["F900", "F1"]
    # That its chain went on to something inconsistent takes nothing from the state before.
    later = incremental(points[0], 1, 899)
    points.append(replace(later, consistent=False))
    assert kept(plan_expiry(points, Policy(last=1, require_consistent=True), NOW)) == ["F900", "F1", "F900_1I"]


def test_a_plan_that_would_remove_the_last_consistent_backup_is_refused() -> None:
    verdicts = [
        Verdict(full("F1", 1, consistent=True), keep=False, reasons=("x",)),
        Verdict(full("F0", 0, consistent=False), keep=True, reasons=("x",)),
    ]
    with pytest.raises(AssertionError, match="F1"):
        require_consistent_left(verdicts)


def test_to_require_consistency_is_no_rule() -> None:
    assert Policy(require_consistent=True).says_nothing


def test_a_window_of_time_keeps_the_full_backup_that_its_first_moment_needs() -> None:
    points = [full(f"F{days}", days) for days in (40, 31, 29, 10, 0)]
    assert kept(plan_expiry(points, Policy(within=timedelta(days=30)), NOW)) == ["F31", "F29", "F10", "F0"]


def test_ages_count_from_the_newest_backup_so_that_nothing_expires_when_backups_stop() -> None:
    points = [full(f"F{days}", days) for days in (130, 120, 110)]
    late = plan_expiry(points, Policy(within=timedelta(days=25)), FAR)
    assert kept(late) == ["F130", "F120", "F110"]


def test_a_backup_from_a_clock_that_was_ahead_makes_no_other_older() -> None:
    points = [full("F20", 20), full("F10", 10), full("F0", 0), full("ahead", -400)]
    assert kept(plan_expiry(points, Policy(within=timedelta(days=30)), NOW)) == ["F20", "F10", "F0", "ahead"]


@pytest.mark.parametrize(("hours", "stays"), [(-1, ["F2", "F1", "F0"]), (1, ["F2", "F1", "F0"])])
def test_a_clock_an_hour_off_changes_nothing(hours: int, stays: list[str]) -> None:
    points = [full(f"F{days}", days) for days in (9, 2, 1, 0)]
    policy = Policy(last=2, within=timedelta(days=1, hours=6))
    assert kept(plan_expiry(points, policy, NOW + timedelta(hours=hours))) == stays


def test_days_weeks_months_and_years_keep_the_newest_of_each() -> None:
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    points = [full(f"{at:03}", 0, finished_at=noon + timedelta(hours=8 * at)) for at in range(300)]
    assert kept(plan_expiry(points, Policy(daily=3), NOW)) == ["295", "298", "299"]
    months = plan_expiry(points, Policy(monthly=2), NOW)
    assert [points[int(label)].finished_at.month for label in kept(months)] == [3, 4]  # type: ignore[union-attr]
    years = plan_expiry(points, Policy(yearly=5), NOW)
    assert kept(years) == ["299"]
    assert [verdict.reasons for verdict in years if verdict.keep] == [("the newest full backup", "yearly, 1 of 5")]


def test_the_chain_before_the_newest_stays_while_its_log_goes_further() -> None:
    points = [full("F2", 2, reaches=90), full("F1", 1, reaches=99), full("F0", 0, reaches=98)]
    assert kept(plan_expiry(points, Policy(last=1), NOW)) == ["F1", "F0"]
    points[2] = replace(points[2], reaches=99)
    assert kept(plan_expiry(points, Policy(last=1), NOW)) == ["F0"]


def test_a_hold_of_an_incremental_backup_keeps_its_whole_chain() -> None:
    old = full("F9", 9)
    points = [old, incremental(old, 1, 8), incremental(old, 2, 7), full("F0", 0)]
    verdicts = plan_expiry(points, Policy(last=1), NOW, held={points[1].label: "an audit"})
    assert kept(verdicts) == [point.label for point in points]
    assert verdicts[0].reasons == ("held: an audit",)


def test_a_manifest_that_cannot_be_read_stays_and_takes_no_place_of_another() -> None:
    points = [full("F3", 3), full("F2", 2), unreadable("F1"), unreadable("F0")]
    assert kept(plan_expiry(points, Policy(last=2), NOW)) == ["F3", "F2", "F1", "F0"]


def test_what_goes_on_with_an_unreadable_full_backup_stays() -> None:
    old = full("F9", 9)
    points = [unreadable("F9"), incremental(old, 1, 8), full("F0", 0)]
    assert kept(plan_expiry(points, Policy(last=1), NOW)) == ["F9", "F9_1I", "F0"]


def test_what_goes_on_with_a_lost_full_backup_goes_only_when_that_is_proven() -> None:
    points = [incremental(full("F9", 9), 1, 8), full("F0", 0)]
    assert kept(plan_expiry(points, Policy(last=1), NOW)) == ["F9_1I", "F0"]
    assert kept(plan_expiry(points, Policy(last=1), NOW, lost_bases=["F9"])) == ["F0"]


def test_giving_up_a_full_backup_takes_what_goes_on_with_it_and_nothing_else() -> None:
    old = full("F9", 9)
    points = [old, incremental(old, 1, 8), unreadable("F9_2I", "F9"), full("F0", 0)]
    assert kept(plan_giving_up(points, "F9")) == ["F0"]
    assert kept(plan_giving_up(points, "F9_1I")) == ["F9", "F9_2I", "F0"]


def test_a_plan_that_would_break_a_chain_is_refused() -> None:
    old = full("F9", 9)
    verdicts = [Verdict(old, keep=False, reasons=("x",)), Verdict(incremental(old, 1, 8), keep=True, reasons=("x",))]
    with pytest.raises(AssertionError, match="F9_1I"):
        require_unbroken(verdicts)


def test_a_policy_says_nothing_only_without_any_rule() -> None:
    assert Policy().says_nothing
    assert not Policy(yearly=1).says_nothing
    assert not Policy(within=timedelta(days=1)).says_nothing
