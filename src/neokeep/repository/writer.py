"""Writing blocks: which are new, and into which pack they go.

A BlockWriter serves one backup; each thread works through its own BlockWorker, so packs need no lock. A block that the
repository holds already, in a pack that is there with its full size and not condemned, is not stored again. While it
works, a mark in the repository keeps garbage collection from what it counts on; see sessions.py.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Protocol

import msgspec
import numpy as np

from neokeep.errors import IntegrityError
from neokeep.repository.block import BlockEncoder, block_id, block_size
from neokeep.repository.blocklist import make_block_list
from neokeep.repository.index import IdSet, encode_index, index_name
from neokeep.repository.pack import Pack, PackBuilder, pack_name
from neokeep.repository.sessions import close_session, open_session
from neokeep.storage.base import ObjectExists

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager

    from numpy.typing import NDArray

    from neokeep.repository.manifest import BlockList, Manifest
    from neokeep.repository.repository import Repository


class TakesBlocks(Protocol):
    """The end of one thread that takes blocks; see BlockWorker."""

    def put(self, contents: Sequence[memoryview], record_size: int = 0) -> bytes:
        """Take some blocks; return their names, concatenated."""

    def put_bytes(self, data: bytes) -> BlockList:
        """Take content as blocks of the size that fits it."""

    def block_list(self, size: int, size_of_block: int, ids: bytes) -> BlockList:
        """Describe content whose blocks were put."""


class LendsWorkers(Protocol):
    """Lends such an end to each thread; see BlockWriter."""

    def worker(self) -> AbstractContextManager[TakesBlocks]:
        """Lend one."""


COMPRESSION_LEVEL = 1
FIRST_PACKS = (1.0, 0.5, 0.75, 0.25)
"""Parts of a whole pack that the first ones of the threads have: threads that work alike must not all store at once."""

INDEX_EVERY = 1 << 18
"""Blocks after which an index object is written in the middle of a backup: bounds memory on large stores."""


class BlockWriter:
    """Stores the blocks of one backup.

    When it has finished, `compressed_bytes` is what all blocks that were put take in their packs, new or not.
    """

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._storage = repository.storage
        self.keys = repository.storage.content_keys
        # First the mark, then the index: what the index has is not deleted before this backup is there or given up.
        self._session = open_session(repository.storage)
        self._commit_tried = False
        try:
            self._index = repository.read_index(self._session.avoided)
        except BaseException:
            close_session(repository.storage, self._session.identity)
            raise
        self._claimed = IdSet()
        self._lock = threading.Lock()
        self._unlisted: list[Pack] = []
        self._used = np.zeros(len(self._index), dtype=np.bool_)
        self._avoided = np.array([pack.damaged or pack.condemned for pack in self._index.packs], dtype=np.bool_)
        self._own_packs: dict[bytes, int] = {}
        self._workers: list[BlockWorker] = []
        self._idle: list[BlockWorker] = []
        self.blocks = 0
        self.new_blocks = 0
        self.stored_bytes = 0
        self.compressed_bytes = 0

    @contextmanager
    def worker(self) -> Iterator[BlockWorker]:
        """Lend a writing end to one thread; the next borrower goes on with the pack that this one began."""
        with self._lock:
            if not self._idle:
                self._idle.append(BlockWorker(self, FIRST_PACKS[len(self._workers) % len(FIRST_PACKS)]))
                self._workers.append(self._idle[-1])
            worker = self._idle.pop()
        try:
            yield worker
        finally:
            with self._lock:
                self._idle.append(worker)

    def unknown(self, ids: list[bytes]) -> list[int]:
        """Return the positions of ids that the caller has to store; each new id is given to one caller only."""
        rows, known = self._lasting(np.frombuffer(b"".join(ids), "V32"))
        with self._lock:
            self.blocks += len(ids)
            self._used[rows[known]] = True
            fresh = [int(at) for at in np.flatnonzero(~known) if self._claimed.add(ids[at])]
            self.new_blocks += len(fresh)
        return fresh

    def count_on(self, ids: NDArray[np.void]) -> NDArray[np.bool_]:
        """Tell which of some distinct ids (V32) are stored already; this backup counts on those from now on."""
        rows, known = self._lasting(ids)
        with self._lock:
            self.blocks += int(known.sum())
            self._used[rows[known]] = True
        return known

    def _lasting(self, ids: NDArray[np.void]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Return the row of each id in the index, and whether that is in a pack to count on."""
        rows = self._index.find(ids)
        known = rows >= 0
        known[known] = ~self._avoided[self._index.packs_of(rows[known])]
        return rows, known

    def store_pack(self, name: str, data: memoryview) -> None:
        """Store one pack; that the same pack is there already is as good."""
        with suppress(ObjectExists):
            self._storage.create(name, data)
        with self._lock:
            self.stored_bytes += len(data)

    def packed(self, packs: list[Pack]) -> None:
        """Take over the list of packs that a worker stored."""
        with self._lock:
            self._own_packs.update((pack.identity, pack.size) for pack in packs)
            self.compressed_bytes += sum(int(pack.entries["stored"].sum(dtype=np.int64)) for pack in packs)
            self._unlisted += packs
            if sum(len(pack.entries) for pack in self._unlisted) >= INDEX_EVERY:
                self._write_index()

    def finish(self) -> None:
        """Make everything durable and check that every pack this backup uses is there, whole.

        Raises:
            IntegrityError: a pack vanished or changed size meanwhile; the backup must not be committed.
        """
        first, *others = self._workers or [BlockWorker(self)]
        for worker in others:
            first.absorb(worker)
        first.flush()
        with self._lock:
            self._write_index()
        rows = np.flatnonzero(self._used)
        self.compressed_bytes += self._index.stored_bytes(rows)
        packs = [self._index.packs[at] for at in np.unique(self._index.packs_of(rows))]
        used = {pack.identity: pack.size for pack in packs}
        present = {item.name: item.size for item in self._storage.list("packs")}
        for identity, size in (used | self._own_packs).items():
            if present.get(pack_name(identity)) != size:
                raise IntegrityError(
                    f"{pack_name(identity)} vanished or changed during the backup",
                    remedy="Something deletes from the repository; run 'neokeep verify' and repeat the backup.",
                )

    def commit(self, manifest: Manifest, *, keep_label: bool = False) -> Manifest:
        """Make the backup exist whose blocks these are, after `finish`.

        Raises:
            RepositoryError: this writer was given up meanwhile.
            ObjectExists: the label is taken and `keep_label` is given.
        """
        # Whether a commit that failed left a manifest is not known: then the mark stays, and is looked after later.
        self._commit_tried = True
        signed = msgspec.structs.replace(manifest, writer=self._session.identity)
        return self._repository.commit(signed, keep_label=keep_label)

    def close(self) -> None:
        """Give all buffers back; packs that were not finished are dropped."""
        for worker in self._workers:
            worker.close()
        if not self._commit_tried:
            close_session(self._storage, self._session.identity)

    def _write_index(self) -> None:
        if not self._unlisted:
            return
        data = encode_index(self._unlisted)
        with suppress(ObjectExists):
            self._storage.create(index_name(data), data)
        self.stored_bytes += len(data)
        self._unlisted = []


