"""What commands and the Python API return: frozen values whose JSON form is the stable interface.

Fields may be added, never removed or renamed. Times are UTC with zone; sizes are bytes. Shapes: docs/json.md.
"""

from __future__ import annotations

from datetime import datetime

import msgspec


class LeftOutInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A file or index that is not in a backup, and why; Neo4j makes it again when `rebuilt`."""

    path: str
    reason: str
    rebuilt: bool


class BackupInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One backup of one database. Transactions are ids; `first_tx` to `last_tx` are in the captured log."""

    label: str
    type: str
    source: str
    host: str
    home: str
    database: str
    neo4j_version: str | None
    edition: str
    store_id: str
    store_format: str
    running: bool
    started_at: datetime
    finished_at: datetime
    checkpoint_tx: int | None
    checkpoint_position: str
    first_tx: int
    last_tx: int
    last_commit_time: datetime | None
    end_position: str
    size_bytes: int
    stored_bytes: int
    bytes_read: int
    file_count: int
    seconds: float
    attempts: int
    file_retries: int
    left_out: tuple[LeftOutInfo, ...]
    events: tuple[str, ...]
    neokeep_version: str
    base: str | None = None
    """Of an incremental backup: the full one that it goes on with."""
    reason: str = ""
    """Why it is of this type."""


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """Something that could not be done: of which database or backup, of what kind, what to do next."""

    subject: str
    kind: str
    message: str
    remedy: str


class BackupReport(msgspec.Struct, frozen=True, kw_only=True):
    """Outcome of `backup`: the backups that now exist, and the databases that failed."""

    repository: str
    backups: tuple[BackupInfo, ...]
    failures: tuple[Failure, ...]


class InfoReport(msgspec.Struct, frozen=True, kw_only=True):
    """Outcome of `info`: every backup, newest last, and the manifests that cannot be read."""

    repository: str
    repository_id: str
    format: int
    backups: tuple[BackupInfo, ...]
    damaged: tuple[Failure, ...]


class InitReport(msgspec.Struct, frozen=True, kw_only=True):
    """Outcome of `init`."""

    repository: str
    repository_id: str
    format: int
    encrypted: bool


class RestoreReport(msgspec.Struct, frozen=True, kw_only=True):
    """Outcome of `restore`: `label` is the full backup, `segments` counts the stretches of log put on top of it.

    `recovered` tells whether Neo4j's recovery ran already.
    """

    label: str
    segments: int
    database: str
    restored_as: str
    home: str
    store_directory: str
    log_directory: str
    last_tx: int
    last_commit_time: datetime | None
    size_bytes: int
    file_count: int
    seconds: float
    recovered: bool
    replaced: bool
    left_out: tuple[LeftOutInfo, ...]
    next_steps: tuple[str, ...]


class ChangeCounts(msgspec.Struct, frozen=True, kw_only=True):
    """How many of one kind a transaction created, changed and deleted."""

    created: int
    changed: int
    deleted: int


class TransactionInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One transaction: when it was committed, how large it is, and what it did. `position` is log version and offset.

    `additional_header` is what the server kept beside it, in hex; Community leaves it empty.
    """

    id: int
    committed_at: datetime
    size_bytes: int
    position: str
    nodes: ChangeCounts
    relationships: ChangeCounts
    properties: ChangeCounts
    tokens: ChangeCounts
    schema: ChangeCounts
    additional_header: str


class LogReport(msgspec.Struct, frozen=True, kw_only=True):
    """Outcome of `log`: transactions of one chain, oldest first.

    `matched` counts all that the filter let through, of which the newest are listed. Restores reach `window_first` to
    `window_last`; earlier transactions are listed where the full backup captured them.
    """

    repository: str
    database: str
    chain: str
    window_first: int
    window_last: int
    matched: int
    transactions: tuple[TransactionInfo, ...]


class VerifiedBackup(msgspec.Struct, frozen=True, kw_only=True):
    """What verification found about one backup."""

    label: str
    database: str
    ok: bool
    problems: tuple[str, ...]


class VerifyReport(msgspec.Struct, frozen=True, kw_only=True):
    """Outcome of `verify`. Every block that the backups need was read, decoded and hashed."""

    repository: str
    ok: bool
    backups: tuple[VerifiedBackup, ...]
    damaged_objects: tuple[str, ...]
    blocks: int
    bytes_checked: int
    seconds: float


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that `check` tried. `status` is `ok`, `warning` or `error`; `kind` names the exit code of an error."""

    subject: str
    status: str
    message: str
    remedy: str = ""
    kind: str = ""


class CheckReport(msgspec.Struct, frozen=True, kw_only=True):
    """Outcome of `check`."""

    source: str
    repository: str
    ok: bool
    findings: tuple[Finding, ...]
