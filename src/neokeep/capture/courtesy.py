"""Letting the database go first: lowest priority, and pauses while others wait for a processor.

Priority alone is not enough: where the server runs in another session or control group, the scheduler shares between
the groups first. So each copying thread looks at how long it was kept waiting for a processor. That others compete is
the sign to pause, in proportion; on an idle machine nothing waits and every core is used.
"""

from __future__ import annotations

import ctypes
import os
import platform
import threading
from contextlib import suppress

_IOPRIO_SET = {"x86_64": 251, "aarch64": 30}
_WHO_THREAD = 1
_BEST_EFFORT_LOWEST = (2 << 13) | 7
LOWEST_NICE = 19

TOLERATED_WAIT = 0.05
"""Share of time in the run queue that is taken for chance."""

LONGEST_PAUSE = 9.0
"""Seconds of pause for a second of work, at most: under full load a thread takes a tenth of a processor."""


class Courtesy:
    """Steps back for one thread; made and used in that thread."""

    def __init__(self, *, gentle: bool, tolerated: float = TOLERATED_WAIT) -> None:
        self._gentle = gentle
        self._tolerated = tolerated
        if gentle:
            _lower_priority()
        self._ran, self._waited = _schedule() if gentle else (0.0, 0.0)

    def pause(self, stopping: threading.Event) -> None:
        """Wait as long as politeness asks for what was done since the last call."""
        if not self._gentle:
            return
        ran, waited = _schedule()
        seconds = pause_for(ran - self._ran, waited - self._waited, self._tolerated)
        if seconds > 0:
            stopping.wait(seconds)
        self._ran, self._waited = ran, waited


def tolerated_wait(jobs: int, processors: int) -> float:
    """Return the share of waiting that threads cause each other when there are more of them than processors."""
    return max(0.0, 1 - processors / jobs) + TOLERATED_WAIT


def pause_for(ran: float, waited: float, tolerated: float) -> float:
    """Return the seconds to pause after a thread ran and waited for a processor for so many seconds."""
    if ran <= 0 or waited <= 0:
        return 0.0
    share = waited / (ran + waited)
    if share <= tolerated:
        return 0.0
    return ran * min(LONGEST_PAUSE, share / tolerated)


def _schedule() -> tuple[float, float]:
    """Return seconds on a processor and seconds waiting for one; zeros where the kernel does not tell."""
    with suppress(OSError, ValueError), open("/proc/thread-self/schedstat", encoding="ascii") as file:
        ran, waited, _ = file.read().split()
        return int(ran) / 1e9, int(waited) / 1e9
    return 0.0, 0.0


def _lower_priority() -> None:
    """Take the lowest CPU and disk priority for the calling thread; where that is refused, work goes on without."""
    thread = threading.get_native_id()
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, thread, LOWEST_NICE)
    number = _IOPRIO_SET.get(platform.machine())
    if number is not None:
        ctypes.CDLL(None, use_errno=True).syscall(number, _WHO_THREAD, thread, _BEST_EFFORT_LOWEST)
