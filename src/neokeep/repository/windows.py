"""Restore windows: which moments can be restored to from each full backup, and what ends them too early.

A window opens at the checkpoint of a full backup and closes at the newest transaction of its chain. Manifests and
listings tell nearly all; of the segments only the last is looked into, unless the times of all are wanted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from neokeep.repository.chains import chain_of
from neokeep.repository.segment import peek
from neokeep.units import format_count

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from neokeep.repository.chains import Chain
    from neokeep.repository.manifest import Manifest
    from neokeep.repository.repository import Repository


@dataclass(frozen=True, slots=True)
class Window:
    """A chain with the times of its two ends, None where nothing tells.

    It opens where its full backup can be taken back to. It closes at its last commit, or when a later backup found
    nothing new. `latest` holds the latest commit time of
    each segment that was looked into, None where it cannot be read; `backups` are the full backup and those that go on
    with it.
    """

    chain: Chain
    opens_at: datetime | None
    closes_at: datetime | None
    latest: tuple[datetime | None, ...] = ()
    backups: tuple[Manifest, ...] = ()

    @property
    def first(self) -> int:
        """The oldest transaction that can be restored to."""
        base = self.chain.base
        return (base.opens or base.end).transaction or 0

    @property
    def last(self) -> int:
        """The newest transaction that can be restored to."""
        return self.chain.last_transaction


def windows_of(repository: Repository, manifests: Sequence[Manifest], *, with_times: bool = False) -> list[Window]:
    """Find the restore windows of all full backups among some manifests; `with_times` looks into every segment."""
    of_chain: dict[str, list[Manifest]] = {}
    for item in manifests:
        of_chain.setdefault(item.base or item.label, []).append(item)
    windows: list[Window] = []
    for base in manifests:
        if base.type != "full":
            continue
        chain, backups = chain_of(repository, base), of_chain[base.label]
        looked_into = chain.segments if with_times else chain.segments[-1:]
        headers = [peek(repository.storage, segment) for segment in looked_into]
        latest = tuple(header.last_commit_time if header else None for header in headers)
        closes_at = _closes_at(chain, latest, backups)
        windows.append(Window(chain, (base.opens or base.end).commit_time, closes_at, latest, tuple(backups)))
    return windows


def _closes_at(chain: Chain, latest: tuple[datetime | None, ...], backups: Sequence[Manifest]) -> datetime | None:
    """Find the time up to which the chain is known to hold everything: a backup that found nothing new counts too."""
    times = [time for time in latest if time is not None]
    if not chain.segments and chain.base.end.commit_time is not None:
        times.append(chain.base.end.commit_time)
    times += [item.started_at for item in backups if item.end.transaction == chain.last_transaction]
    return max(times, default=None)


def problems_of(window: Window) -> tuple[str, ...]:
    """Say what is wrong with a window: segments that cannot be reached or read, backups that lie beyond its end."""
    problems = [_gap(window.chain)] if window.chain.unreachable or window.chain.damaged else []
    if window.latest and window.latest[-1] is None:
        problems.append(f"the last segment, up to transaction {window.last}, cannot be read")
    beyond = [item for item in window.backups if (item.end.transaction or 0) > window.last]
    if beyond:
        first = min(beyond, key=lambda item: item.finished_at)
        lost = format_count(len(beyond), "incremental backup")
        problems.append(f"{lost} cannot be restored, from {first.label} on")
    return tuple(problems)


def _gap(chain: Chain) -> str:
    """Say why a chain ends although there are segments behind its end."""
    next_needed = chain.last_transaction + 1
    begin = min(segment.first for segment in (*chain.damaged, *chain.unreachable))
    bad = next((segment for segment in chain.damaged if segment.first <= next_needed <= segment.last), None)
    if bad is not None:
        cause = f"the segment with transactions {bad.first} to {bad.last} is marked as damaged"
    elif begin > next_needed:
        several = begin - 1 > next_needed
        missing = f"transactions {next_needed} to {begin - 1} are" if several else f"transaction {next_needed} is"
        cause = f"{missing} missing"
    else:
        cause = f"no segment begins with transaction {next_needed}"
    if not chain.unreachable:
        return cause
    lost = format_count(len(chain.unreachable), "segment")
    last = max(segment.last for segment in chain.unreachable)
    return f"{cause}; {lost} behind that, up to transaction {last}, cannot be reached"
