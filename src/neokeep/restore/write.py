"""Writing the files of a backup into new directories: every block proven before it is written, everything fsynced.

Blocks come in the order in which they lie in the packs, on several threads. Neighbours are gathered and written past
the page cache; blocks of zeros become holes.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import numpy as np

from neokeep.errors import IntegrityError
from neokeep.files import AlignedBuffer, explained, fsync_directory, write_aligned
from neokeep.repository.block import ID_SIZE
from neokeep.repository.contents import expand_file
from neokeep.repository.fetch import Sink, Wanted, plan_fetch, run_jobs
from neokeep.restore.spares import Lost, first_problem
from neokeep.workers import run_workers

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from neokeep.progress import Progress
    from neokeep.repository.manifest import FileEntry
    from neokeep.repository.reader import BlockReader

Others = Callable[[Lost, Callable[[Lost], Sink]], Lost]
"""Gives lost blocks to sinks that it has made for it, and returns what is still lost."""

GATHER = 4 * 1024 * 1024
"""Bytes that are written at once."""

_GLANCE = 4096


@dataclass(frozen=True, slots=True)
class Owner:
    """Who new files belong to, and the mode of new directories."""

    user: int
    group: int
    directory_mode: int

    @classmethod
    def of(cls, directory: Path) -> Owner:
        """Take owner and mode of an existing directory."""
        status = directory.stat()
        return cls(status.st_uid, status.st_gid, status.st_mode & 0o777)

    def apply(self, path: Path) -> None:
        """Give a file or directory to this owner; only root can, for others it is theirs already."""
        if os.geteuid() == 0:
            os.chown(path, self.user, self.group)


def make_directory(path: Path, owner: Owner) -> None:
    """Make a directory with its parents, all given to the owner and durable; those that are there stay as they are."""
    if path.is_dir():
        return
    make_directory(path.parent, owner)
    with explained("make", path):
        path.mkdir()
        path.chmod(owner.directory_mode)
        owner.apply(path)
        fsync_directory(path.parent)


def write_files(
    reader: BlockReader,
    files: Sequence[FileEntry],
    areas: dict[str, Path],
    owner: Owner,
    *,
    jobs: int,
    progress: Progress,
    others: Others | None = None,
) -> None:
    """Write `files` below the new directories of their areas; `others` give what cannot be had here.

    Raises:
        IntegrityError: a block is missing or damaged; the directories are not complete then.
        SpaceError, AccessError: they cannot be written.
    """
    paths = [areas[file.area] / _safe(file.path) for file in files]
    for directory in sorted({path.parent for path in paths}):
        make_directory(directory, owner)
    for path, file in zip(paths, files, strict=True):
        _create(path, file, owner)
    wanted = _wanted(reader, files)
    plan = plan_fetch(reader.index, wanted)
    lost = Lost()
    if len(plan.missing):
        missing = IntegrityError(
            f"{len(plan.missing)} blocks of this backup are missing from {reader.storage.url}",
            remedy="Restore another backup; 'neokeep verify' says which are whole.",
        )
        if others is None:
            raise missing
        lost.add_rows(wanted, plan.missing, missing)
    progress.begin("restoring", sum(file.content.size for file in files))
    run_jobs(reader, plan, lambda: _Writer(paths, progress, lost if others else None), jobs)
    if lost and others is not None:
        lost = others(lost, lambda still: _Writer(paths, progress, still))
        if lost:
            raise first_problem(lost)
    _finish(paths, files, jobs)
    for directory in sorted({parent for path in paths for parent in _below(path, areas.values())}, reverse=True):
        with explained("write", directory):
            fsync_directory(directory)


def _below(path: Path, roots: Collection[Path]) -> list[Path]:
    """List the directories from a file up to, and with, the root that holds it."""
    found: list[Path] = []
    for parent in path.parents:
        found.append(parent)
        if parent in roots:
            break
    return found


def _safe(path: str) -> PurePosixPath:
    """A manifest names files inside its directories only."""
    parts = PurePosixPath(path)
    if parts.is_absolute() or ".." in parts.parts or not parts.parts:
        raise IntegrityError(f"the manifest names a file outside the database: {path!r}", remedy="Do not use it.")
    return parts


def _create(path: Path, file: FileEntry, owner: Owner) -> None:
    with explained("write", path):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.ftruncate(descriptor, file.content.size)
        finally:
            os.close(descriptor)
        owner.apply(path)


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    """Open a file for one write or sync: a database may have more files than a process may hold open."""
    with explained("write", path):
        descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            yield descriptor
        finally:
            os.close(descriptor)


def _wanted(reader: BlockReader, files: Sequence[FileEntry]) -> Wanted:
    """List every block of every file with its place."""
    ids: list[bytes] = []
    counts: list[int] = []
    for file in files:
        ids.append(expand_file(reader, file))
        counts.append(len(ids[-1]) // ID_SIZE)
    numbers = np.arange(len(files), dtype=np.int64)
    targets = np.repeat(numbers, counts)
    block_sizes = np.array([file.content.block_size for file in files], dtype=np.int64)
    sizes = np.array([file.content.size for file in files], dtype=np.int64)
    starts = np.repeat(np.cumsum([0, *counts[:-1]]) if counts else np.empty(0, np.int64), counts)
    offsets = (np.arange(len(targets), dtype=np.int64) - starts) * block_sizes[targets]
    lengths = np.minimum(block_sizes[targets], sizes[targets] - offsets)
    return Wanted(np.frombuffer(b"".join(ids), f"V{ID_SIZE}"), lengths, targets, offsets)


class _Writer:
    """The sink of one thread: gathers neighbouring blocks of a file and writes them at once."""

    def __init__(self, paths: Sequence[Path], progress: Progress, lost: Lost | None) -> None:
        self._paths = paths
        self._lost = lost
        self._progress = progress
        self._buffer = AlignedBuffer(GATHER)
        self._bytes = np.frombuffer(self._buffer.view, np.uint8)
        self._target = -1
        self._start = 0
        self._filled = 0

    def block(self, target: int, offset: int, content: bytes | memoryview) -> None:
        """See Sink.block."""
        size = len(content)
        self._progress.advance(size)
        if target != self._target or offset != self._start + self._filled or self._filled + size > GATHER:
            self._flush()
            self._target, self._start = target, offset
        if size > GATHER:
            raise ValueError("a block is larger than the gathering buffer")
        # As an array: copied while other threads run.
        self._bytes[self._filled : self._filled + size] = np.frombuffer(content, np.uint8)
        self._filled += size

    def damaged(self, target: int, offset: int, size: int, problem: IntegrityError) -> None:
        """See Sink.damaged; noted where others may have it."""
        if self._lost is not None:
            self._lost.add(target, offset, size, problem)
            return
        raise IntegrityError(
            f"{self._paths[target].name}, bytes {offset} to {offset + size}: {problem.message}",
            remedy="The target was not touched. Restore another backup; 'neokeep verify' says which are whole.",
        )

    def finish(self) -> None:
        """See Sink.finish."""
        self._flush()
        del self._bytes
        self._buffer.close()

    def _flush(self) -> None:
        view = self._buffer.view[: self._filled]
        self._filled = 0
        if not view or is_zero(view):
            return
        with _opened(self._paths[self._target]) as descriptor:
            write_aligned(descriptor, view, self._start)


def is_zero(view: memoryview) -> bool:
    """Tell whether all bytes are zero; there is at least one."""
    # What is not zero mostly begins so: all of it need not be looked at.
    begins = view[:_GLANCE].tobytes()
    return begins.count(0) == len(begins) and not np.frombuffer(view, np.uint8).any()


def _finish(paths: Sequence[Path], files: Sequence[FileEntry], jobs: int) -> None:
    """Give all files their modes and make them durable, several at a time."""
    pending = iter(zip(paths, files, strict=True))
    lock = threading.Lock()

    def work(stopping: threading.Event) -> None:
        while not stopping.is_set():
            with lock:
                item = next(pending, None)
            if item is None:
                return
            path, file = item
            with _opened(path) as descriptor:
                os.fchmod(descriptor, file.mode)
                os.fsync(descriptor)

    run_workers(work, jobs)
