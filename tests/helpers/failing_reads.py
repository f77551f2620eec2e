"""Making reads below a directory fail, as a disk that breaks or a mount that goes stale makes them."""

from __future__ import annotations

import errno
import io
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from helpers.calls import path_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

READING = ("open", "pread", "preadv", "listdir", "scandir", "stat", "fstat", "lseek", "posix_fadvise")


class FailingReads:
    """Counts the reads below `directory`; those from number `begin` on fail, as many as `count` says."""

    def __init__(self, directory: Path, begin: int, count: int) -> None:
        self.made = 0
        self._directory = str(directory)
        self._failing = range(begin, begin + count)

    def before(self, target: object) -> None:
        try:
            path = path_of(target)
        except (OSError, TypeError):
            return
        if str(path).startswith(self._directory):
            self.made += 1
            if self.made - 1 in self._failing:
                raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))

    def wrapped(self, inner: Callable[..., Any]) -> Callable[..., Any]:
        def wrapper(*arguments: Any, **named: Any) -> Any:
            self.before(arguments[0] if arguments else ".")
            return inner(*arguments, **named)

        return wrapper


@contextmanager
def failing_reads(directory: Path, begin: int, count: int = 1) -> Iterator[FailingReads]:
    """Have some of the reads of files and folders below a directory fail with an I/O error."""
    failing = FailingReads(directory, begin, count)
    with pytest.MonkeyPatch.context() as patch:
        for name in READING:
            patch.setattr(os, name, failing.wrapped(getattr(os, name)))
        patch.setattr(io, "open", failing.wrapped(io.open))
        yield failing
