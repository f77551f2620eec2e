"""From the bytes of an archive to what is in it: zstd, gzip or nothing, in pieces of bounded size.

A stream counts only when it ends where it says: what is cut off, has something behind its end, or does not fit its
checksum is an IntegrityError. However much a piece claims to hold, no more than PIECE bytes are unpacked at once.
"""

from __future__ import annotations

import queue
import threading
import zlib
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

import numpy as np
from zstandard import ZstdDecompressor, ZstdError

from neokeep.errors import IntegrityError

if TYPE_CHECKING:
    from collections.abc import Iterator

ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
GZIP_MAGIC = b"\x1f\x8b"
Piece = bytes | memoryview
PIECE = 4 * 1024 * 1024
"""Bytes that are unpacked at once, at most."""

_READ = 1024 * 1024
_LARGEST_BLOCK = 128 * 1024
_BLOCK_HEADER = 3
_LARGEST_WINDOW = 128 * 1024 * 1024
_AHEAD = 8
_WITH_HEADER = 31
_LONGEST_WAIT_SECONDS = 5
_LOOK_SECONDS = 0.1


class Source(Protocol):
    """A stream of bytes: a file, a pipe, an object of a storage. `name` is for messages."""

    name: str

    def read(self, size: int) -> bytes:
        """Read up to `size` bytes; none at the end."""


class Buffered:
    """A source whose next bytes can be looked at."""

    def __init__(self, source: Source) -> None:
        self.name = source.name
        self._source = source
        self._held = memoryview(b"")

    def peek(self, size: int) -> bytes:
        """Look at the bytes that come next; fewer only at the end."""
        while len(self._held) < size and (more := self._source.read(_READ)):
            self._held = memoryview(bytes(self._held) + more if self._held else more)
        return bytes(self._held[:size])

    def take(self, size: int) -> bytes:
        """Take the next bytes, fewer only at the end."""
        taken = self.peek(size)
        self._held = self._held[len(taken) :]
        return taken

    def held(self) -> memoryview:
        """Look at the bytes that are here already, or have some come; none only at the end."""
        if not self._held:
            self._held = memoryview(self._source.read(_READ))
        return self._held

    def some(self, most: int) -> memoryview:
        """Take the next bytes as they come, up to `most`, without a copy; none only at the end."""
        held = self.held()
        self._held = held[most:]
        return held[:most]

    def exactly(self, size: int) -> bytes:
        """Take so many bytes.

        Raises:
            IntegrityError: there are fewer.
        """
        taken = self.take(size)
        if len(taken) < size:
            raise cut_off(self.name)
        return taken


def plain_pieces(source: Buffered) -> Iterator[memoryview]:
    """Give what is not compressed."""
    while piece := source.some(PIECE):
        yield piece


def gzip_pieces(source: Buffered) -> Iterator[bytes]:
    """Unpack one gzip stream."""
    unpacking = zlib.decompressobj(_WITH_HEADER)
    try:
        while not unpacking.eof:
            packed = unpacking.unconsumed_tail or source.some(_READ)
            piece = unpacking.decompress(packed, PIECE)
            if piece:
                yield piece
            elif not packed:
                raise cut_off(source.name)
    except zlib.error as problem:
        raise _damaged(source.name, str(problem)) from problem
    if unpacking.unused_data or source.peek(1):
        raise rubbish(source.name)


def zstd_pieces(source: Buffered) -> Iterator[memoryview]:
    """Unpack zstd frames up to the end of the source."""
    while True:
        frame = _Frame(source)
        unpacking = ZstdDecompressor(max_window_size=_LARGEST_WINDOW).stream_reader(frame, read_size=_READ)  # type: ignore[arg-type]
        try:
            # Memory that is not cleared first, and filled by the library itself: half a second less for 2 GB.
            while done := unpacking.readinto(room := np.empty(PIECE, np.uint8)):
                yield room.data[:done]
        except ZstdError as problem:
            raise _damaged(source.name, str(problem)) from problem
        if not frame.is_over():
            raise _damaged(source.name, "the zstd frame has no end")
        if not source.peek(1):
            return
        if source.peek(4) != ZSTD_MAGIC:
            raise rubbish(source.name)


class _Frame:
    """The bytes of one frame as the library reads them, which takes one that is cut off for one that ended."""

    def __init__(self, source: Buffered) -> None:
        self._parts = _frame(source)

    def read(self, _size: int) -> bytes | memoryview:
        """Give the next bytes; none at the end of the frame."""
        return next(self._parts, b"")

    def is_over(self) -> bool:
        """Tell whether all of it was read."""
        return not self.read(0)


def _frame(source: Buffered) -> Iterator[memoryview]:
    """Give the bytes of one frame up to its end, in pieces of as many blocks as are there."""
    start = source.peek(5)
    if len(start) < 5:
        raise cut_off(source.name)
    flags = start[4]
    single = flags >> 5 & 1
    content_size = (single, 2, 4, 8)[flags >> 6]
    # Bytes up to the next header of a block, or to the end.
    left = 5 + (1 - single) + (0, 1, 2, 4)[flags & 3] + content_size
    last = False
    while left or not last:
        if not left and len(source.peek(_BLOCK_HEADER)) < _BLOCK_HEADER:
            raise cut_off(source.name)
        held = source.held()
        if not held:
            raise cut_off(source.name)
        while not last and len(held) - left >= _BLOCK_HEADER:
            word = int.from_bytes(held[left : left + _BLOCK_HEADER], "little")
            last, kind, size = bool(word & 1), word >> 1 & 3, word >> 3
            if size > _LARGEST_BLOCK:
                raise _damaged(source.name, "a zstd block is larger than any may be")
            left += _BLOCK_HEADER + (1 if kind == 1 else size) + (4 if last and flags & 4 else 0)
        part = source.some(left)
        left -= len(part)
        yield part


class Ahead:
    """Unpacks on a thread of its own, some pieces ahead of whoever takes them; a context."""

    def __init__(self, pieces: Iterator[Piece]) -> None:
        self._pieces = pieces
        self._ready: queue.Queue[Piece | BaseException | None] = queue.Queue(_AHEAD)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name="neokeep-unpack", daemon=True)

    def __enter__(self) -> Iterator[Piece]:
        self._thread.start()
        return self._taken()

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        # A pipe whose writer says nothing more must not keep a command from ending.
        self._thread.join(_LONGEST_WAIT_SECONDS)

    def _taken(self) -> Iterator[Piece]:
        while (item := self._ready.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item

    def _work(self) -> None:
        try:
            for piece in self._pieces:
                self._put(piece)
                if self._stopping.is_set():
                    return
            self._put(None)
        except BaseException as problem:  # noqa: BLE001  carried over to the thread that takes
            self._put(problem)

    def _put(self, item: Piece | BaseException | None) -> None:
        while not self._stopping.is_set():
            with suppress(queue.Full):
                self._ready.put(item, timeout=_LOOK_SECONDS)
                return


def cut_off(name: str) -> IntegrityError:
    """Say that an archive ends too early."""
    return IntegrityError(
        f"{name} is cut off: it ends in the middle", remedy="Get the file again; what is there is not whole."
    )


def rubbish(name: str) -> IntegrityError:
    """Say that something follows behind the end."""
    return IntegrityError(
        f"{name} holds something behind the end of the archive", remedy="Get the file again; it is not as written."
    )


def _damaged(name: str, why: str) -> IntegrityError:
    return IntegrityError(f"{name} is damaged: {why}", remedy="Get the file again, or use another one.")
