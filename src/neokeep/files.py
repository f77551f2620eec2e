"""Small file-system helpers with crash safety in mind: durable writes, aligned buffers, atomic exchange.

Large writes bypass the page cache where the file system lets them (O_DIRECT): a backup must not push the database's
pages out of memory, and on virtual machines it is several times faster than dirtying fresh pages.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import mmap
import os
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from neokeep.errors import AccessError, NeokeepError, RepositoryError, SpaceError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from typing_extensions import Buffer

ALIGNMENT = 4096
DIRECT_FROM = 1024 * 1024
"""Writes shorter than this go through the page cache."""


class AlignedBuffer:
    """A reusable piece of anonymous memory, page aligned as O_DIRECT wants it."""

    def __init__(self, size: int) -> None:
        self.size = -(-size // ALIGNMENT) * ALIGNMENT
        self._map = mmap.mmap(-1, self.size)
        self.view = memoryview(self._map)

    def close(self) -> None:
        """Give the memory back, at the latest when the last view of it is gone: a traceback may still hold one."""
        with suppress(BufferError):
            self.view.release()
            self._map.close()


def set_direct(descriptor: int, *, direct: bool) -> bool:
    """Turn O_DIRECT of an open file on or off; False where the file system does not have it."""
    flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
    wanted = flags | os.O_DIRECT if direct else flags & ~os.O_DIRECT
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETFL, wanted)
    except OSError as problem:
        if problem.errno == errno.EINVAL:
            return False
        raise
    return True


def write_all(descriptor: int, data: Buffer, offset: int = 0) -> None:
    """Write all of `data` at `offset`, however often the kernel takes only a part."""
    view = memoryview(data).cast("B")
    while view:
        written = os.pwrite(descriptor, view, offset)
        view, offset = view[written:], offset + written


def write_aligned(descriptor: int, view: memoryview, offset: int) -> None:
    """Write from an AlignedBuffer: whole pages directly to the device, the rest through the page cache."""
    whole = len(view) // ALIGNMENT * ALIGNMENT if offset % ALIGNMENT == 0 else 0
    if whole >= DIRECT_FROM and set_direct(descriptor, direct=True):
        try:
            write_all(descriptor, view[:whole], offset)
        except OSError as problem:
            if problem.errno != errno.EINVAL:
                raise
            whole = 0
        finally:
            set_direct(descriptor, direct=False)
    else:
        whole = 0
    write_all(descriptor, view[whole:], offset + whole)


def fsync_directory(path: str | Path) -> None:
    """Make the names in a directory durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_directories(path: Path, mode: int = 0o777) -> None:
    """Make a directory and those above it that are missing, all durable; those that are there stay as they are."""
    if path.is_dir():
        return
    make_directories(path.parent)
    path.mkdir(mode=mode, exist_ok=True)
    fsync_directory(path.parent)


_AT_FDCWD = -100
_RENAME_NOREPLACE = 1
_RENAME_EXCHANGE = 2


def _renameat2(first: Path, second: Path, flag: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.renameat2(_AT_FDCWD, os.fsencode(first), _AT_FDCWD, os.fsencode(second), flag) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(first), None, str(second))


def exchange(first: Path, second: Path) -> None:
    """Swap two names atomically: after a crash either both are swapped or neither is.

    Raises:
        OSError: EINVAL where the file system cannot do it.
    """
    _renameat2(first, second, _RENAME_EXCHANGE)


def rename_new(old: Path, new: Path) -> None:
    """Rename without ever replacing: FileExistsError when `new` is there."""
    _renameat2(old, new, _RENAME_NOREPLACE)


@contextmanager
def explained(doing: str, path: str | Path) -> Iterator[None]:
    """Turn an OSError into the neokeep error of its kind, saying what was tried and where."""
    try:
        yield
    except OSError as problem:
        raise explain(problem, doing, path) from problem


@contextmanager
def scratch_directory(work: str, below: Path | None) -> Iterator[Path]:
    """Make a directory for one piece of work, in a place or where the system keeps such files; gone with the block.

    Raises:
        RepositoryError, AccessError, SpaceError: it cannot be made there.
    """
    with explained("work in", below or tempfile.gettempdir()):
        folder = tempfile.TemporaryDirectory(prefix=f"neokeep-{work}-", dir=below)
    with folder as path:
        yield Path(path)


def require_writable(path: Path) -> None:
    """Refuse a file that cannot be written before the work is done whose outcome would go there.

    Raises:
        AccessError, SpaceError: it cannot be written.
    """
    with explained("write", path), path.open("a", encoding="utf-8"):
        pass


def explain(problem: OSError, doing: str, path: str | Path) -> NeokeepError:
    """Return the neokeep error for an OSError."""
    text = f"cannot {doing} {path}: {problem.strerror or problem}"
    if problem.errno in (errno.ENOSPC, errno.EDQUOT):
        return SpaceError(text, remedy="Free space there, or choose a larger place; nothing half-written is visible.")
    if problem.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return AccessError(text, remedy="Run as a user who may do this, or change owner and mode of that path.")
    return RepositoryError(text, remedy="Check that the path exists and that its disk is healthy, then try again.")


_FALLOC_KEEP_SIZE = 1
_FALLOC_PUNCH_HOLE = 2


def punch_hole(descriptor: int, offset: int, length: int) -> None:
    """Give the space of a stretch of a file back; it reads as zeros then. Nothing where the file system cannot."""
    libc = ctypes.CDLL(None, use_errno=True)
    mode = _FALLOC_KEEP_SIZE | _FALLOC_PUNCH_HOLE
    if libc.fallocate64(descriptor, mode, ctypes.c_longlong(offset), ctypes.c_longlong(length)) != 0:
        number = ctypes.get_errno()
        if number not in (errno.EOPNOTSUPP, errno.ENOSYS):
            raise OSError(number, os.strerror(number))
