"""zstd, from the standard library where it is there and from its backport elsewhere."""

from __future__ import annotations

import sys

if sys.version_info >= (3, 14):
    from compression.zstd import ZstdCompressor, ZstdError, compress, decompress
else:
    from backports.zstd import ZstdCompressor, ZstdError, compress, decompress

__all__ = ["ZstdCompressor", "ZstdError", "compress", "decompress"]
