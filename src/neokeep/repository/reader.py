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
        pack, offset = int(location.pack[0]), int(location.offset[0])
        try:
            stored = self.storage.read(pack_name(self.index.packs[pack].identity), offset, int(location.stored[0]))
        except ObjectMissing as problem:
            raise IntegrityError(problem.message, remedy=problem.remedy) from problem
        return bytes(self.decode(pack, offset, memoryview(stored), identity, size))

    def decode(self, pack: int, offset: int, stored: memoryview, identity: bytes, size: int) -> bytes | memoryview:
        """Decode a block that was read at an offset of a pack, and prove that it is the one named `identity`.

        Raises:
            IntegrityError: it is not.
        """
        return decode_block(self.opened(pack, offset, stored, identity), identity, size)

    def opened(self, _pack: int, _offset: int, stored: memoryview, _identity: bytes) -> memoryview:
        """Give codec byte and payload of a block that was read at an offset of a pack, as a pack builder takes them."""
        return stored
