"""Doing again what did not work for a passing reason, with growing and random pauses.

Only TransientError is tried again: for anything else a second attempt would say the same. What was read is no different
from a first attempt's. A create whose outcome is not known is resolved by looking: where the object holds the same
bytes, this create, or one as good, has succeeded.
"""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING, TypeVar

from neokeep.storage.base import ObjectExists, ObjectMissing, Storage, StoredObject, TransientError
from neokeep.storage.layer import Layer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from typing_extensions import Buffer

FIRST_PAUSE_SECONDS = 0.25
LONGEST_PAUSE_SECONDS = 20.0
_COMPARED_AT_ONCE = 8 * 1024 * 1024

Result = TypeVar("Result")


class Retrying(Layer):
    """Tries each operation up to `retries` times more. `pause` sleeps; tests give another one."""

    def __init__(self, inner: Storage, retries: int, pause: Callable[[float], None] = time.sleep) -> None:
        super().__init__(inner)
        self._retries = retries
        self._pause = pause

    def create(self, name: str, data: Buffer) -> None:
        """See Storage.create. ObjectExists is raised only where somebody else's, different object is there."""
        view = memoryview(data).cast("B")
        unknown = False

        def attempt() -> None:
            nonlocal unknown
            try:
                self.inner.create(name, view)
            except TransientError:
                unknown = True
                raise
            except ObjectExists:
                if not (unknown and self._holds(name, view)):
                    raise

        self._repeated(attempt)

    def read(self, name: str, offset: int = 0, length: int | None = None) -> bytes:
        """See Storage.read."""
        return self._repeated(lambda: self.inner.read(name, offset, length))

    def stat(self, name: str) -> StoredObject:
        """See Storage.stat."""
        return self._repeated(lambda: self.inner.stat(name))

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """See Storage.list. A listing that breaks begins anew, so it is given out only when it is complete."""
        return iter(self._repeated(lambda: list(self.inner.list(prefix))))

    def delete(self, name: str) -> None:
        """See Storage.delete."""
        self._repeated(lambda: self.inner.delete(name))

    def clear_abandoned(self) -> int:
        """See Storage.clear_abandoned."""
        return self._repeated(self.inner.clear_abandoned)

    def prepare(self) -> tuple[str, ...]:
        """See Storage.prepare."""
        return self._repeated(self.inner.prepare)

    def free_bytes(self) -> int | None:
        """See Storage.free_bytes."""
        return self._repeated(self.inner.free_bytes)

    def _repeated(self, attempt: Callable[[], Result]) -> Result:
        longest = FIRST_PAUSE_SECONDS
        for _ in range(self._retries):
            try:
                return attempt()
            except TransientError:
                # Full jitter: writers that failed together do not come back together.
                self._pause(random.uniform(longest / 10, longest))  # noqa: S311  not a secret
                longest = min(LONGEST_PAUSE_SECONDS, longest * 2)
        return attempt()

    def _holds(self, name: str, view: memoryview) -> bool:
        """Tell whether an object holds exactly these bytes; of a large one, 8 MiB at a time are in memory."""
        try:
            if self.stat(name).size != len(view):
                return False
            for offset in range(0, len(view), _COMPARED_AT_ONCE):
                part = view[offset : offset + _COMPARED_AT_ONCE]
                if self.read(name, offset, len(part)) != part:
                    return False
        except ObjectMissing:
            # It was there a moment ago and is gone: removed meanwhile, so the name is not ours to claim.
            return False
        return True
