"""Writing behind: while one buffer is written on a thread of its own, another is filled.

Unpacking keeps a processor busy, and a write past the page cache waits for the disk: neither is to wait for the other.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING

from neokeep.files import AlignedBuffer, write_aligned

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self


class WriteBehind:
    """Two buffers of so many bytes, and the thread that writes them; to be used as a context."""

    def __init__(self, size: int) -> None:
        self._filling, self._written = AlignedBuffer(size), AlignedBuffer(size)
        self._thread = ThreadPoolExecutor(1, "neokeep-write")
        self._pending: Future[None] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._thread.shutdown()
        self._filling.close()
        self._written.close()

    @property
    def room(self) -> memoryview:
        """The buffer that may be filled now, until it is written."""
        return self._filling.view

    def write(self, descriptor: int, size: int, offset: int) -> None:
        """Begin to write the first so many bytes of the room, once what was begun before is written.

        Raises:
            OSError: what was begun before could not be written.
        """
        self.settle()
        self._filling, self._written = self._written, self._filling
        self._pending = self._thread.submit(write_aligned, descriptor, self._written.view[:size], offset)

    def settle(self) -> None:
        """Wait until all is written.

        Raises:
            OSError: it could not be.
        """
        pending, self._pending = self._pending, None
        if pending is not None:
            pending.result()

    def abandon(self) -> None:
        """Wait until nothing is written any more, whatever became of it: a file can be closed then."""
        with suppress(OSError):
            self.settle()
