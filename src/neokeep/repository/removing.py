"""Deleting objects in small batches under a lease, and counting what was freed and what the store refused.

A store that only takes new objects, or holds locked ones, refuses: that is told, and harms nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

from neokeep.errors import NeokeepError, PartialError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from neokeep.repository.lease import Lease
    from neokeep.storage.base import Storage

BATCH = 64
MOST_REFUSALS = 100
"""Refusals after which no more is tried: a store that refuses everything is not asked a million times."""


@dataclass(slots=True)
class Remover:
    """Deletes under a lease. `gone` holds names, `refused` names and reasons, `freed` counts bytes."""

    storage: Storage
    lease: Lease
    gone: set[str] = field(default_factory=set)
    freed: int = 0
    refused: dict[str, str] = field(default_factory=dict)

    def remove(self, objects: Iterable[tuple[str, int]]) -> bool:
        """Delete objects, given by name and size; the lease is checked before each batch. True when all are gone.

        Raises:
            LeaseLost: another process took over; nothing more was deleted.
        """
        complete = True
        pending = iter(objects)
        while batch := list(islice(pending, BATCH)):
            if len(self.refused) >= MOST_REFUSALS:
                return False
            self.lease.check()
            for name, size in batch:
                complete = self._delete(name, size) and complete
        return complete

    def _delete(self, name: str, size: int) -> bool:
        try:
            self.storage.delete(name)
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
        remedy="If it is append-only or locks its objects this is what it is for: run this with an identity that may "
        "delete, or when the locks have ended. The backups are as they were.",
    )
