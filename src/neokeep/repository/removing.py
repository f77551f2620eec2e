"""Deleting objects in small batches under a lease, and counting what was freed and what the store refused.

A store that only takes new objects refuses: that is told, and harms nothing. What it keeps until a time, as it was told
to when the object was stored, is no refusal: it goes in a run after that time.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

from neokeep.errors import NeokeepError, PartialError
from neokeep.storage.base import ObjectLocked

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from neokeep.repository.lease import Lease
    from neokeep.storage.base import Storage

BATCH = 64
MOST_REFUSALS = 100
"""Refusals after which no more is tried: a store that refuses everything is not asked a million times."""


@dataclass(slots=True)
class Remover:
    """Deletes under a lease.

    `gone` holds names, `refused` names and reasons, `locked` names and ends of locks; `freed` counts bytes.
    """

    storage: Storage
    lease: Lease
    gone: set[str] = field(default_factory=set)
    freed: int = 0
    refused: dict[str, str] = field(default_factory=dict)
    locked: dict[str, datetime] = field(default_factory=dict)

    @property
    def locked_until(self) -> datetime | None:
        """The first end of a lock that was met."""
        return min(self.locked.values(), default=None)

    def remove(self, objects: Iterable[tuple[str, int]]) -> bool:
        """Delete objects, given by name and size; the lease is checked before each batch. True when all are gone.

        Raises:
            LeaseLost: another process took over; nothing more was deleted.
        """
        complete = True
        pending = iter(objects)
        while batch := list(islice(pending, BATCH)):
            if len(self.refused) + len(self.locked) >= MOST_REFUSALS:
                return False
            self.lease.check()
            for name, size in batch:
                complete = self._delete(name, size) and complete
        return complete

    def _delete(self, name: str, size: int) -> bool:
        try:
            self.storage.delete(name)
        except ObjectLocked as problem:
            self.locked[name] = problem.until
            return False
        except NeokeepError as problem:
            self.refused[name] = problem.message
            return False
        self.gone.add(name)
        self.freed += size
        return True


def refusal(refused: int, example: str, repository: str) -> PartialError:
    """Make the error that tells of deletions that a store refused."""
    return PartialError(
        f"{repository} refused to delete {refused} objects; the first: {example}",
        remedy="If it is append-only this is what it is for: run this with an identity that may delete. The "
        "backups are as they were.",
    )
