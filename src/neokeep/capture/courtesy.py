"""Letting the database go first: lowest priority, and pauses while other processes want the processors.

Priority alone is not enough: where the server runs in another session or control group, the scheduler shares between
the groups first. So the copying threads look at how much of the processors all other processes use, and leave these
room to grow. On a machine that is otherwise idle, nothing is held back.
"""

from __future__ import annotations

import ctypes
import os
import platform
import threading
import time
from contextlib import suppress
from pathlib import Path

from neokeep.workers import processors

_IOPRIO_SET = {"x86_64": 251, "aarch64": 30}
_WHO_THREAD = 1
_BEST_EFFORT_LOWEST = (2 << 13) | 7
LOWEST_NICE = 19

IDLE = 0.10
"""Share of the processors that others may use before they count: a server at rest takes some."""

OUR_PART = 0.15
"""Part of the free processors that is taken while others work: the rest is room for them to take more."""

LEAST = 0.025
"""Share of the processors that is always taken: a backup beside a server under full load still comes to its end.

Such a server loses at least what is taken, whatever the priority.
"""

WINDOW_SECONDS = 0.25
LONGEST_PAUSE_SECONDS = 2.0
_WORK_COLUMNS = (0, 1, 2)
"""Columns of /proc/stat that processes work in: user, nice, system."""

_KERNEL = "2"
"""The process that all threads of the kernel come from, where the kernel's own processes can be seen."""


class Bystanders:
    """What all other processes use of the processors this one may run on; shared by the threads of one copy.

    Threads of the kernel are not counted: most of their work is to write what this backup stored to its disk.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._processors = sorted(os.sched_getaffinity(0))
        self._used = 0.0
        self._kernel = _kernel_seconds()
        self._at, self._all, self._own = self._sample()

    def used(self) -> float:
        """Return the number of processors others used in the last WINDOW_SECONDS; 0 where the kernel does not tell."""
        with self._lock:
            if time.monotonic() - self._at >= WINDOW_SECONDS:
                kernel = _kernel_seconds()
                at, busy, own = self._sample()
                threads = sum(max(0.0, ran - self._kernel.get(thread, 0.0)) for thread, ran in kernel.items())
                self._used = max(0.0, (busy - self._all) - (own - self._own) - threads) / (at - self._at)
                self._at, self._all, self._own, self._kernel = at, busy, own, kernel
            return self._used

    def _sample(self) -> tuple[float, float, float]:
        return time.monotonic(), _busy_seconds(self._processors), time.process_time()


class Courtesy:
    """Steps back for one thread of `threads`; made and used in that thread."""

    def __init__(self, bystanders: Bystanders | None, threads: int) -> None:
        self._bystanders = bystanders
        self._threads = threads
        if bystanders is not None:
            _lower_priority()
        self._at, self._ran = time.monotonic(), time.thread_time()

    def pause(self, stopping: threading.Event) -> None:
        """Wait as long as politeness asks for what was done since the last call."""
        if self._bystanders is None:
            return
        room = room_beside(self._bystanders.used(), processors())
        now, ran = time.monotonic(), time.thread_time()
        seconds = pause_for(ran - self._ran, now - self._at, room / self._threads)
        if seconds > 0:
            stopping.wait(seconds)
        self._at, self._ran = time.monotonic(), ran


def room_beside(used_by_others: float, number: int) -> float:
    """Return how many of `number` processors may be taken while others use so many of them."""
    if used_by_others <= IDLE * number:
        return float(number)
    return max(LEAST * number, OUR_PART * (number - used_by_others))


def pause_for(ran: float, passed: float, allowed: float) -> float:
    """Return the seconds a thread must wait, that ran for `ran` of the `passed` seconds, to take `allowed` of one."""
    if allowed >= 1:
        return 0.0
    return min(LONGEST_PAUSE_SECONDS, max(0.0, ran / allowed - passed))


def _busy_seconds(numbers: list[int]) -> float:
    """Return the seconds that these processors worked since the start; 0 where the kernel does not tell."""
    names = {f"cpu{number}" for number in numbers}
    ticks = 0
    with suppress(OSError, ValueError, IndexError), open("/proc/stat", encoding="ascii") as file:
        for line in file:
            name, *columns = line.split()
            if name in names:
                ticks += sum(int(columns[column]) for column in _WORK_COLUMNS)
    return ticks / os.sysconf("SC_CLK_TCK")


def _kernel_seconds() -> dict[str, float]:
    """Return what each thread of the kernel worked since its start; nothing where they cannot be seen."""
    seconds: dict[str, float] = {}
    with suppress(OSError):
        if Path("/proc", _KERNEL, "comm").read_text(encoding="utf-8") != "kthreadd\n":
            return seconds
        for thread in Path("/proc", _KERNEL, "task", _KERNEL, "children").read_text(encoding="ascii").split():
            with suppress(OSError):  # It ended meanwhile.
                # The name, in parentheses, may hold anything.
                fields = Path("/proc", thread, "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
                seconds[thread] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return seconds


def _lower_priority() -> None:
    """Take the lowest CPU and disk priority for the calling thread; where that is refused, work goes on without."""
    thread = threading.get_native_id()
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, thread, LOWEST_NICE)
    number = _IOPRIO_SET.get(platform.machine())
    if number is not None:
        ctypes.CDLL(None, use_errno=True).syscall(number, _WHO_THREAD, thread, _BEST_EFFORT_LOWEST)
