"""What each file of a database directory is, by its relative path: that decides how it is copied.

`list_database` walks one database directory and classifies every file; it follows symbolic links and takes files that
vanish meanwhile as never seen. `rebuildable` says which files Neo4j makes anew when they are missing. A file that the
tables do not know is OTHER and named in `Listing.unknown`: nothing is left out silently.
"""

from __future__ import annotations

import enum
import errno
import os
import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from neokeep.errors import AccessError, SourceError
from neokeep.files import explain
from neokeep.neo4j.locks import DATABASE_LOCK, STORE_LOCK

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path


class FileKind(enum.Enum):
    """How a file has to be treated by a capture."""

    RECORD_STORE = "record store"
    NEOSTORE = "neostore"
    TREE = "tree"
    LUCENE = "lucene"
    OTHER = "other"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class ListedFile:
    """A file of a database: `path` is relative, with forward slashes."""

    path: str
    size: int
    kind: FileKind


@dataclass(frozen=True, slots=True)
class Listing:
    """All files of a database at one time, sorted by path.

    `lucene` holds the directories that are one Lucene index each, `unknown` the OTHER files that no table knows,
    `migrating` tells of an unfinished store migration: such a store is in two places and must not be captured.
    """

    files: tuple[ListedFile, ...]
    lucene: tuple[str, ...]
    unknown: tuple[str, ...]
    migrating: bool

    def of_kind(self, kind: FileKind) -> tuple[ListedFile, ...]:
        """Select the files of one kind."""
        return tuple(file for file in self.files if file.kind is kind)


NEOSTORE = "neostore"
RECORD_STORES = frozenset(
    {
        "neostore.labeltokenstore.db",
        "neostore.labeltokenstore.db.names",
        "neostore.nodestore.db",
        "neostore.nodestore.db.labels",
        "neostore.propertystore.db",
        "neostore.propertystore.db.arrays",
        "neostore.propertystore.db.index",
        "neostore.propertystore.db.index.keys",
        "neostore.propertystore.db.strings",
        "neostore.relationshipgroupstore.db",
        "neostore.relationshipstore.db",
        "neostore.relationshiptypestore.db",
        "neostore.relationshiptypestore.db.names",
        "neostore.schemastore.db",
    }
)
RECORD_SIZES = {
    "neostore.nodestore.db": 15,
    "neostore.propertystore.db": 41,
    "neostore.relationshipgroupstore.db": 25,
    "neostore.relationshipstore.db": 34,
}
"""Bytes of a record in the stores that grow large, in the aligned format; compression makes use of it."""
TREES = frozenset({f"{store}.id" for store in RECORD_STORES}) | {
    "neostore.counts.db",
    "neostore.indexstats.db",
    "neostore.labelscanstore.db",
    "neostore.relationshipgroupstore.degrees.db",
    "neostore.relationshiptypescanstore.db",
}

_SCHEMA = "schema/index/"
_TREE_INDEX = re.compile(r"index-\d+")
# Index population sorts its entries in files beside the index: index-7.scan-0, index-7.ext, index-7.dup, …
_POPULATION = re.compile(r"index-\d+\..+")
_LUCENE_MARK = re.compile(r"(pending_)?segments(_[0-9a-z]+)?|write\.lock")
_LUCENE_LOCK = "write.lock"
# Logs lie here when the log root is set to the databases directory; they are followed, not listed.
_LOG = re.compile(r"(neostore\.transaction\.db|checkpoint)\.\d+")
_NEVER = frozenset({DATABASE_LOCK, STORE_LOCK, "quarantine_marker"})
_TEMPORARY_PREFIXES = ("id-buffer.tmp", ".neokeep", "temp-")
_TEMPORARY_SUFFIXES = (".tmp", ".temp")
_KNOWN_OTHER = frozenset({"failure-message"})
_KNOWN_OTHER_DIRECTORIES = frozenset({"tools"})
_MIGRATIONS = frozenset({"migrate", "upgrade"})


def classify(path: str, *, in_lucene: bool = False) -> FileKind:
    """Tell the kind of a file from its relative path; `in_lucene` when its directory is that of a Lucene index."""
    # The directory itself has no parts.
    parts = PurePosixPath(path).parts or (path,)
    name = parts[-1]
    if _is_never(parts) or (in_lucene and name == _LUCENE_LOCK):
        return FileKind.NEVER
    if in_lucene:
        return FileKind.LUCENE
    if path.startswith(_SCHEMA):
        return FileKind.TREE if _TREE_INDEX.fullmatch(name) else FileKind.OTHER
    if path == NEOSTORE:
        return FileKind.NEOSTORE
    if path in RECORD_STORES:
        return FileKind.RECORD_STORE
    return FileKind.TREE if path in TREES else FileKind.OTHER


