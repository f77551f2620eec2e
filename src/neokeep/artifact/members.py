"""The files that go into an archive, with what reads them: from directories at rest, or out of a repository.

Store and logs share one root in an archive, sorted by name as Neo4j 2026 does it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from neokeep.errors import SourceError
from neokeep.files import explained, punch_hole
from neokeep.neo4j.log.names import checkpoint_name, checkpoint_versions, log_name, log_versions
from neokeep.neo4j.store.layout import FileKind, list_database, rebuildable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from neokeep.image.lazy import LazyFiles

_PIECE = 4 * 1024 * 1024
_FETCHED = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Member:
    """A file: its name in the archive, where it lies, size in bytes and mode."""

    name: str
    path: Path
    size: int
    mode: int


class Members(Protocol):
    """Files that can be read one after the other."""

    def list(self) -> list[Member]:
        """List them by name."""

    def read(self, member: Member) -> Iterator[memoryview]:
        """Give the bytes of one, piece by piece; a piece is valid until the next is asked for."""


class FilesAtRest:
    """The files of a database that no server has open; with or without what Neo4j rebuilds."""

    def __init__(self, store: Path, log: Path, *, with_indexes: bool) -> None:
        self._store, self._log = store, log
        self._with_indexes = with_indexes

    def list(self) -> list[Member]:
        """See Members.list."""
        listing = list_database(self._store)
        if listing.migrating:
            raise SourceError(
                f"an unfinished migration lies in {self._store}", remedy="Let Neo4j finish the migration, then repeat."
            )
        found = [
            _member(file.path, self._store / file.path)
            for file in listing.files
            if file.kind is not FileKind.NEVER and (self._with_indexes or not rebuildable(file.path))
        ]
        return sorted([*found, *_logs(self._log)], key=lambda member: member.name)

    def read(self, member: Member) -> Iterator[memoryview]:
        """See Members.read."""
        return _read(member)


class FilesOfImage:
    """The files of an image: what was not fetched of a store file yet is fetched, and let go once it was read."""

    def __init__(self, store: LazyFiles, log: Path) -> None:
        self._store, self._log = store, log

    def list(self) -> list[Member]:
        """See Members.list."""
        found = [_member(path, self._store.directory / path) for path in self._store.entries]
        return sorted([*found, *_logs(self._log)], key=lambda member: member.name)

    def read(self, member: Member) -> Iterator[memoryview]:
        """See Members.read."""
        if member.name not in self._store.entries:
            yield from _read(member)
            return
        with explained("read", member.path):
            descriptor = os.open(member.path, os.O_RDWR | os.O_CLOEXEC)
        try:
            room = memoryview(bytearray(min(_PIECE, member.size)))
            for start in range(0, member.size, _FETCHED):
                end = min(start + _FETCHED, member.size)
                self._store.bring(member.name, start, end - start)
                yield from _pieces(descriptor, member, start, end, room)
                with explained("write", member.path):
                    punch_hole(descriptor, start, end - start)
        finally:
            os.close(descriptor)


def _logs(directory: Path) -> list[Member]:
    names = [log_name(version) for version in log_versions(directory)]
    names += [checkpoint_name(version) for version in checkpoint_versions(directory)]
    return [_member(name, directory / name) for name in names]


def _member(name: str, path: Path) -> Member:
    with explained("look at", path):
        status = path.stat()
    return Member(name, path, status.st_size, status.st_mode & 0o777)


def _read(member: Member) -> Iterator[memoryview]:
    with explained("read", member.path):
        descriptor = os.open(member.path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_SEQUENTIAL)
        yield from _pieces(descriptor, member, 0, member.size, memoryview(bytearray(min(_PIECE, member.size))))
    finally:
        os.close(descriptor)


def _pieces(descriptor: int, member: Member, start: int, end: int, room: memoryview) -> Iterator[memoryview]:
    while start < end:
        view = room[: min(len(room), end - start)]
        with explained("read", member.path):
            done = os.preadv(descriptor, [view], start)
        if not done:
            raise SourceError(
                f"{member.path} became shorter while it was read", remedy="See that nothing works on it, and repeat."
            )
        yield view[:done]
        start += done
