"""Which numbers of many come more than once, with bounded memory: what is not held is in scratch, in sorted runs.

Each run tells where its parts begin, by the highest bits of the numbers. Part by part all runs are read and sorted
together: for 100 million numbers scratch takes 800 MB, and memory MOST_HELD of them and 3 MB.
"""

from __future__ import annotations

import errno
import os
import tempfile
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from neokeep.files import explained, write_all

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from neokeep.consistency.claims import Fingerprints
    from neokeep.neo4j.store.pages import Numbers

MOST_HELD = 4 * 1024 * 1024
"""Numbers that all of several sets hold in memory together, of 8 bytes each."""

PARTS = 256
_BYTES = 8
_BEGINS = np.arange(PARTS, dtype=np.uint64) << np.uint64(64 - PARTS.bit_length() + 1)


class Numbered:
    """A multiset of numbers of 64 bits. `scratch` is where it goes when it is large, None the system's place."""

    def __init__(self, scratch: Path | None) -> None:
        self._scratch = scratch
        self._parts: list[Fingerprints] = []
        self.held = 0
        self._file: BinaryIO | None = None
        self._runs: list[Numbers] = []

    def add(self, numbers: Fingerprints) -> None:
        """Put numbers in, in any order."""
        if len(numbers):
            self._parts.append(numbers)
            self.held += len(numbers)

    def spill(self) -> None:
        """Hold nothing in memory any more.

        Raises:
            SpaceError, AccessError, RepositoryError: scratch does not take it.
        """
        run = self._taken()
        with explained("write below", self._scratch or tempfile.gettempdir()):
            if self._file is None:
                self._file = tempfile.TemporaryFile(dir=self._scratch)  # noqa: SIM115 -- close() does it
            begin = int(self._runs[-1][-1]) if self._runs else 0
            write_all(self._file.fileno(), run.data, begin * _BYTES)
        self._runs.append(begin + np.append(np.searchsorted(run, _BEGINS), len(run)))

    def repeated(self) -> Iterator[Fingerprints]:
        """Give those that come more than once, each once, by rising number. To be asked once."""
        if self._file is None:
            yield _repeated(self._taken())
            return
        self.spill()
        for part in range(PARTS):
            found = np.concatenate([self._read(self._file, run[part], run[part + 1]) for run in self._runs])
            found.sort()
            yield _repeated(found)

    def close(self) -> None:
        """Give the space back."""
        if self._file is not None:
            self._file.close()

    def _taken(self) -> Fingerprints:
        run = np.concatenate([np.zeros(0, np.uint64), *self._parts])
        self._parts, self.held = [], 0
        run.sort()
        return run

    def _read(self, file: BinaryIO, begin: int, end: int) -> Fingerprints:
        buffer = np.empty(end - begin, np.uint64)
        with explained("read below", self._scratch or tempfile.gettempdir()):
            done = 0
            view = buffer.view(np.uint8).data
            while done < len(view):
                count = os.preadv(file.fileno(), [view[done:]], int(begin) * _BYTES + done)
                if not count:
                    raise OSError(errno.EIO, "it became shorter")
                done += count
        return buffer


def _repeated(ordered: Fingerprints) -> Fingerprints:
    """Give what stands more than once in sorted numbers."""
    again = ordered[1:][ordered[1:] == ordered[:-1]]
    found: Fingerprints = np.unique(again)
    return found


def keep_bounded(sets: list[Numbered]) -> None:
    """Spill the largest of several sets until all of them hold no more than MOST_HELD together."""
    while sum(one.held for one in sets) > MOST_HELD:
        max(sets, key=lambda one: one.held).spill()
