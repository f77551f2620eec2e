"""The files of a backup as sparse files in a directory: blocks are fetched when somebody needs them, each once.

What was not fetched reads as zeros, so whoever reads or writes a range brings it first. Which blocks were brought is
kept in memory, a byte for each; the bytes are in the directory alone, however much is brought.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np

from neokeep.errors import IntegrityError
from neokeep.files import explained, write_all
from neokeep.repository.block import ID_SIZE
from neokeep.repository.contents import expand_file
from neokeep.repository.fetch import Wanted, plan_fetch, run_jobs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from neokeep.repository.manifest import FileEntry
    from neokeep.repository.reader import BlockReader


class LazyFiles:
    """Files of a backup below a directory. Their sizes are right from the begin."""

    def __init__(self, reader: BlockReader, files: Sequence[FileEntry], directory: Path, *, jobs: int) -> None:
        self.directory = directory
        self._reader = reader
        self._jobs = jobs
        self._entries = {file.path: file for file in files}
        self._ids: dict[str, NDArray[np.void]] = {}
        self._brought: dict[str, NDArray[np.bool_]] = {}
        for file in files:
            path = directory / file.path
            with explained("write", path):
                path.parent.mkdir(parents=True, exist_ok=True)
                with path.open("xb") as made:
                    made.truncate(file.content.size)

    @property
    def entries(self) -> Mapping[str, FileEntry]:
        """The files by their paths."""
        return self._entries

    def _entry(self, path: str) -> FileEntry:
        if path not in self._entries:
            raise IntegrityError(
                f"there is no {path} in the backup", remedy="Use another backup: this one is not whole."
            )
        return self._entries[path]

    def bring(self, path: str, offset: int = 0, length: int | None = None) -> None:
        """Fetch what is not there yet of a range of a file, or of all of it from `offset` on.

        Raises:
            IntegrityError: the file is not in the backup, or a block of it is missing or damaged.
        """
        content = self._entry(path).content
        end = content.size if length is None else min(offset + length, content.size)
        if offset < end:
            self._bring(path, np.arange(offset // content.block_size, -(-end // content.block_size)))

    def bring_pages(self, path: str, pages: NDArray[np.int64], page_bytes: int) -> None:
        """Fetch what is not there yet of pages of a file; those behind its end are nobody's.

        Raises:
            IntegrityError: the file is not in the backup, or a block of it is missing or damaged.
        """
        content = self._entry(path).content
        first = pages * page_bytes // content.block_size
        last = ((pages + 1) * page_bytes - 1) // content.block_size
        count = -(-content.size // content.block_size)
        touched = np.unique(np.concatenate([first, last]))
        # A page is never longer than a block, so two blocks hold all of it.
        self._bring(path, touched[touched < count])

    def brought(self, path: str) -> NDArray[np.int64]:
        """List the numbers of the blocks of a file that were brought."""
        return np.flatnonzero(self._state(path)[1])

    def ids(self, path: str) -> NDArray[np.void]:
        """List the ids (V32) of all blocks of a file, as they are in the backup."""
        return self._state(path)[0]

    def _state(self, path: str) -> tuple[NDArray[np.void], NDArray[np.bool_]]:
        if path not in self._ids:
            self._ids[path] = np.frombuffer(expand_file(self._reader, self._entry(path)), f"V{ID_SIZE}")
            self._brought[path] = np.zeros(len(self._ids[path]), np.bool_)
        return self._ids[path], self._brought[path]

    def _bring(self, path: str, blocks: NDArray[np.int64]) -> None:
        ids, brought = self._state(path)
        blocks = blocks[~brought[blocks]]
        if not len(blocks):
            return
        content = self._entry(path).content
        offsets = blocks * content.block_size
        sizes = np.minimum(content.block_size, content.size - offsets)
        wanted = Wanted(ids[blocks], sizes, np.zeros(len(blocks), np.int64), offsets)
        plan = plan_fetch(self._reader.index, wanted)
        if len(plan.missing):
            raise IntegrityError(
                f"{len(plan.missing)} blocks of {path} are missing from {self._reader.storage.url}",
                remedy="Run 'neokeep verify' to see which backups are whole.",
            )
        with explained("write", self.directory / path):
            descriptor = os.open(self.directory / path, os.O_WRONLY | os.O_CLOEXEC)
            try:
                run_jobs(self._reader, plan, lambda: _Filler(path, descriptor), min(self._jobs, len(blocks)))
            finally:
                os.close(descriptor)
        brought[blocks] = True


class _Filler:
    """Writes blocks to their places in one file."""

    def __init__(self, path: str, descriptor: int) -> None:
        self._path = path
        self._descriptor = descriptor

    def block(self, _target: int, offset: int, content: bytes | memoryview) -> None:
        """See Sink.block."""
        write_all(self._descriptor, content, offset)

    def damaged(self, _target: int, offset: int, size: int, problem: IntegrityError) -> None:
        """See Sink.damaged."""
        raise IntegrityError(
            f"{self._path}, bytes {offset} to {offset + size}: {problem.message}",
            remedy="Use another backup; 'neokeep verify' says which are whole.",
        )

    def finish(self) -> None:
        """See Sink.finish."""
