"""How this process handles its memory: what it has freed it uses again, and it seldom looks for garbage.

Blocks, pages and columns are of some megabytes and short-lived. The C library would return them to the kernel, which
fills each page with zeros before it gives it again: a tenth of the time of a consistency check. And Python looks for
garbage in cycles after every 700 new objects, of which modules that are imported make many, and none is garbage.
"""

from __future__ import annotations

import ctypes
import gc

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Parameters of mallopt (malloc.h of glibc)."""
_KEPT = 256 << 20
_SHORT_LIVED = 32 << 20
"""The most that glibc takes here; what is larger is mapped on its own, and goes back at once."""

_OBJECTS = 10_000
"""New objects after which garbage is looked for; not so many that an archiver in trouble would pile up failures."""


def settle_memory() -> None:
    """Settle this for the whole process; freed memory is kept where the C library is glibc."""
    gc.set_threshold(_OBJECTS)
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        libc.mallopt(_MMAP_THRESHOLD, _SHORT_LIVED)
        libc.mallopt(_TRIM_THRESHOLD, _KEPT)
