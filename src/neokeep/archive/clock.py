"""Time as a follower sees it, and how long it waits after something failed."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def _elapsed() -> float:
    # Unlike time.monotonic(), it goes on while the machine sleeps: another one may have archived meanwhile.
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Clock:
    """`elapsed` is in seconds and only goes forward; `now` is the time of day, which may be set."""

    elapsed: Callable[[], float] = _elapsed
    now: Callable[[], datetime] = _now


@dataclass(slots=True)
class Pause:
    """The seconds to wait until something is tried again: twice as many after each failure."""

    shortest: float
    longest: float
    seconds: float = field(default=0.0, init=False)

    def longer(self) -> float:
        """Note a failure; give the seconds."""
        self.seconds = min(self.longest, max(self.shortest, 2 * self.seconds))
        return self.seconds

    def reset(self) -> None:
        """Note that it worked."""
        self.seconds = 0.0
