"""What is left on a disk when the power fails: a model of a file system that keeps only what it was told to sync.

A file keeps the content that it had at its last fsync, zeros or nothing where it never had one. A directory has the
names of its last fsync, or those of the moment of the failure: file systems write names back when they please, so
`materialise` is told for each directory which of the two it is to be.
"""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from helpers.calls import path_of, watched

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Names = dict[str, tuple[int, str]]
"""What a directory holds: behind each name an inode, and `directory`, `file`, or where a symbolic link leads."""


class Disk:
    """What of the directories below `root` would survive; everything that is there at first does."""

    def __init__(self, root: Path) -> None:
        self.root = root
        # By inodes, since a directory may be renamed after it was synced.
        self._names: dict[int, Names] = {}
        self._contents: dict[int, bytes] = {}
        for folder, _, files in os.walk(root):
            self._names[os.stat(folder).st_ino] = _names_in(folder)
            for path in (Path(folder, name) for name in files):
                self._contents[path.stat().st_ino] = path.read_bytes()

    @contextmanager
    def watched(self, before_each: Callable[[], None]) -> Iterator[None]:
        """Follow every call in the block; `before_each` is called ahead of each that changes files.

        Calls of several threads are followed one after the other.
        """
        looking = False
        lock = threading.RLock()

        def before(name: str, arguments: tuple[Any, ...]) -> None:
            nonlocal looking
            with lock:
                if looking:
                    return
                looking = True
                before_each()
                if name == "fsync":
                    self._sync(arguments[0])
                looking = False

        with watched(before):
            yield

    def _sync(self, descriptor: int) -> None:
        path, inode = path_of(descriptor), os.fstat(descriptor).st_ino
        if os.path.isdir(path):
            self._names[inode] = _names_in(path)
        else:
            self._contents[inode] = Path(path).read_bytes()

    def materialise(self, to: Path, written_back: Callable[[str], bool]) -> None:
        """Make what is left, in a new directory; `written_back` says for a directory if its newest names survived."""
        present = {os.stat(folder).st_ino: folder for folder, _, _ in os.walk(self.root)}
        self._copy(os.stat(self.root).st_ino, to, present, written_back)

    def _copy(self, inode: int, to: Path, present: dict[int, str], written_back: Callable[[str], bool]) -> None:
        to.mkdir()
        folder = present.get(inode)
        newest = folder is not None and written_back(os.path.relpath(folder, self.root))
        names = _names_in(folder) if folder is not None and newest else self._names.get(inode, {})
        for name, (child, kind) in names.items():
            if kind == "directory":
                self._copy(child, to / name, present, written_back)
            elif kind == "file":
                (to / name).write_bytes(self._contents.get(child, b""))
            else:
                (to / name).symlink_to(kind)


def _names_in(folder: str) -> Names:
    with os.scandir(folder) as entries:
        return {entry.name: (entry.inode(), _kind(entry)) for entry in entries}


def _kind(entry: os.DirEntry[str]) -> str:
    if entry.is_symlink():
        return os.readlink(entry.path)
    return "directory" if entry.is_dir() else "file"