def rebuildable(path: str) -> bool:
    """Whether Neo4j makes this file anew at its start when it is missing."""
    return path in TREES or path.startswith(_SCHEMA)


def index_directory(path: str) -> str | None:
    """Name the directory of the whole index (`schema/index/<provider>/<id>`) that a path belongs to, if it does.

    An index is left out as a whole or not at all: its parts are of use only together.
    """
    parts = PurePosixPath(path).parts
    return "/".join(parts[:4]) if path.startswith(_SCHEMA) and len(parts) > 4 else None


def list_database(directory: Path) -> Listing:
    """List and classify all files of a database directory."""
    return classified(_walk(directory))


def classified(folders: Iterable[tuple[str, Sequence[tuple[str, int]]]]) -> Listing:
    """Classify the files of a database, given folder by folder ('' or 'a/b/'): names with sizes in bytes."""
    files: list[ListedFile] = []
    lucene: list[str] = []
    migrating = False
    for folder, entries in folders:
        in_lucene = folder.startswith(_SCHEMA) and any(_LUCENE_MARK.fullmatch(name) for name, _ in entries)
        if in_lucene:
            lucene.append(folder.rstrip("/"))
        migrating = migrating or folder.split("/", 1)[0] in _MIGRATIONS
        files.extend(
            ListedFile(folder + name, size, classify(folder + name, in_lucene=in_lucene)) for name, size in entries
        )
    files.sort(key=lambda file: file.path)
    unknown = tuple(file.path for file in files if file.kind is FileKind.OTHER and not _is_known_other(file.path))
    return Listing(tuple(files), tuple(sorted(lucene)), unknown, migrating)


def _is_never(parts: tuple[str, ...]) -> bool:
    name = parts[-1]
    return (
        (len(parts) == 1 and (name in _NEVER or _LOG.fullmatch(name) is not None))
        or name.endswith(_TEMPORARY_SUFFIXES)
        or _POPULATION.fullmatch(name) is not None
        or any(part.startswith(_TEMPORARY_PREFIXES) for part in parts)
    )


def _is_known_other(path: str) -> bool:
    parts = PurePosixPath(path).parts
    return parts[-1] in _KNOWN_OTHER or parts[0] in _KNOWN_OTHER_DIRECTORIES


def _walk(root: Path) -> Iterator[tuple[str, list[tuple[str, int]]]]:
    """Yield each folder ('' or 'a/b/') with its files; a directory reached twice through links is walked once."""
    seen: set[tuple[int, int]] = set()
    pending = [""]
    while pending:
        folder = pending.pop()
        entries = _scan(root, folder, seen)
        pending.extend(f"{folder}{name}/" for name, size in entries if size is None)
        yield folder, [(name, size) for name, size in entries if size is not None]


def _scan(root: Path, folder: str, seen: set[tuple[int, int]]) -> list[tuple[str, int | None]]:
    """Read one folder: regular files with their size, directories with None; what vanishes is left out."""
    place = os.path.join(root, folder)
    try:
        identity = os.stat(place)
        if (identity.st_dev, identity.st_ino) in seen:
            return []
        seen.add((identity.st_dev, identity.st_ino))
        with os.scandir(place) as found:
            return [entry for entry in map(_measure, found) if entry is not None]
    except (FileNotFoundError, NotADirectoryError) as error:
        if folder:
            return []
        raise SourceError(
            f"{root} is not a directory, so it is no database",
            remedy="Name a database of this server, or check the data directory in neo4j.conf.",
        ) from error
    except PermissionError as error:
        raise AccessError(
            f"{error.filename or place} may not be read by this user",
            remedy="Run neokeep as the user that runs Neo4j, or give this user read access to the database files.",
        ) from error
    except OSError as error:
        raise explain(error, "list", place) from error


def _measure(entry: os.DirEntry[str]) -> tuple[str, int | None] | None:
    try:
        if entry.is_dir():
            return entry.name, None
        return (entry.name, entry.stat().st_size) if entry.is_file() else None
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno == errno.ELOOP:
            return None
        raise
