"""Encrypted repositories for tests: their secrets, and readers and writers of one place."""

from __future__ import annotations

from helpers.storages import MemoryStorage
from neokeep.encryption.creating import FirstKeys
from neokeep.encryption.sealed import Sealed
from neokeep.encryption.secrets import Secrets
from neokeep.repository.repository import Repository

SECRETS = Secrets.generate()
"""Those of every encrypted repository of a test run."""


def writers_part(secrets: Secrets) -> Secrets:
    return Secrets.from_bundle("writer", secrets.bundle("writer"))


def encrypted_repository() -> tuple[Repository, MemoryStorage]:
    """A repository that a reader has open, and the storage below it. No key object is there."""
    storage = MemoryStorage()
    return Repository.create(storage, FirstKeys(SECRETS, ())), storage


def as_writer(repository: Repository, storage: MemoryStorage) -> Repository:
    """The same repository, opened with a writer's key."""
    return Repository(Sealed(storage, writers_part(SECRETS)), repository.config)
