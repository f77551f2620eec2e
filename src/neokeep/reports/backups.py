"""Reports on backups: making, listing and restoring them, and their log."""

from __future__ import annotations

from datetime import datetime

import msgspec


class LeftOutInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A file or index that is not in a backup, and why; Neo4j makes it again when `rebuilt`."""

    path: str
    reason: str
    rebuilt: bool


class IngestedInfo(msgspec.Struct, frozen=True, kw_only=True):
    """Of which archive of Neo4j's own a backup was made: its path or URL, `-` for a pipe; its type and format.

    `size_bytes` and `modified` are those of the archive, null of a pipe. `dated_by` tells how the date of the backup
    was found: `option`, `header`, `log` (the last commit), `file` (when that was written), or `arrival`.
    """

    archive: str
    type: str
    format: str
    size_bytes: int | None
    modified: datetime | None
    ingested_at: datetime
    dated_by: str


class ServerFilesInfo(msgspec.Struct, frozen=True, kw_only=True):
    """The server's other files in a backup: how much was asked for, how many are stored, and what is missing.

    Of the files that are `redacted` some values are left out.
    """

    mode: str
    file_count: int
    redacted: tuple[str, ...]
    left_out: tuple[LeftOutInfo, ...]


class CertificateInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A certificate that ends soon; `days_left` is negative when it has ended."""

    path: str
    subject: str
    not_after: datetime
    days_left: int


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
    compressed_bytes: int | None = None
    """Of a full backup: what its blocks take in the repository, those too that were there before."""
    structure_proven_at: datetime | None = None
    """When all that it needs was last there; null: that was never looked at."""
    content_proven_at: datetime | None = None
    """Since when every byte that it needs was proven; null: never."""
    recovered_at: datetime | None = None
    """When the log behind it was last applied in scratch, by `verify --recover`; null: never."""
    verified_whole: bool | None = None
    """Whether the last verification that looked at it found it whole; null: none did."""
    consistency_checked_at: datetime | None = None
    """When the graph in it was last checked, by `backup --check` or `check-consistency --backup`; null: never."""
    inconsistencies: int | None = None
    """How many inconsistencies that found; null: it was never checked."""
    ingested: IngestedInfo | None = None
    """The archive that it was made of; null: it was captured from a server."""
    server_files: ServerFilesInfo | None = None
    """The server's other files that are in it; null: none."""


class WindowInfo(msgspec.Struct, frozen=True, kw_only=True):
    """From which moment to which one can restore on top of the full backup `base`, both ends included.

    `segments` and `log_bytes` (as stored) are the archived log that leads from the first to the last; `problems` tell
    what ends the window early, and `unreachable_segments` counts what lies behind a gap. A time is null where nothing
    tells it.
    """

    base: str
    database: str
    source: str
    first_tx: int
    last_tx: int
    first_time: datetime | None
    last_time: datetime | None
    segments: int
    log_bytes: int
    unreachable_segments: int
    problems: tuple[str, ...]


class HoldInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What keeps a backup, and all that it needs, from expiring. `until` is null where it has no end."""

    label: str
    reason: str
    until: datetime | None
    created_at: datetime
    host: str


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """Something that could not be done: of which database or backup, of what kind, what to do next."""

    subject: str
    kind: str
    message: str
    remedy: str


class BackupReport(msgspec.Struct, frozen=True, kw_only=True):
    """Outcome of `backup`: the backups that now exist, and the databases that failed.

    Where several repositories were given, this is that of the first, and `others` has one for each of the others.
    """

    repository: str
    backups: tuple[BackupInfo, ...]
    failures: tuple[Failure, ...]
    others: tuple[BackupReport, ...] = ()
    certificates: tuple[CertificateInfo, ...] = ()
    """Certificates of the server that end within 30 days, or have ended."""
    unchecked: tuple[Failure, ...] = ()
    """Backups that were made and could not be checked as `--check` wanted, and why."""


class InfoReport(msgspec.Struct, frozen=True, kw_only=True):
    """Outcome of `info`: every backup and every restore window, newest last, and the manifests that cannot be read.

    Where several repositories were given, this is that of the first that answered, `others` has those of the others,
    and `failures` tell of those that did not answer.
    """

    repository: str
    repository_id: str
    format: int
    encrypted: bool = False
    backups: tuple[BackupInfo, ...]
    damaged: tuple[Failure, ...]
    windows: tuple[WindowInfo, ...] = ()
    holds: tuple[HoldInfo, ...] = ()
    others: tuple[InfoReport, ...] = ()
    failures: tuple[Failure, ...] = ()


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
    recovered_by: str | None = None
    """The engine that recovered, `neo4j` or `native`."""
    repository: str = ""
    fell_over: tuple[str, ...] = ()
    """Of several repositories: what the one could not give, and which gave it."""


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


class ConsolidateReport(msgspec.Struct, frozen=True, kw_only=True):
    """Outcome of `consolidate`: the new full backup, and the old one and the segments that it was made of.

    `engine` is `native` or `neo4j`. Of its `blocks` so many are new; the others are shared with older backups.
    """

    repository: str
    backup: BackupInfo
    base: str
    segments: int
    engine: str
    blocks: int
    new_blocks: int


class ArchiveEvent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something that `archive` did or met, one JSON line each. Which fields are there depends on `event`.

    `following`: a chain was taken over. `archived`: transactions are durable; `delay_seconds` is how long the oldest of
    them waited. `state`: how far the archive is behind; where nothing tells, the fields of the lag are left out.
    `trouble`: what fails and is tried again; `recovered`: it does not any more. `broken`: the chain cannot go on;
    `gap`: transactions to which no restore can go. `full backup begun`, `full backup`: a new chain; `full backup
    failed`: it is tried again. `merged`: `segments` small ones became `into` larger ones, and `removed` are gone that
    were merged earlier; `upkeep failed`: what archiving does not depend on. `stopped`: the last one.
    """

    time: datetime
    event: str
    source: str
    database: str
    chain: str | None = None
    first_tx: int | None = None
    last_tx: int | None = None
    segments: int | None = None
    log_bytes: int | None = None
    stored_bytes: int | None = None
    delay_seconds: float | None = None
    lag_transactions: int | None = None
    lag_bytes: int | None = None
    lag_seconds: float | None = None
    into: int | None = None
    removed: int | None = None
    freed_bytes: int | None = None
    retry_seconds: float | None = None
    message: str = ""
    kind: str = ""
    remedy: str = ""
    repository: str = ""
    """Which one, where there are several; `database` is `*` for what concerns all of a source."""
