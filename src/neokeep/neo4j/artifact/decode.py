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

from zstandard import ZstdDecompressor, ZstdError

from neokeep.errors import IntegrityError

if TYPE_CHECKING:
    from collections.abc import Iterator

ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
GZIP_MAGIC = b"\x1f\x8b"
PIECE = 4 * 1024 * 1024
"""Bytes that are unpacked at once, at most."""

_READ = 1024 * 1024
_LARGEST_BLOCK = 128 * 1024
_BLOCKS_AT_ONCE = PIECE // _LARGEST_BLOCK
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
        self._held = bytearray()

    def peek(self, size: int, offset: int = 0) -> bytes:
        """Look at bytes that come next, `offset` bytes from here; fewer only at the end."""
        while len(self._held) < offset + size and (more := self._source.read(_READ)):
            self._held += more
        return bytes(self._held[offset : offset + size])

    def take(self, size: int) -> bytes:
        """Take the next bytes, fewer only at the end."""
        taken = self.peek(size)
        del self._held[: len(taken)]
        return taken

    def exactly(self, size: int) -> bytes:
        """Take so many bytes.

        Raises:
            IntegrityError: there are fewer.
        """
        taken = self.take(size)
        if len(taken) < size:
            raise cut_off(self.name)
        return taken


def plain_pieces(source: Buffered) -> Iterator[bytes]:
    """Give what is not compressed."""
    while piece := source.take(PIECE):
        yield piece


def gzip_pieces(source: Buffered) -> Iterator[bytes]:
    """Unpack one gzip stream."""
    unpacking = zlib.decompressobj(_WITH_HEADER)
    try:
        while not unpacking.eof:
            packed = unpacking.unconsumed_tail or source.take(_READ)
            piece = unpacking.decompress(packed, PIECE)
            if piece:
                yield piece
            elif not packed:
                raise cut_off(source.name)
    except zlib.error as problem:
        raise _damaged(source.name, str(problem)) from problem
    if unpacking.unused_data or source.peek(1):
        raise rubbish(source.name)


def zstd_pieces(source: Buffered) -> Iterator[bytes]:
    """Unpack zstd frames up to the end of the source.

    A frame is fed to the library block by block: a block holds no more than 128 KiB, and its header says where it ends.
    """
    while True:
        unpacking = ZstdDecompressor(max_window_size=_LARGEST_WINDOW).decompressobj()
        for packed in _frame(source):
            try:
                piece = unpacking.decompress(packed)
            except ZstdError as problem:
                raise _damaged(source.name, str(problem)) from problem
            if piece:
                yield piece
        if not unpacking.eof:
            raise _damaged(source.name, "the zstd frame has no end")
        if not source.peek(1):
            return
        if source.peek(4) != ZSTD_MAGIC:
            raise rubbish(source.name)


def _frame(source: Buffered) -> Iterator[bytes]:
    """Give the bytes of one frame, cut between blocks."""
    descriptor = source.peek(1, 4)
    if not descriptor:
        raise cut_off(source.name)
    flags = descriptor[0]
    single = flags >> 5 & 1
    content_size = (single, 2, 4, 8)[flags >> 6]
    header = 5 + (1 - single) + (0, 1, 2, 4)[flags & 3] + content_size
    last, taken, blocks = False, header, 0
    while not last:
        start = source.peek(3, taken)
        if len(start) < 3:
            raise cut_off(source.name)
        word = int.from_bytes(start, "little")
        last, kind, size = bool(word & 1), word >> 1 & 3, word >> 3
        if size > _LARGEST_BLOCK:
            raise _damaged(source.name, "a zstd block is larger than any may be")
        taken += 3 + (1 if kind == 1 else size)
        blocks += 1
        if last:
            taken += 4 if flags & 4 else 0
        if last or blocks == _BLOCKS_AT_ONCE or taken >= _READ:
            yield source.exactly(taken)
            taken = blocks = 0


class Ahead:
    """Unpacks on a thread of its own, some pieces ahead of whoever takes them; a context."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._ready: queue.Queue[bytes | BaseException | None] = queue.Queue(_AHEAD)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name="neokeep-unpack", daemon=True)

    def __enter__(self) -> Iterator[bytes]:
        self._thread.start()
        return self._taken()

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        # A pipe whose writer says nothing more must not keep a command from ending.
        self._thread.join(_LONGEST_WAIT_SECONDS)

    def _taken(self) -> Iterator[bytes]:
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

    def _put(self, item: bytes | BaseException | None) -> None:
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