class BlockWorker:
    """The writing end of one thread."""

    def __init__(self, writer: BlockWriter, first: float = 1.0) -> None:
        self._writer = writer
        self._encoder = BlockEncoder(COMPRESSION_LEVEL)
        self._key = writer.keys.block_ids if writer.keys is not None else None
        self._builder = PackBuilder(writer.store_pack, writer.keys, first)

    def put(self, contents: Sequence[memoryview], record_size: int = 0) -> bytes:
        """Store some blocks, those of a record store with the size of its records; return their ids, concatenated."""
        ids = [block_id(content, self._key) for content in contents]
        for at in self._writer.unknown(ids):
            content = contents[at]
            head, payload = self._encoder.encode(content, record_size)
            self._builder.add(ids[at], head, payload, len(content))
        if len(self._builder.packs) >= 4:
            self._hand_over()
        return b"".join(ids)

    def put_bytes(self, data: bytes) -> BlockList:
        """Store `data` as blocks of the size that fits it."""
        size = block_size(len(data))
        view = memoryview(data)
        ids = b"".join(self.put([view[at : at + size]]) for at in range(0, len(data), size))
        return self.block_list(len(data), size, ids)

    def block_list(self, size: int, size_of_block: int, ids: bytes) -> BlockList:
        """Describe content whose blocks were put, storing a long list of ids as blocks too."""
        return make_block_list(size, size_of_block, ids, lambda content: self.put([content]))

    def absorb(self, other: BlockWorker) -> None:
        """Take over the blocks of the pack that another worker is filling: fewer small packs."""
        self._builder.absorb(other._builder)
        other._hand_over()

    def flush(self) -> None:
        """Store the pack that is being filled."""
        self._builder.flush()
        self._hand_over()

    def close(self) -> None:
        """Give the buffer back."""
        self._builder.close()

    def _hand_over(self) -> None:
        self._writer.packed(self._builder.packs)
        self._builder.packs = []
