"""Which backups expire: a pure function of the catalogue and of the rules that a user gives.

What is kept or goes is a whole chain: a full backup, the incremental ones that go on with it, and its archived log. So
every restore window that stays is whole. Whatever cannot be judged stays, and so does the newest full backup.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from itertools import groupby
from typing import TYPE_CHECKING

from neokeep.units import format_duration

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from datetime import datetime, timedelta

    Bucket = Callable[[datetime], tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Policy:
    """Rules that keep full backups, each for itself; None: no such rule."""

    last: int | None = None
    within: timedelta | None = None
    daily: int | None = None
    weekly: int | None = None
    monthly: int | None = None
    yearly: int | None = None
    require_consistent: bool = False
    """No rule: what was found not to be consistent takes no place of another, and is not the last that there is."""

    @property
    def says_nothing(self) -> bool:
        """Tell whether there is no rule at all."""
        return all(rule is None for rule in (self.last, self.within, *self._counts.values()))

    @property
    def _counts(self) -> dict[str, int | None]:
        return {"daily": self.daily, "weekly": self.weekly, "monthly": self.monthly, "yearly": self.yearly}

    def buckets(self) -> Iterator[tuple[str, int, Bucket]]:
        """Give the rules that keep one full backup of each day, week, month or year: name, number, and calendar."""
        for name, number in self._counts.items():
            if number is not None:
                yield name, number, _CALENDAR[name]


_CALENDAR: dict[str, Bucket] = {
    "daily": lambda time: (time.year, time.month, time.day),
    "weekly": lambda time: tuple(time.isocalendar()[:2]),
    "monthly": lambda time: (time.year, time.month),
    "yearly": lambda time: (time.year,),
}


@dataclass(frozen=True, slots=True)
class Point:
    """One backup. `reaches` is the newest transaction of the chain of a full one, where that is known.

    What cannot be read has no time. `consistent` tells what a check of the graph in it found, None where none was made.
    """

    label: str
    type: str
    source: str
    database: str
    finished_at: datetime | None
    base: str | None = None
    reaches: int | None = None
    consistent: bool | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of one backup and why."""

    point: Point
    keep: bool
    reasons: tuple[str, ...]


def plan_expiry(
    points: Sequence[Point],
    policy: Policy,
    now: datetime,
    *,
    held: Mapping[str, str] | None = None,
    lost_bases: Collection[str] = (),
    database: str | None = None,
) -> list[Verdict]:
    """Decide on every backup, in the order in which they are given.

    `held` gives the reasons of holds by label, `lost_bases` the full backups that are proven to be gone, `database`
    the one that the rules are for. Ages count from the newest backup of a database, or from `now` where that is
    earlier: when no backup is taken any more, none expires either.
    """
    kept = _kept_chains(points, policy, now, held or {}, database)
    fulls = {point.label: point for point in points if point.type == "full"}
    verdicts = [_verdict(point, kept, fulls, lost_bases, database) for point in points]
    require_unbroken(verdicts)
    if policy.require_consistent:
        require_consistent_left(verdicts)
    return verdicts


def plan_giving_up(points: Sequence[Point], label: str) -> list[Verdict]:
    """Decide that one backup goes, as was told expressly, with those that go on with it."""
    verdicts = [
        Verdict(point, keep=False, reasons=("it was named",))
        if point.label == label
        else Verdict(point, keep=False, reasons=(f"it goes on with {label}",))
        if point.base == label
        else Verdict(point, keep=True, reasons=("it was not named",))
        for point in points
    ]
    require_unbroken(verdicts)
    return verdicts


def require_unbroken(verdicts: Sequence[Verdict]) -> None:
    """Assert that nothing goes which something that stays rests on."""
    going = {verdict.point.label for verdict in verdicts if not verdict.keep}
    broken = [verdict.point.label for verdict in verdicts if verdict.keep and verdict.point.base in going]
    if broken:
        raise AssertionError(f"expiry would have broken the chains of {', '.join(broken)}")


def require_consistent_left(verdicts: Sequence[Verdict]) -> None:
    """Assert that of each database the newest chain stays that was found consistent, if there is one."""
    points = [verdict.point for verdict in verdicts]
    going = {verdict.point.label for verdict in verdicts if not verdict.keep}
    for group in _groups(points):
        found = [point for point in group if point.type == "full" and _is_consistent(point, group)]
        newest = max(found, key=_age, default=None)
        if newest is not None and newest.label in going:
            raise AssertionError(f"expiry would have removed {newest.label}, the newest that was found consistent")


def _is_consistent(full: Point, group: Sequence[Point]) -> bool | None:
    """Tell of a chain whether some state of it was found consistent; None: none was checked."""
    known = [one.consistent for one in group if full.label in (one.label, one.base) and one.consistent is not None]
    return any(known) if known else None


