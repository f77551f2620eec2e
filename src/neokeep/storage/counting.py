"""Counting what is asked of a storage: operations cost money at object stores, and time everywhere."""

from __future__ import annotations

import threading
from collections import Counter
from typing import TYPE_CHECKING

from neokeep.storage.layer import Layer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from typing_extensions import Buffer

    from neokeep.storage.base import Storage, StoredObject


class Counting(Layer):
    """Counts operations by name, and the bytes that were read and written, whether they succeed or not."""

    def __init__(self, inner: Storage) -> None:
        super().__init__(inner)
        self.operations: Counter[str] = Counter()
        self.bytes_written = 0
        self.bytes_read = 0
        self._lock = threading.Lock()

    def create(self, name: str, data: Buffer) -> None:
        """See Storage.create."""
        self._count("create", written=memoryview(data).nbytes)
        self.inner.create(name, data)

    def read(self, name: str, offset: int = 0, length: int | None = None) -> bytes:
        """See Storage.read."""
        self._count("read")
        data = self.inner.read(name, offset, length)
        self._count(read=len(data))
        return data

    def stat(self, name: str) -> StoredObject:
        """See Storage.stat."""
        self._count("stat")
        return self.inner.stat(name)

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """See Storage.list."""
        self._count("list")
        return self.inner.list(prefix)

    def delete(self, name: str) -> None:
        """See Storage.delete."""
        self._count("delete")
        self.inner.delete(name)

    def _count(self, operation: str | None = None, written: int = 0, read: int = 0) -> None:
        with self._lock:
            if operation:
                self.operations[operation] += 1
            self.bytes_written += written
            self.bytes_read += read
