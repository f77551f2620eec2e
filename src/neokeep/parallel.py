"""Doing pieces of work on threads and taking the results in order, a few ahead at most, so that memory is bounded."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_Result = TypeVar("_Result")


def in_order(work: Iterable[Callable[[], _Result]], jobs: int) -> Iterator[_Result]:
    """Call each function on one of `jobs` threads; what the first one that fails raises is raised."""
    waiting: deque[Future[_Result]] = deque()
    pool = ThreadPoolExecutor(jobs, thread_name_prefix="neokeep")
    try:
        for one in work:
            waiting.append(pool.submit(one))
            if len(waiting) > jobs:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
