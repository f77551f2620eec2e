"""Is a database open? Neo4j's own file locks tell: `store_lock` of the DBMS, `database_lock` of each database.

`query` only asks the kernel and changes nothing. `hold` takes the same lock, so that no server can open the database
meanwhile. Both use Linux's open-file-description locks: they conflict with the locks of a JVM as they must, yet are not
lost when another part of this process closes the same file.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from neokeep.errors import AccessError, LockedError, SourceError
from neokeep.files import explain

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

STORE_LOCK = "store_lock"
DATABASE_LOCK = "database_lock"

_FLOCK = struct.Struct("@hhqqi0q")
_REQUEST = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class LockState:
    """Whether someone holds the lock on `path`; `pid` is None when the holder is not visible from here."""

    held: bool
    pid: int | None
    path: Path


def query(path: Path) -> LockState:
    """Ask who holds the lock on a file; a file that does not exist is not locked."""
    _require_linux()
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return LockState(held=False, pid=None, path=path)
    except PermissionError as error:
        raise _forbidden(path, "read") from error
    except OSError as error:
        raise explain(error, "read", path) from error
    try:
        answer = fcntl.fcntl(fd, fcntl.F_OFD_GETLK, _REQUEST)
    except OSError as error:
        raise _no_locks(path, error) from error
    finally:
        os.close(fd)
    kind, _, _, _, pid = _FLOCK.unpack(answer)
    return LockState(held=kind != fcntl.F_UNLCK, pid=pid if kind != fcntl.F_UNLCK and pid > 0 else None, path=path)


@contextmanager
def hold(path: Path) -> Iterator[None]:
    """Keep every Neo4j server out while the block runs; LockedError when one is there already.

    The lock file is created when it is missing, owned as its directory is, and stays, as Neo4j's own does.
    """
    _require_linux()
    fd = _open_lock_file(path)
    try:
        _lock(fd, path)
        yield
    finally:
        os.close(fd)


@contextmanager
def hold_directory(path: Path) -> Iterator[None]:
    """Keep other restores out of a directory of databases while the block runs; servers do not look at this lock."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise LockedError(
                f"another restore works in {path}", remedy="Wait until it has ended, then try again."
            ) from error
        yield
    finally:
        os.close(fd)


def _open_lock_file(path: Path) -> int:
    try:
        try:
            return os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            fd = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_CREAT, 0o644)
            _give_to_owner_of_directory(fd, path)
            return fd
    except PermissionError as error:
        raise _forbidden(path, "write") from error
    except FileNotFoundError as error:
        raise SourceError(
            f"{path} cannot be locked: its directory does not exist",
            remedy="Check the data directory in neo4j.conf.",
        ) from error


def _give_to_owner_of_directory(fd: int, path: Path) -> None:
    """Let the server's user open a lock file that root created, else Neo4j could not start."""
    if os.geteuid() == 0:
        owner = os.stat(path.parent)
        os.fchown(fd, owner.st_uid, owner.st_gid)


def _lock(fd: int, path: Path) -> None:
    try:
        fcntl.fcntl(fd, fcntl.F_OFD_SETLK, _REQUEST)
    except OSError as error:
        if error.errno not in {errno.EAGAIN, errno.EACCES}:
            raise _no_locks(path, error) from error
        holder = query(path).pid
        who = f"process {holder}" if holder else "another process"
        raise LockedError(
            f"{path} is locked by {who}: the database is in use",
            remedy="Stop the Neo4j server (or the other neokeep) that uses this database, then try again.",
        ) from error


def _require_linux() -> None:
    if sys.platform != "linux":
        raise SourceError(
            f"Neo4j's file locks cannot be asked on {sys.platform}",
            remedy="Run neokeep on the Linux host (or container) that holds the database files.",
        )


def _forbidden(path: Path, verb: str) -> AccessError:
    return AccessError(
        f"{path} may not be opened to {verb} by this user",
        remedy="Run neokeep as the user that runs Neo4j.",
    )


def _no_locks(path: Path, error: OSError) -> SourceError:
    return SourceError(
        f"the file system of {path} does not answer for file locks: {error.strerror}",
        remedy="Run neokeep on the host that runs Neo4j, on a file system with POSIX locks.",
    )
