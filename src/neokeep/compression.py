"""zstd frames that record the size of their content.

The contexts of each thread are used again: for blocks of 128 KiB, making one takes as long as the work. Of the
packages for zstd only python-zstandard allows it.
"""

from __future__ import annotations

import threading

from zstandard import ZstdCompressor, ZstdDecompressor, ZstdError, frame_content_size

__all__ = ["ZstdCompressor", "ZstdError", "compress", "decompress"]


class _Contexts(threading.local):
    def __init__(self) -> None:
        self.decompressor = ZstdDecompressor()


_CONTEXTS = _Contexts()


def compress(content: bytes | memoryview, level: int) -> bytes:
    """Return `content` as one zstd frame."""
    return ZstdCompressor(level).compress(content)


def decompress(frame: bytes | memoryview, size: int | None = None) -> bytes:
    """Return the content of one zstd frame, that must be of `size` bytes where that is known.

    Raises:
        ZstdError: it is damaged, is more than one frame, or its content has another size.
    """
    if size is not None and frame_content_size(frame) != size:
        raise ZstdError("the frame holds content of another size")
    return _CONTEXTS.decompressor.decompress(frame, allow_extra_data=False)
