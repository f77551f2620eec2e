"""The tar in an archive, entry by entry, as a stream that nobody trusts.

Only regular files and directories, with paths that stay inside: links, devices, sparse files, absolute paths, `..` and
paths that come twice are refused. POSIX (pax) and GNU long names are read. The bytes of an entry are taken from the
reader right behind its header; what is not taken is passed over.
"""

from __future__ import annotations

import tarfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from neokeep.errors import IntegrityError
from neokeep.neo4j.artifact.decode import cut_off, rubbish

if TYPE_CHECKING:
    from collections.abc import Iterator

    from neokeep.neo4j.artifact.content import Content

BLOCK = 512
MOST_ENTRIES = 200_000
LONGEST_PATH = 1_000

_LARGEST_EXTENSION = 64 * 1024
_MOST_PADDING = 1024 * 1024
_PIECE = 1024 * 1024
_ZERO_BLOCK = bytes(BLOCK)
_KEPT_KEYS = ("path", "size")


@dataclass(frozen=True, slots=True)
class TarEntry:
    """A file or directory of an archive. `path` is relative, with forward slashes and nothing to resolve."""

    path: str
    size: int
    is_directory: bool


class TarReader:
    """Reads a tar from the begin to the end, once."""

    def __init__(self, content: Content) -> None:
        self._content = content
        self._name = content.name
        self._left = 0
        self._padding = 0
        self._files: set[str] = set()
        self._folders: set[str] = set()

    def __iter__(self) -> Iterator[TarEntry]:
        """Give each entry; the bytes of one can be read until the next is asked for.

        Raises:
            IntegrityError: it is cut off or damaged, or an entry is not one that may be unpacked.
        """
        while (entry := self._next()) is not None:
            # The entry of the root says nothing, and 4.4 and 5.26 write it twice.
            if entry.path != ".":
                self._require_new(entry)
                yield entry
            self._pass_over()
        self._require_end()

    def read_into(self, view: memoryview) -> int:
        """Fill `view` with the next bytes of the entry; fewer only at its end."""
        done, wanted = 0, min(len(view), self._left)
        while done < wanted:
            part = self._some(wanted - done)
            view[done : done + len(part)] = part
            done += len(part)
        return done

    def _some(self, most: int) -> memoryview:
        part = self._content.some(min(most, self._left))
        if not part:
            raise cut_off(self._name)
        self._left -= len(part)
        return part

    def _pass_over(self) -> None:
        while self._left:
            self._some(_PIECE)
        if any(self._content.exactly(self._padding)):
            raise self._refused("bytes where only zeros belong")
        self._padding = 0

    def _next(self) -> TarEntry | None:
        """Read one header with the extensions before it; None at the end of the archive."""
        extended: dict[str, str] = {}
        while True:
            block = self._content.exactly(BLOCK)
            if block == _ZERO_BLOCK:
                if extended or self._content.exactly(BLOCK) != _ZERO_BLOCK:
                    raise self._refused("an end in the middle")
                return None
            info = self._header(block)
            if info.type in (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME):
                if not 0 < info.size <= _LARGEST_EXTENSION:
                    raise self._refused(f"a header of {info.size} bytes")
                self._begin(info.size)
                data = self._content.exactly(info.size)
                self._left = 0
                self._pass_over()
                if info.type == tarfile.GNUTYPE_LONGNAME:
                    extended["path"] = _decoded(data.rstrip(b"\0"))
                elif info.type == tarfile.XHDTYPE:
                    extended.update(self._records(data))
                continue
            return self._entry(info, extended)

    def _header(self, block: bytes) -> tarfile.TarInfo:
        try:
            return tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
        except (tarfile.HeaderError, ValueError, OverflowError) as problem:
            raise self._refused("a header that is none") from problem

    def _records(self, data: bytes) -> dict[str, str]:
        """Read the records of a pax header: `LENGTH KEY=VALUE` and a line end each."""
        found: dict[str, str] = {}
        at = 0
        while at < len(data):
            digits, blank, _ = data[at : at + 12].partition(b" ")
            length = int(digits) if blank and digits.isdigit() else 0
            record = data[at + len(digits) + 1 : at + length]
            key, equals, value = record.partition(b"=")
            if length <= len(digits) + 1 or at + length > len(data) or not equals or not value.endswith(b"\n"):
                raise self._refused("an extended header that is none")
            if key.startswith(b"GNU.sparse"):
                raise self._refused("a sparse file")
            if (name := _decoded(key)) in _KEPT_KEYS:
                found[name] = _decoded(value[:-1])
            at += length
        return found

    def _entry(self, info: tarfile.TarInfo, extended: dict[str, str]) -> TarEntry:
        is_directory = info.type == tarfile.DIRTYPE
        if not is_directory and info.type not in (tarfile.REGTYPE, tarfile.AREGTYPE):
            raise self._refused(f"{info.name!r}, which is neither a file nor a directory")
        size = info.size
        if "size" in extended:
            if not (extended["size"].isascii() and extended["size"].isdecimal() and len(extended["size"]) < 19):
                raise self._refused("a size that is none")
            size = int(extended["size"])
        if size < 0 or (is_directory and size):
            raise self._refused(f"{info.name!r} with a size of {size}")
        path = self._safe(extended.get("path", info.name))
        self._begin(size)
        return TarEntry(path, size, is_directory)

    def _begin(self, size: int) -> None:
        self._left, self._padding = size, -size % BLOCK

    def _safe(self, path: str) -> str:
        """Bring a path to its plain form; refuse one that leads anywhere else than below the root."""
        parts = [part for part in path.split("/") if part not in ("", ".")]
        if path.startswith("/") or ".." in parts or len(path) > LONGEST_PATH or not path.isprintable():
            raise self._refused(f"the path {path[:200]!r}")
        return "/".join(parts) or "."

    def _require_new(self, entry: TarEntry) -> None:
        folders = [entry.path] if entry.is_directory else []
        folders += [entry.path[:at] for at, letter in enumerate(entry.path) if letter == "/"]
        if not entry.is_directory:
            if entry.path in self._files or entry.path in self._folders:
                raise self._refused(f"{entry.path!r} twice")
            self._files.add(entry.path)
        if not self._files.isdisjoint(folders):
            raise self._refused(f"{entry.path!r} below a file")
        self._folders.update(folders)
        if len(self._files) + len(self._folders) > MOST_ENTRIES:
            raise self._refused(f"more than {MOST_ENTRIES} entries")

    def _require_end(self) -> None:
        """Behind the end stand zeros that fill up a record, and nothing else."""
        left = _MOST_PADDING
        while part := self._content.some(_PIECE):
            left -= len(part)
            if left < 0 or np.frombuffer(part, np.uint8).any():
                raise rubbish(self._name)

    def _refused(self, what: str) -> IntegrityError:
        return IntegrityError(
            f"{self._name} is no archive that Neo4j wrote: it holds {what}",
            remedy="Do not use it, or get it again from where it was made.",
        )


def _decoded(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")
