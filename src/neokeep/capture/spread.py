"""One capture into several repositories: what is read once is stored in each, and one that fails is left behind.

Each repository may call the same content otherwise. So the capture is given tickets instead: the hash of the content
alone. Which name a ticket has in a repository is noted where they differ, and lists of blocks are made at the end, for
each repository with its own names. In memory are 32 bytes for each block, and 64 more for each repository with names of
its own.
"""

from __future__ import annotations

import threading
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import msgspec
import numpy as np
from blake3 import blake3

from neokeep.errors import NeokeepError
from neokeep.repository.block import ID_SIZE, block_size
from neokeep.repository.manifest import BlockList
from neokeep.repository.writer import BlockWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from neokeep.repository.manifest import FileEntry
    from neokeep.repository.repository import Repository
    from neokeep.repository.writer import TakesBlocks

_TEXT_ID = f"S{ID_SIZE}"


class Branch:
    """The end of one repository; `problem` is why it was left behind, if it was."""

    def __init__(self, repository: Repository) -> None:
        self.repository = repository
        self.writer: BlockWriter | None = None
        self.problem: NeokeepError | None = None
        self._tickets: list[bytes] = []
        self._names: list[bytes] = []
        self._lock = threading.Lock()

    def attempt(self, work: Callable[[BlockWriter], None]) -> None:
        """Do something with its writer; what goes wrong concerns this repository alone."""
        if self.problem is None:
            try:
                if self.writer is None:
                    self.repository.storage.clear_abandoned()
                    self.writer = BlockWriter(self.repository)
                work(self.writer)
            except NeokeepError as problem:
                self.problem = problem

    def note(self, tickets: bytes, names: bytes) -> None:
        """Remember what is called otherwise here."""
        if names != tickets:
            with self._lock:
                self._tickets.append(tickets)
                self._names.append(names)

    def store_files(self, files: Sequence[FileEntry]) -> BlockList:
        """Store the list of files whose blocks were put, by the names that they have here."""
        if self.writer is None:
            raise AssertionError("what never began has nothing to list")
        tickets, first = np.unique(np.frombuffer(b"".join(self._tickets), _TEXT_ID), return_index=True)
        names = np.frombuffer(b"".join(self._names), f"V{ID_SIZE}")[first]
        with self.writer.worker() as worker:
            listed = []
            for file in files:
                ids = file.content.ids
                if len(tickets):
                    wanted = np.frombuffer(ids, _TEXT_ID)
                    ids = names[np.searchsorted(tickets, wanted)].tobytes()
                content = worker.block_list(file.content.size, file.content.block_size, ids)
                listed.append(msgspec.structs.replace(file, content=content))
            return worker.put_bytes(msgspec.json.encode(listed))


class Spread:
    """Takes blocks for several repositories, in the place of a BlockWriter."""

    def __init__(self, repositories: Sequence[Repository]) -> None:
        self.branches = tuple(Branch(repository) for repository in repositories)
        for branch in self.branches:
            branch.attempt(lambda _: None)

    def require_one(self) -> None:
        """Raise what went wrong when no repository is left."""
        problems = [branch.problem for branch in self.branches]
        if None not in problems and problems[0] is not None:
            raise problems[0]

    @contextmanager
    def worker(self) -> Iterator[SpreadWorker]:
        """Lend an end to one thread."""
        with ExitStack() as lent:
            ends = {
                branch: lent.enter_context(branch.writer.worker())
                for branch in self.branches
                if branch.writer is not None
            }
            yield SpreadWorker(self, ends)

    def close(self) -> None:
        """Give all buffers back."""
        for branch in self.branches:
            if branch.writer is not None:
                branch.writer.close()


class SpreadWorker:
    """The end of one thread, which stands for one of each repository."""

    def __init__(self, spread: Spread, ends: Mapping[Branch, TakesBlocks]) -> None:
        self._spread = spread
        self._ends = ends

    def put(self, contents: Sequence[memoryview], record_size: int = 0) -> bytes:
        """Store some blocks everywhere; return their tickets, concatenated.

        Raises whatever the last repository that was left failed with.
        """
        tickets = b"".join(blake3(content).digest() for content in contents)
        for branch, end in self._ends.items():
            branch.attempt(lambda _, branch=branch, end=end: branch.note(tickets, end.put(contents, record_size)))  # type: ignore[misc]
        self._spread.require_one()
        return tickets

    def put_bytes(self, data: bytes) -> BlockList:
        """Store content everywhere as blocks of the size that fits it."""
        size = block_size(len(data))
        view = memoryview(data)
        tickets = b"".join(self.put([view[at : at + size]]) for at in range(0, len(data), size))
        return self.block_list(len(data), size, tickets)

    def block_list(self, size: int, size_of_block: int, ids: bytes) -> BlockList:
        """Describe content by its tickets; each repository makes its own list of it at the end."""
        return BlockList(size=size, block_size=size_of_block, depth=0, ids=ids, hash=b"")
