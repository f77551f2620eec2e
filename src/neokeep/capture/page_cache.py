"""Which pages of a file are in the page cache, asked without changing that.

`cachestat` (Linux 6.5) counts them, which mostly tells all: where some are there and some not, and on older kernels,
`mincore` tells which. The kernel answers that truthfully only to those who own the file or could write to it; to others
it says that all is cached. For them a probe reads what is there without waiting, and everything behind the first gap
counts as cold.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import os

import numpy as np

Range = tuple[int, int]
"""Offset and length in bytes."""

_PAGE = mmap.PAGESIZE
_CACHESTAT = 451
"""The number of the system call, the same on all machines that Neo4j runs on."""
_NOT_CACHED = (errno.EAGAIN, errno.EOPNOTSUPP, errno.EINVAL)


def cold_ranges(descriptor: int, offset: int, length: int) -> list[Range]:
    """List the parts of a range (from a page boundary on) that would have to come from disk."""
    length = min(length, os.fstat(descriptor).st_size - offset)
    if length <= 0:
        return []
    if not _may_ask(descriptor):
        return _probe(descriptor, offset, length)
    pages = -(-length // _PAGE)
    cached = _count_cached(descriptor, offset, length)
    if cached in (0, pages):
        return [] if cached else [(offset, pages * _PAGE)]
    resident = (ctypes.c_ubyte * pages)()
    try:
        mapped = mmap.mmap(descriptor, length, mmap.MAP_SHARED, mmap.PROT_READ, offset=offset)
    except ValueError:
        return []  # The file became shorter a moment ago; reading it will tell.
    with mapped:
        content = np.frombuffer(mapped, np.uint8)
        libc = ctypes.CDLL(None, use_errno=True)
        answer = libc.mincore(ctypes.c_void_p(content.ctypes.data), ctypes.c_size_t(length), resident)
        del content
    if answer != 0:
        return _probe(descriptor, offset, length)
    return _ranges(np.frombuffer(bytes(resident), np.uint8) & 1 == 0, offset)


def _ranges(cold: np.ndarray[tuple[int], np.dtype[np.bool_]], offset: int) -> list[Range]:
    """Turn one flag per page into ranges."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], cold, [False]]).astype(np.int8)))
    return [
        (offset + int(start) * _PAGE, int(end - start) * _PAGE)
        for start, end in zip(edges[::2], edges[1::2], strict=True)
    ]


def _count_cached(descriptor: int, offset: int, length: int) -> int | None:
    """Count the cached pages of a range; None where the kernel does not."""
    counts = (ctypes.c_uint64 * 5)()
    wanted = (ctypes.c_uint64 * 2)(offset, length)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(_CACHESTAT, descriptor, ctypes.byref(wanted), ctypes.byref(counts), 0) != 0:
        return None
    return counts[0]


def _may_ask(descriptor: int) -> bool:
    status = os.fstat(descriptor)
    user = os.geteuid()
    return user in (0, status.st_uid) or os.access(f"/proc/self/fd/{descriptor}", os.W_OK)


def _probe(descriptor: int, offset: int, length: int) -> list[Range]:
    cached = 0
    piece = bytearray(min(length, 1 << 20))
    try:
        while cached < length:
            wanted = memoryview(piece)[: length - cached]
            count = os.preadv(descriptor, [wanted], offset + cached, os.RWF_NOWAIT)
            if count == 0:
                break
            cached += count
    except OSError as problem:
        if problem.errno not in _NOT_CACHED:
            raise
    first = cached // _PAGE * _PAGE
    return [(offset + first, length - first)] if cached < length else []
