"""Writing the server's other files into a new folder, never over those of a server.

All is written into a folder beside it, proven, made durable, and put in its place by one rename: whatever happens, the
folder is complete or not there. What a killed run left is removed by the next one with the same target.
"""

from __future__ import annotations

import fcntl
import grp
import hashlib
import os
import pwd
import shutil
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import msgspec

from neokeep.errors import IntegrityError, LockedError, UsageError
from neokeep.files import explained, fsync_directory
from neokeep.repository.contents import read_content
from neokeep.server_files.secrets import AREAS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from neokeep.repository.manifest import ServerFile
    from neokeep.repository.reader import BlockReader

LIST = "server-files.json"
"""Tells of all files, also of those that are not there: origin, owner, mode, plugins with version and hash."""


def write_files(reader: BlockReader, files: Sequence[ServerFile], directory: Path) -> list[ServerFile]:
    """Write files into a new or empty folder; return those whose owner could not be set.

    Raises:
        UsageError: the folder is not empty, or not one.
        IntegrityError: a file is damaged, or its path leads out of the folder.
        LockedError: another restore writes there.
    """
    target = Path(os.path.abspath(directory))
    require_free(target)
    for file in files:
        _require_inside(file)
    with explained("write into", target), _staging(target) as staging:
        not_owned = [
            file
            for file in files
            if file.content is not None and not _write(reader, file, staging / file.area / file.path)
        ]
        _write_list(files, staging / LIST)
        for folder, _, _ in os.walk(staging, topdown=False):
            fsync_directory(folder)
        # A folder that is there is empty, and a rename onto it fails if it is not any more.
        os.rename(staging, target)
        fsync_directory(target.parent)
    return not_owned


def require_free(directory: Path) -> None:
    """Refuse a target that holds anything.

    Raises:
        UsageError: it does, or it is no folder.
    """
    try:
        names = os.listdir(directory)
    except FileNotFoundError:
        return
    except NotADirectoryError:
        names = [""]
    except OSError as problem:
        raise UsageError(f"{directory} cannot be used: {problem.strerror}", remedy="Name a new folder.") from problem
    if names:
        raise UsageError(
            f"{directory} is not an empty folder: nothing is written over files that are there",
            remedy="Name a new folder, look at what was restored, and copy what you want to its place.",
        )


@contextmanager
def _staging(target: Path) -> Iterator[Path]:
    """Lend a new folder beside the target, locked against other restores; it is removed when something goes wrong."""
    target.parent.mkdir(parents=True, exist_ok=True)
    staging = target.parent / f".{target.name}.neokeep-new"
    lock = _locked(staging)
    try:
        for name in os.listdir(staging):
            _remove(staging / name)
        yield staging
    except BaseException:
        with suppress(OSError):
            shutil.rmtree(staging)
        raise
    finally:
        os.close(lock)


def _locked(staging: Path) -> int:
    with suppress(FileExistsError):
        os.mkdir(staging, 0o700)
    # A link in its place would lead the removal elsewhere.
    descriptor = os.open(staging, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as problem:
        os.close(descriptor)
        raise LockedError(
            f"another restore writes to {staging}", remedy="Wait for it, or name another folder."
        ) from problem
    return descriptor


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        os.unlink(path)


def _write(reader: BlockReader, file: ServerFile, path: Path) -> bool:
    """Write one file; tell whether it got its owner."""
    path.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as opened:
        if file.content is not None:
            for piece in read_content(reader, file.content):
                digest.update(piece)
                opened.write(piece)
        if digest.hexdigest() != file.hash:
            raise IntegrityError(
                f"{file.area}/{file.path} is not what was backed up", remedy="Run 'neokeep verify', use another backup."
            )
        opened.flush()
        owned = _give(opened.fileno(), file)
        # After the owner: giving a file away takes bits of its mode. What runs with another's rights is not restored.
        os.fchmod(opened.fileno(), file.mode & 0o777)
        moment = round(file.modified.timestamp() * 1_000_000) * 1000
        os.utime(opened.fileno(), ns=(moment, moment))
        os.fsync(opened.fileno())
    return owned


def _give(descriptor: int, file: ServerFile) -> bool:
    """Give a file to its owner, by name where this machine knows the name."""
    user, group = file.uid, file.gid
    with suppress(KeyError):
        user = pwd.getpwnam(file.owner or "").pw_uid
    with suppress(KeyError):
        group = grp.getgrnam(file.group or "").gr_gid
    status = os.fstat(descriptor)
    if (status.st_uid, status.st_gid) == (user, group):
        return True
    try:
        os.fchown(descriptor, user, group)
    except OSError:
        return False
    return True


def _write_list(files: Sequence[ServerFile], path: Path) -> None:
    told = [{name: value for name, value in msgspec.to_builtins(file).items() if name != "content"} for file in files]
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as opened:
        opened.write(msgspec.json.format(msgspec.json.encode(told), indent=2) + b"\n")
        opened.flush()
        os.fsync(opened.fileno())


def _require_inside(file: ServerFile) -> None:
    """Refuse a path that leads out, whatever a repository says."""
    parts = PurePosixPath(file.path).parts
    if file.content is not None and (
        file.area not in AREAS or not parts or ".." in parts or file.path.startswith("/") or "\0" in file.path
    ):
        raise IntegrityError(
            f"the backup names a file outside of the folder: {file.area}/{file.path}", remedy="Use another backup."
        )
