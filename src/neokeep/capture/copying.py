"""Copying the files of a database into the repository on several threads, while the database may change them.

Record stores are copied as they are: the log heals them. A tree (GBPTree) counts only when its state is the same before
and after, else it is read again and in the end left out.
"""

from __future__ import annotations

import threading
from collections import deque
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from neokeep.capture.courtesy import Bystanders, Courtesy
from neokeep.capture.opening import STORES, FileOpener, OpenFile
from neokeep.capture.void import CaptureVoid
from neokeep.files import AlignedBuffer, explained
from neokeep.neo4j.store.gbptree import read_state
from neokeep.neo4j.store.layout import RECORD_SIZES, FileKind
from neokeep.repository.block import ID_SIZE
from neokeep.repository.manifest import FileEntry
from neokeep.workers import run_workers

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from neokeep.capture.options import CaptureOptions
    from neokeep.capture.plan import CopyPlan
    from neokeep.capture.reading import GentleReader
    from neokeep.progress import Progress
    from neokeep.repository.writer import LendsWorkers, TakesBlocks

EXTENT = 4 * 1024 * 1024
TREE_TRIES = 5
PATIENT_TRIES = 2
"""After so many copies that a checkpoint fell into, a tree is read without pauses: it has to be done between two."""

_PAUSE_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Extent:
    """Some blocks of one file, read and stored at once."""

    file: OpenFile
    first: int
    count: int


@dataclass(slots=True)
class Copied:
    """The outcome: entries by path, what must be left out with the reason, and how often was tried again.

    Record stores stay open until `close`: the number of an inode that nobody has open may be given to another file.
    """

    entries: dict[str, FileEntry] = field(default_factory=dict)
    record_stores: list[OpenFile] = field(default_factory=list)
    drop: dict[str, str] = field(default_factory=dict)
    retries: int = 0

    def close(self) -> None:
        """Close the record stores."""
        while self.record_stores:
            self.record_stores.pop().close()


class FileCopier:
    """Copies what a plan names. Use once."""

    def __init__(self, directory: Path, writer: LendsWorkers, reader: GentleReader, progress: Progress) -> None:
        self._directory = directory
        self._opener = FileOpener(directory)
        self._writer = writer
        self._reader = reader
        self._progress = progress
        self._lock = threading.Lock()
        self._again: deque[OpenFile] = deque()
        self._current: OpenFile | None = None
        self._open: dict[int, OpenFile] = {}
        self._result = Copied()

    def run(self, plan: CopyPlan, options: CaptureOptions, watch: Callable[[], None]) -> Copied:
        """Copy everything; `watch` is called between reads and may raise to end the copy.

        Raises:
            CaptureVoid: a record store vanished or shrank under the copy.
            AccessError: a file may not be read.
        """
        files = self._opener.open_all(plan)
        bystanders = Bystanders() if options.gentle else None

        def work(stopping: threading.Event) -> None:
            courtesy = Courtesy(bystanders, options.jobs)
            with self._writer.worker() as worker, closing(AlignedBuffer(EXTENT)) as buffer:
                while not stopping.is_set():
                    watch()
                    self._reader.wait(stopping)
                    with self._lock:
                        extent = self._next(lambda: next(files, None))
                        busy = bool(self._open)
                    if extent is not None:
                        self._copy(extent, worker, buffer)
                        if extent.file.tries <= PATIENT_TRIES:
                            courtesy.pause(stopping)
                    elif busy:
                        stopping.wait(_PAUSE_SECONDS)
                    else:
                        break

        try:
            run_workers(work, options.jobs)
        except BaseException:
            self._result.close()
            raise
        finally:
            self._opener.close()
            for file in self._open.values():
                file.close()
        self._result.drop |= self._opener.drop
        self._result.retries += self._opener.retries
        return self._result

    def _next(self, open_next: Callable[[], OpenFile | None]) -> Extent | None:
        """Hand out the next extent, opening the next file where needed; None when there is nothing right now."""
        if self._current is None:
            self._current = open_next()
            if self._current is not None:
                self._open[id(self._current)] = self._current
            elif self._again:
                self._current = self._again.popleft()
                with explained("read", self._directory / self._current.path):
                    self._current.begin()
        file = self._current
        if file is None:
            return None
        count = min(max(1, EXTENT // file.block_size), file.blocks - file.next_block)
        extent = Extent(file, file.next_block, count)
        file.next_block += count
        file.unfinished += 1
        if file.next_block >= file.blocks:
            self._current = None
        return extent

    def _copy(self, extent: Extent, worker: TakesBlocks, buffer: AlignedBuffer) -> None:
        file = extent.file
        offset = extent.first * file.block_size
        length = min(extent.count * file.block_size, file.size - offset)
        view = buffer.view[:length]
        with explained("read", self._directory / file.path):
            done = self._reader.read_into(file.descriptor, view, offset)
        if done == length:
            contents = [view[at : at + file.block_size] for at in range(0, length, file.block_size)]
            if contents:
                file.ids[extent.first * ID_SIZE : (extent.first + extent.count) * ID_SIZE] = worker.put(
                    contents, RECORD_SIZES.get(file.path, 0)
                )
        elif file.kind in STORES:
            raise CaptureVoid(f"{file.path} became shorter while it was read")
        else:
            self._opener.leave_out(file.path, file.kind, "the file became shorter while it was read")
        self._progress.advance(done)
        with self._lock:
            file.unfinished -= 1
            complete = file.unfinished == 0 and file.next_block >= file.blocks
        if complete:
            self._complete(file, worker)

    def _complete(self, file: OpenFile, worker: TakesBlocks) -> None:
        """Accept a file that was read to its end, or have it read again."""
        if file.kind is FileKind.TREE and self._tree_changed(file):
            if file.tries < TREE_TRIES:
                self._try_again(file)
                return
            reason = f"a checkpoint fell into each of {TREE_TRIES} copies of it"
            self._opener.leave_out(file.path, file.kind, reason)
        content = worker.block_list(file.size, file.block_size, bytes(file.ids))
        entry = FileEntry(area="store", path=file.path, kind=file.kind.name.lower(), mode=file.mode, content=content)
        with self._lock:
            self._result.entries[file.path] = entry
            del self._open[id(file)]
            if file.kind is FileKind.RECORD_STORE:
                self._result.record_stores.append(file)
                return
        file.close()

    def _tree_changed(self, file: OpenFile) -> bool:
        with explained("read", self._directory / file.path):
            return file.state is None or read_state(file.descriptor) != file.state

    def _try_again(self, file: OpenFile) -> None:
        self._progress.advance(-file.size)
        file.tries += 1
        with self._lock:
            self._result.retries += 1
            self._again.append(file)
