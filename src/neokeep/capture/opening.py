"""Opening the files of a plan, one after the other: an open descriptor survives whatever the server does to the name.

A Lucene directory is opened as a whole, all files of its newest commit or none. A tree is opened with its state, which
must be the same when it was read.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from neokeep.capture.reading import open_for_reading
from neokeep.capture.void import CaptureVoid
from neokeep.files import explain, explained
from neokeep.neo4j.store.gbptree import TreeState, read_state
from neokeep.neo4j.store.layout import FileKind, index_directory
from neokeep.neo4j.store.lucene import LuceneChanged, files_of_commit
from neokeep.repository.block import ID_SIZE, block_size

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from neokeep.capture.plan import CopyPlan

LUCENE_TRIES = 10
_PAUSE_SECONDS = 0.05
STORES = (FileKind.RECORD_STORE, FileKind.NEOSTORE)
"""Files without which there is no database."""


@dataclass(slots=True)
class OpenFile:
    """A file on its way into the repository; `ids` fills as its blocks are stored, in any order.

    `next_block` is the first block that nobody has taken yet, `unfinished` counts extents that were taken but not done.
    """

    path: str
    kind: FileKind
    descriptor: int
    inode: int
    mode: int
    size: int = 0
    block_size: int = 0
    ids: bytearray = field(default_factory=bytearray)
    state: TreeState | None = None
    tries: int = 1
    next_block: int = 0
    unfinished: int = 0

    @property
    def blocks(self) -> int:
        """Number of blocks of the file."""
        return len(self.ids) // ID_SIZE

    def begin(self) -> None:
        """Take size and tree state as they are now, to read the file from its start."""
        # The state first: a checkpoint between the two looks then shows as a change.
        self.state = read_state(self.descriptor) if self.kind is FileKind.TREE else None
        self.size = os.fstat(self.descriptor).st_size
        self.block_size = block_size(self.size)
        self.ids = bytearray(-(-self.size // self.block_size) * ID_SIZE)
        self.next_block = 0

    def close(self) -> None:
        """Close the descriptor."""
        os.close(self.descriptor)


@dataclass(slots=True)
class FileOpener:
    """Opens files below a database directory and remembers what could not be had, with the reason, in `drop`."""

    directory: Path
    drop: dict[str, str] = field(default_factory=dict)
    retries: int = 0
    waiting: list[OpenFile] = field(default_factory=list)

    def close(self) -> None:
        """Close files that were opened together with others and not handed out."""
        while self.waiting:
            self.waiting.pop().close()

    def open_all(self, plan: CopyPlan) -> Iterator[OpenFile]:
        """Open everything that a plan names, lazily; large files first, so that all threads end together.

        Whoever gets a file closes it; `close` closes what nobody got.
        """
        for directory in plan.lucene:
            self.waiting.extend(self._lucene(directory))
            while self.waiting:
                yield self.waiting.pop()
        for file in sorted(plan.files, key=lambda file: -file.size):
            opened = self._open(file.path, file.kind)
            if opened is not None:
                yield opened

    def leave_out(self, path: str, kind: FileKind, reason: str) -> None:
        """Have a file left out; of an index, all of it, since its parts are of use only together."""
        index = index_directory(path) if kind in (FileKind.TREE, FileKind.LUCENE) else None
        self.drop[index or path] = reason

    def _open(self, path: str, kind: FileKind) -> OpenFile | None:
        try:
            opened = self._open_file(path, kind)
        except FileNotFoundError as problem:
            if kind in STORES:
                raise CaptureVoid(f"{path} vanished") from problem
            self.leave_out(path, kind, "the file vanished during the capture")
            return None
        if kind is FileKind.TREE and opened.state is None:
            opened.close()
            self.leave_out(path, kind, "its tree state was not readable")
            return None
        return opened

    def _open_file(self, path: str, kind: FileKind) -> OpenFile:
        place = self.directory / path
        try:
            descriptor = open_for_reading(place)
        except FileNotFoundError:
            raise
        except OSError as problem:
            raise explain(problem, "read", place) from problem
        with explained("read", place):
            status = os.fstat(descriptor)
            mode = status.st_mode & 0o777
            opened = OpenFile(path=path, kind=kind, descriptor=descriptor, inode=status.st_ino, mode=mode)
            opened.begin()
        return opened

    def _lucene(self, directory: str) -> list[OpenFile]:
        """Open all files of the newest commit of a Lucene directory."""
        place = self.directory / directory
        reason = ""
        for _ in range(LUCENE_TRIES):
            opened: list[OpenFile] = []
            try:
                commit = files_of_commit(lambda name: (place / name).read_bytes(), os.listdir(place))
                opened.extend(self._open_file(f"{directory}/{name}", FileKind.LUCENE) for name in commit.files)
            except (LuceneChanged, FileNotFoundError) as problem:
                reason = str(problem)
                for file in opened:
                    file.close()
                self.retries += 1
                time.sleep(_PAUSE_SECONDS)
            except OSError as problem:
                raise explain(problem, "read", place) from problem
            else:
                return opened
        self.leave_out(f"{directory}/", FileKind.LUCENE, f"no whole Lucene commit could be opened: {reason}")
        return []
