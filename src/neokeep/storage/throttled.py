"""Holding all reading and writing of a storage to a rate, for a line that others use too.

The rate holds on average: an object, or the stretch of it that is read, goes at full speed and is paid for by the pause
before the next one.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from neokeep.storage.layer import Layer

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Buffer

    from neokeep.storage.base import Storage


class Throttled(Layer):
    """All threads together read and write at most `rate` bytes per second on average."""

    def __init__(
        self,
        inner: Storage,
        rate: int,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        super().__init__(inner)
        self._rate = rate
        self._clock = clock
        self._pause = pause
        self._lock = threading.Lock()
        self._free_at = clock()

    def create(self, name: str, data: Buffer) -> None:
        """See Storage.create."""
        self._wait()
        try:
            self.inner.create(name, data)
        finally:
            self._spend(memoryview(data).nbytes)

    def read(self, name: str, offset: int = 0, length: int | None = None) -> bytes:
        """See Storage.read."""
        self._wait()
        data = self.inner.read(name, offset, length)
        self._spend(len(data))
        return data

    def pay(self, count: int) -> None:
        """Count so many bytes that go another way, and wait for those before."""
        self._wait()
        self._spend(count)

    def _wait(self) -> None:
        while True:
            with self._lock:
                seconds = self._free_at - self._clock()
            if seconds <= 0:
                return
            self._pause(seconds)

    def _spend(self, count: int) -> None:
        with self._lock:
            self._free_at = max(self._clock(), self._free_at) + count / self._rate
