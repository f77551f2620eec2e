"""Repositories in directories, plain and encrypted, that tests open and that a victim is told to open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from neokeep import api
from neokeep.repository.open import open_repository
from neokeep.repository.repository import Repository
from neokeep.storage.place import KeySources, Place

if TYPE_CHECKING:
    from pathlib import Path

    from helpers.storages import MemoryStorage


@dataclass(frozen=True, slots=True)
class Door:
    """The way into repositories that are copies of each other; `identity` is the private key of encrypted ones."""

    identity: Path | None = None

    @property
    def order(self) -> dict[str, str]:
        """What a victim has to be told beside the place."""
        return {} if self.identity is None else {"identity": str(self.identity)}

    def create(self, place: Path) -> Repository:
        """Make a repository in a new directory."""
        api.init(place, recipients=() if self.identity is None else [self.identity.with_suffix(".pub")])
        return self.open(place)

    def open(self, place: Path) -> Repository:
        return open_repository(Place(str(place), keys=self._keys))

    def open_copy(self, memory: MemoryStorage) -> Repository:
        """Open the objects of such a repository that were copied to memory."""
        return Repository.open(memory, self._keys)

    @property
    def _keys(self) -> KeySources:
        return KeySources(identity_file=self.identity)


def door(kind: str, directory: Path) -> Door:
    """Make the way into `plain` or `encrypted` repositories; keys are kept in a directory."""
    if kind == "plain":
        return Door()
    api.key_generate(directory / "reader")
    return Door(directory / "reader")
