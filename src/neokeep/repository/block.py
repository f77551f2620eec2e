"""Blocks: the unit that is named by its content, compressed, and stored once.

A file is cut into pieces of a fixed size that is a multiple of every Neo4j page size, so that a changed page changes
one block and nothing shifts. The block size grows with the file, which keeps the number of blocks of a terabyte near a
million. A stored block is one codec byte and the (compressed) bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from blake3 import blake3

from neokeep.compression import ZstdCompressor, ZstdError, decompress
from neokeep.errors import IntegrityError
from neokeep.repository.columns import can_turn, from_columns, to_columns

if TYPE_CHECKING:
    from typing_extensions import Buffer

ID_SIZE = 32
RAW, ZSTD, COLUMNS = 0, 1, 2

_KIB, _MIB, _GIB = 1 << 10, 1 << 20, 1 << 30
_SIZES = (
    (64 * _MIB, 64 * _KIB),
    (1 * _GIB, 128 * _KIB),
    (16 * _GIB, 256 * _KIB),
    (128 * _GIB, 512 * _KIB),
    (1024 * _GIB, 1 * _MIB),
)
LARGEST_BLOCK = 4 * _MIB


def block_size(file_size: int) -> int:
    """Return the block size in bytes for a file of `file_size` bytes."""
    return next((size for limit, size in _SIZES if file_size <= limit), LARGEST_BLOCK)


def block_id(content: Buffer, key: bytes | None = None) -> bytes:
    """Name a block by its content: 32 bytes of BLAKE3, of an encrypted repository with its key."""
    return (blake3(content) if key is None else blake3(content, key=key)).digest()


class BlockEncoder:
    """Turns content into a stored block. Holds a zstd context; one per thread."""

    def __init__(self, level: int) -> None:
        self._compressor = ZstdCompressor(level)

    def encode(self, content: memoryview, record_size: int = 0) -> tuple[bytes, Buffer]:
        """Return the two parts of a stored block: what tells the codec, and the rest of it.

        It is raw where compression gains less than a sixteenth.

        With the record size of a store its pages are turned by columns first; 0 means that there are no records.
        """
        codec = COLUMNS if can_turn(len(content), record_size) else ZSTD
        prepared = to_columns(content, record_size) if codec == COLUMNS else content
        packed = self._compressor.compress(prepared)
        if len(packed) > len(content) - len(content) // 16:
            return bytes([RAW]), content
        return bytes([codec, record_size] if codec == COLUMNS else [codec]), packed


def decode_block(stored: memoryview, identity: bytes, size: int, key: bytes | None = None) -> bytes | memoryview:
    """Undo `BlockEncoder.encode` and prove that the content is the one named `identity`.

    Raises:
        IntegrityError: it is not.
    """
    if not stored:
        raise damaged_block(identity)
    try:
        content = _decoded(stored[0], stored[1:], size)
    except ZstdError as problem:
        raise damaged_block(identity) from problem
    if content is None or len(content) != size or block_id(content, key) != identity:
        raise damaged_block(identity)
    return content


def _decoded(codec: int, payload: memoryview, size: int) -> bytes | memoryview | None:
    """Undo a codec; None where the bytes cannot be of it."""
    if codec == RAW:
        return payload
    if codec == ZSTD:
        return decompress(payload, size)
    if codec != COLUMNS or not payload or not can_turn(size, payload[0]):
        return None
    return from_columns(decompress(payload[1:], size), payload[0])


def damaged_block(identity: bytes) -> IntegrityError:
    """Make the error for a block that is not what its id says."""
    return IntegrityError(
        f"block {identity.hex()} is damaged", remedy="Run 'neokeep verify' to see which backups it touches."
    )
