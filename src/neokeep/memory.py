"""How this process keeps its memory: what it has freed it uses again, and does not give back and ask for each time.

Blocks, pages and columns are of some megabytes and short-lived. The C library would return them to the kernel, which
fills each page with zeros before it gives it again: a tenth of the time of a consistency check.
"""

from __future__ import annotations

import ctypes

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Parameters of mallopt (malloc.h of glibc)."""
_KEPT = 256 << 20
_SHORT_LIVED = 32 << 20
"""The most that glibc takes here; what is larger is mapped on its own, and goes back at once."""


def keep_freed_memory() -> None:
    """Keep freed memory for the whole process; nothing happens where the C library is not glibc."""
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        libc.mallopt(_MMAP_THRESHOLD, _SHORT_LIVED)
        libc.mallopt(_TRIM_THRESHOLD, _KEPT)
