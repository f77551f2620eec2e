"""A storage that fails on purpose: before the effect, after it, by halves, or by answering from yesterday."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from neokeep.errors import NeokeepError
from neokeep.storage.base import TransientError
from neokeep.storage.layer import Layer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from typing_extensions import Buffer

    from neokeep.storage.base import Storage, StoredObject

Result = TypeVar("Result")
BEFORE, AFTER = "before", "after"


class Faulty(Layer):
    """Asks `plan` about each operation: None lets it pass, BEFORE fails it undone, AFTER fails it though it is done."""

    def __init__(self, inner: Storage, plan: Callable[[str, str], str | None]) -> None:
        super().__init__(inner)
        self._plan = plan
        self.failed = 0

    def create(self, name: str, data: Buffer) -> None:
        self._do("create", name, lambda: self.inner.create(name, data))

    def read(self, name: str, offset: int = 0, length: int | None = None) -> bytes:
        return self._do("read", name, lambda: self.inner.read(name, offset, length))

    def stat(self, name: str) -> StoredObject:
        return self._do("stat", name, lambda: self.inner.stat(name))

    def list(self, prefix: str) -> Iterator[StoredObject]:
        found = list(self.inner.list(prefix))
        if self._plan("list", prefix) is None:
            return iter(found)
        self.failed += 1
        return _breaking(found)

    def delete(self, name: str) -> None:
        self._do("delete", name, lambda: self.inner.delete(name))

    def _do(self, operation: str, name: str, work: Callable[[], Result]) -> Result:
        fate = self._plan(operation, name)
        if fate == BEFORE:
            self.failed += 1
            raise TransientError(f"{operation} {name} failed before")
        if fate == AFTER:
            # The answer is lost, whatever it was.
            with suppress(NeokeepError):
                work()
            self.failed += 1
            raise TransientError(f"{operation} {name} failed after")
        return work()


def _breaking(found: list[StoredObject]) -> Iterator[StoredObject]:
    yield from found[: len(found) // 2]
    raise TransientError("the listing broke")


class Nth:
    """A plan: the operation of this number fails in this way, counted from 1 over all operations and threads."""

    def __init__(self, number: int, fate: str) -> None:
        self._number = number
        self._fate = fate
        self._lock = threading.Lock()
        self.count = 0

    def __call__(self, _operation: str, _name: str) -> str | None:
        with self._lock:
            self.count += 1
            return self._fate if self.count == self._number else None
