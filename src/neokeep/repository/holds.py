"""Holds: what keeps a backup, and all that it needs, from expiring, until it is released or ends.

A hold is an object that is written once, and so is its release. One that cannot be read holds.
"""

from __future__ import annotations

import secrets
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from socket import gethostname
from typing import TYPE_CHECKING

import msgspec
from blake3 import blake3

from neokeep import reports
from neokeep.errors import IntegrityError, RepositoryError, UsageError
from neokeep.repository.lease import leased
from neokeep.repository.manifest import manifest_name
from neokeep.storage.base import ObjectExists, ObjectMissing
from neokeep.units import format_time

if TYPE_CHECKING:
    from neokeep.repository.repository import Repository
    from neokeep.storage.base import Storage

PREFIX = "holds"
RELEASED = "released"
LEASE = "expire"
LASTS = timedelta(minutes=30)


class _Content(msgspec.Struct, frozen=True, kw_only=True):
    label: str
    reason: str
    until: datetime | None
    created_at: datetime
    host: str
    salt: str


@dataclass(frozen=True, slots=True)
class Hold:
    """One hold of a backup; `identity` is the hash in its name."""

    label: str
    identity: str
    reason: str
    until: datetime | None
    created_at: datetime
    host: str

    def counts_at(self, now: datetime) -> bool:
        """Tell whether it has not ended."""
        return self.until is None or now < self.until


def place_hold(repository: Repository, label: str, reason: str, until: datetime | None) -> None:
    """Keep a backup and all that it needs from expiring; `until` is by the storage's clock.

    Raises:
        RepositoryError: there is no such backup.
        UsageError: the end is over already.
        LockedError: backups expire at this moment.
    """
    storage = repository.storage
    # The lease of expire: a hold either comes before what expire looks at, or after it is done.
    with leased(storage, LEASE, LASTS) as lease:
        require_backup(storage, label)
        if until is not None and lease.since >= until:
            raise UsageError(f"the hold would end at {format_time(until)}, which is over", remedy="Give a later time.")
        content = _Content(
            label=label,
            reason=reason,
            until=until,
            created_at=datetime.now(UTC),
            host=gethostname(),
            salt=secrets.token_hex(8),
        )
        data = msgspec.json.encode(content)
        lease.check()
        storage.create(f"{PREFIX}/{label}/{blake3(data).hexdigest()}", data)


def release_holds(repository: Repository, label: str) -> None:
    """End all holds of a backup.

    Raises:
        UsageError: it is not held.
    """
    held = [hold for hold in list_holds(repository.storage) if hold.label == label]
    if not held:
        raise UsageError(f"{label} is not held", remedy="See what is: neokeep info")
    for hold in held:
        with suppress(ObjectExists):
            repository.storage.create(f"{RELEASED}/{hold.identity}", b"")


def list_holds(storage: Storage) -> list[Hold]:
    """List the holds that were not released, the oldest first, those too that have ended."""
    released = {item.name.rsplit("/", 1)[1] for item in storage.list(RELEASED)}
    found: list[Hold] = []
    for item in storage.list(PREFIX):
        _, label, identity = item.name.split("/", 2)
        if identity in released:
            continue
        try:
            content = _decode(identity, storage.read(item.name))
        except ObjectMissing:
            continue
        except IntegrityError:
            content = None
        if content is None:
            found.append(Hold(label, identity, "the hold cannot be read", None, item.created, "unknown"))
        else:
            found.append(Hold(label, identity, content.reason, content.until, content.created_at, content.host))
    return sorted(found, key=lambda hold: (hold.created_at, hold.identity))


def describe_holds(repository: Repository, label: str) -> reports.HoldReport:
    """Tell of the holds of one backup."""
    held = tuple(hold_info(hold) for hold in list_holds(repository.storage) if hold.label == label)
    return reports.HoldReport(repository=repository.storage.url, label=label, holds=held)


def hold_info(hold: Hold) -> reports.HoldInfo:
    """Tell of one hold."""
    return reports.HoldInfo(
        label=hold.label, reason=hold.reason, until=hold.until, created_at=hold.created_at, host=hold.host
    )


def reasons_of_holds(storage: Storage, now: datetime) -> dict[str, str]:
    """Give the reasons of what is held at a moment, by label."""
    reasons: dict[str, list[str]] = {}
    for hold in list_holds(storage):
        if hold.counts_at(now):
            reasons.setdefault(hold.label, []).append(hold.reason)
    return {label: "; ".join(texts) for label, texts in reasons.items()}


def require_backup(storage: Storage, label: str) -> None:
    """Prove that there is a manifest of a label, whole or not.

    Raises:
        RepositoryError: there is none.
    """
    try:
        storage.stat(manifest_name(label))
    except (ObjectMissing, ValueError) as problem:
        raise RepositoryError(
            f"there is no backup {label} in {storage.url}", remedy=f"List them with: neokeep info --repo {storage.url}"
        ) from problem


def _decode(identity: str, data: bytes) -> _Content | None:
    if blake3(data).hexdigest() != identity:
        return None
    try:
        return msgspec.json.decode(data, type=_Content)
    except msgspec.MsgspecError:
        return None
