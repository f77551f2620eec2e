"""Writing the files of an archive into new directories: logs apart from the store, zeros as holes, all fsynced.

What an archive claims is not trusted: each file must fit on the disk that is left before a byte of it is written.
"""

from __future__ import annotations

import os
import shutil
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from neokeep.artifact.behind import WriteBehind
from neokeep.errors import IntegrityError, SpaceError
from neokeep.files import explained, fsync_directory
from neokeep.neo4j.log.names import is_log_name
from neokeep.neo4j.store.layout import FileKind, classify
from neokeep.restore.swap import LINK
from neokeep.restore.write import GATHER, is_zero, make_directory
from neokeep.units import format_size
from neokeep.workers import run_workers

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from neokeep.neo4j.artifact.read import Artifact
    from neokeep.neo4j.artifact.tar import TarEntry
    from neokeep.progress import Progress
    from neokeep.restore.swap import Staging
    from neokeep.restore.write import Owner

_FILE_MODE = 0o666
_SYNCING_THREADS = 4


@dataclass(slots=True)
class Unpacked:
    """What was written, and the entries that were left out: locks and temporary files of a server."""

    paths: list[Path] = field(default_factory=list)
    size: int = 0
    left_out: list[str] = field(default_factory=list)


def unpack(
    artifact: Artifact,
    staging: Staging,
    owner: Owner,
    progress: Progress,
    *,
    wanted: Callable[[str], bool] | None = None,
    durable: bool = True,
) -> Unpacked:
    """Write the files of an archive below the directories of a staging, which exist and are empty.

    All of them, or the logs and those store files whose paths are `wanted`; it is read to its end all the same.

    Raises:
        IntegrityError: the archive is damaged, cut off or unsafe; the directories are not complete then.
        SpaceError, AccessError: they cannot be written.
    """
    done = Unpacked()
    directories = {staging.store, staging.log}
    with artifact.entries() as (entries, read_into), WriteBehind(GATHER) as behind:
        for entry in entries:
            path = _place(entry, staging, wanted)
            if path is None:
                done.left_out.append(entry.path)
                continue
            with explained("write", path):
                folder = path if entry.is_directory else path.parent
                if folder not in directories:
                    make_directory(folder, owner)
                    directories.add(folder)
            if not entry.is_directory:
                write_entry(path, entry, read_into, behind, owner, progress)
                done.paths.append(path)
                done.size += entry.size
    if durable:
        _sync(done.paths)
        for folder in directories:
            with explained("write", folder):
                fsync_directory(folder)
    return done


def _place(entry: TarEntry, staging: Staging, wanted: Callable[[str], bool] | None) -> Path | None:
    """Say where an entry belongs; None for what is not wanted, or what a server must not find again."""
    require_foreign(entry)
    if is_log_name(entry.path):
        return staging.log / entry.path
    if not entry.is_directory and classify(entry.path) is FileKind.NEVER:
        return None
    if wanted is not None and (entry.is_directory or not wanted(entry.path)):
        return None
    return staging.store / entry.path


def require_foreign(entry: TarEntry) -> None:
    """Refuse a name that only neokeep gives.

    Raises:
        IntegrityError: it has one.
    """
    if entry.path.split("/")[0] == LINK:
        raise IntegrityError(
            f"the archive holds {entry.path}, a name that neokeep keeps for itself",
            remedy="Do not use it: it is not as Neo4j wrote it.",
        )


def write_entry(
    path: Path,
    entry: TarEntry,
    read_into: Callable[[memoryview], int],
    behind: WriteBehind,
    owner: Owner,
    progress: Progress,
) -> None:
    """Write one file of an archive, whose bytes `read_into` gives; it is not synced yet.

    Raises:
        SpaceError: it does not fit on the disk.
        AccessError: it cannot be written.
    """
    with explained("write", path):
        if entry.size > (free := shutil.disk_usage(path.parent).free):
            raise SpaceError(
                f"{entry.path} of the archive is of {format_size(entry.size)}, {format_size(free)} are free",
                remedy="Free space there; nothing was changed.",
            )
        descriptor = os.open(
            path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, owner.directory_mode & _FILE_MODE
        )
        try:
            # Zeros are not written: they stay a hole.
            os.ftruncate(descriptor, entry.size)
            at = 0
            while taken := read_into(behind.room):
                if not is_zero(behind.room[:taken]):
                    behind.write(descriptor, taken, at)
                at += taken
                progress.advance(taken)
            behind.settle()
            os.fchmod(descriptor, owner.directory_mode & _FILE_MODE)
        finally:
            behind.abandon()
            os.close(descriptor)
        owner.apply(path)


def _sync(paths: list[Path]) -> None:
    """Make all files durable, several at a time."""
    pending = iter(paths)
    lock = threading.Lock()

    def work(stopping: threading.Event) -> None:
        while not stopping.is_set():
            with lock:
                path = next(pending, None)
            if path is None:
                return
            with explained("write", path):
                descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
                try:
                    os.fsync(descriptor)
                finally:
                    os.close(descriptor)

    run_workers(work, _SYNCING_THREADS)
