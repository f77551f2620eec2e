"""Which files there are in the places of a server: found, ordered and named apart, each once. Contents are not read."""

from __future__ import annotations

import os
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from neokeep.server_files.places import Places

DEPTH = 6
MOST = 2000
"""So many files in a folder, and no more, are looked at: it is not one of Neo4j's otherwise."""
_HIDDEN = ".."
"""Kubernetes keeps the files behind its links in folders that begin so."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file to take: its area and place there, where it is, and whether a setting names it as a private key."""

    area: str
    path: str
    origin: Path
    private: bool


@dataclass(frozen=True, slots=True)
class Passed:
    """What is not looked at, and why."""

    area: str
    path: str
    origin: Path
    reason: str


def list_files(places: Places, larger: Sequence[Path]) -> tuple[list[Candidate], list[Passed]]:
    """List the files of a server, each once; no folder is looked into that holds one of those that are `larger`."""
    found: list[Candidate] = []
    passed: list[Passed] = []
    seen: set[tuple[str, str]] = set()
    taken: set[tuple[str, str]] = set()

    def add(area: str, path: str, origin: Path, *, private: bool = False) -> None:
        here = (area, os.path.normpath(origin))
        if here not in seen:
            seen.add(here)
            place = _free(area, path, taken)
            taken.add((area, place))
            found.append(Candidate(area, place, origin, private))

    for single in places.singles:
        # A policy that is not in use names files that need not be there.
        if os.path.lexists(single.origin):
            add(single.area, single.path, single.origin, private=single.private)
    for folder in places.folders:
        if any(_holds(folder.directory, one) for one in larger):
            passed.append(Passed(folder.area, folder.prefix or ".", folder.directory, "it holds more than such files"))
            continue
        for number, (relative, item) in enumerate(_walk(folder.directory, folder.prefix)):
            if number == MOST:
                reason = f"it holds more than {MOST} files"
                passed.append(Passed(folder.area, folder.prefix or ".", folder.directory, reason))
                break
            if isinstance(item, str):
                passed.append(Passed(folder.area, relative, folder.directory, item))
            else:
                add(folder.area, relative, item)
    return sorted(found, key=lambda one: (one.area, one.path)), passed


def _walk(directory: Path, prefix: str) -> Iterator[tuple[str, Path | str]]:
    """Yield the place of each file with its path, or with why it is not looked at."""
    pending = [(directory, prefix, 0)]
    while pending:
        folder, below, depth = pending.pop()
        if depth > DEPTH:
            yield below, "it lies too deep"
            continue
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as problem:
            yield below or ".", f"the folder cannot be read: {problem.strerror}"
            continue
        for entry in (one for one in entries if not one.name.startswith(_HIDDEN)):
            place = f"{below}/{entry.name}" if below else entry.name
            if not _is_text(place):
                yield below or ".", "a file there has a name that is no text"
            elif entry.is_dir(follow_symlinks=False):
                pending.append((Path(entry.path), place, depth + 1))
            elif _is_linked_folder(entry):
                yield place, "it is a link to a folder"
            else:
                yield place, Path(entry.path)


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_linked_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_symlink() and entry.is_dir()
    except OSError:
        return False


def _holds(directory: Path, inner: Path) -> bool:
    """Tell whether a folder holds another one, or is it: then it is none of its own kind."""
    real, other = os.path.realpath(directory), os.path.realpath(inner)
    return os.path.commonpath((real, other)) == real


def _free(area: str, path: str, taken: set[tuple[str, str]]) -> str:
    """Choose a place that no other file has: two files of one name from two folders stand side by side."""
    if (area, path) not in taken:
        return path
    folder, name = os.path.split(path)
    others = (os.path.join(folder, f"{number}-{name}") for number in count(2))
    return next(other for other in others if (area, other) not in taken)
