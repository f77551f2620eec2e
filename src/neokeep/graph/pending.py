"""A stopped store whose log is not in it yet. Nothing there is written.

It is read as it will be once Neo4j has recovered it: blocks that the log changes are copied to sparse files in scratch,
each once, and the log is applied there. What is read comes from the store itself, with these blocks over it. Scratch
takes what the log changes, not the store.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from neokeep.capture.checkpoint import choose_checkpoint
from neokeep.errors import IntegrityError
from neokeep.files import explained, scratch_directory
from neokeep.neo4j.recovery.layout import FILES
from neokeep.neo4j.store.pages import DirectoryPages

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from neokeep.neo4j.store.pages import Bytes, Flags, Numbers

BLOCK = 64 * 1024


@dataclass(frozen=True, slots=True)
class PendingLog:
    """The log of a stopped database, of which so many transactions are not in the store yet, or not as a whole."""

    store_directory: Path
    log_directory: Path
    aligned: bool
    scratch: Path | None
    transactions: int

    @contextmanager
    def applied(self) -> Iterator[OverlaidPages]:
        """Apply it in scratch: the pages of the store as it will be, until the block ends."""
        place = (self.store_directory, self.log_directory)
        with recovered_pages(*place, aligned=self.aligned, scratch=self.scratch) as (pages, _):
            yield pages


def pending_log(store_directory: Path, log_directory: Path, *, aligned: bool, scratch: Path | None) -> PendingLog:
    """Find what the log of a stopped database holds that is not in its store; nothing of a clean one.

    Raises:
        IntegrityError: it is damaged.
    """
    # Compiled code takes a moment to load, which a check of a clean store need not wait for.
    from neokeep.neo4j.recovery.log import read_parts

    parts = read_parts(log_directory, choose_checkpoint(log_directory).position)
    transactions = sum(len(part.ends) for part in parts)
    return PendingLog(store_directory, log_directory, aligned, scratch, transactions)


class OverlaidPages:
    """The pages of a store with changed blocks over them, which lie in a scratch directory."""

    def __init__(self, below: DirectoryPages, scratch: Path) -> None:
        self._below = below
        self._scratch = scratch
        self._over = DirectoryPages(scratch)
        self._sizes: dict[str, int] = {}
        self._changed: dict[str, Flags] = {}
        for name in FILES.values():
            size = below.size(name)
            if size is None:
                raise IntegrityError(f"{name} is not there", remedy="Restore a backup; this store is not whole.")
            self._sizes[name] = size
            self._changed[name] = np.zeros(-(-size // BLOCK), np.bool_)
            with explained("write", scratch / name), (scratch / name).open("xb") as file:
                file.truncate(size)

    def bring(self, name: str, pages: Numbers, page_bytes: int) -> None:
        """Copy the blocks of pages to scratch, where they are about to be read and changed."""
        changed = self._changed[name]
        # A page is never longer than a block, so two blocks hold all of it.
        edges = np.concatenate([pages * page_bytes, (pages + 1) * page_bytes - 1]) // BLOCK
        blocks = np.unique(edges[edges < len(changed)])
        blocks = blocks[~changed[blocks]]
        if not len(blocks):
            return
        with explained("write", self._scratch / name):
            descriptor = os.open(self._scratch / name, os.O_WRONLY | os.O_CLOEXEC)
            try:
                for block in blocks.tolist():
                    os.pwrite(descriptor, self._below.read(name, block * BLOCK, BLOCK).tobytes(), block * BLOCK)
            finally:
                os.close(descriptor)
        changed[blocks] = True

    def close(self) -> None:
        """Close the files in scratch."""
        self._over.__exit__(None, None, None)

    def size(self, name: str) -> int | None:
        """See StorePages.size; the log may have made a file longer."""
        return self._over.size(name)

    def read(self, name: str, offset: int, length: int) -> Bytes:
        """See StorePages.read."""
        changed, known = self._changed[name], self._sizes[name]
        first, last = offset // BLOCK, -(-(offset + length) // BLOCK)
        if offset + length > known:
            # What is behind the old end is in scratch alone; the block at that end was brought, if there is more.
            content = np.array(self._over.read(name, offset, length))
            below = self._below.read(name, offset, max(0, min(length, known - offset)))
            content[: len(below)] = below
        else:
            content = np.array(self._below.read(name, offset, length))
        for block in (np.flatnonzero(changed[first:last]) + first).tolist():
            begin, end = max(offset, block * BLOCK), min(offset + length, (block + 1) * BLOCK)
            own = self._over.read(name, begin, end - begin)
            content[begin - offset : begin - offset + len(own)] = own
        return content


@contextmanager
def recovered_pages(
    store_directory: Path, log_directory: Path, *, aligned: bool, scratch: Path | None
) -> Iterator[tuple[OverlaidPages, int]]:
    """Apply the log of a stopped database over its store: the pages, until the block ends, and the last transaction.

    Raises:
        SourceError: the log holds what neokeep does not understand.
        IntegrityError: it is damaged, or a store file is missing.
    """
    # Compiled code takes a moment to load, which a check of a clean store need not wait for.
    from neokeep.neo4j.recovery.log import read_parts
    from neokeep.neo4j.recovery.pages import StoreFiles
    from neokeep.neo4j.recovery.redo import redo_files

    parts = read_parts(log_directory, choose_checkpoint(log_directory).position)
    with (
        scratch_directory("check", scratch) as folder,
        DirectoryPages(store_directory) as below,
    ):
        pages = OverlaidPages(below, folder)
        try:
            with StoreFiles(folder, aligned=aligned, bring=pages.bring) as files:
                redo_files(files, parts)
            yield pages, parts[-1].last_transaction
        finally:
            pages.close()
