"""Locks of S3's kind: objects that nobody can remove, or replace, before a date that is set when they are stored.

The date goes up with the object, in two headers of the same signed request, so no object is ever there unlocked. What
the storage made of it is asked back, since some servers ignore headers that they do not know.
"""

from __future__ import annotations

import math
import ssl
import threading
import time
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import obstore
from obstore.exceptions import BaseError

from neokeep.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from obstore.store import S3Store

_LOCKED = ("config", "keys/", "packs/", "backups/", "segments/", "holds/")
"""What a restore needs. The index can be made anew, and marks and leases have to be removed to work at all."""

_SPARE = 0.1
"""By how much more a date is moved on than it must be, so that not every run has to move every date."""

_MODE = "x-amz-object-lock-mode"
_UNTIL = "x-amz-object-lock-retain-until-date"
_FORM = "%Y-%m-%dT%H:%M:%SZ"


class ObjectLock:
    """Stores objects with a date, `seconds` from when they are stored, before which nobody can remove them.

    `opened` makes a store that sends some headers with every request; it is asked anew as time goes on.
    """

    def __init__(self, opened: Callable[[dict[str, str]], S3Store], seconds: float) -> None:
        self._opened = opened
        self._seconds = seconds
        # Dates are rounded up, so that the store need not be made anew for every object.
        self._step = max(1.0, min(3600.0, seconds / 24))
        self._lock = threading.Lock()
        self._until = 0.0
        self._store: S3Store | None = None
        self._proven = False

    @staticmethod
    def applies_to(name: str) -> bool:
        """Tell whether objects of this name are locked."""
        return name.startswith(_LOCKED)

    def store(self) -> S3Store:
        """Give the store to put an object into now."""
        with self._lock:
            until = math.ceil((time.time() + self._seconds) / self._step) * self._step
            if self._store is None or until != self._until:
                date = datetime.fromtimestamp(until, UTC).strftime(_FORM)
                self._store, self._until = self._opened({_MODE: "COMPLIANCE", _UNTIL: date}), until
            return self._store

    def later(self, until: datetime | None) -> datetime | None:
        """Tell to when the end of a lock, None for no lock, has to be moved; None where it lasts long enough."""
        now = datetime.now(UTC)
        if until is not None and until >= now + timedelta(seconds=self._seconds):
            return None
        return (now + timedelta(seconds=self._seconds * (1 + _SPARE) + 1)).replace(microsecond=0)

    def prove(self, asked: Callable[[], datetime | None], url: str) -> None:
        """Ask once until when an object that was stored is locked.

        Raises:
            ConfigurationError: it is not.
        """
        if self._proven:
            return
        until = asked()
        if until is None or until <= datetime.now(UTC):
            raise ConfigurationError(
                f"{url} took an object and did not lock it: it says nothing of a date before which it stays",
                remedy="Make a bucket with object lock enabled and allow s3:PutObjectRetention and "
                "s3:GetObjectRetention, or leave --immutable-for out.",
            )
        self._proven = True


def locked_until(store: S3Store, key: str, ca_file: Path | None = None) -> datetime | None:
    """Ask until when an object is locked; None where the storage does not say."""
    try:
        address = obstore.sign(store, "HEAD", key, timedelta(minutes=5))
        context = ssl.create_default_context() if address.startswith("https:") else None
        if context is not None and ca_file is not None:
            context.load_verify_locations(ca_file)
        request = urllib.request.Request(address, method="HEAD")  # noqa: S310  signed by the library: http or https
        with urllib.request.urlopen(request, timeout=30, context=context) as answer:  # noqa: S310
            told = answer.headers.get(_UNTIL)
    except (BaseError, OSError, ValueError):
        return None
    try:
        return datetime.fromisoformat(told) if told else None
    except ValueError:
        return None
