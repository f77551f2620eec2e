"""The base of all decorators of a storage: passes everything on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from neokeep.storage.base import Storage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from typing_extensions import Buffer

    from neokeep.encryption.content import ContentKeys
    from neokeep.storage.base import StoredObject


class Layer(Storage):
    """A storage around another one. Derive, and override what shall be different."""

    def __init__(self, inner: Storage) -> None:
        self.inner = inner
        self.url = inner.url

    def create(self, name: str, data: Buffer) -> None:
        """See Storage.create."""
        self.inner.create(name, data)

    def read(self, name: str, offset: int = 0, length: int | None = None) -> bytes:
        """See Storage.read."""
        return self.inner.read(name, offset, length)

    def stat(self, name: str) -> StoredObject:
        """See Storage.stat."""
        return self.inner.stat(name)

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """See Storage.list."""
        return self.inner.list(prefix)

    def delete(self, name: str) -> None:
        """See Storage.delete."""
        self.inner.delete(name)

    def clear_abandoned(self) -> int:
        """See Storage.clear_abandoned."""
        return self.inner.clear_abandoned()

    @property
    def content_keys(self) -> ContentKeys | None:
        """See Storage.content_keys."""
        return self.inner.content_keys

    def prepare(self) -> tuple[str, ...]:
        """See Storage.prepare."""
        return self.inner.prepare()

    def expect(self, name: str) -> None:
        """See Storage.expect."""
        self.inner.expect(name)

    def caveats(self) -> tuple[str, ...]:
        """See Storage.caveats."""
        return self.inner.caveats()

    def free_bytes(self) -> int | None:
        """See Storage.free_bytes."""
        return self.inner.free_bytes()


def innermost(storage: Storage) -> Storage:
    """Return the storage below all decorators."""
    while isinstance(storage, Layer):
        storage = storage.inner
    return storage
