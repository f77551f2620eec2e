"""Storing lost blocks anew: from what is left of damaged packs first, then from another repository; then reading back.

A block is taken only when its content has the name that was lost.
"""

from __future__ import annotations

import threading
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from neokeep.repository.block import ID_SIZE
from neokeep.repository.fetch import Wanted, plan_fetch, run_jobs
from neokeep.repository.fetch import jobs as cut_into_jobs
from neokeep.repository.reader import BlockReader
from neokeep.repository.writer import BlockWriter

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from neokeep.copies.blocks import BlockTable
    from neokeep.errors import IntegrityError
    from neokeep.progress import Progress
    from neokeep.repository.repository import Repository


@dataclass(frozen=True, slots=True)
class Refetched:
    """What came of it: how many blocks were still whole here, the names (S32) of those that were not to be had."""

    own: int
    unhealed: NDArray[np.bytes_]
    bytes_read: int
    stored_bytes: int


@dataclass(slots=True)
class _Healed:
    """Which rows of the table are stored again; filled by several threads."""

    rows: NDArray[np.bool_]
    lock: threading.Lock = field(default_factory=threading.Lock)


def refetch(
    own: BlockReader,
    other: BlockReader,
    target: Repository,
    lost: BlockTable,
    names: NDArray[np.bytes_],
    *,
    jobs: int,
    progress: Progress,
) -> Refetched:
    """Store the blocks of a table anew in `target`; `names` is what `other` calls each, empty where it has none."""
    count = len(lost.ids)
    if not count:
        return Refetched(0, lost.ids, 0, 0)
    healed = _Healed(np.zeros(count, np.bool_))
    writer = BlockWriter(target)
    read = 0
    try:
        progress.begin("healing blocks", int(lost.sizes.sum()))
        everything = np.arange(count)
        _take(own, lost, lost.ids, everything, writer, healed, jobs, progress)
        from_own = int(healed.rows.sum())
        rest = np.flatnonzero(~healed.rows & (names != b""))
        read = _take(other, lost, names, rest, writer, healed, jobs, progress)
        progress.end()
        writer.finish()
    finally:
        writer.close()
    proven = _read_back(target, lost, np.flatnonzero(healed.rows), jobs)
    return Refetched(from_own, lost.ids[~proven], read, writer.stored_bytes)


def _take(
    reader: BlockReader,
    lost: BlockTable,
    names: NDArray[np.bytes_],
    rows: NDArray[np.int64],
    writer: BlockWriter,
    healed: _Healed,
    jobs: int,
    progress: Progress,
) -> int:
    """Read some rows from a repository by what it calls them, and store what is whole; return the bytes read."""
    plan = plan_fetch(reader.index, _wanted(names, lost, rows))
    run_jobs(reader, plan, lambda: _Storing(writer, lost, healed, progress), jobs)
    return sum(job.length for job in cut_into_jobs(plan))


def _read_back(target: Repository, lost: BlockTable, rows: NDArray[np.int64], jobs: int) -> NDArray[np.bool_]:
    """Prove that rows are in the repository now, by reading them from it."""
    reader = BlockReader.of(target)
    proven = _Healed(np.zeros(len(lost.ids), np.bool_))
    run_jobs(reader, plan_fetch(reader.index, _wanted(lost.ids, lost, rows)), lambda: _Noting(proven), jobs)
    return proven.rows


def _wanted(names: NDArray[np.bytes_], lost: BlockTable, rows: NDArray[np.int64]) -> Wanted:
    ids = np.ascontiguousarray(names[rows]).view(f"V{ID_SIZE}")
    return Wanted(ids, lost.sizes[rows], rows, np.zeros(len(rows), np.int64))


class _Noting:
    """A sink that notes what was proven."""

    def __init__(self, healed: _Healed) -> None:
        self._healed = healed

    def block(self, target: int, offset: int, content: bytes | memoryview) -> None:  # noqa: ARG002
        """See Sink.block."""
        with self._healed.lock:
            self._healed.rows[target] = True

    def damaged(self, target: int, offset: int, size: int, problem: IntegrityError) -> None:
        """See Sink.damaged: what is not noted is not healed."""

    def finish(self) -> None:
        """See Sink.finish."""


class _Storing(_Noting):
    """A sink that stores what it is given, and notes it where the name is the one that was lost."""

    def __init__(self, writer: BlockWriter, lost: BlockTable, healed: _Healed, progress: Progress) -> None:
        super().__init__(healed)
        self._lent = ExitStack()
        self._worker = self._lent.enter_context(writer.worker())
        self._lost = lost
        self._progress = progress

    def block(self, target: int, offset: int, content: bytes | memoryview) -> None:
        """See Sink.block."""
        name = self._worker.put([memoryview(content)], int(self._lost.records[target]))
        self._progress.advance(len(content))
        if name == self._lost.ids[target].ljust(ID_SIZE, b"\0"):
            super().block(target, offset, content)

    def finish(self) -> None:
        """See Sink.finish."""
        self._lent.close()
