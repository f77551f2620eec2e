"""Which files make up the newest commit of a Lucene index directory: `segments_N` and exactly the files it names.

Lucene's files are written once: with the files of one commit, copied whole, an index is complete. `files_of_commit`
reads the newest `segments_N` and each segment's `.si` (Lucene 7 to 10), checks their CRC-32 and ids, and raises
LuceneChanged whenever something does not fit, since then the index moved on while it was read: list it and try again.
"""

from __future__ import annotations

import re
import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_SEGMENTS = re.compile(r"segments(?:_([0-9a-z]{1,13}))?")
_SEGMENT_NAME = re.compile(r"_[0-9a-z]{1,13}")
_FILE_NAME = re.compile(r"[0-9A-Za-z_.-]{1,255}")
_HEADER_MAGIC = 0x3FD76C17
_FOOTER = struct.Struct(">IIQ")
_FOOTER_MAGIC = 0xC02893E8
_ID_BYTES = 16
_SEGMENTS_CODEC = "segments"
_SEGMENTS_FORMATS = range(7, 11)
_WITH_SOFT_DELETES = 9
_WITH_COMMIT_IDS = 10
_INFO_CODEC = re.compile(r"Lucene\d+SegmentInfo")
_BASE36 = "0123456789abcdefghijklmnopqrstuvwxyz"


class LuceneChanged(Exception):
    """The index directory changed while its commit was read, or its files do not hold together."""


@dataclass(frozen=True, slots=True)
class LuceneCommit:
    """One commit: `segments` is the name of its segments_N, `files` all its files, that one included, sorted."""

    segments: str
    generation: int
    files: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Segment:
    name: str
    identity: bytes
    files: frozenset[str]


def files_of_commit(read: Callable[[str], bytes], names: Iterable[str]) -> LuceneCommit:
    """Find the newest commit among the files `names` of one directory and name its files; `read` gives their bytes."""
    present = set(names)
    generation, segments = _newest(present)
    files = {segments}
    for segment in parse_segments(_read(read, segments), generation):
        info = f"{segment.name}.si"
        files |= segment.files | {info} | parse_segment_info(_read(read, info), segment.name, segment.identity)
    missing = files - present
    if missing:
        raise LuceneChanged(f"{segments} names files that are not there: {', '.join(sorted(missing))}")
    return LuceneCommit(segments, generation, tuple(sorted(files)))


def parse_segments(data: bytes, generation: int) -> list[_Segment]:
    """Read a segments_N file: its segments, each with the files beside those that its .si names."""
    body = _Reader(data)
    version, _, suffix = body.header(_SEGMENTS_CODEC)
    if version not in _SEGMENTS_FORMATS or suffix != base36(generation):
        body.fail(f"format {version} of generation {suffix!r}")
    body.skip_vints(4)  # Lucene's version, and the major version that created the index
    body.take(8)  # change counter
    if version >= _WITH_COMMIT_IDS:
        body.vint(limit=9)
    else:
        body.take(4)
    count = body.int32()
    if count > 0:
        body.skip_vints(3)  # version of the oldest segment
    segments = [_segment(body, version) for _ in range(count)]
    body.string_map()  # user data
    body.expect_end()
    return segments


def parse_segment_info(data: bytes, segment: str, identity: bytes) -> frozenset[str]:
    """Read the file set of an .si file.

    Lucene 9.9 put one byte in front of the diagnostics and changed no version number: what ends exactly at the footer
    is the right reading.
    """
    reason = ""
    for has_blocks_byte in (True, False):
        try:
            return _segment_info(_Reader(data), segment, identity, has_blocks_byte=has_blocks_byte)
        except LuceneChanged as error:
            reason = str(error)
    raise LuceneChanged(f"{segment}.si: {reason}")


def base36(number: int) -> str:
    """Write a generation as Lucene does in file names."""
    digits = ""
    while number:
        number, digit = divmod(number, 36)
        digits = _BASE36[digit] + digits
    return digits or "0"


def _newest(names: set[str]) -> tuple[int, str]:
    found = [(int(match[1] or "0", 36), name) for name in names if (match := _SEGMENTS.fullmatch(name))]
    if not found:
        raise LuceneChanged("there is no segments_N file: nothing is committed yet")
    return max(found)


