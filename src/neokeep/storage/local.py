"""Objects as files below a local directory.

An object is written to `tmp/`, fsynced, and linked to its name: `link` fails when the name is taken, which is
create-if-absent, and the name appears with the whole content or not at all. The directory is fsynced after it.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from neokeep.errors import RepositoryError
from neokeep.files import (
    DIRECT_FROM,
    AlignedBuffer,
    explain,
    explained,
    fsync_directory,
    make_directories,
    write_aligned,
)
from neokeep.storage.base import ObjectExists, ObjectMissing, Storage, StoredObject, checked_name

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from typing_extensions import Buffer

_SCRATCH = "tmp"
_ABANDONED_AFTER = 24 * 3600
_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)


class LocalStorage(Storage):
    """A directory on a file system with hard links (ext4, xfs, btrfs, zfs, NFS; not FAT)."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.url = str(root)
        self._expected = ""

    def create(self, name: str, data: Buffer) -> None:
        """See Storage.create."""
        target = self.root / checked_name(name)
        scratch = self.root / _SCRATCH / f"{secrets.token_hex(8)}"
        try:
            self._ensure_directory(target.parent)
            self._ensure_directory(scratch.parent)
            self._write(scratch, memoryview(data).cast("B"))
            try:
                os.link(scratch, target)
            finally:
                scratch.unlink()
            fsync_directory(target.parent)
        except FileExistsError as problem:
            # Whoever linked it may not have synced the directory yet, and the caller takes it for durable.
            with explained("sync", target.parent):
                fsync_directory(target.parent)
            raise ObjectExists(f"{target} exists already", remedy="Nothing was overwritten.") from problem
        except OSError as problem:
            if problem.errno in _NO_LINKS and problem.filename2 is not None:
                raise RepositoryError(
                    f"the file system of {self.root} has no hard links, so it cannot promise create-if-absent",
                    remedy="Keep the repository on a file system such as ext4, xfs, btrfs, zfs or NFS.",
                ) from problem
            raise explain(problem, "store", target) from problem

    def read(self, name: str, offset: int = 0, length: int | None = None) -> bytes:
        """See Storage.read."""
        path = self.root / checked_name(name)
        try:
            with path.open("rb", buffering=0) as file:
                size = os.fstat(file.fileno()).st_size
                wanted = max(0, size - offset) if length is None else min(length, max(0, size - offset))
                return _read_exactly(file.fileno(), offset, wanted)
        except FileNotFoundError as problem:
            raise ObjectMissing(
                f"{path} is missing", remedy="Run 'neokeep verify' to see what it touches."
            ) from problem
        except OSError as problem:
            raise explain(problem, "read", path) from problem

    def stat(self, name: str) -> StoredObject:
        """See Storage.stat."""
        path = self.root / checked_name(name)
        try:
            return _describe(name, path.stat())
        except FileNotFoundError as problem:
            raise ObjectMissing(
                f"{path} is missing", remedy="Run 'neokeep verify' to see what it touches."
            ) from problem
        except OSError as problem:
            raise explain(problem, "look at", path) from problem

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """See Storage.list."""
        with explained("list", self.root / checked_name(prefix)):
            yield from self._walk(prefix)

    def delete(self, name: str) -> None:
        """See Storage.delete."""
        path = self.root / checked_name(name)
        with explained("delete", path):
            try:
                path.unlink()
            except FileNotFoundError:
                return
            # A manifest that a power loss brings back must not find its packs gone.
            fsync_directory(path.parent)

    def prepare(self) -> tuple[str, ...]:
        """See Storage.prepare."""
        with explained("make", self.root):
            make_directories(self.root, 0o750)
            return tuple(sorted(item.name for item in self.root.iterdir()))

    def expect(self, name: str) -> None:
        """See Storage.expect: a mount point whose disk is not mounted is a directory too, and could be written to."""
        self._expected = checked_name(name)

    def free_bytes(self) -> int | None:
        """See Storage.free_bytes."""
        with explained("look at", self.root):
            return shutil.disk_usage(self.root).free

    def clear_abandoned(self) -> int:
        """See Storage.clear_abandoned: scratch files older than a day."""
        freed = 0
        with explained("clear", self.root / _SCRATCH):
            for item in self._walk(_SCRATCH):
                if time.time() - item.created.timestamp() > _ABANDONED_AFTER:
                    (self.root / item.name).unlink(missing_ok=True)
                    freed += item.size
        return freed

    def _walk(self, prefix: str) -> Iterator[StoredObject]:
        try:
            entries = sorted(os.scandir(self.root / prefix), key=lambda entry: entry.name)
        except FileNotFoundError:
            self._require_place()
            return
        for entry in entries:
            name = f"{prefix}/{entry.name}"
            if entry.is_dir(follow_symlinks=False):
                yield from self._walk(name)
            else:
                try:
                    yield _describe(name, entry.stat())
                except FileNotFoundError:
                    continue

    def _ensure_directory(self, path: Path) -> None:
        if path.is_dir():
            return
        self._require_place()
        make_directories(path)

    def _require_place(self) -> None:
        """Tell a place that is empty from one that is gone, before that is believed or made anew."""
        if not self.root.is_dir():
            raise RepositoryError(
                f"the directory {self.root} is gone", remedy="Mount or create it again, then repeat the command."
            )
        if self._expected and not (self.root / self._expected).exists():
            raise RepositoryError(
                f"the content of {self.root} is gone: {self._expected} is not there any more",
                remedy="If it is a mount point, mount it again; nothing was written to the directory below it.",
            )

    def _write(self, path: Path, view: memoryview) -> None:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640)
        try:
            _write_large(descriptor, view)
            os.fsync(descriptor)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        finally:
            os.close(descriptor)


def _write_large(descriptor: int, view: memoryview) -> None:
    """Write through one aligned piece of memory, so that any buffer of the caller can go to the device directly."""
    if len(view) < DIRECT_FROM:
        write_aligned(descriptor, view, 0)
        return
    piece = AlignedBuffer(min(len(view), 4 * DIRECT_FROM))
    try:
        for offset in range(0, len(view), piece.size):
            part = view[offset : offset + piece.size]
            piece.view[: len(part)] = part
            write_aligned(descriptor, piece.view[: len(part)], offset)
    finally:
        piece.close()


def _read_exactly(descriptor: int, offset: int, length: int) -> bytes:
    data = os.pread(descriptor, length, offset)
    if len(data) == length or not data:
        return data
    pieces = [data]
    done = len(data)
    while done < length:
        piece = os.pread(descriptor, length - done, offset + done)
        if not piece:
            break
        pieces.append(piece)
        done += len(piece)
    return b"".join(pieces)


def _describe(name: str, status: os.stat_result) -> StoredObject:
    return StoredObject(name, status.st_size, datetime.fromtimestamp(status.st_mtime, UTC))
