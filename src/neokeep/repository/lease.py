"""Leases: one process at a time does a piece of maintenance, by the storage's clock and by create-if-absent alone.

A lease is held by whoever created its highest generation, `leases/NAME/GENERATION`, until it is released or older than
it may get. Renewing is creating the next generation: that proves that nobody took over, and tells the time. A holder
who slept for too long finds out before the next step, because its own time has run out or its next generation is taken.
"""

from __future__ import annotations

import os
import re
import secrets
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from socket import gethostname
from typing import TYPE_CHECKING

import msgspec

from neokeep.errors import LockedError, NeokeepError
from neokeep.storage.base import ObjectExists
from neokeep.units import format_time

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from neokeep.storage.base import Storage, StoredObject

PREFIX = "leases"
_GENERATION = re.compile(r"(\d{10})(\.released)?")
_KEPT = timedelta(hours=1)
"""How long earlier generations stay, so that a listing that lags behind cannot make one of them free again."""


class LeaseLost(LockedError):
    """The lease ran out or was taken over: whatever was planned under it may not be true any more."""


class _Holder(msgspec.Struct, frozen=True):
    """Who holds a lease, for people, and for how long without a sign of life."""

    host: str
    process: int
    seconds: float
    token: str = ""
    """Random: where the outcome of a create is looked up afterwards, no other holder's object looks like this one's."""


@dataclass(slots=True)
class Lease:
    """A lease that is held; `since` is the storage's time of its newest generation."""

    storage: Storage
    name: str
    lasts: timedelta
    generation: int
    since: datetime
    _checked: float = field(default_factory=lambda: time.clock_gettime(time.CLOCK_BOOTTIME))

    def renew(self) -> None:
        """Check while nothing is deleted but time passes: only once in a while, by this machine's clock.

        Raises:
            LeaseLost: as for `check`.
        """
        if time.clock_gettime(time.CLOCK_BOOTTIME) - self._checked > self.lasts.total_seconds() / 10:
            self.check()

    def check(self) -> datetime:
        """Prove that the lease is still held, renew it, and return the storage's time.

        Raises:
            LeaseLost: another one holds it, or this process slept for longer than it lasts.
        """
        number = self.generation + 1
        try:
            self.storage.create(_object(self.name, number), _holder(self.lasts))
        except ObjectExists as problem:
            raise _lost(self.name, "another process took it over") from problem
        now = self.storage.stat(_object(self.name, number)).created
        slept = now - self.since
        self.generation, self.since = number, now
        self._checked = time.clock_gettime(time.CLOCK_BOOTTIME)
        if slept > self.lasts:
            self.release()
            raise _lost(self.name, f"it was not renewed for {slept}")
        _trim(self.storage, self.name, number, now)
        return now

    def release(self) -> None:
        """Let others have it at once; where that cannot be stored they have to wait until it runs out."""
        with suppress(NeokeepError):
            self.storage.create(f"{_object(self.name, self.generation)}.released", b"")


@contextmanager
def leased(storage: Storage, name: str, lasts: timedelta) -> Iterator[Lease]:
    """Hold a lease.

    Raises:
        LockedError: another process holds it.
    """
    lease = take_lease(storage, name, lasts)
    try:
        yield lease
    finally:
        lease.release()


def take_lease(storage: Storage, name: str, lasts: timedelta) -> Lease:
    """Take a lease that is free, was released, or ran out.

    Raises:
        LockedError: another process holds it.
    """
    held, released = _generations(storage, name)
    newest = max(held, default=0)
    if newest and newest not in released:
        holder, since = _read_holder(storage, held[newest], lasts), held[newest].created
        if storage_time(storage) - since <= timedelta(seconds=holder.seconds):
            raise _taken(name, f"process {holder.process} on {holder.host} holds it since {format_time(since)}")
    try:
        storage.create(_object(name, newest + 1), _holder(lasts))
    except ObjectExists as problem:
        raise _taken(name, "another process took it at the same moment") from problem
    now = storage.stat(_object(name, newest + 1)).created
    if max(_generations(storage, name)[0], default=0) > newest + 1:
        raise _taken(name, "another process holds a later generation of it")
    _trim(storage, name, newest + 1, now)
    return Lease(storage, name, lasts, newest + 1, now)


def storage_time(storage: Storage) -> datetime:
    """Ask for the time by the storage's clock: that of an object which is created for it and removed again."""
    name = f"probe/{secrets.token_hex(8)}"
    storage.create(name, b"")
    try:
        return storage.stat(name).created
    finally:
        with suppress(NeokeepError):  # Where nothing may be deleted, an empty object stays.
            storage.delete(name)


def _generations(storage: Storage, name: str) -> tuple[dict[int, StoredObject], set[int]]:
    held: dict[int, StoredObject] = {}
    released: set[int] = set()
    for item in storage.list(f"{PREFIX}/{name}"):
        match = _GENERATION.fullmatch(item.name.rsplit("/", 1)[1])
        if match and match[2]:
            released.add(int(match[1]))
        elif match:
            held[int(match[1])] = item
    return held, released


def _trim(storage: Storage, name: str, current: int, now: datetime) -> None:
    """Remove generations of long ago."""
    with suppress(NeokeepError):
        for item in list(storage.list(f"{PREFIX}/{name}")):
            match = _GENERATION.fullmatch(item.name.rsplit("/", 1)[1])
            if match and int(match[1]) < current and item.created < now - _KEPT:
                storage.delete(item.name)


def _object(name: str, generation: int) -> str:
    return f"{PREFIX}/{name}/{generation:010}"


def _holder(lasts: timedelta) -> bytes:
    return msgspec.json.encode(_Holder(gethostname(), os.getpid(), lasts.total_seconds(), secrets.token_hex(8)))


def _read_holder(storage: Storage, item: StoredObject, lasts: timedelta) -> _Holder:
    try:
        return msgspec.json.decode(storage.read(item.name), type=_Holder)
    except (msgspec.MsgspecError, NeokeepError):
        return _Holder("an unknown host", 0, lasts.total_seconds())


def _taken(name: str, why: str) -> LockedError:
    return LockedError(
        f"the repository's lease {name!r} is taken: {why}",
        remedy="Wait until that process ends; the lease of one that was killed runs out within half an hour.",
    )


def _lost(name: str, why: str) -> LeaseLost:
    return LeaseLost(
        f"the repository's lease {name!r} was lost: {why}", remedy="Nothing more was deleted; run the command again."
    )
