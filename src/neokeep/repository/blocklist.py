"""From content to a BlockList and back: large lists of ids are stored as blocks themselves."""

from __future__ import annotations

from collections.abc import Callable

from blake3 import blake3

from neokeep.errors import IntegrityError
from neokeep.repository.block import ID_SIZE
from neokeep.repository.manifest import BlockList

MAP_BLOCK = 1024 * 1024
"""Content bytes of a block that holds ids."""

INLINE = 16
"""Lists of up to so many ids stand where they are used."""

PutBlock = Callable[[memoryview], bytes]
GetBlock = Callable[[bytes, int], bytes]
"""Fetch the content of a block by id and size."""


def make_block_list(size: int, block_size: int, ids: bytes, put: PutBlock) -> BlockList:
    """Describe content whose block ids are `ids`, storing the ids as blocks when there are many."""
    digest = blake3(ids).digest()
    if len(ids) <= INLINE * ID_SIZE:
        return BlockList(size=size, block_size=block_size, depth=0, ids=ids, hash=digest)
    view = memoryview(ids)
    roots = b"".join(put(view[at : at + MAP_BLOCK]) for at in range(0, len(ids), MAP_BLOCK))
    return BlockList(size=size, block_size=block_size, depth=1, ids=roots, hash=digest)


def expand(content: BlockList, get: GetBlock) -> bytes:
    """Return all block ids of the content, concatenated, proven against its hash."""
    ids = content.ids
    if content.depth == 1:
        total = -(-content.size // content.block_size) * ID_SIZE
        lengths = [min(MAP_BLOCK, total - at) for at in range(0, total, MAP_BLOCK)]
        roots = split_ids(content.ids)
        if len(roots) != len(lengths):
            raise _inconsistent()
        ids = b"".join(get(root, length) for root, length in zip(roots, lengths, strict=True))
    if blake3(ids).digest() != content.hash or len(ids) != -(-content.size // content.block_size) * ID_SIZE:
        raise _inconsistent()
    return ids


def block_length(content: BlockList, number: int) -> int:
    """Return the content bytes of block `number`."""
    return min(content.block_size, content.size - number * content.block_size)


def split_ids(ids: bytes) -> list[bytes]:
    """Cut concatenated ids."""
    return [ids[at : at + ID_SIZE] for at in range(0, len(ids), ID_SIZE)]


def _inconsistent() -> IntegrityError:
    return IntegrityError(
        "a list of blocks does not match its hash", remedy="Run 'neokeep verify', use another backup."
    )
