"""Storages for tests: one in memory, and decorators that count, fail or damage."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from neokeep.storage.base import ObjectExists, ObjectMissing, Storage, StoredObject, checked_name
from neokeep.storage.layer import Layer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from typing_extensions import Buffer


class MemoryStorage(Storage):
    """Objects in a dict; fast, and as strict as a real storage. `now` is its clock."""

    def __init__(self) -> None:
        self.url = "memory"
        self.now: Callable[[], datetime] = partial(datetime.now, UTC)
        self.objects: dict[str, bytes] = {}
        self._created: dict[str, datetime] = {}
        self._lock = threading.Lock()

    def create(self, name: str, data: Buffer) -> None:
        content = bytes(memoryview(data))
        with self._lock:
            if checked_name(name) in self.objects:
                raise ObjectExists(f"{name} exists already")
            self._created[name] = self.now()
            self.objects[name] = content

    def read(self, name: str, offset: int = 0, length: int | None = None) -> bytes:
        content = self._content(name)
        return content[offset:] if length is None else content[offset : offset + length]

    def stat(self, name: str) -> StoredObject:
        return StoredObject(name, len(self._content(name)), self._created[name])

    def list(self, prefix: str) -> Iterator[StoredObject]:
        with self._lock:
            names = [name for name in self.objects if name.startswith(f"{checked_name(prefix)}/")]
        return iter([self.stat(name) for name in names])

    def delete(self, name: str) -> None:
        with self._lock:
            self.objects.pop(checked_name(name), None)

    def clear_abandoned(self) -> int:
        return 0

    def free_bytes(self) -> int | None:
        return None

    def replace(self, name: str, data: bytes) -> None:
        """Damage an object behind the back of everybody."""
        assert name in self.objects
        self.objects[name] = data

    def names(self, prefix: str) -> Sequence[str]:
        return sorted(name for name in self.objects if name.startswith(prefix))

    def _content(self, name: str) -> bytes:
        try:
            return self.objects[checked_name(name)]
        except KeyError:
            raise ObjectMissing(f"{name} is missing") from None


class Wrapped(Layer):
    """Another storage, with `before` called with the name of the operation and of the object; it may raise."""

    def __init__(self, inner: Storage, before: Callable[[str, str], None]) -> None:
        super().__init__(inner)
        self._before = before

    def create(self, name: str, data: Buffer) -> None:
        self._before("create", name)
        super().create(name, data)

    def read(self, name: str, offset: int = 0, length: int | None = None) -> bytes:
        self._before("read", name)
        return super().read(name, offset, length)

    def stat(self, name: str) -> StoredObject:
        self._before("stat", name)
        return super().stat(name)

    def list(self, prefix: str) -> Iterator[StoredObject]:
        self._before("list", prefix)
        return super().list(prefix)

    def delete(self, name: str) -> None:
        self._before("delete", name)
        super().delete(name)
