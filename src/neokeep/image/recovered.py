"""Recovering an image natively, and storing what it became: changed blocks anew, all others by their ids."""

from __future__ import annotations

import mmap
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from neokeep.errors import IntegrityError
from neokeep.files import explained
from neokeep.neo4j.log.names import log_name
from neokeep.neo4j.store.layout import NEOSTORE, RECORD_SIZES
from neokeep.repository.block import ID_SIZE, block_size
from neokeep.repository.manifest import FileEntry
from neokeep.restore.recover import is_clean
from neokeep.workers import run_workers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from neokeep.image.chain_image import ChainImage
    from neokeep.neo4j.recovery.finish import LogEnd
    from neokeep.progress import Progress
    from neokeep.repository.writer import BlockWorker, BlockWriter

_LOG_MODE = 0o644
_AT_ONCE = 16
"""Blocks that are put together."""


@dataclass(frozen=True, slots=True)
class RecoveredFiles:
    """The files of a clean store, where its log ends, its first transaction there, and the bytes that were read."""

    files: tuple[FileEntry, ...]
    end: LogEnd
    first_transaction: int
    bytes_read: int


def recovered_files(image: ChainImage, writer: BlockWriter, *, jobs: int, progress: Progress) -> RecoveredFiles:
    """Apply the log of an image and store the outcome; of the log the newest file remains, with the end in it.

    Raises:
        UnknownCommand: the log holds what neokeep does not understand; nothing was stored.
        IntegrityError: a block is missing or damaged, or the store is not clean afterwards.
    """
    from neokeep.neo4j.recovery.finish import finish, log_end
    from neokeep.neo4j.recovery.log import read_parts
    from neokeep.neo4j.recovery.redo import redo_files

    checkpoint = image.checkpoint
    progress.say(f"applying the log of {image.chain.base.label} up to transaction {image.end.transaction}")
    parts = read_parts(image.log, checkpoint.position)
    with image.stores() as files:
        done = redo_files(files, parts)
    image.store.bring(NEOSTORE)
    finish(image.store.directory, image.log, parts, done.metadata, checkpoint.name, len(checkpoint.content))
    end = log_end(parts)
    if end is None or not is_clean(image.log):
        raise IntegrityError("the consolidated store is not clean", remedy="Take a full backup of the server instead.")
    entries = _StoredAgain(image, writer, progress).run(jobs)
    newest = next(part for part in parts if part.header.version == end.position.version)
    with writer.worker() as worker:
        log = [
            _stored(worker, image.log / log_name(newest.header.version), "log"),
            _stored(worker, image.log / checkpoint.name, "checkpoint"),
        ]
    brought = sum(
        len(image.store.brought(path)) * entry.content.block_size for path, entry in image.store.entries.items()
    )
    return RecoveredFiles((*entries, *log), end, newest.header.last_transaction + 1, brought)


def _stored(worker: BlockWorker, path: Path, kind: str) -> FileEntry:
    """Store a file of the log directory."""
    with explained("read", path), path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        size = block_size(len(data))
        with memoryview(data) as view:
            ids = b"".join(worker.put([view[at : at + size]]) for at in range(0, len(view), size))
        content = worker.block_list(len(data), size, ids)
    return FileEntry(area="log", path=path.name, kind=kind, mode=_LOG_MODE, content=content)


class _StoredAgain:
    """Stores the files of an image: blocks that were brought, or lie behind the old end, from the scratch directory."""

    def __init__(self, image: ChainImage, writer: BlockWriter, progress: Progress) -> None:
        self._store = image.store
        self._writer = writer
        self._progress = progress
        self._ids: dict[str, bytearray] = {}

    def run(self, jobs: int) -> list[FileEntry]:
        work = list(self._batches())
        self._progress.begin("storing changed blocks", sum(len(batch.blocks) * batch.block_size for batch in work))
        pending = iter(work)

        lock = threading.Lock()

        def store(stopping: threading.Event) -> None:
            with self._writer.worker() as worker:
                while not stopping.is_set():
                    with lock:
                        batch = next(pending, None)
                    if batch is None:
                        return
                    self._put(batch, worker)

        run_workers(store, jobs)
        with self._writer.worker() as worker:
            return [self._entry(path, worker) for path in sorted(self._store.entries)]

    def _batches(self) -> Iterator[_Batch]:
        for path, entry in self._store.entries.items():
            old, size = self._store.ids(path), (self._store.directory / path).stat().st_size
            count = -(-size // entry.content.block_size)
            if count > len(old) and entry.content.size % entry.content.block_size:
                # The last block is a part of one, and becomes a whole one.
                self._store.bring(path, entry.content.size - 1)
            brought = self._store.brought(path)
            shared = np.delete(old, brought)
            if self._writer.unknown([identity.tobytes() for identity in shared]) if len(shared) else ():
                raise IntegrityError(f"blocks of {path} are missing or damaged", remedy="Run 'neokeep verify'.")
            self._ids[path] = bytearray(old.tobytes().ljust(count * ID_SIZE, b"\0"))
            changed = np.concatenate([brought, np.arange(len(old), count)])
            for at in range(0, len(changed), _AT_ONCE):
                yield _Batch(path, entry.content.block_size, changed[at : at + _AT_ONCE].tolist())

    def _put(self, batch: _Batch, worker: BlockWorker) -> None:
        path = self._store.directory / batch.path
        with explained("read", path), path.open("rb") as file:
            contents = []
            for number in batch.blocks:
                file.seek(number * batch.block_size)
                contents.append(memoryview(file.read(batch.block_size)))
        ids = worker.put(contents, RECORD_SIZES.get(batch.path, 0))
        for at, number in enumerate(batch.blocks):
            self._ids[batch.path][number * ID_SIZE : (number + 1) * ID_SIZE] = ids[at * ID_SIZE : (at + 1) * ID_SIZE]
        self._progress.advance(sum(map(len, contents)))

    def _entry(self, path: str, worker: BlockWorker) -> FileEntry:
        old, size = self._store.entries[path], (self._store.directory / path).stat().st_size
        content = worker.block_list(size, old.content.block_size, bytes(self._ids[path]))
        return FileEntry(area="store", path=path, kind=old.kind, mode=old.mode, content=content)


@dataclass(frozen=True, slots=True)
class _Batch:
    path: str
    block_size: int
    blocks: list[int]
