"""Where archives are written to: a new file or object, which is there as a whole or not at all, or standard output.

A file has no name until it is complete and durable, so a process that is killed leaves nothing behind. Where the file
system has no nameless files, it is called `.neokeep-….part` until then.
"""

from __future__ import annotations

import errno
import os
import secrets
import sys
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from neokeep.artifact.places import STANDARD, SUFFIXES, named_object
from neokeep.errors import UsageError
from neokeep.files import AlignedBuffer, explained, fsync_directory, rename_new, write_aligned
from neokeep.storage.base import ObjectExists
from neokeep.storage.open import open_storage
from neokeep.storage.streams import open_stream, require_free

if TYPE_CHECKING:
    from collections.abc import Iterator

    from neokeep.neo4j.artifact.write import Data
    from neokeep.storage.base import Storage
    from neokeep.storage.place import Place
    from neokeep.storage.streams import Stream

_MODE = 0o640
_GATHERED = 4 * 1024 * 1024
_NO_NAMELESS = (errno.EOPNOTSUPP, errno.EISDIR, errno.ENOENT, errno.EINVAL)


@dataclass(frozen=True, slots=True)
class Destination:
    """Where to write to: a path, or an object `name` of a storage; neither means standard output."""

    path: Path | None
    overwrite: bool
    storage: Storage | None = None
    name: str = ""

    @property
    def address(self) -> str | None:
        """Path or URL; None of standard output."""
        if self.storage is not None:
            return f"{self.storage.url}/{self.name}"
        return None if self.path is None else str(self.path)

    def __str__(self) -> str:
        return self.address or "standard output"


def find_destination(to: Place, file_name: str, *, overwrite: bool) -> Destination:
    """Decide where an archive goes; in a directory, or a folder of a storage, it is called `file_name`.

    Raises:
        UsageError: it makes no sense, or there is such a file and `overwrite` is not given.
    """
    to_path = to.url
    if to_path == STANDARD:
        if sys.stdout.isatty():
            raise UsageError("an archive is nothing for a terminal", remedy="Send standard output to a file or a pipe.")
        return Destination(None, overwrite)
    if "://" in to_path and not to_path.startswith("file://"):
        return _object(to, file_name, overwrite=overwrite)
    path = Path(to_path.removeprefix("file://")).expanduser().absolute()
    if path.is_dir():
        path = path / file_name
    elif to_path.endswith("/") or not path.parent.is_dir():
        raise UsageError(f"there is no directory {path if to_path.endswith('/') else path.parent}", remedy="Make it.")
    destination = Destination(path, overwrite)
    _require_free(destination)
    if os.path.lexists(path) and not path.is_file():
        raise UsageError(f"{path} is no regular file", remedy="Give a new name; for a pipe, use --to-path -.")
    return destination


def _object(to: Place, file_name: str, *, overwrite: bool) -> Destination:
    """Name an object: what ends like an archive is its name, anything else the folder that it goes into."""
    storage, name = named_object(to) if to.url.endswith(SUFFIXES) else (open_storage(to), file_name)
    if not overwrite:
        try:
            require_free(storage, name)
        except ObjectExists as problem:
            raise _taken(problem.message) from problem
    return Destination(None, overwrite, storage, name)


class Output:
    """Takes the bytes of an archive and counts them."""

    def __init__(self, descriptor: int, name: str) -> None:
        self.size = 0
        self._descriptor = descriptor
        self._name = name

    def write(self, data: Data) -> None:
        """Write all of it."""
        view = memoryview(data)
        self.size += len(view)
        while view:
            view = view[os.write(self._descriptor, view) :]

    def finish(self) -> None:
        """Nothing is held back."""


class _StreamOutput(Output):
    """Hands everything to an object on its way; it is finished by whoever began it."""

    def __init__(self, stream: Stream) -> None:
        self.size = 0
        self._stream = stream

    def write(self, data: Data) -> None:
        view = memoryview(data)
        self._stream.write(view)
        self.size += len(view)


