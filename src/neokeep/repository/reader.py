"""Reading single blocks: the storage, and the index as it was when the work began."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from neokeep.errors import IntegrityError
from neokeep.repository.block import ID_SIZE, decode_block
from neokeep.repository.pack import pack_name
from neokeep.storage.base import ObjectMissing

if TYPE_CHECKING:
    from neokeep.repository.index import BlockIndex
    from neokeep.repository.repository import Repository
    from neokeep.storage.base import Storage


@dataclass(frozen=True, slots=True)
class BlockReader:
    """Where blocks are read from. One index for all of a piece of work: pack numbers mean something only in it."""

    storage: Storage
    index: BlockIndex

    @classmethod
    def of(cls, repository: Repository) -> BlockReader:
        """Read the index of a repository as it is now."""
        return cls(repository.storage, repository.read_index())

    def fetch(self, identity: bytes, size: int) -> bytes:
        """Read one block by id.

        Raises:
            IntegrityError: no pack holds it, or it is damaged.
        """
        row = int(self.index.find(np.frombuffer(identity, f"V{ID_SIZE}"))[0])
        if row < 0:
            raise IntegrityError(
                f"block {identity.hex()} is missing", remedy="Run 'neokeep verify' to see which backups this touches."
            )
        location = self.index.locate(np.array([row]))
        name = pack_name(self.index.packs[int(location.pack[0])].identity)
        try:
            stored = self.storage.read(name, int(location.offset[0]), int(location.stored[0]))
        except ObjectMissing as problem:
            raise IntegrityError(problem.message, remedy=problem.remedy) from problem
        return bytes(decode_block(memoryview(stored), identity, size))
