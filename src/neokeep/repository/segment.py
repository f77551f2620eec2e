"""Segments: stretches of a transaction log, each one object that needs nothing else.

A segment belongs to the chain of one full backup and begins where the one before ends. Its bytes are those of the log
files, verified transaction by transaction before they were stored. In an encrypted repository writers can read the
header, since chains go on by it, and only readers the log. Bytes are laid out in docs/format.md.
"""

from __future__ import annotations

import re
import struct
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec
from blake3 import blake3

from neokeep.compression import ZstdError, compress, decompress
from neokeep.errors import IntegrityError, RepositoryError
from neokeep.repository.manifest import Span
from neokeep.storage.base import ObjectExists, ObjectMissing

if TYPE_CHECKING:
    from neokeep.encryption.content import ContentKeys
    from neokeep.storage.base import Storage

MAGIC = b"NKSEGM1\n"
SEALED_MAGIC = b"NKSEGM2\n"
PREFIX = "segments"
_LENGTH = struct.Struct("<I")
_HEADER_AT = len(MAGIC) + _LENGTH.size
_NAME = re.compile(r"(\d{20})-(\d{20})-([0-9a-f]{64})")
_LEVEL = 1
_PEEK = 64 * 1024
"""Bytes that hold the header of any segment: its pieces are few."""


class SegmentMissing(IntegrityError):
    """There is no such segment any more; a merged one may stand for it."""


