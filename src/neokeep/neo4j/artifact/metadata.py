"""What a `.backup` artifact says of the database in it: ids, name, time, transactions, and what kind it is.

The layout is Neo4j's, big endian: docs/neo4j-formats.md. The parser takes bytes as they come and raises IntegrityError
or SourceError, nothing else; what is longer than any real artifact has it is refused before it is read.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import UUID

from neokeep.errors import IntegrityError, SourceError
from neokeep.neo4j.store.neostore import StoreId

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Exactly = Callable[[int], bytes]
    """Gives so many bytes; IntegrityError where they are not there."""

SECOND_LAYOUT = 2
SCRIPTS = ("metadataScript", "compressedMetadataScript")
"""Keys of the map whose value is a script with the users and roles of the database."""

_UUID_SIZE = 16
_MOST_ENTRIES = 1_000
_LONGEST_KEY = 1_024
_LONGEST_VALUE = 256 * 1024 * 1024
_PIECE = 1024 * 1024
_RECOVERED, _COMPRESSED, _FULL = 1, 2, 4
_LONGS = struct.Struct(">qqq")


@dataclass(frozen=True, slots=True)
class BackupMetadata:
    """The header of a `.backup`. Transactions are append indexes, in old versions transaction ids.

    `store_id` is as Neo4j serialises it, without padding. `time` is in UTC, to the second. `entries` gives the size in
    bytes of each value that the map of the second layout holds.
    """

    store_id: bytes
    database_id: UUID
    database: str
    time: datetime
    lowest: int
    highest: int
    recovered: bool
    compressed: bool
    full: bool
    entries: Mapping[str, int] = field(default_factory=dict)

    @property
    def store(self) -> StoreId:
        """The store id, read."""
        return StoreId.parse(self.store_id, "the header of the artifact")


def read_metadata(exactly: Exactly, *, second: bool) -> BackupMetadata:
    """Read the metadata of a `.backup`, in its first layout or with the map that the `second` has.

    Raises:
        IntegrityError: it is cut off or makes no sense.
        SourceError: it is of a layout that is not known.
    """
    if second and (layout := exactly(1)[0]) != SECOND_LAYOUT:
        raise SourceError(
            f"the artifact has metadata of layout {layout}, which neokeep does not know",
            remedy="Use a newer neokeep.",
        )
    store_id = _store_id(exactly)
    if (size := exactly(1)[0]) != _UUID_SIZE:
        raise _nonsense(f"a database id of {size} bytes")
    database_id = UUID(bytes=exactly(_UUID_SIZE))
    name = _text(exactly(exactly(1)[0]))
    seconds, lowest, highest = _LONGS.unpack(exactly(_LONGS.size))
    flags = int.from_bytes(exactly(exactly(1)[0]), "little")
    return BackupMetadata(
        store_id=store_id,
        database_id=database_id,
        database=name,
        time=_moment(seconds),
        lowest=lowest,
        highest=highest,
        recovered=bool(flags & _RECOVERED),
        compressed=bool(flags & _COMPRESSED),
        full=bool(flags & _FULL),
        entries=_read_entries(exactly) if second else {},
    )


def encode_metadata(metadata: BackupMetadata) -> bytes:
    """Write the second layout, with an empty map: what Neo4j 5.26 and later read.

    Raises:
        ValueError: a name or id is too long for it.
    """
    name = metadata.database.encode()
    flags = metadata.recovered * _RECOVERED | metadata.compressed * _COMPRESSED | metadata.full * _FULL
    return b"".join(
        (
            bytes([SECOND_LAYOUT]),
            metadata.store_id,
            bytes([_UUID_SIZE]),
            metadata.database_id.bytes,
            bytes([len(name)]),
            name,
            _LONGS.pack(int(metadata.time.timestamp()), metadata.lowest, metadata.highest),
            # A set of bits without any takes no byte at all.
            bytes([1, flags]) if flags else bytes(1),
            bytes(4),
        )
    )


def _store_id(exactly: Exactly) -> bytes:
    """Read the serialised id, whose length its texts tell."""
    found = exactly(17)
    for _ in range(2):
        length = exactly(1)
        found += length + exactly(length[0])
    found += exactly(2)
    try:
        StoreId.parse(found, "the header of the artifact")
    except SourceError as problem:
        raise _nonsense("no store id") from problem
    return found


def _read_entries(exactly: Exactly) -> dict[str, int]:
    (count,) = struct.unpack(">i", exactly(4))
    if not 0 <= count <= _MOST_ENTRIES:
        raise _nonsense(f"{count} entries of metadata")
    entries: dict[str, int] = {}
    for _ in range(count):
        key = _text(exactly(_length(exactly, _LONGEST_KEY)))
        left = entries[key] = _length(exactly, _LONGEST_VALUE)
        while left:
            left -= len(exactly(min(left, _PIECE)))
    return entries


def _length(exactly: Exactly, most: int) -> int:
    (length,) = struct.unpack(">i", exactly(4))
    if not 0 <= length <= most:
        raise _nonsense(f"a text of {length} bytes")
    return int(length)


def _text(data: bytes) -> str:
    try:
        text = data.decode()
    except UnicodeDecodeError as problem:
        raise _nonsense("a text that is not UTF-8") from problem
    # A name is printed: it must not steer the terminal of who reads it.
    if not text.isprintable():
        raise _nonsense("a text with control characters")
    return text


def _moment(seconds: int) -> datetime:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError) as problem:
        raise _nonsense(f"the time {seconds}") from problem


def _nonsense(what: str) -> IntegrityError:
    return IntegrityError(
        f"the header of the artifact is damaged: it holds {what}", remedy="Get the file again, or use another one."
    )