def _read(read: Callable[[str], bytes], name: str) -> bytes:
    try:
        return read(name)
    except FileNotFoundError as error:
        raise LuceneChanged(f"{name} is gone") from error


def _segment(body: _Reader, version: int) -> _Segment:
    name = body.string()
    if not _SEGMENT_NAME.fullmatch(name):
        body.fail(f"segment name {name!r}")
    identity = body.take(_ID_BYTES)
    body.string()  # codec
    deletes_generation = body.int64()
    body.take(4 + 8 + 8)  # count of deletes, generations of field infos and of doc values
    if version >= _WITH_SOFT_DELETES:
        body.take(4)
    if version >= _WITH_COMMIT_IDS and body.take(1) == b"\x01":
        body.take(_ID_BYTES)
    files = body.file_set(name)
    for _ in range(body.int32()):
        body.take(4)  # field number
        files |= body.file_set(name)
    if deletes_generation > 0:
        files |= {f"{name}_{base36(deletes_generation)}.liv"}
    return _Segment(name, identity, files)


def _segment_info(body: _Reader, segment: str, identity: bytes, *, has_blocks_byte: bool) -> frozenset[str]:
    _, found, _ = body.header(_INFO_CODEC)
    if found != identity:
        body.fail("it belongs to another commit")
    body.take(12)  # Lucene's version
    if body.take(1) == b"\x01":
        body.take(12)  # the oldest version in it
    body.take(4 + 1)  # count of documents, compound or not
    if has_blocks_byte:
        body.take(1)
    body.string_map()  # diagnostics
    files = body.file_set(segment)
    body.string_map()  # attributes
    if body.vint() != 0:
        body.fail("sorted segments are not known")
    body.expect_end()
    return files


class _Reader:
    """Walks a Lucene file whose footer checksum holds; every mismatch is LuceneChanged."""

    def __init__(self, data: bytes) -> None:
        self._end = len(data) - _FOOTER.size
        if self._end < 0:
            self.fail("too short")
        magic, algorithm, checksum = _FOOTER.unpack_from(data, self._end)
        if magic != _FOOTER_MAGIC or algorithm != 0 or checksum != zlib.crc32(memoryview(data)[:-8]):
            self.fail("the checksum does not hold")
        self._data = data
        self._at = 0

    def fail(self, reason: str) -> NoReturn:
        raise LuceneChanged(reason)

    def take(self, count: int) -> bytes:
        end = self._at + count
        if end > self._end:
            self.fail("it ends too early")
        taken, self._at = self._data[self._at : end], end
        return taken

    def expect_end(self) -> None:
        if self._at != self._end:
            self.fail("it has another layout")

    def header(self, codec: str | re.Pattern[str]) -> tuple[int, bytes, str]:
        """Read an index header: version, id of the segment or commit, suffix."""
        if int.from_bytes(self.take(4), "big") != _HEADER_MAGIC or not re.fullmatch(codec, self.string()):
            self.fail("it is no such file")
        version = self.int32()
        identity = self.take(_ID_BYTES)
        return version, identity, self._text(self.take(self.take(1)[0]))

    def int32(self) -> int:
        return int.from_bytes(self.take(4), "big", signed=True)

    def int64(self) -> int:
        return int.from_bytes(self.take(8), "big", signed=True)

    def vint(self, limit: int = 5) -> int:
        value = 0
        for place in range(limit):
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << (7 * place)
            if byte < 0x80:
                break
        else:
            self.fail("a number is too long")
        return value

    def skip_vints(self, count: int) -> None:
        for _ in range(count):
            self.vint()

    def string(self) -> str:
        return self._text(self.take(self.vint()))

    def string_map(self) -> None:
        for _ in range(self.vint()):
            self.string()
            self.string()

    def file_set(self, segment: str) -> frozenset[str]:
        """Read names of files. A segment taken over from another index keeps the old name in them: it is replaced."""
        names = [self.string() for _ in range(self.vint())]
        for name in names:
            if not _FILE_NAME.fullmatch(name) or name[1:].find(".") < 0:
                self.fail(f"file name {name!r}")
        return frozenset(segment + _without_segment(name) for name in names)

    def _text(self, data: bytes) -> str:
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError:
            self.fail("a text is not UTF-8")


def _without_segment(name: str) -> str:
    at = name.find("_", 1)
    return name[at if at > 0 else name.find(".") :]
