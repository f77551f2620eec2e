"""Opening an archive of Neo4j: its header at once, its files as a stream.

What it is says its magic; the layouts are in docs/neo4j-formats.md. The numbers of files and bytes that an archive
claims are only for Neo4j's own progress; here they bound what is unpacked, and must be right in the end.
"""

from __future__ import annotations

import struct
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from neokeep.errors import IntegrityError, SourceError
from neokeep.neo4j.artifact.content import Content
from neokeep.neo4j.artifact.decode import (
    GZIP_MAGIC,
    ZSTD_MAGIC,
    Ahead,
    Buffered,
    cut_off,
    gzip_pieces,
    plain_pieces,
    zstd_pieces,
)
from neokeep.neo4j.artifact.metadata import BackupMetadata, read_metadata
from neokeep.neo4j.artifact.tar import TarEntry, TarReader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from neokeep.neo4j.artifact.decode import Piece, Source

DUMP, BACKUP = "dump", "backup"
COUNTS = struct.Struct(">iqq")
COUNTS_VERSION = 1
MARK = b"zstd"


@dataclass(frozen=True, slots=True)
class _Format:
    """A kind of archive: what its magic stands for. Metadata is `None`, in the first layout or in the second."""

    kind: str
    compression: str
    metadata: int | None = None
    metadata_is_packed: bool = True


FORMATS = {
    "DZV1": _Format(DUMP, "zstd"),
    "DGV1": _Format(DUMP, "gzip"),
    "BZV1": _Format(BACKUP, "zstd", 1),
    "BZV2": _Format(BACKUP, "zstd", 2),
    "BZV3": _Format(BACKUP, "zstd", 2, metadata_is_packed=False),
    "BTV1": _Format(BACKUP, "none", 1),
    "BTV2": _Format(BACKUP, "none", 2),
}
_WITHOUT_MAGIC = {"zstd": _Format(DUMP, "zstd"), "gzip": _Format(DUMP, "gzip")}


@dataclass(frozen=True, slots=True)
class ArtifactHeader:
    """What an archive says of itself before its first file.

    `magic` is empty for a dump of before 4.3, which has none. `files` and `size` (bytes) are what it claims to hold,
    None where the format does not say.
    """

    magic: str
    kind: str
    compression: str
    files: int | None
    size: int | None
    metadata: BackupMetadata | None


@dataclass(slots=True)
class Artifact:
    """An archive that was opened; `files` and `size` count what was found so far."""

    header: ArtifactHeader
    _content: Content
    files: int = 0
    size: int = 0

    @contextmanager
    def entries(self) -> Iterator[tuple[Iterator[TarEntry], Callable[[memoryview], int]]]:
        """Read all files: each entry, and a function that fills memory with the next bytes of it.

        Raises:
            IntegrityError: it is damaged, cut off, unsafe, or does not hold what it claims.
        """
        with Ahead(self._content.pieces) as pieces:
            reader = TarReader(self._content.going_on(pieces))
            yield self._counted(reader), reader.read_into

    def _counted(self, reader: TarReader) -> Iterator[TarEntry]:
        claimed = (self.header.files, self.header.size)
        for entry in reader:
            if not entry.is_directory:
                self.files += 1
                self.size += entry.size
            if None not in claimed and (self.files > (claimed[0] or 0) or self.size > (claimed[1] or 0)):
                raise self._other_count("more")
            yield entry
        if None not in claimed and claimed != (self.files, self.size):
            raise self._other_count("less")

    def _other_count(self, how: str) -> IntegrityError:
        return IntegrityError(
            f"{self._content.name} holds {how} than the {self.header.files} files and {self.header.size} bytes that it "
            "claims to hold",
            remedy="Do not use it: it is not as Neo4j wrote it.",
        )


def open_artifact(source: Source) -> Artifact:
    """Read the header of an archive.

    Raises:
        SourceError: it is no archive of Neo4j, or of a version that is not known.
        IntegrityError: it is cut off or damaged.
    """
    buffered = Buffered(source)
    magic, form = _format_of(buffered)
    metadata = None
    if form.metadata is not None and not form.metadata_is_packed:
        metadata = read_metadata(buffered.exactly, second=form.metadata == 2)
    content = Content(source.name, _pieces(form.compression, buffered))
    marked = form.compression == "zstd" and (magic != "" or content.peek(len(MARK)) == MARK)
    if marked and (mark := content.exactly(len(MARK))) != MARK:
        raise _unknown(source.name, f"{mark!r} where {MARK!r} belongs")
    if form.metadata is not None and form.metadata_is_packed:
        metadata = read_metadata(content.exactly, second=form.metadata == 2)
    files, size = _counts(content) if marked else (None, None)
    return Artifact(ArtifactHeader(magic, form.kind, form.compression, files, size, metadata), content)


def _format_of(buffered: Buffered) -> tuple[str, _Format]:
    start = buffered.peek(4)
    if start == ZSTD_MAGIC:
        return "", _WITHOUT_MAGIC["zstd"]
    if start[:2] == GZIP_MAGIC:
        return "", _WITHOUT_MAGIC["gzip"]
    magic = start.decode("latin-1")
    if magic in FORMATS:
        buffered.take(4)
        return magic, FORMATS[magic]
    if start and any(known.startswith(magic) for known in FORMATS):
        raise cut_off(buffered.name)
    if len(start) == 4 and magic[0] in "DB" and magic[1].isupper() and magic[2] == "V" and magic[3].isdigit():
        raise _unknown(buffered.name, f"the format {magic}")
    raise SourceError(
        f"{buffered.name} is no archive of Neo4j: it begins with {start!r}" if start else f"{buffered.name} is empty",
        remedy="Name a .dump or .backup file that neo4j-admin or neokeep wrote.",
    )


def _pieces(compression: str, buffered: Buffered) -> Iterator[Piece]:
    if compression == "none":
        return plain_pieces(buffered)
    if compression == "gzip":
        return gzip_pieces(buffered)
    if buffered.peek(4) != ZSTD_MAGIC:
        if len(buffered.peek(4)) < 4:
            raise cut_off(buffered.name)
        raise _unknown(buffered.name, "no zstd frame behind its header")
    return zstd_pieces(buffered)


def _counts(content: Content) -> tuple[int, int]:
    version, files, size = COUNTS.unpack(content.exactly(COUNTS.size))
    if version != COUNTS_VERSION:
        raise _unknown(content.name, f"counts of version {version}")
    if files < 0 or size < 0:
        raise IntegrityError(
            f"{content.name} claims to hold {files} files and {size} bytes", remedy="Do not use it: it is damaged."
        )
    return files, size


def _unknown(name: str, what: str) -> SourceError:
    return SourceError(
        f"{name} is an archive of a kind that neokeep does not know: it has {what}",
        remedy="Use a newer neokeep; see docs/versions.md for what this one reads.",
    )
