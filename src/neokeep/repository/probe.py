"""Trying what a place really honours: create-if-absent under a race, read after write, listing, removal, its clock.

A place that lets two writers create one name would lose a backup silently one day; it is refused by `init` and `check`.
"""

from __future__ import annotations

import os
import secrets
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from blake3 import blake3

from neokeep.errors import AccessError, IntegrityError, RepositoryError
from neokeep.storage.base import ObjectExists, ObjectMissing
from neokeep.workers import run_workers

if TYPE_CHECKING:
    from neokeep.storage.base import Storage

RACERS = 8
_SIZES = (1 << 20, 1000, 0)
"""What is raced for: once with contents that take their time, then with two that arrive together."""
CLOCK_TOLERANCE_SECONDS = 180
CLOCK_LIMIT_SECONDS = 900
"""From here on S3 refuses every request; nobody's clock should be so far off."""
_ROUNDED_SECONDS = 1
"""Most places give times in whole seconds."""


@dataclass(frozen=True, slots=True)
class Probed:
    """What a place does: its clock minus ours in seconds, and whether objects can be removed."""

    skew: float
    can_delete: bool


def probe(storage: Storage) -> Probed:
    """Race for objects, read them back, list and remove them.

    Raises:
        RepositoryError: create-if-absent, read after write or listing is not honoured.
        IntegrityError: what was read is not what was written.
    """
    names = [f"probe/{secrets.token_hex(8)}" for _ in _SIZES]
    can_delete = True
    before = datetime.now(UTC)
    try:
        for name, size in zip(names, _SIZES, strict=True):
            _race(storage, name, size)
        between = before + (datetime.now(UTC) - before) / 2
        found = {item.name: item for item in storage.list("probe")}
        if not found.keys() >= set(names):
            raise RepositoryError(
                f"{storage.url} does not list a new object",
                remedy="Use another storage, or turn off what caches its listings.",
            )
        skew = (found[names[-1]].created - between).total_seconds()
    finally:
        for name in names:
            can_delete = _removed(storage, name) and can_delete
    return Probed(0.0 if abs(skew) <= _ROUNDED_SECONDS else skew, can_delete)


def _race(storage: Storage, name: str, size: int) -> None:
    # No place may take two of them for one, or pack them; the system's own random bytes would take ten times as long.
    contents = [number.to_bytes(1, "little") + blake3(os.urandom(32)).digest(length=size) for number in range(RACERS)]
    winners: list[int] = []
    numbers = iter(range(RACERS))
    lock = threading.Lock()

    def race(_stopping: threading.Event) -> None:
        with lock:
            number = next(numbers)
        try:
            storage.create(name, contents[number])
        except ObjectExists:
            _read_back(storage, name, contents)
            return
        with lock:
            winners.append(number)

    run_workers(race, RACERS)
    if len(winners) != 1:
        raise RepositoryError(
            f"{storage.url} let {len(winners)} of {RACERS} writers create the same object",
            remedy="Use a storage that honours create-if-absent: two backups at once would lose one of them.",
        )
    try:
        storage.create(name, contents[(winners[0] + 1) % RACERS])
    except ObjectExists:
        _read_back(storage, name, [contents[winners[0]]])
        return
    raise RepositoryError(
        f"{storage.url} replaced an object that was there already",
        remedy="Use a storage that honours create-if-absent: two backups at once would lose one of them.",
    )


def _read_back(storage: Storage, name: str, contents: list[bytes]) -> None:
    """Read an object whole and in part; whoever was told that it is there must find one of these contents."""
    try:
        data = storage.read(name)
        part = storage.read(name, 1, 100)
    except ObjectMissing as problem:
        raise RepositoryError(
            f"{storage.url} does not find an object that it has just stored",
            remedy="Use a storage in which everybody sees at once what was written.",
        ) from problem
    if data not in contents or part != data[1:101]:
        raise IntegrityError(f"{storage.url} returned other bytes than were written", remedy="Check that storage.")


def _removed(storage: Storage, name: str) -> bool:
    try:
        storage.delete(name)
    except AccessError:
        return False  # A place that only takes is a good one for backups; `check` tells.
    return True
