"""The directory that an export goes into: new or empty, and complete exactly when it has its manifest.

All is written below `unfinished` first. At the end it is moved to its place, and the manifest gets its name last, so
that what a killed export leaves behind says of itself that it is not whole. One that fails removes what it wrote.
"""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from neokeep.errors import UsageError
from neokeep.files import explained, fsync_directory, make_directories

if TYPE_CHECKING:
    from collections.abc import Iterator

MANIFEST = "manifest.json"
UNFINISHED = "unfinished"


class Target:
    """A directory that is being filled."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.stage = path / UNFINISHED

    def finish(self, manifest: bytes) -> None:
        """Put everything in its place; then the export is complete, also after a power loss."""
        with explained("write", self.path):
            for folder, _, names in os.walk(self.stage):
                for name in names:
                    _sync(Path(folder) / name)
                fsync_directory(folder)
            for entry in sorted(self.stage.iterdir()):
                entry.rename(self.path / entry.name)
            self.stage.rmdir()
            written = self.path / f".{MANIFEST}.part"
            written.write_bytes(manifest)
            _sync(written)
            fsync_directory(self.path)
            written.rename(self.path / MANIFEST)
            fsync_directory(self.path)

    @property
    def size(self) -> int:
        """Bytes of all files that are there."""
        return sum(path.stat().st_size for path in self.path.rglob("*") if path.is_file())


@contextmanager
def new_target(path: Path) -> Iterator[Target]:
    """Make the directory; where the block fails, what was written in it is removed.

    Raises:
        UsageError: it is there and not empty, or no directory.
        SpaceError, AccessError, RepositoryError: it cannot be written.
    """
    path = path.expanduser().absolute()
    with explained("write", path):
        made = _require_new(path)
        make_directories(path)
        target = Target(path)
        target.stage.mkdir()
    try:
        yield target
    except BaseException:
        _clear(path, made=made)
        raise


def _require_new(path: Path) -> bool:
    """Tell whether there is nothing yet; False of an empty directory."""
    if not os.path.lexists(path):
        return True
    if not path.is_dir():
        raise UsageError(f"{path} is no directory", remedy="Name a new directory.")
    names = sorted(os.listdir(path))
    if UNFINISHED in names and MANIFEST not in names:
        raise UsageError(
            f"{path} holds an export that did not finish", remedy="Remove that directory, or name a new one."
        )
    if names:
        raise UsageError(f"{path} is not empty: it has {names[0]}", remedy="Name a new directory, or an empty one.")
    return False


def _clear(path: Path, *, made: bool) -> None:
    """Remove what was written; the manifest first, for that is what makes an export look complete."""
    for name in (MANIFEST, f".{MANIFEST}.part"):
        (path / name).unlink(missing_ok=True)
    if made:
        shutil.rmtree(path, ignore_errors=True)
        return
    for entry in path.iterdir():
        if entry.is_dir():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            entry.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
