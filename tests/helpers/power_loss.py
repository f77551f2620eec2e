"""What is left on a disk when the power fails: a model of a file system that keeps only what it was told to sync.

A file keeps the content that it had at its last fsync, zeros or nothing where it never had one. A directory has the
names of its last fsync, or those of the moment of the failure: file systems write names back when they please, so
`materialise` is told for each directory which of the two it is to be.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from helpers.calls import path_of, watched

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Names = dict[str, int | None]
"""What a directory holds: the inode of each file, None for a directory."""


class Disk:
    """What of the directories below `root` would survive; everything that is there at first does."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._names: dict[str, Names] = {}
        self._contents: dict[int, bytes] = {}
        for folder, _, files in os.walk(root):
            self._names[folder] = _names_in(folder)
            for name in files:
                path = Path(folder, name)
                self._contents[path.stat().st_ino] = path.read_bytes()

    @contextmanager
    def watched(self, before_each: Callable[[], None]) -> Iterator[None]:
        """Follow every call in the block; `before_each` is called ahead of each that changes files."""

        looking = False

        def before(name: str, arguments: tuple[Any, ...]) -> None:
            nonlocal looking
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
        path = path_of(descriptor)
        if os.path.isdir(path):
            self._names[path] = _names_in(path)
        else:
            # A page of the file may still be in flight in another thread: what counts is what is there now.
            self._contents[os.fstat(descriptor).st_ino] = Path(path).read_bytes()

    def materialise(self, to: Path, written_back: Callable[[str], bool]) -> None:
        """Make what is left, in a new directory; `written_back` says for a directory if its newest names survived."""
        self._copy(str(self.root), to, written_back)

    def _copy(self, folder: str, to: Path, written_back: Callable[[str], bool]) -> None:
        to.mkdir()
        newest = written_back(os.path.relpath(folder, self.root)) and os.path.isdir(folder)
        names = _names_in(folder) if newest else self._names.get(folder, {})
        for name, inode in names.items():
            if inode is None:
                self._copy(os.path.join(folder, name), to / name, written_back)
            else:
                (to / name).write_bytes(self._contents.get(inode, b""))


def _names_in(folder: str) -> Names:
    with os.scandir(folder) as entries:
        return {
            entry.name: None if entry.is_dir(follow_symlinks=False) else entry.stat(follow_symlinks=False).st_ino
            for entry in entries
        }
