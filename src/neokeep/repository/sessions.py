"""Writers tell that they are at work, so that nothing is deleted that a backup on its way counts on.

A writer creates `writers/ID` before it reads which blocks there are, and its manifest names that ID. Garbage collection
waits for every writer that did not know what was condemned. One that gives no manifest for too long is given up:
`revoked/ID` is created, and a manifest that names a revoked writer is no backup, whenever it appears. Why this is safe
is told in docs/architecture.md.
"""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from socket import gethostname
from typing import TYPE_CHECKING

import msgspec

from neokeep.errors import IntegrityError, NeokeepError, RepositoryError
from neokeep.repository.condemned import list_condemned
from neokeep.storage.base import ObjectExists, ObjectMissing

if TYPE_CHECKING:
    from datetime import datetime

    from neokeep.repository.manifest import Manifest
    from neokeep.storage.base import Storage

PREFIX = "writers"
REVOKED = "revoked"
PATIENCE = timedelta(days=7)
"""A backup that takes longer may be given up; it then fails, and nothing else does."""


class BackupVoid(IntegrityError):
    """A manifest whose writer had been given up before: its blocks may be gone."""

    def __init__(self, label: str, writer: str) -> None:
        super().__init__(
            f"backup {label} was committed by a writer that had been given up before, so blocks of it may be gone",
            remedy="Use another backup; 'neokeep collect' removes this one.",
        )
        self.writer = writer


class WriterRecord(msgspec.Struct, frozen=True):
    """Who writes, for people, and the names of the condemned lists that it knew when it began."""

    host: str
    process: int
    knows: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Session:
    """A writer at work: its id, and the packs that it may not count on because they were condemned."""

    identity: str
    avoided: frozenset[bytes]


@dataclass(frozen=True, slots=True)
class WriterMark:
    """A writer that told that it began; `created` is the storage's time. What cannot be read tells nothing."""

    identity: str
    created: datetime
    record: WriterRecord

    @property
    def name(self) -> str:
        """The object name."""
        return f"{PREFIX}/{self.identity}"


def open_session(storage: Storage) -> Session:
    """Tell that a writer begins; whoever calls this reads the index of the repository after it, never before."""
    known = list_condemned(storage)
    identity = secrets.token_hex(16)
    record = WriterRecord(gethostname(), os.getpid(), tuple(one.name for one in known))
    storage.create(f"{PREFIX}/{identity}", msgspec.json.encode(record))
    # What was condemned before the mark could be seen is found here; what is condemned later waits for this writer.
    avoided = {pack for one in (*known, *list_condemned(storage)) for pack in one.packs}
    return Session(identity, frozenset(avoided))


def close_session(storage: Storage, identity: str) -> None:
    """Tell that a writer ended without a backup; one that cannot tell is given up some day."""
    with suppress(NeokeepError):
        storage.delete(f"{PREFIX}/{identity}")


def list_writers(storage: Storage) -> list[WriterMark]:
    """List the writers that told that they began, the oldest first."""
    found: list[WriterMark] = []
    for item in storage.list(PREFIX):
        try:
            record = msgspec.json.decode(storage.read(item.name), type=WriterRecord)
        except ObjectMissing:
            continue
        except (msgspec.MsgspecError, IntegrityError):
            record = WriterRecord("an unknown host", 0, ())
        found.append(WriterMark(item.name.rsplit("/", 1)[1], item.created, record))
    return sorted(found, key=lambda mark: mark.created)


def revoke(storage: Storage, identity: str) -> bool:
    """Give a writer up: from now on its manifest is no backup. False when somebody else gave it up before."""
    try:
        storage.create(f"{REVOKED}/{identity}", b"")
    except ObjectExists:
        return False
    return True


def revoked_writers(storage: Storage) -> frozenset[str]:
    """List the writers that were given up."""
    return frozenset(item.name.rsplit("/", 1)[1] for item in storage.list(REVOKED))


def is_revoked(storage: Storage, identity: str) -> bool:
    """Tell whether a writer was given up."""
    try:
        storage.stat(f"{REVOKED}/{identity}")
    except (ObjectMissing, ValueError):
        return False
    return True


def require_session(storage: Storage, identity: str) -> None:
    """Prove that a writer was not given up.

    Raises:
        RepositoryError: it was.
    """
    if is_revoked(storage, identity):
        raise RepositoryError(
            f"this backup was given up by garbage collection: its writer began more than {PATIENCE.days} days ago",
            remedy="Repeat it; let it read faster (--rate-limit, --jobs), so that it ends earlier.",
        )


def void(manifest: Manifest) -> BackupVoid:
    """Make the error for a manifest whose writer was given up."""
    return BackupVoid(manifest.label, manifest.writer or "")