class Piece(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes of one log file: `length` bytes from `start` on. A piece of a new file begins at 0, with its header."""

    version: int
    start: int
    length: int


class SegmentHeader(msgspec.Struct, frozen=True, kw_only=True):
    """What a segment holds: transactions `first` to `last`, and where the chain goes on behind it."""

    chain: str
    database: str
    store_id: str
    kernel_version: int
    first: int
    last: int
    first_commit_time: datetime
    last_commit_time: datetime
    tail: Span
    pieces: tuple[Piece, ...]
    created_at: datetime
    follows: int | None = None
    """The checksum of the transaction before `first`, so that stretches of two histories are never joined."""


_LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class SegmentName:
    """What a listing tells of a segment without reading it; `created` is the time of the storage."""

    chain: str
    first: int
    last: int
    size: int
    hash: bytes
    created: datetime = field(default=_LONG_AGO, compare=False)

    @property
    def name(self) -> str:
        """The object name."""
        return f"{PREFIX}/{self.chain}/{self.first:020}-{self.last:020}-{self.hash.hex()}"


def store_segment(storage: Storage, header: SegmentHeader, data: bytes) -> SegmentName:
    """Store a segment under a name that holds its hash: one that replaces a damaged one gets a name of its own."""
    content = _encode(header, compress(data, _LEVEL), storage.content_keys)
    segment = SegmentName(header.chain, header.first, header.last, len(content), blake3(content).digest())
    with suppress(ObjectExists):
        storage.create(segment.name, content)
    return segment


def _encode(header: SegmentHeader, frame: bytes, keys: ContentKeys | None) -> bytes:
    encoded = msgspec.json.encode(header)
    length = _LENGTH.pack(len(encoded))
    if keys is None:
        return MAGIC + length + encoded + frame
    seal = keys.new_seal()
    return SEALED_MAGIC + length + encoded + seal.head + seal.seal(0, frame, encoded)


def peek(storage: Storage, segment: SegmentName) -> SegmentHeader | None:
    """Read what a segment says of itself from its first bytes, unverified; None where that cannot be read.

    Good enough to plan with: whoever uses the segment reads it whole and verifies it.
    """
    try:
        body = memoryview(storage.read(segment.name, 0, _PEEK))[len(MAGIC) :]
        (length,) = _LENGTH.unpack_from(body)
        return msgspec.json.decode(body[_LENGTH.size : _LENGTH.size + length], type=SegmentHeader)
    except (RepositoryError, IntegrityError, msgspec.MsgspecError, struct.error):
        return None


def read_header(storage: Storage, segment: SegmentName) -> SegmentHeader:
    """Read what a segment says of itself, proven by the hash in its name; no reader key is needed for it.

    Raises:
        SegmentMissing: it is missing.
        IntegrityError: it is damaged.
    """
    return _parse(segment, _read(storage, segment))[0]


def read_segment(storage: Storage, segment: SegmentName) -> tuple[SegmentHeader, bytes]:
    """Read a segment: its header, and the bytes of its pieces, concatenated.

    Raises:
        SegmentMissing: it is missing.
        IntegrityError: it is damaged.
    """
    content = _read(storage, segment)
    header, rest = _parse(segment, content)
    try:
        data = decompress(_opened(segment, content, rest, storage.content_keys))
    except ZstdError as problem:
        raise _damaged(segment) from problem
    if len(data) != sum(piece.length for piece in header.pieces):
        raise _damaged(segment)
    return header, data


def _read(storage: Storage, segment: SegmentName) -> bytes:
    try:
        return storage.read(segment.name)
    except ObjectMissing as problem:
        raise SegmentMissing(f"the segment {segment.name} is missing", remedy=problem.remedy) from problem


def _parse(segment: SegmentName, content: bytes) -> tuple[SegmentHeader, int]:
    """Prove a segment by its name; give its header, and where what follows begins."""
    if content[: len(MAGIC)] not in {MAGIC, SEALED_MAGIC} or blake3(content).digest() != segment.hash:
        raise _damaged(segment)
    try:
        (length,) = _LENGTH.unpack_from(content, len(MAGIC))
        rest = _HEADER_AT + length
        header = msgspec.json.decode(memoryview(content)[_HEADER_AT:rest], type=SegmentHeader)
    except (msgspec.MsgspecError, struct.error) as problem:
        raise _damaged(segment) from problem
    if (segment.chain, segment.first, segment.last) != (header.chain, header.first, header.last):
        raise _damaged(segment)
    return header, rest


def _opened(segment: SegmentName, content: bytes, rest: int, keys: ContentKeys | None) -> bytes | memoryview:
    """Give the zstd frame of a segment whose header ends at `rest`."""
    view = memoryview(content)
    if keys is None:
        return view[rest:]
    from neokeep.encryption.content import HEAD_SIZE, NotSealed

    try:
        seal = keys.seal_of(content[rest : rest + HEAD_SIZE])
        return seal.open(0, view[rest + HEAD_SIZE :], view[_HEADER_AT:rest])
    except NotSealed as problem:
        raise _damaged(segment) from problem


def _damaged(segment: SegmentName) -> IntegrityError:
    return IntegrityError(
        f"the segment {segment.name} is damaged",
        remedy="Restore to a moment before it; 'neokeep verify' tells which remain.",
    )


def list_segments(storage: Storage, chain: str) -> list[SegmentName]:
    """List the segments of a chain by their names, in the order of their transactions."""
    found: list[SegmentName] = []
    for item in storage.list(f"{PREFIX}/{chain}"):
        match = _NAME.fullmatch(item.name.rsplit("/", 1)[1])
        if match:
            hashed = bytes.fromhex(match[3])
            found.append(SegmentName(chain, int(match[1]), int(match[2]), item.size, hashed, item.created))
    return sorted(found, key=lambda segment: (segment.first, segment.last, segment.hash))


def contiguous(segments: list[SegmentName], after: int) -> list[SegmentName]:
    """Choose the fewest segments that lead on from transaction `after` without a gap, as far as any do.

    Segments may overlap: a merged one lies beside those it was made of, and two writers may have cut differently.
    """
    best: dict[int, tuple[int, int, SegmentName]] = {}
    for segment in sorted(segments, key=lambda segment: (-segment.first, segment.hash)):
        reach, rest, _ = best.get(segment.last + 1, (segment.last, 0, segment))
        known = best.get(segment.first)
        if known is None or (reach, -rest - 1) > (known[0], -known[1]):
            best[segment.first] = (reach, rest + 1, segment)
    chosen: list[SegmentName] = []
    following = best.get(after + 1)
    while following is not None:
        chosen.append(following[2])
        following = best.get(following[2].last + 1)
    return chosen


def unlinked(header: SegmentHeader, checksum: int | None) -> bool:
    """Tell whether a segment is known not to follow on a transaction with this checksum; None where it is unknown."""
    return None not in (header.follows, checksum) and header.follows != checksum
