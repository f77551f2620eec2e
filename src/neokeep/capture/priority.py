"""Stepping back behind the database: the lowest CPU and disk priority for the calling thread only."""

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


def step_back() -> None:
    """Lower the calling thread's priority. Where the system refuses, the copy just runs as it is."""
    thread = threading.get_native_id()
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, thread, LOWEST_NICE)
    number = _IOPRIO_SET.get(platform.machine())
    if number is not None:
        ctypes.CDLL(None, use_errno=True).syscall(number, _WHO_THREAD, thread, _BEST_EFFORT_LOWEST)
