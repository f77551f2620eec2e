"""Which share of a repository was proven when: shares are stretches of the space of hashes, and need no state.

Packs and segments are named by hashes, which spread evenly. So the objects whose hash lies in one of N equal stretches
are about an N-th of all, each object is in exactly one of them whatever N is, and few numbers tell what was proven,
however many objects there are. Everything here is pure.
"""

from __future__ import annotations

import heapq
import re
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING

import msgspec

from neokeep.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_KEY_SIZE = 4
SPACE = 1 << (8 * _KEY_SIZE)
MOST_PARTS = 1000
_PART = re.compile(r"(auto|\d{1,4})/(\d{1,4})")


class Stretch(msgspec.Struct, frozen=True, kw_only=True):
    """All objects with a key from `first` to `last`, both included, that were there at `proven` were proven since."""

    first: int
    last: int
    proven: datetime


Coverage = tuple[Stretch, ...]
"""Stretches in order that do not overlap."""


@dataclass(frozen=True, slots=True)
class Part:
    """One of `of` equal shares, counted from 1."""

    number: int
    of: int

    @property
    def first(self) -> int:
        """The first key that belongs to it."""
        return -(-(self.number - 1) * SPACE // self.of)

    @property
    def last(self) -> int:
        """The last key that belongs to it."""
        return -(-self.number * SPACE // self.of) - 1

    def holds(self, identity: bytes) -> bool:
        """Tell whether the object of a hash belongs to it."""
        return self.first <= key_of(identity) <= self.last

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"


WHOLE = Part(1, 1)


def key_of(identity: bytes) -> int:
    """Give the place of a hash in the space: its first four bytes, the most significant first."""
    return int.from_bytes(identity[:_KEY_SIZE], "big")


def read_part(text: str) -> tuple[int | None, int]:
    """Read `3/30`, or `auto/30` (None, 30).

    Raises:
        UsageError: it is neither.
    """
    match = _PART.fullmatch(text.strip())
    if match:
        of, number = int(match[2]), None if match[1] == "auto" else int(match[1])
        if 1 <= of <= MOST_PARTS and (number is None or 1 <= number <= of):
            return number, of
    raise UsageError(
        f"{text!r} is no part", remedy=f"Write 3/30 for the third of thirty, or auto/30; at most {MOST_PARTS} parts."
    )


def next_part(coverage: Coverage, of: int) -> Part:
    """Choose the part whose proof is the oldest; one with anything that never was proven comes first."""
    parts = [Part(number, of) for number in range(1, of + 1)]
    ages = {part: oldest_in(coverage, part) for part in parts}
    proven = {part: age for part, age in ages.items() if age is not None}
    return next((part for part in parts if part not in proven), None) or min(parts, key=proven.__getitem__)


def oldest_in(coverage: Coverage, part: Part) -> datetime | None:
    """Give the time since which all of a part was proven; None where some of it never was."""
    oldest: datetime | None = None
    following = part.first
    for one in coverage:
        if one.last < following:
            continue
        if one.first > following:
            return None
        oldest = one.proven if oldest is None else min(oldest, one.proven)
        following = one.last + 1
        if following > part.last:
            return oldest
    return None


def proven_at(coverage: Coverage, key: int) -> datetime | None:
    """Give the time at which a key was proven."""
    low, high = 0, len(coverage)
    while low < high:
        middle = (low + high) // 2
        if coverage[middle].last < key:
            low = middle + 1
        else:
            high = middle
    return coverage[low].proven if low < len(coverage) and coverage[low].first <= key else None


def combined(stretches: Iterable[Stretch]) -> Coverage:
    """Give for every key the newest time that any stretch tells."""
    waiting = sorted(stretches, key=lambda one: one.first)
    cuts = sorted({cut for one in waiting for cut in (one.first, one.last + 1)})
    active: list[tuple[float, int, Stretch]] = []
    result: list[Stretch] = []
    at = 0
    for first, end in pairwise(cuts):
        while at < len(waiting) and waiting[at].first <= first:
            heapq.heappush(active, (-waiting[at].proven.timestamp(), at, waiting[at]))
            at += 1
        while active and active[0][2].last < first:
            heapq.heappop(active)
        if active:
            _append(result, Stretch(first=first, last=end - 1, proven=active[0][2].proven))
    return tuple(result)


def _append(result: list[Stretch], one: Stretch) -> None:
    if result and result[-1].proven == one.proven and result[-1].last + 1 == one.first:
        result[-1] = msgspec.structs.replace(result[-1], last=one.last)
    else:
        result.append(one)


def filled(coverage: Coverage, first: int, last: int, since: datetime, proven: datetime) -> Coverage:
    """Say that all keys from `first` to `last` that were not proven `since` a time are `proven` now."""
    gaps = [Stretch(first=begin, last=end, proven=proven) for begin, end in _gaps(coverage, first, last, since)]
    return combined((*coverage, *gaps))


def _gaps(coverage: Coverage, first: int, last: int, since: datetime) -> Iterator[tuple[int, int]]:
    following = first
    for one in coverage:
        if one.proven >= since and one.last >= following:
            if min(one.first - 1, last) >= following:
                yield following, min(one.first - 1, last)
            following = one.last + 1
    if following <= last:
        yield following, last
