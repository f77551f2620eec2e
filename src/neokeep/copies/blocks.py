"""Moving the blocks of a backup from one repository to another, by content: every block is proven and stored anew.

Each distinct block is read once, in the order in which it lies in the packs of the source. Repositories that call the
same content the same need not move what the target has; others find that out when they store it. In memory are 41 bytes
for each distinct block, and a few reads for each thread.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from neokeep.errors import IntegrityError
from neokeep.neo4j.store.layout import RECORD_SIZES
from neokeep.repository.block import ID_SIZE
from neokeep.repository.contents import expand_file, files_of, structure_ids
from neokeep.repository.fetch import Wanted, plan_fetch, run_jobs
from neokeep.repository.fetch import jobs as cut_into_jobs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from neokeep.progress import Progress
    from neokeep.repository.contents import Listing
    from neokeep.repository.manifest import BlockList, FileEntry
    from neokeep.repository.reader import BlockReader
    from neokeep.repository.writer import BlockWriter

_TEXT_ID = f"S{ID_SIZE}"
"""Ids as byte strings, which numpy can sort; all have the same length, so trailing zeros do not matter."""


@dataclass(frozen=True, slots=True)
class BlockTable:
    """Distinct blocks, sorted by id: ids (S32), content sizes (int64), and record sizes for the encoder (uint8)."""

    ids: NDArray[np.bytes_]
    sizes: NDArray[np.int64]
    records: NDArray[np.uint8]

    def rows(self, ids: bytes) -> NDArray[np.int64]:
        """Return the rows of concatenated ids, all of which must be in the table."""
        return np.searchsorted(self.ids, np.frombuffer(ids, _TEXT_ID))


@dataclass(frozen=True, slots=True)
class Moved:
    """The names of a table's blocks in the target (V32, by row), how many had not to be moved, and bytes read."""

    ids: NDArray[np.void]
    skipped: int
    bytes_read: int


def block_table(reader: BlockReader, found: Sequence[Listing], *, lists: bool) -> BlockTable:
    """Collect the distinct blocks of a backup's files, with `lists` those too that hold file lists and lists of ids.

    Raises:
        IntegrityError: a list is missing or damaged.
    """
    ids: list[NDArray[np.bytes_]] = [np.empty(0, _TEXT_ID)]
    sizes: list[NDArray[np.int64]] = [np.empty(0, np.int64)]
    records: list[NDArray[np.uint8]] = [np.empty(0, np.uint8)]
    for file in files_of(found):
        ids.append(np.frombuffer(expand_file(reader, file), _TEXT_ID))
        lengths = np.full(len(ids[-1]), file.content.block_size, np.int64)
        if len(lengths):
            lengths[-1] = file.content.size - (len(lengths) - 1) * file.content.block_size
        sizes.append(lengths)
        records.append(np.full(len(lengths), RECORD_SIZES.get(file.path, 0), np.uint8))
    for listing in found if lists else ():
        for identity, size in structure_ids(listing.own, listing.files):
            ids.append(np.frombuffer(identity, _TEXT_ID))
            sizes.append(np.array([size], np.int64))
            records.append(np.zeros(1, np.uint8))
    distinct, first = np.unique(np.concatenate(ids), return_index=True)
    return BlockTable(distinct, np.concatenate(sizes)[first], np.concatenate(records)[first])


def move_blocks(
    reader: BlockReader, table: BlockTable, writer: BlockWriter, *, same_names: bool, jobs: int, progress: Progress
) -> Moved:
    """Store all blocks of a table in the target of a writer.

    Raises:
        IntegrityError: a block is missing from the source or damaged there.
    """
    ids = np.ascontiguousarray(table.ids).view(f"V{ID_SIZE}")
    held = writer.count_on(ids) if same_names else np.zeros(len(ids), np.bool_)
    todo = np.flatnonzero(~held)
    wanted = Wanted(ids[todo], table.sizes[todo], todo, np.zeros(len(todo), np.int64))
    plan = plan_fetch(reader.index, wanted)
    if len(plan.missing):
        raise IntegrityError(
            f"{len(plan.missing)} blocks of this backup are missing from {reader.storage.url}",
            remedy="Run 'neokeep verify' there, and 'neokeep heal' if another repository has them.",
        )
    moved = bytearray(ids.tobytes())
    progress.begin("copying blocks", int(wanted.sizes.sum()))
    run_jobs(reader, plan, lambda: _Storing(writer, table.records, moved, progress), jobs)
    progress.end()
    read = sum(job.length for job in cut_into_jobs(plan))
    return Moved(np.frombuffer(bytes(moved), f"V{ID_SIZE}"), int(held.sum()), read)


def listed_anew(
    reader: BlockReader, files: Sequence[FileEntry], table: BlockTable, moved: Moved, writer: BlockWriter
) -> BlockList:
    """Store the file list of a backup with the names that its blocks have in the target."""
    entries: list[FileEntry] = []
    with writer.worker() as worker:
        for file in files:
            names = moved.ids[table.rows(expand_file(reader, file))].tobytes()
            content = worker.block_list(file.content.size, file.content.block_size, names)
            entries.append(msgspec.structs.replace(file, content=content))
        return worker.put_bytes(msgspec.json.encode(entries))


class _Storing:
    """The sink of one thread: what it is given it stores, and notes its name; the target is a row of the table."""

    def __init__(self, writer: BlockWriter, records: NDArray[np.uint8], moved: bytearray, progress: Progress) -> None:
        self._lent = ExitStack()
        self._worker = self._lent.enter_context(writer.worker())
        self._records = records
        self._moved = moved
        self._progress = progress

    def block(self, target: int, offset: int, content: bytes | memoryview) -> None:  # noqa: ARG002
        """See Sink.block."""
        identity = self._worker.put([memoryview(content)], int(self._records[target]))
        self._moved[target * ID_SIZE : (target + 1) * ID_SIZE] = identity
        self._progress.advance(len(content))

    def damaged(self, target: int, offset: int, size: int, problem: IntegrityError) -> None:  # noqa: ARG002
        """See Sink.damaged."""
        raise problem

    def finish(self) -> None:
        """See Sink.finish."""
        self._lent.close()
