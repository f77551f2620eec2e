"""Reports on what keeps repositories well: verifying, copying, healing, expiring, collecting, checking."""

from __future__ import annotations

from datetime import datetime

import msgspec

from neokeep.reports.backups import Failure, HoldInfo


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
    storage keeps `locked_objects`, the first of them until `locked_until`. Of what backups need, the dates of
    `extended_locks` objects were moved on; those of `locks_not_extended` could not be.
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
    extended_locks: int = 0
    locks_not_extended: int = 0
    locks_not_extended_because: str = ""


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
