"""Which blocks of a backup its repository has lost, and what another repository calls them.

Lost is what no pack holds, or only packs that a verification found damaged. Where both repositories give the same
content the same id, that id is enough; else the same place of the same backup tells which block has that content.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from neokeep.copies.blocks import BlockTable
from neokeep.errors import AWAY, IntegrityError, NeokeepError
from neokeep.repository.block import ID_SIZE
from neokeep.repository.contents import expand_file
from neokeep.repository.reader import BlockReader

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from neokeep.repository.index import BlockIndex
    from neokeep.repository.manifest import FileEntry

_TEXT_ID = f"S{ID_SIZE}"
NOWHERE = bytes(ID_SIZE)
"""Stands for the name of a block that the other repository does not have."""


@dataclass(frozen=True, slots=True)
class EitherReader(BlockReader):
    """Reads single blocks from one repository, or else from another one that gives them the same ids."""

    other: BlockReader

    def fetch(self, identity: bytes, size: int) -> bytes:
        """See BlockReader.fetch."""
        try:
            return BlockReader.fetch(self, identity, size)
        except AWAY:
            raise
        except NeokeepError:
            return self.other.fetch(identity, size)


def lost_rows(index: BlockIndex, table: BlockTable) -> NDArray[np.int64]:
    """Return the rows of a table whose blocks are in no pack, or in damaged ones alone."""
    rows = index.find(np.ascontiguousarray(table.ids).view(f"V{ID_SIZE}"))
    damaged = np.array([pack.damaged for pack in index.packs], np.bool_)
    lost = rows < 0
    lost[~lost] = damaged[index.packs_of(rows[~lost])]
    return np.flatnonzero(lost)


def part_of(table: BlockTable, rows: NDArray[np.int64]) -> BlockTable:
    """Return some rows of a table."""
    return BlockTable(table.ids[rows], table.sizes[rows], table.records[rows])


def merged(tables: Sequence[BlockTable]) -> BlockTable:
    """Put tables together, each block once."""
    ids = np.concatenate([np.empty(0, _TEXT_ID), *(table.ids for table in tables)])
    distinct, first = np.unique(ids, return_index=True)
    sizes = np.concatenate([np.empty(0, np.int64), *(table.sizes for table in tables)])
    records = np.concatenate([np.empty(0, np.uint8), *(table.records for table in tables)])
    return BlockTable(distinct, sizes[first], records[first])


def names_by_place(
    lost: BlockTable,
    own: tuple[BlockReader, Sequence[FileEntry]],
    other: tuple[BlockReader, Sequence[FileEntry]],
) -> NDArray[np.bytes_]:
    """Find what another repository calls lost blocks, by their places in the files of a backup that both have.

    Returns a name (S32) for each row of `lost`; NOWHERE for what stands in no file that both list alike.
    """
    found = np.full(len(lost.ids), NOWHERE, _TEXT_ID)
    theirs = {(file.area, file.path): file for file in other[1]}
    for file in own[1]:
        twin = theirs.get((file.area, file.path))
        if twin is None or (twin.content.size, twin.content.block_size) != (
            file.content.size,
            file.content.block_size,
        ):
            continue
        try:
            here = np.frombuffer(expand_file(own[0], file), _TEXT_ID)
            there = np.frombuffer(expand_file(other[0], twin), _TEXT_ID)
        except IntegrityError:
            continue
        places = np.flatnonzero(np.isin(here, lost.ids))
        found[np.searchsorted(lost.ids, here[places])] = there[places]
    return found
