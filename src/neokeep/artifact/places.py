"""Where archives are read from: files and folders, standard input, and all storages that neokeep knows.

An address is a path, `-`, or a URL as for a repository. What is read is read once, from the begin to the end.
"""

from __future__ import annotations

import os
import stat
import sys
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from neokeep.errors import SourceError, UsageError
from neokeep.files import explained
from neokeep.storage.base import ObjectMissing
from neokeep.storage.place import Place

if TYPE_CHECKING:
    from collections.abc import Iterator

    from neokeep.neo4j.artifact.decode import Source
    from neokeep.storage.base import Storage

STANDARD = "-"
SUFFIXES = (".dump", ".backup")
_AT_ONCE = 16 * 1024 * 1024
_LEVELS = 16


@dataclass(slots=True)
class FileSource:
    """An open file or pipe."""

    name: str
    descriptor: int

    def read(self, size: int) -> bytes:
        """See Source.read."""
        with explained("read", self.name):
            return os.read(self.descriptor, size)


@dataclass(slots=True)
class ObjectSource:
    """An object of a storage, read in ranges."""

    name: str
    storage: Storage
    key: str
    size: int
    at: int = 0

    def read(self, size: int) -> bytes:
        """See Source.read; more than was asked for is no harm, and a request costs the same."""
        if self.at >= self.size:
            return b""
        data = self.storage.read(self.key, self.at, max(size, _AT_ONCE))
        self.at += len(data)
        return data


@dataclass(slots=True)
class CountedSource:
    """Another source, of which is known how many bytes were taken."""

    inner: Source
    taken: int = 0
    name: str = field(init=False)

    def __post_init__(self) -> None:
        self.name = self.inner.name

    def read(self, size: int) -> bytes:
        """See Source.read."""
        data = self.inner.read(size)
        self.taken += len(data)
        return data


@dataclass(frozen=True, slots=True)
class Found:
    """An archive that is somewhere: its address and its name there.

    Its size in bytes, and when it was written (UTC) by the clock of the place, are None of a pipe.
    """

    place: Place
    name: str
    size: int | None
    modified: datetime | None = None


@contextmanager
def opened(place: Place) -> Iterator[Source]:
    """Open an archive for reading.

    Raises:
        SourceError: there is none.
        UsageError: the address makes no sense.
    """
    if place.url == STANDARD:
        yield FileSource("standard input", sys.stdin.fileno())
    elif "://" in place.url and not place.url.startswith("file://"):
        storage, key = named_object(place)
        try:
            size = storage.stat(key).size
        except ObjectMissing as problem:
            raise _missing(place.url) from problem
        yield ObjectSource(place.url, storage, key, size)
    else:
        path = _path(place)
        try:
            with explained("read", path):
                descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except Exception as problem:
            if isinstance(problem.__cause__, FileNotFoundError):
                raise _missing(str(path)) from problem
            raise
        try:
            if stat.S_ISDIR(os.fstat(descriptor).st_mode):
                raise UsageError(f"{path} is a directory", remedy="Name one archive in it.")
            yield FileSource(str(path), descriptor)
        finally:
            os.close(descriptor)


def find_one(place: Place) -> Found:
    """Find the one archive at an address.

    Raises:
        UsageError: there are several, or none in a folder.
        SourceError: there is none.
    """
    found = find_all(place)
    if len(found) != 1:
        raise UsageError(
            f"there are {len(found)} archives at {place.url}",
            remedy="Name one of them; 'neokeep inspect' lists them." if found else "Name a .dump or .backup file.",
        )
    return found[0]


def find_all(place: Place) -> list[Found]:
    """List the archives at an address, sorted by name: one file, or all `.dump` and `.backup` files below a folder.

    Raises:
        SourceError: there is nothing.
    """
    if place.url == STANDARD:
        return [Found(place, STANDARD, None)]
    if "://" in place.url and not place.url.startswith("file://"):
        return _objects(place)
    path = _path(place)
    with explained("look at", path):
        try:
            status = path.stat()
        except FileNotFoundError:
            raise _missing(str(path)) from None
    if not stat.S_ISDIR(status.st_mode):
        return [_described(place, path.name, status)]
    return sorted(_files(path, place, "", _LEVELS), key=lambda found: found.name)


def _files(root: Path, place: Place, below: str, levels: int) -> Iterator[Found]:
    with explained("list", root / below):
        entries = list(os.scandir(root / below))
    for entry in entries:
        name = f"{below}{entry.name}"
        if entry.is_dir(follow_symlinks=False) and levels:
            yield from _files(root, place, f"{name}/", levels - 1)
        elif entry.name.endswith(SUFFIXES) and entry.is_file():
            yield _described(Place(str(root / name), place.options), name, entry.stat())


def _described(place: Place, name: str, status: os.stat_result) -> Found:
    if not stat.S_ISREG(status.st_mode):
        return Found(place, name, None)
    return Found(place, name, status.st_size, datetime.fromtimestamp(status.st_mtime_ns // 1000 / 1_000_000, UTC))


def _objects(place: Place) -> list[Found]:
    storage, key = named_object(place)
    try:
        found = storage.stat(key)
    except ObjectMissing:
        pass
    else:
        return [Found(place, key, found.size, found.created)]
    objects = [item for item in storage.list(key) if item.name.endswith(SUFFIXES)]
    if not objects:
        raise _missing(place.url)
    parent = place.url.rstrip("/").rpartition("/")[0]
    return [
        Found(Place(f"{parent}/{item.name}", place.options), item.name.removeprefix(f"{key}/"), item.size, item.created)
        for item in sorted(objects, key=lambda item: item.name)
    ]


def named_object(place: Place) -> tuple[Storage, str]:
    """Open the storage one level above an object, and name the object in it.

    Raises:
        UsageError: the address makes no sense.
    """
    from neokeep.storage.base import checked_name
    from neokeep.storage.open import open_storage

    parent, _, name = place.url.rstrip("/").rpartition("/")
    try:
        key = checked_name(name)
    except ValueError:
        raise UsageError(
            f"{name!r} cannot be the name of an archive in a storage", remedy="Use letters, digits and ._- in it."
        ) from None
    if parent.endswith("/"):
        raise UsageError(f"{place.url} names no archive", remedy="Add the name of a folder or of a file.")
    return open_storage(Place(parent, place.options)), key


def _path(place: Place) -> Path:
    return Path(place.url.removeprefix("file://")).expanduser()


def _missing(what: str) -> SourceError:
    return SourceError(f"there is no archive at {what}", remedy="Check the address; .dump and .backup files are found.")