class _FileOutput(Output):
    """Gathers and writes past the page cache, which belongs to the database."""

    def __init__(self, descriptor: int, name: str, buffer: AlignedBuffer) -> None:
        super().__init__(descriptor, name)
        self._buffer = buffer
        self._filled = 0

    def write(self, data: Data) -> None:
        view = memoryview(data)
        while view:
            part = view[: self._buffer.size - self._filled]
            self._buffer.view[self._filled : self._filled + len(part)] = part
            self._filled += len(part)
            if self._filled == self._buffer.size:
                self._flush()
            view = view[len(part) :]

    def finish(self) -> None:
        self._flush()
        with explained("write", self._name):
            os.fsync(self._descriptor)

    def _flush(self) -> None:
        with explained("write", self._name):
            write_aligned(self._descriptor, self._buffer.view[: self._filled], self.size)
        self.size += self._filled
        self._filled = 0


@contextmanager
def created(destination: Destination, largest: int) -> Iterator[Output]:
    """Write an archive in the block; at its end it is durable and has its name, on failure there is nothing.

    It has at most `largest` bytes.

    Raises:
        SpaceError, AccessError, RepositoryError: it cannot be written.
    """
    if destination.storage is not None:
        with _stored(destination, destination.storage, largest) as stream:
            yield _StreamOutput(stream)
        return
    if destination.path is None:
        output = Output(sys.stdout.fileno(), "standard output")
        yield output
        return
    with explained("write", destination.path):
        descriptor, scratch = _new_file(destination.path)
    buffer = AlignedBuffer(_GATHERED)
    try:
        output = _FileOutput(descriptor, str(destination.path), buffer)
        yield output
        output.finish()
        with explained("write", destination.path):
            scratch = scratch or _named(descriptor, destination.path)
            _put(scratch, destination)
            scratch = None
            fsync_directory(destination.path.parent)
    finally:
        buffer.close()
        os.close(descriptor)
        if scratch is not None:
            with suppress(OSError):
                scratch.unlink()


@contextmanager
def _stored(destination: Destination, storage: Storage, largest: int) -> Iterator[Stream]:
    stream = open_stream(storage, destination.name, largest=largest, overwrite=destination.overwrite)
    try:
        yield stream
        try:
            stream.finish()
        except ObjectExists as problem:
            raise _taken(problem.message) from problem
    finally:
        stream.abandon()


def _new_file(path: Path) -> tuple[int, Path | None]:
    """Open a file without a name; where that cannot be, one with the name that is given too."""
    try:
        return os.open(path.parent, os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, _MODE), None
    except OSError as problem:
        if problem.errno not in _NO_NAMELESS:
            raise
    scratch = _scratch(path)
    return os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _MODE), scratch


def _named(descriptor: int, path: Path) -> Path:
    """Give a nameless file a name of our own beside its place."""
    scratch = _scratch(path)
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        # Only with a directory of its own is the link to the descriptor followed.
        os.link(f"/proc/self/fd/{descriptor}", scratch.name, dst_dir_fd=directory, follow_symlinks=True)
    finally:
        os.close(directory)
    return scratch


def _scratch(path: Path) -> Path:
    return path.with_name(f".neokeep-{secrets.token_hex(8)}.part")


def _put(scratch: Path, destination: Destination) -> None:
    if destination.path is None:
        raise AssertionError("standard output has no name")
    if destination.overwrite:
        os.replace(scratch, destination.path)
        return
    try:
        _take_name(scratch, destination.path)
    except OSError:
        _require_free(destination)
        raise


def _take_name(scratch: Path, path: Path) -> None:
    """Give a file a name that must be free."""
    try:
        rename_new(scratch, path)
    except OSError as problem:
        if problem.errno != errno.EINVAL:
            raise
        # A file system that cannot rename in this way can link, which does not replace either.
        os.link(scratch, path)
        scratch.unlink()


def _require_free(destination: Destination) -> None:
    if destination.path is not None and not destination.overwrite and os.path.lexists(destination.path):
        raise _taken(f"{destination.path} exists already")


def _taken(what: str) -> UsageError:
    return UsageError(what, remedy="Choose another name, or give --overwrite.")
