"""Reading blocks in the order in which they lie in the packs, each once, whatever needs them.

`plan_fetch` is pure: ids in, jobs out. A job is a stretch of one pack that is read at once; `run_jobs` reads, checks
and decodes on several threads and hands every block to a sink. Restore and verify are both sinks.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from neokeep.errors import IntegrityError, RepositoryError
from neokeep.repository.pack import pack_name
from neokeep.workers import run_workers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from neokeep.repository.index import BlockIndex
    from neokeep.repository.reader import BlockReader

LONGEST_READ = 8 * 1024 * 1024
LARGEST_GAP = 128 * 1024
"""Bytes of other blocks that are read along rather than starting a new read."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Blocks that are wanted: ids (V32), content sizes, and for each the target number and offset there (int64)."""

    ids: NDArray[np.void]
    sizes: NDArray[np.int64]
    targets: NDArray[np.int64]
    offsets: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class FetchPlan:
    """Wanted blocks sorted by place, and those that no pack holds (positions in `wanted`)."""

    wanted: Wanted
    pack: NDArray[np.int64]
    offset: NDArray[np.int64]
    stored: NDArray[np.int64]
    missing: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Job:
    """Rows `first` to `last` (exclusive) of a plan: one read of `length` bytes at `start` of a pack."""

    pack: int
    start: int
    length: int
    first: int
    last: int


class Sink(Protocol):
    """What happens with blocks. Called from the thread that made it."""

    def block(self, target: int, offset: int, content: bytes | memoryview) -> None:
        """Take the proven content for one place."""

    def damaged(self, target: int, offset: int, size: int, problem: IntegrityError) -> None:
        """Learn that the block for one place cannot be had; may raise to stop everything."""

    def finish(self) -> None:
        """The thread has no more blocks."""


def plan_fetch(index: BlockIndex, wanted: Wanted) -> FetchPlan:
    """Sort what is wanted by where it lies."""
    rows = index.find(wanted.ids)
    missing = np.flatnonzero(rows < 0)
    keep = np.flatnonzero(rows >= 0)
    location = index.locate(rows[keep])
    order = np.lexsort((wanted.offsets[keep], wanted.targets[keep], location.offset, location.pack))
    chosen = keep[order]
    ordered = Wanted(wanted.ids[chosen], wanted.sizes[chosen], wanted.targets[chosen], wanted.offsets[chosen])
    return FetchPlan(ordered, location.pack[order], location.offset[order], location.stored[order], missing)


def jobs(plan: FetchPlan) -> Iterator[Job]:
    """Cut a plan into reads."""
    count = len(plan.pack)
    first = 0
    while first < count:
        pack, start = int(plan.pack[first]), int(plan.offset[first])
        end = start + int(plan.stored[first])
        last = first + 1
        while last < count and plan.pack[last] == pack:
            next_end = int(plan.offset[last] + plan.stored[last])
            if plan.offset[last] - end > LARGEST_GAP or next_end - start > LONGEST_READ:
                break
            end = max(end, next_end)
            last += 1
        yield Job(pack, start, end - start, first, last)
        first = last


def run_jobs(reader: BlockReader, plan: FetchPlan, make_sink: Callable[[], Sink], threads: int) -> None:
    """Read, check and decode every block of a plan and give it to the sink of the thread that has it.

    Raises whatever a sink raises, after all threads have stopped.
    """
    pending = jobs(plan)
    lock = threading.Lock()

    def work(stopping: threading.Event) -> None:
        sink = make_sink()
        while not stopping.is_set():
            with lock:
                job = next(pending, None)
            if job is None:
                break
            _run(reader, plan, job, sink)
        sink.finish()

    run_workers(work, threads)


def _run(reader: BlockReader, plan: FetchPlan, job: Job, sink: Sink) -> None:
    wanted = plan.wanted
    name = pack_name(reader.index.packs[job.pack].identity)
    problem: IntegrityError | None = None
    try:
        data = memoryview(reader.storage.read(name, job.start, job.length))
        if len(data) != job.length:
            problem = IntegrityError(f"{name} is cut", remedy="Run 'neokeep verify' to see what this touches.")
    except RepositoryError as missing:
        problem = IntegrityError(f"{name} cannot be read: {missing.message}", remedy=missing.remedy)
    previous = b""
    content: bytes | memoryview = b""
    rows = slice(job.first, job.last)
    columns = (wanted.ids, wanted.targets, wanted.offsets, wanted.sizes, plan.offset, plan.stored)
    for identity, target, offset, size, place, stored_size in zip(
        *(one[rows].tolist() for one in columns), strict=True
    ):
        damage = problem
        if damage is None and identity != previous:
            stored = data[place - job.start : place - job.start + stored_size]
            try:
                content = reader.decode(job.pack, place, stored, identity, size)
                previous = identity
            except IntegrityError as found:
                damage = IntegrityError(f"{found.message}, in {name}", remedy=found.remedy)
        if damage is None:
            sink.block(target, offset, content)
        else:
            sink.damaged(target, offset, size, damage)
