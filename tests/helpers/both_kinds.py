"""Running the tests of a module twice: with repositories as they are, and with encrypted ones.

Tests look at objects in a `MemoryStorage` and damage them there. In the second run they get one that seals below: what
they see and change is what is inside of the seals, so that they say the same about both kinds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, MutableMapping
from typing import TYPE_CHECKING

from helpers.encrypted import SECRETS
from helpers.storages import MemoryStorage
from neokeep.encryption.creating import FirstKeys
from neokeep.encryption.names import Names, is_plain
from neokeep.encryption.sealed import Sealed, seal
from neokeep.repository.repository import Repository, read_config

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from types import ModuleType

    import pytest

    from neokeep.storage.base import Storage

_NAMES = Names(SECRETS.names)


class _Contents(MutableMapping[str, bytes]):
    """The objects of a storage by their names without encryption, and what is inside of each."""

    def __init__(self, storage: SealedMemory) -> None:
        self._storage = storage

    def __getitem__(self, name: str) -> bytes:
        if _NAMES.stored(name) not in self._storage.below.objects:
            raise KeyError(name)
        return self._storage.read(name)

    def __setitem__(self, name: str, data: bytes) -> None:
        stored = _NAMES.stored(name)
        if is_plain(name):
            self._storage.below.objects[stored] = data
        else:
            self._storage.below.objects[stored] = bytes(seal(SECRETS.objects, stored, memoryview(data)))

    def __delitem__(self, name: str) -> None:
        del self._storage.below.objects[_NAMES.stored(name)]

    def __iter__(self) -> Iterator[str]:
        return iter([name for stored in self._storage.below.objects if (name := _NAMES.logical(stored)) is not None])

    def __len__(self) -> int:
        return len(self._storage.below.objects)


class SealedMemory(Sealed):
    """What a MemoryStorage is for tests, with all sealed below it."""

    def __init__(self) -> None:
        self.below = MemoryStorage()
        super().__init__(self.below, SECRETS)

    @property
    def objects(self) -> MutableMapping[str, bytes]:
        return _Contents(self)

    @property
    def now(self) -> Callable[[], datetime]:
        return self.below.now

    @now.setter
    def now(self, clock: Callable[[], datetime]) -> None:
        self.below.now = clock

    def replace(self, name: str, data: bytes) -> None:
        assert name in self.objects
        self.objects[name] = data

    def names(self, prefix: str) -> Sequence[str]:
        return sorted(name for name in self.objects if name.startswith(prefix))


def encrypt_all(monkeypatch: pytest.MonkeyPatch, modules: Sequence[ModuleType]) -> None:
    """Have the tests of some modules make encrypted repositories."""
    create = Repository.create

    def make(storage: Storage) -> Repository:
        made = create(storage, FirstKeys(SECRETS, ()))
        return Repository(storage if storage.content_keys is not None else made.storage, made.config)

    def open_sealed(storage: Storage) -> Repository:
        return Repository(
            storage if storage.content_keys is not None else Sealed(storage, SECRETS), read_config(storage)
        )

    monkeypatch.setattr(Repository, "create", make)
    monkeypatch.setattr(Repository, "open", open_sealed)
    for module in modules:
        if hasattr(module, "MemoryStorage"):
            monkeypatch.setattr(module, "MemoryStorage", SealedMemory)
