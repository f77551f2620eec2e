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


class KeyInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One key of a repository, as everybody may see it. `recipient` is a public key in hex, null for a passphrase."""

    id: str
    role: str
    kind: str
    name: str
    created_at: datetime
    recipient: str | None


class KeyListReport(msgspec.Struct, frozen=True, kw_only=True):
    """Outcome of `key list`."""

    repository: str
    repository_id: str
    keys: tuple[KeyInfo, ...]
    damaged: tuple[Failure, ...] = ()


class KeyReport(msgspec.Struct, frozen=True, kw_only=True):
    """Outcome of `key add`, `key remove` and `key change-passphrase`: the key that came, the id of one that went."""

    repository: str
    key: KeyInfo | None
    removed: str | None


class KeyPairReport(msgspec.Struct, frozen=True, kw_only=True):
    """Outcome of `key generate`: the files."""

    private_file: str
    public_file: str


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


class VerifiedBackup(msgspec.Struct, frozen=True, kw_only=True):
    """What verification found about one backup.

    All that it needs was proven since `content_proven_at`, by this verification and earlier ones together; null: some
    of it never was.
    """

    label: str
    database: str
    ok: bool
    problems: tuple[str, ...]
    structure_proven_at: datetime | None = None
    content_proven_at: datetime | None = None


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


class VerifyReport(msgspec.Struct, frozen=True, kw_only=True):
    """Outcome of `verify`. Of the `blocks` that the backups need, `blocks_checked` were read, decoded and hashed.

    `depth` is `structure` or `content`; `part` is such as `3/30`, null where everything was asked for. `resumed_from`
    is the begin of an interrupted verification that this one went on with. What was proven is kept in the repository
    unless `not_recorded_because` tells why not. With `--recover` so many transactions behind full backups were applied
    and compared; else `transactions_applied` is null. `others` and `failures` are those of InfoReport.
    """

    repository: str
    ok: bool
    backups: tuple[VerifiedBackup, ...]
    damaged_objects: tuple[str, ...]
    blocks: int
    bytes_checked: int
    seconds: float
    transactions_applied: int | None = None
    depth: str = "content"
    part: str | None = None
    resumed_from: datetime | None = None
    blocks_checked: int = 0
    recorded: bool = True
    not_recorded_because: str = ""
    others: tuple[VerifyReport, ...] = ()
    failures: tuple[Failure, ...] = ()


class CopiedBackup(msgspec.Struct, frozen=True, kw_only=True):
    """What copying did with one backup. `state` is `copied`, or `present` where the target had it already.

    `bytes_read` are stored bytes of the source, `stored_bytes` what was new in the target, the archived log of its
    chain with a full backup; `skipped_blocks` of its `blocks` were there. `segments` counts those that were copied.
    """

    label: str
    type: str
    database: str
    state: str
    bytes_read: int
    stored_bytes: int
    blocks: int
    skipped_blocks: int
    segments: int


class CopyReport(msgspec.Struct, frozen=True, kw_only=True):
    """Outcome of `copy-backups`: each backup that is in both now, and those that could not be copied.

    `held` are backups that a hold keeps in the source; holds are not copied.
    """

    repository: str
    target: str
    backups: tuple[CopiedBackup, ...]
    failures: tuple[Failure, ...]
    held: tuple[str, ...]
    bytes_read: int
    stored_bytes: int
    seconds: float


class HealReport(msgspec.Struct, frozen=True, kw_only=True):
    """Outcome of `heal`: what was damaged, what was stored anew and proven, and by backup what could not be healed.

    Of the blocks, `own_blocks` were still whole in a damaged pack; the others came from `source`. `manifests` are
    backups whose manifest was stored anew.
    """

    repository: str
    source: str
    ok: bool
    damaged_objects: tuple[str, ...]
    manifests: tuple[str, ...]
    blocks: int
    own_blocks: int
    segments: int
    rebuilt_index: bool
    failures: tuple[Failure, ...]
    bytes_read: int
    stored_bytes: int
    seconds: float


class HoldInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What keeps a backup, and all that it needs, from expiring. `until` is null where it has no end."""

    label: str
    reason: str
    until: datetime | None
    created_at: datetime
    host: str


class HoldReport(msgspec.Struct, frozen=True, kw_only=True):
    """Outcome of `hold` and `release`: the holds of that backup as they are now."""

    repository: str
    label: str
    holds: tuple[HoldInfo, ...]


class ExpiryLine(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of one backup, and why. `source` is empty where its manifest cannot be read."""

    label: str
    type: str
    source: str
    database: str
    finished_at: datetime | None
    keep: bool
    reasons: tuple[str, ...]


class CollectReport(msgspec.Struct, frozen=True, kw_only=True):
    """Outcome of `collect`: what was deleted, what is condemned and when it may go, what the storage refused.

    With `dry_run`, what would be. `reprieved_packs` were condemned and are needed again. `waiting_for` tells of backups
    on their way; `void_backups` are manifests of writers that had been given up. `unused_bytes` lay in packs that are
    needed for other blocks. Of these, `repacked_packs` with `repacked_bytes` were rewritten: the `copied_bytes` that
    are needed are in `repacked_into` new packs, and the old ones go later. `damaged_packs` were found by that. The
    storage keeps `locked_objects`, the first of them until `locked_until`.
    """

    repository: str
    dry_run: bool
    removed_packs: int
    removed_segments: int
    freed_bytes: int
    reprieved_packs: int
    condemned_packs: int
    condemned_segments: int
    condemned_bytes: int
    removable_from: datetime | None
    waiting_for: tuple[str, ...]
    void_backups: tuple[str, ...]
    refused_objects: int
    refused_because: str
    unused_bytes: int
    seconds: float
    repacked_packs: int = 0
    repacked_bytes: int = 0
    repacked_into: int = 0
    copied_bytes: int = 0
    repacking_stopped_because: str = ""
    damaged_packs: tuple[str, ...] = ()
    locked_objects: int = 0
    locked_until: datetime | None = None


class ExpireReport(msgspec.Struct, frozen=True, kw_only=True):
    """Outcome of `expire`: what became of each backup, or would with `dry_run`; `collected` where that followed.

    Of what no rule keeps, the storage keeps `locked_objects`, the first of them until `locked_until`.
    """

    repository: str
    dry_run: bool
    lines: tuple[ExpiryLine, ...]
    removed_backups: int
    refused_objects: int
    refused_because: str
    collected: CollectReport | None = None
    locked_objects: int = 0
    locked_until: datetime | None = None


class RebuildIndexReport(msgspec.Struct, frozen=True, kw_only=True):
    """Outcome of `rebuild-index`: the packs and blocks that the new index knows, and packs that cannot be read."""

    repository: str
    packs: int
    blocks: int
    unreadable_packs: tuple[str, ...]
    index_objects: int
    removed_index_objects: int
    refused_objects: int
    refused_because: str
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
