"""Reading a live database's files without disturbing it: a rate limit, and a page cache left as it was found.

What was in the page cache before is read from there and stays; what had to come from disk is dropped from it again, so
that a backup does not push the database's own pages out.
"""

from __future__ import annotations

import os
import threading
import time

from neokeep.capture import page_cache


class RateLimit:
    """Keeps all threads together to `rate` bytes per second on average; None lets everything pass.

    Bytes are paid for after they were read: nothing waits between the first and the last look at a file.
    """

    def __init__(self, rate: int | None) -> None:
        self._rate = rate
        self._lock = threading.Lock()
        self._free_at = time.monotonic()

    def spend(self, count: int) -> None:
        """Note that `count` bytes were read."""
        if self._rate is None:
            return
        with self._lock:
            self._free_at = max(time.monotonic(), self._free_at) + count / self._rate

    def wait(self, stopping: threading.Event) -> None:
        """Wait until what was read is paid for, or until `stopping` is set."""
        with self._lock:
            seconds = self._free_at - time.monotonic()
        if seconds > 0:
            stopping.wait(seconds)


class GentleReader:
    """Reads ranges of files into a caller's buffer. Safe to use from several threads."""

    def __init__(self, rate: RateLimit) -> None:
        self._rate = rate
        self._lock = threading.Lock()
        self.bytes_read = 0

    def wait(self, stopping: threading.Event) -> None:
        """Wait until the rate limit lets more be read."""
        self._rate.wait(stopping)

    def read_into(self, descriptor: int, view: memoryview, offset: int) -> int:
        """Fill `view` from `offset` on; return the bytes read, fewer than asked for only at the end of the file.

        `offset` is a multiple of the page size.
        """
        cold = page_cache.cold_ranges(descriptor, offset, len(view))
        done = 0
        while done < len(view):
            count = os.preadv(descriptor, [view[done:]], offset + done)
            if count == 0:
                break
            done += count
        for start, length in cold:
            os.posix_fadvise(descriptor, start, length, os.POSIX_FADV_DONTNEED)
        self._rate.spend(done)
        with self._lock:
            self.bytes_read += done
        return done


def open_for_reading(path: str | os.PathLike[str]) -> int:
    """Open a file so that the kernel reads only what is asked for: readahead would blur what was cached before."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_RANDOM)
    return descriptor
