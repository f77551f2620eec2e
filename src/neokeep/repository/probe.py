"""Trying what a place really honours: create-if-absent under a race, read after write, listing, its clock.

A place that lets two writers create one name would lose a backup silently one day; it is refused by `init` and `check`.
"""

from __future__ import annotations

import os
import secrets
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from neokeep.errors import IntegrityError, RepositoryError
from neokeep.storage.base import ObjectExists
from neokeep.workers import run_workers

if TYPE_CHECKING:
    from neokeep.storage.base import Storage

_RACERS = 8
_SIZE = 1 << 20
CLOCK_TOLERANCE_SECONDS = 180


def probe(storage: Storage) -> float:
    """Write, race for, read back, list and remove one object; return the storage's clock minus ours, in seconds.

    Raises:
        RepositoryError: create-if-absent or listing is not honoured.
        IntegrityError: what was read is not what was written.
    """
    name = f"probe/{secrets.token_hex(8)}"
    contents = [os.urandom(_SIZE) for _ in range(_RACERS)]
    winners: list[int] = []
    numbers = iter(range(_RACERS))
    lock = threading.Lock()

    def race(_stopping: threading.Event) -> None:
        with lock:
            number = next(numbers)
        try:
            storage.create(name, contents[number])
        except ObjectExists:
            return
        with lock:
            winners.append(number)

    before = datetime.now(UTC)
    try:
        run_workers(race, _RACERS)
        if len(winners) != 1:
            raise RepositoryError(
                f"{storage.url} let {len(winners)} of {_RACERS} writers create the same object",
                remedy="Use a storage that honours create-if-absent: two backups at once would lose one of them.",
            )
        if storage.read(name) != contents[winners[0]]:
            raise IntegrityError(f"{storage.url} returned other bytes than were written", remedy="Check that disk.")
        found = [item for item in storage.list("probe") if item.name == name]
        if len(found) != 1:
            raise RepositoryError(f"{storage.url} does not list a new object", remedy="Use another storage.")
        return (found[0].created - before).total_seconds()
    finally:
        storage.delete(name)
