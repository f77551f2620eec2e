"""Running one function on several threads, with one clear failure.

The first exception stops the others through the event that each worker is given, and is raised once all have ended, so
nothing goes on in the background. Interruption (Ctrl-C) does the same.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

Work = Callable[[threading.Event], None]


MOST_JOBS = 8
"""Threads that work when nobody says: more would cost memory, some 40 MB each, before they gain time."""


def processors() -> int:
    """Return how many processors this process may run on."""
    return len(os.sched_getaffinity(0))


def default_jobs(waiting: int = 1) -> int:
    """Return how many threads work when nobody says: `waiting` more than processors, at most MOST_JOBS.

    So many of them may wait for the disk while the others keep every processor busy.
    """
    return min(MOST_JOBS, processors() + waiting)


def run_workers(work: Work, threads: int) -> None:
    """Run `work(stopping)` on `threads` threads and wait for all; raise what the first failing one raised."""
    stopping = threading.Event()
    failures: list[BaseException] = []

    def guarded() -> None:
        try:
            work(stopping)
        except BaseException as problem:  # noqa: BLE001  carried over to the caller's thread
            failures.append(problem)
            stopping.set()

    running = [threading.Thread(target=guarded, name=f"neokeep-{number}") for number in range(threads)]
    try:
        for thread in running:
            thread.start()
        for thread in running:
            thread.join()
    except BaseException:
        stopping.set()
        for thread in running:
            if thread.ident is not None:
                thread.join()
        raise
    if failures:
        raise failures[0]
