"""Where the parts of plots stand: pure geometry, drawn by page.html.jinja."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from neokeep.reports import DegreeStatistics, StoreStatistics

WIDTH, HEIGHT = 340, 230
"""Units of a histogram: pixels where three stand beside each other, and on a telephone."""

_LEFT, _RIGHT, _TOP, _BOTTOM = 40, 8, 14, 40
_GAP = 2
_FEWEST_TICKS, _MOST_TICKS = 1, 6
_MOST_NAMES = 8
_LARGEST_SMALL = 0.01


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a histogram: its rectangle, what it says when pointed at, and what stands below it ('' for none)."""

    x: float
    y: float
    width: float
    height: float
    about: str
    name: str

    @property
    def middle(self) -> float:
        """Where the name stands."""
        return round(self.x + self.width / 2, 1)


@dataclass(frozen=True, slots=True)
class Tick:
    """A line of the scale: where it is, and what it stands for."""

    y: float
    name: str


@dataclass(frozen=True, slots=True)
class Histogram:
    """How many nodes have how many relationships, on scales that both are logarithmic."""

    columns: tuple[Column, ...]
    ticks: tuple[Tick, ...]
    left: float = _LEFT
    right: float = WIDTH - _RIGHT
    top: float = _TOP
    bottom: float = HEIGHT - _BOTTOM


def histogram(degrees: DegreeStatistics) -> Histogram:
    """Lay out the histogram of the degrees in one direction. One node is a tenth of the way to ten, none is nothing."""
    most = max((bucket.nodes for bucket in degrees.buckets), default=0)
    top = max(_FEWEST_TICKS, math.ceil(math.log10(most))) if most else _FEWEST_TICKS
    step = (WIDTH - _LEFT - _RIGHT) / max(1, len(degrees.buckets))
    every = -(-len(degrees.buckets) // _MOST_NAMES)
    columns = []
    for place, bucket in enumerate(degrees.buckets):
        height = _rise(bucket.nodes, top) if bucket.nodes else 0.0
        span = f"{bucket.least:,}" if bucket.least == bucket.most else f"{bucket.least:,} to {bucket.most:,}"
        columns.append(
            Column(
                x=round(_LEFT + place * step + _GAP / 2, 2),
                y=round(HEIGHT - _BOTTOM - height, 2),
                width=round(max(1.0, step - _GAP), 2),
                height=round(height, 2),
                about=f"{bucket.nodes:,} nodes with {span}",
                name=short(bucket.least) if place % every == 0 else "",
            )
        )
    powers = range(0, top + 1, -(-top // _MOST_TICKS))
    ticks = tuple(Tick(round(HEIGHT - _BOTTOM - _rise(10**power, top), 2), short(10**power)) for power in powers)
    return Histogram(tuple(columns), ticks)


def _rise(nodes: int, top: int) -> float:
    """Tell how high a number of nodes stands: a tenth of a power of ten for one, so that it can be seen."""
    return (HEIGHT - _TOP - _BOTTOM) * (math.log10(nodes) + 0.1) / (top + 0.1)


def short(number: int) -> str:
    """Write a number in at most four characters: 1,024 as 1k, 2,097,152 as 2.1M."""
    if number < 1000:
        return str(number)
    for unit, size in (("k", 10**3), ("M", 10**6), ("G", 10**9), ("T", 10**12)):
        if number < 999.5 * size:
            # One digit behind the point where there is one before it and the number is not round.
            amount = number / size
            return f"{amount:.0f}{unit}" if amount >= 9.95 or round(amount, 1).is_integer() else f"{amount:.1f}{unit}"
    return f"{number / 10**12:.0f}T"


@dataclass(frozen=True, slots=True)
class StoreBar:
    """A record store as a bar: shares of its file that values take, that they leave in records, and that is free."""

    store: StoreStatistics
    filled: float
    slack: float
    free: float


def store_bars(stores: tuple[StoreStatistics, ...]) -> tuple[list[StoreBar], list[StoreStatistics]]:
    """Lay out the stores that take more than a hundredth of all, largest first; and give the others."""
    whole = sum(one.bytes for one in stores)
    ordered = sorted(stores, key=lambda one: -one.bytes)
    large = [one for one in ordered if one.bytes > _LARGEST_SMALL * whole]
    return list(_bars(large)), ordered[len(large) :]


def _bars(stores: list[StoreStatistics]) -> Iterator[StoreBar]:
    for one in stores:
        taken, slack = min(one.bytes, one.in_use * one.record_bytes), one.slack_bytes or 0
        yield StoreBar(
            one,
            filled=round(100 * (taken - slack) / one.bytes, 2),
            slack=round(100 * slack / one.bytes, 2),
            free=round(100 * (one.bytes - taken) / one.bytes, 2),
        )
