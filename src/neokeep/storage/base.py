"""The interface to a place where objects live, and what every implementation promises.

Objects are written once, whole, and only if absent: there is no overwrite, no append and no rename. `create` returns
only when the object is durable and visible to every reader; if it fails, either nothing or the whole object is there.
Names are relative, of letters, digits and `._-`, with `/` between levels; they never contain `..`.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from neokeep.errors import AccessError, RepositoryError, UnreachableError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from typing_extensions import Buffer

    from neokeep.encryption.content import ContentKeys

_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")
LONGEST_NAME = 512


class ObjectExists(RepositoryError):
    """An object of this name is there already; it was left as it is."""


class ObjectMissing(RepositoryError):
    """There is no object of this name."""


class ObjectLocked(AccessError):
    """The storage keeps an object from being removed before a time, `until`, as it was told to."""

    def __init__(self, message: str, until: datetime, *, remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.until = until


class TransientError(UnreachableError):
    """It did not work this time and may work when it is done again; whether anything was done is not known."""


@dataclass(frozen=True, slots=True)
class StoredObject:
    """Name, size in bytes, and time of creation by the storage's own clock (UTC)."""

    name: str
    size: int
    created: datetime


class Storage(ABC):
    """One place where objects live. Safe to use from several threads."""

    url: str
    """What to call this place in messages; never holds a secret."""

    @abstractmethod
    def create(self, name: str, data: Buffer) -> None:
        """Store a new object durably.

        Raises:
            ObjectExists: the name is taken.
            SpaceError, AccessError, CredentialsError, UnreachableError, RepositoryError: it could not be stored.
            TransientError: it may have been stored, now or a moment later, or not at all.
        """

    @abstractmethod
    def read(self, name: str, offset: int = 0, length: int | None = None) -> bytes:
        """Read an object or a range of it; shorter than `length` only at its end.

        Raises:
            ObjectMissing: there is none.
        """

    @abstractmethod
    def stat(self, name: str) -> StoredObject:
        """Describe one object.

        Raises:
            ObjectMissing: there is none.
        """

    @abstractmethod
    def list(self, prefix: str) -> Iterator[StoredObject]:
        """List the objects below a level such as `packs`, in no order."""

    @abstractmethod
    def delete(self, name: str) -> None:
        """Remove an object, durably; no error when it is gone already."""

    @abstractmethod
    def clear_abandoned(self) -> int:
        """Remove what writers that were killed long ago left behind; return its bytes."""

    @property
    def content_keys(self) -> ContentKeys | None:
        """What seals contents that only readers may open; None where nothing is encrypted."""
        return None

    def prepare(self) -> tuple[str, ...]:
        """Make the place where that is possible, for a new repository; return what is at its top level."""
        return ()

    def expect(self, name: str) -> None:  # noqa: B027  most places cannot be taken for another one
        """From now on, take a place without this object for one that is gone, never for an empty one."""

    def caveats(self) -> tuple[str, ...]:
        """Say what a user should know about this place that is no error, for `check` to tell."""
        return ()

    @abstractmethod
    def free_bytes(self) -> int | None:
        """Space left for new objects, or None where the place does not say."""


@runtime_checkable
class ExtendsLocks(Protocol):
    """A storage that can lock objects that are there already, and for longer than they were."""

    @property
    def locks(self) -> bool:
        """Tell whether it was asked to lock objects."""

    def extend_lock(self, name: str) -> bool:
        """Lock an object for at least as long as one that is stored now; False where it was already.

        Raises:
            ConfigurationError: what this needs is not installed.
            ObjectMissing, AccessError, UnreachableError: the lock is as it was.
        """


def checked_name(name: str) -> str:
    """Return `name`, or raise ValueError: a bad name is a defect of the caller."""
    if len(name) > LONGEST_NAME or not _NAME.fullmatch(name):
        raise ValueError(f"not an object name: {name!r}")
    return name