def _kept_chains(
    points: Sequence[Point], policy: Policy, now: datetime, held: Mapping[str, str], database: str | None
) -> dict[str, list[str]]:
    """Find the full backups that stay, by label, with the reasons."""
    kept: dict[str, list[str]] = {}
    asked = [point for point in points if database in (None, point.database)]
    for group in _groups(asked):
        fulls = sorted((point for point in group if point.type == "full"), key=_age, reverse=True)
        newest = max(point.finished_at for point in group if point.finished_at is not None)
        for point, reason in _rules(fulls, policy, min(newest, now)):
            kept.setdefault(point.label, []).append(reason)
        if policy.require_consistent:
            for point, reason in _instead(fulls, group, policy, min(newest, now)):
                kept.setdefault(point.label, []).append(reason)
    for point in points:
        if point.label in held:
            reason = held[point.label]
            kept.setdefault(point.base or point.label, []).append(f"held: {reason}")
    return kept


def _groups(points: Sequence[Point]) -> Iterator[list[Point]]:
    """Yield the backups of each database of each source that can be read."""
    readable = [point for point in points if point.finished_at is not None]
    for _, group in groupby(sorted(readable, key=_owner), key=_owner):
        yield list(group)


def _owner(point: Point) -> tuple[str, str]:
    return point.source, point.database


def _age(point: Point) -> tuple[datetime, str]:
    if point.finished_at is None:
        raise AssertionError("only what can be read is judged by its age")
    return point.finished_at, point.label


def _rules(fulls: Sequence[Point], policy: Policy, reference: datetime) -> Iterator[tuple[Point, str]]:
    """Yield what stays of the full backups of one database, given newest first, and why."""
    if not fulls:
        return
    yield fulls[0], "the newest full backup"
    if len(fulls) > 1 and (fulls[1].reaches or 0) > (fulls[0].reaches or 0):
        # Until the log is archived to the newest chain, what is newest is in the one before.
        yield fulls[1], "its log goes beyond the newest chain"
    for point in fulls[: policy.last or 0]:
        yield point, f"one of the last {policy.last}"
    if policy.within is not None:
        yield from _within(fulls, policy.within, reference)
    for name, number, bucket in policy.buckets():
        seen: set[tuple[int, ...]] = set()
        for point in fulls:
            key = bucket(_age(point)[0].astimezone(UTC))
            if key not in seen and len(seen) < number:
                seen.add(key)
                yield point, f"{name}, {len(seen)} of {number}"


def _instead(
    fulls: Sequence[Point], group: Sequence[Point], policy: Policy, reference: datetime
) -> Iterator[tuple[Point, str]]:
    """Yield what stays of the full backups of one database, newest first, as if those found inconsistent were gone.

    It stays beside what stays with them, so that requiring more never removes more.
    """
    judged = {point.label: _is_consistent(point, group) for point in fulls}
    first = next((point for point in fulls if judged[point.label]), None)
    if first is not None:
        yield first, "the newest that was found consistent"
    if False in judged.values():
        for point, reason in _rules([one for one in fulls if judged[one.label] is not False], policy, reference):
            yield point, f"{reason}, but for what was found inconsistent"


def _within(fulls: Sequence[Point], within: timedelta, reference: datetime) -> Iterator[tuple[Point, str]]:
    """Yield what restores to every moment of a time before the reference need: one that began before it, too."""
    text = format_duration(within.total_seconds())
    for point in fulls:
        if reference - _age(point)[0] > within:
            yield point, f"restores to the first of the last {text} begin with it"
            return
        yield point, f"within {text}"


def _verdict(
    point: Point,
    kept: Mapping[str, Sequence[str]],
    fulls: Mapping[str, Point],
    lost_bases: Collection[str],
    database: str | None,
) -> Verdict:
    chain = point.base or point.label
    full = fulls.get(chain)
    if full is None:
        return _verdict_without_base(point, kept, lost_bases, database)
    if chain in kept:
        reasons = tuple(kept[chain]) if point is full else (f"it goes on with {chain}",)
        return Verdict(point, keep=True, reasons=reasons)
    if database not in (None, full.database):
        return Verdict(point, keep=True, reasons=(f"it is not of {database}",))
    return Verdict(point, keep=False, reasons=("no rule keeps it" if point is full else f"it goes on with {chain}",))


def _verdict_without_base(
    point: Point, kept: Mapping[str, Sequence[str]], lost_bases: Collection[str], database: str | None
) -> Verdict:
    """Decide on what cannot be read, or goes on with a full backup that cannot be read: it stays where not lost."""
    if point.finished_at is None:
        return Verdict(point, keep=True, reasons=("its manifest cannot be read",))
    if point.base in lost_bases and database in (None, point.database) and point.base not in kept:
        return Verdict(point, keep=False, reasons=(f"{point.base}, with which it goes on, is gone",))
    return Verdict(point, keep=True, reasons=("its full backup cannot be read",))
