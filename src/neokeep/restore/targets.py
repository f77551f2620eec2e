"""Which base and segments a restore needs for the moment that the user wants. Pure functions over chains.

A restore window opens at the checkpoint of a full backup and closes at the newest transaction of its chain. Before the
end of the full backup it is taken back, which costs its indexes: any other way is chosen before that. Times are commit
times: the restore stops before the first transaction that was committed after the wanted time.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from neokeep.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from neokeep.repository.chains import Chain
    from neokeep.repository.manifest import Manifest
    from neokeep.repository.segment import SegmentName
    from neokeep.repository.windows import Window


@dataclass(frozen=True, slots=True)
class Moment:
    """What the user wants: a transaction (inclusive), or a time; neither means the newest there is."""

    transaction: int | None = None
    time: datetime | None = None


NEWEST = Moment()


def make_moment(time: datetime | None, transaction: int | None, before: int | None) -> Moment:
    """Make a moment of what was given: at most one of a time, a transaction, and a transaction to stop before.

    Raises:
        UsageError: several were given, or a time without a zone.
    """
    if sum(value is not None for value in (time, transaction, before)) > 1:
        raise UsageError("several targets were given", remedy="Give one of --to-time, --to-tx and --before-tx.")
    if time is not None and time.tzinfo is None:
        raise UsageError(f"the time {time} has no zone", remedy="Write it with one, such as 2026-11-22T10:00:00Z.")
    if before is not None:
        transaction = before - 1
    return Moment(transaction=transaction, time=time)


@dataclass(frozen=True, slots=True)
class RestorePlan:
    """A base, the segments to put on top, and where to stop; no segments and no stop mean the base as it is."""

    base: Manifest
    segments: tuple[SegmentName, ...]
    moment: Moment

    kernel_version: int = 0
    """The newest kernel version in the log that is restored; told by the last segment, else by the base."""
    goes_back: bool = False
    """Whether the moment lies before the end of the base, which is undone up to there."""
    remark: str = ""
    """What the user should know of the choice."""

    @property
    def log_bytes(self) -> int:
        """Stored bytes of the segments."""
        return sum(segment.size for segment in self.segments)


def plan_moment(windows: Sequence[Window], moment: Moment) -> RestorePlan:
    """Choose the newest base from which a moment can be reached.

    Raises:
        UsageError: it lies in no restore window; the message prints them with the nearest points.
    """
    newest_first = sorted(windows, key=lambda window: window.chain.base.finished_at, reverse=True)
    if moment.time is not None:
        return _plan_time(newest_first, moment.time)
    if moment.transaction is not None:
        return _plan_transaction(newest_first, moment.transaction)
    newest = newest_first[0].chain
    return RestorePlan(newest.base, newest.segments, Moment())


def plan_backup(chain: Chain, label: str, last_transaction: int) -> RestorePlan:
    """Plan the restore of one backup: a full one as it is, an incremental one up to the transaction it ends with."""
    if label == chain.base.label:
        return RestorePlan(chain.base, (), Moment())
    if not chain.reaches(last_transaction):
        raise UsageError(
            f"backup {label} needs the log up to transaction {last_transaction}, "
            f"but its chain is whole only up to {chain.last_transaction}",
            remedy="Run 'neokeep verify' to see what is missing, or restore to a transaction before the gap.",
        )
    return RestorePlan(chain.base, _up_to(chain, last_transaction), Moment(transaction=last_transaction))


def _plan_transaction(windows: Sequence[Window], transaction: int) -> RestorePlan:
    for window in windows:
        if window.chain.reaches(transaction):
            base = window.chain.base
            if transaction == base.end.transaction:
                return RestorePlan(base, (), Moment())
            return RestorePlan(base, _up_to(window.chain, transaction), Moment(transaction=transaction))
    for window in windows:
        if window.first <= transaction < (window.chain.base.end.transaction or 0):
            return RestorePlan(window.chain.base, (), Moment(transaction=transaction), goes_back=True)
    nearest = sorted({point for window in windows for point in (window.first, window.last)})
    below = max((point for point in nearest if point < transaction), default=None)
    above = min((point for point in nearest if point > transaction), default=None)
    raise _outside(f"transaction {transaction}", windows, below, above)


def _plan_time(windows: Sequence[Window], time: datetime) -> RestorePlan:
    open_then = [one for one in windows if _is_open(one, one.chain.base.end.commit_time, time)]
    # A full backup ends with its last transaction, which may be older than a history that was lost before it was taken.
    # One whose backup was there at the time tells what was so then.
    lived = [one for one in open_then if one.chain.base.finished_at <= time]
    for window in lived or open_then:
        return RestorePlan(window.chain.base, _until(window, time), Moment(time=time))
    for window in windows:
        if _is_open(window, window.opens_at, time):
            return RestorePlan(window.chain.base, (), Moment(time=time), goes_back=True)
    moments = sorted({point for window in windows for point in (window.opens_at, window.closes_at) if point})
    below = max((point for point in moments if point < time), default=None)
    above = min((point for point in moments if point > time), default=None)
    raise _outside(_text(time), windows, below and _text(below), above and _text(above))


def _is_open(window: Window, since: datetime | None, time: datetime) -> bool:
    return since is not None and window.closes_at is not None and since <= time <= window.closes_at


def _until(window: Window, time: datetime) -> tuple[SegmentName, ...]:
    """Choose the segments up to the first that holds a commit after `time`: the cut falls there or before."""
    beyond = (at for at, latest in enumerate(window.latest) if latest is not None and latest > time)
    return window.chain.segments[: next(beyond, len(window.chain.segments)) + 1]


def _up_to(chain: Chain, transaction: int) -> tuple[SegmentName, ...]:
    return tuple(segment for segment in chain.segments if segment.first <= transaction)


def _outside(wanted: str, windows: Sequence[Window], below: object, above: object) -> UsageError:
    lines = [
        f"  transactions {window.first} to {window.last}, "
        f"{_text(window.opens_at)} to {_text(window.closes_at)} ({window.chain.base.label})"
        for window in windows
    ]
    near = [f"the nearest before is {below}"] if below else []
    near += [f"the nearest after is {above}"] if above else []
    return UsageError(
        f"{wanted} lies outside every restore window; these are:\n" + "\n".join(lines),
        remedy=f"Choose a point inside a window ({'; '.join(near)}), or take the newest with --to latest.",
    )


def _text(time: datetime | None) -> str:
    return "unknown" if time is None else time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
