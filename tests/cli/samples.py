"""Reports as the work would return them, for golden files and texts."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec

from neokeep import reports

NOON = datetime(2026, 8, 1, 12, 0, 0, tzinfo=UTC)

LEFT_OUT = (
    reports.LeftOutInfo(
        path="schema/index/fulltext-1.0/7", reason="it changed while it was copied, three times", rebuilt=True
    ),
)
BACKUP = reports.BackupInfo(
    label="neo4j-20260801-120000F",
    type="full",
    source="production",
    host="db1",
    home="/var/lib/neo4j",
    database="neo4j",
    neo4j_version="5.26.30",
    edition="community",
    store_id="1790000000000-4711-record-aligned-1.1",
    store_format="aligned",
    running=True,
    started_at=NOON,
    finished_at=NOON.replace(second=4, microsecond=250_000),
    checkpoint_tx=34_990,
    checkpoint_position="3:1048640",
    first_tx=34_991,
    last_tx=35_023,
    last_commit_time=NOON.replace(second=4),
    end_position="4:2211",
    size_bytes=2_104_533_975,
    stored_bytes=587_202_560,
    bytes_read=2_110_000_000,
    file_count=41,
    seconds=4.25,
    attempts=1,
    file_retries=2,
    left_out=LEFT_OUT,
    events=("the index 12 was dropped during the copy",),
    neokeep_version="0.1.0",
    reason="there is no full backup of this database yet",
    compressed_bytes=600_000_000,
)
INCREMENTAL = msgspec.structs.replace(
    BACKUP,
    label="neo4j-20260801-120000F_20260801-130000I",
    type="incremental",
    base=BACKUP.label,
    reason=f"the chain of {BACKUP.label} holds",
    compressed_bytes=None,
    first_tx=35_024,
    last_tx=36_000,
    file_count=0,
    left_out=(),
    events=(),
)
SYSTEM = msgspec.structs.replace(
    BACKUP,
    label="system-20260801-120005F",
    database="system",
    size_bytes=1_048_576,
    stored_bytes=90_112,
    seconds=0.31,
    left_out=(),
    events=(),
    neo4j_version=None,
    last_commit_time=None,
    reason="a full backup was asked for",
    compressed_bytes=90_000,
)
FAILURE = reports.Failure(
    subject="movies",
    kind="source",
    message="the store is of the block format, which Enterprise alone writes",
    remedy="Only databases in the formats of Community can be backed up.",
)
DAMAGED = reports.Failure(
    subject="neo4j-20260701-120000F",
    kind="integrity",
    message="the manifest is not whole",
    remedy="Run neokeep verify and use another backup.",
)

BACKED_UP = reports.BackupReport(repository="/backup/neo4j", backups=(BACKUP, SYSTEM), failures=())
CONSOLIDATED = reports.ConsolidateReport(
    repository="/backup/neo4j", backup=BACKUP, base="neo4j-20261101-000000F", segments=12, engine="native", blocks=900,
    new_blocks=31,
)  # fmt: skip
BACKED_UP_INCREMENTALLY = msgspec.structs.replace(BACKED_UP, backups=(INCREMENTAL,))
PARTLY_BACKED_UP = reports.BackupReport(repository="/backup/neo4j", backups=(SYSTEM,), failures=(FAILURE,))
NOT_BACKED_UP = reports.BackupReport(repository="/backup/neo4j", backups=(), failures=(FAILURE,))
GAP = "transactions 36001 to 36100 are missing; 2 segments behind that, up to transaction 36900, cannot be reached"
WINDOWS = (
    reports.WindowInfo(
        base=BACKUP.label,
        database="neo4j",
        source="production",
        first_tx=35_023,
        last_tx=36_000,
        first_time=NOON.replace(second=4),
        last_time=NOON.replace(hour=13),
        segments=3,
        log_bytes=12_000_000,
        unreachable_segments=2,
        problems=(GAP,),
    ),
    reports.WindowInfo(
        base=SYSTEM.label,
        database="system",
        source="production",
        first_tx=35_023,
        last_tx=35_023,
        first_time=None,
        last_time=None,
        segments=0,
        log_bytes=0,
        unreachable_segments=0,
        problems=(),
    ),
)
HOLD = reports.HoldInfo(
    label=BACKUP.label, reason="audit of 2026", until=NOON.replace(year=2027), created_at=NOON, host="db1"
)
INFO = reports.InfoReport(
    repository="/backup/neo4j",
    repository_id="6de05d63-eb1e-459c-8330-c997e300ec49",
    format=1,
    backups=(BACKUP, SYSTEM, INCREMENTAL),
    damaged=(DAMAGED,),
    windows=WINDOWS,
    holds=(HOLD,),
)
EMPTY = msgspec.structs.replace(INFO, backups=(), damaged=(), windows=(), holds=())
ONE = msgspec.structs.replace(INFO, backups=(BACKUP,), damaged=(), windows=WINDOWS[:1])
HELD = reports.HoldReport(repository="/backup/neo4j", label=BACKUP.label, holds=(HOLD,))
RELEASED = msgspec.structs.replace(HELD, holds=())


def _line(label: str, keep: bool, reason: str) -> reports.ExpiryLine:
    return reports.ExpiryLine(
        label=label, type="full", source="production", database="neo4j", finished_at=NOON, keep=keep, reasons=(reason,)
    )


EXPIRED = reports.ExpireReport(
    repository="/backup/neo4j",
    dry_run=False,
    lines=(
        _line("neo4j-20260701-120000F", False, "no rule keeps it"),
        _line(BACKUP.label, True, "the newest full backup"),
    ),
    removed_backups=1,
    refused_objects=0,
    refused_because="",
)
WOULD_EXPIRE = msgspec.structs.replace(EXPIRED, dry_run=True, removed_backups=0)
COLLECTED = reports.CollectReport(
    repository="/backup/neo4j",
    dry_run=False,
    removed_packs=12,
    removed_segments=310,
    freed_bytes=401_000_000,
    reprieved_packs=1,
    condemned_packs=3,
    condemned_segments=0,
    condemned_bytes=90_000_000,
    removable_from=NOON.replace(day=2),
    waiting_for=("a backup began at 2026-07-31 03:00:00Z on db1 (process 4711) and may count on what was condemned",),
    void_backups=(),
    refused_objects=0,
    refused_because="",
    unused_bytes=7_340_032,
    seconds=2.5,
    repacked_packs=4,
    repacked_bytes=120_000_000,
    repacked_into=1,
    copied_bytes=30_000_000,
)
REFUSED = msgspec.structs.replace(
    COLLECTED, removed_packs=11, refused_objects=1, refused_because="packs/ab/abcdef is locked until 2026-09-01"
)
REBUILT = reports.RebuildIndexReport(
    repository="/backup/neo4j",
    packs=19,
    blocks=32_113,
    unreadable_packs=(),
    index_objects=1,
    removed_index_objects=7,
    refused_objects=0,
    refused_because="",
    seconds=0.4,
)
RESTORED = reports.RestoreReport(
    label=BACKUP.label,
    segments=3,
    database="neo4j",
    restored_as="yesterday",
    home="/var/lib/neo4j",
    store_directory="/var/lib/neo4j/data/databases/yesterday",
    log_directory="/var/lib/neo4j/data/transactions/yesterday",
    last_tx=35_023,
    last_commit_time=NOON,
    size_bytes=2_104_533_975,
    file_count=41,
    seconds=9.2,
    recovered=False,
    replaced=False,
    left_out=LEFT_OUT,
    next_steps=("Set initial.dbms.default_database=yesterday in neo4j.conf.", "Start Neo4j."),
)
NOTHING = reports.ChangeCounts(created=0, changed=0, deleted=0)
LOG = reports.LogReport(
    repository="/backup/neo4j",
    database="neo4j",
    chain=BACKUP.label,
    window_first=35_023,
    window_last=35_024,
    matched=1,
    transactions=(
        reports.TransactionInfo(
            id=35_024,
            committed_at=NOON,
            size_bytes=91_342,
            position="7:120344",
            nodes=reports.ChangeCounts(created=0, changed=2, deleted=41),
            relationships=reports.ChangeCounts(created=0, changed=0, deleted=118),
            properties=reports.ChangeCounts(created=1, changed=0, deleted=204),
            tokens=NOTHING,
            schema=NOTHING,
            additional_header="",
        ),
    ),
)
WHOLE = reports.VerifyReport(
    repository="/backup/neo4j",
    ok=True,
    backups=(
        reports.VerifiedBackup(
            label=BACKUP.label,
            database="neo4j",
            ok=True,
            problems=(),
            structure_proven_at=NOON,
            content_proven_at=NOON,
        ),
    ),
    blocks_checked=32_113,
    damaged_objects=(),
    blocks=32_113,
    bytes_checked=2_104_533_975,
    seconds=3.9,
)
BROKEN = msgspec.structs.replace(
    WHOLE,
    ok=False,
    backups=(
        *WHOLE.backups,
        reports.VerifiedBackup(
            label="neo4j-20260802-120000F",
            database="neo4j",
            ok=False,
            problems=("neostore.nodestore.db: 1 block of 300 is damaged",),
        ),
    ),
    damaged_objects=("packs/ab/abcdef",),
)
READY = reports.CheckReport(
    source="production",
    repository="/backup/neo4j",
    ok=True,
    findings=(
        reports.Finding(subject="home", status="ok", message="Neo4j 5.26.30 Community, running"),
        reports.Finding(
            subject="log retention",
            status="warning",
            message="logs are kept for 2 days, less than 2 backups at an interval of 1 day",
            remedy="Set db.tx_log.rotation.retention_policy=7 days in neo4j.conf.",
        ),
    ),
)
NOT_READY = msgspec.structs.replace(
    READY,
    ok=False,
    findings=(
        *READY.findings,
        reports.Finding(
            subject="repository",
            status="error",
            kind="space",
            message="12 MiB are free on the disk of /backup/neo4j",
            remedy="Make room, or choose another disk.",
        ),
        reports.Finding(subject="clock", status="error", kind="repository", message="it goes wrong", remedy="Set it."),
    ),
)


def archive_event(what: str, second: int, /, **fields: Any) -> reports.ArchiveEvent:
    """Something that `archive` tells some seconds after noon."""
    time = NOON.replace(second=second)
    return reports.ArchiveEvent(time=time, event=what, source="production", database="neo4j", **fields)


NEWER = "neo4j-20260801-121500F"
AWAY = "cannot store /backup/neo4j/segments: No such file or directory"
ARCHIVE_EVENTS = (
    archive_event("full backup begun", 0, message="there is no full backup of this database yet"),
    archive_event("full backup", 4, chain=BACKUP.label, last_tx=35_023),
    archive_event("following", 4, chain=BACKUP.label, last_tx=35_023),
    archive_event(
        "archived", 5, chain=BACKUP.label, first_tx=35_024, last_tx=35_061, segments=1, log_bytes=91_342,
        stored_bytes=20_480, delay_seconds=0.712,
    ),
    archive_event(
        "archived", 6, chain=BACKUP.label, first_tx=35_062, last_tx=35_063, segments=1, log_bytes=900,
        stored_bytes=812, delay_seconds=1.25,
    ),
    archive_event(
        "state", 10, chain=BACKUP.label, last_tx=35_063, lag_transactions=2, lag_bytes=5_120, lag_seconds=0.4,
    ),
    archive_event(
        "merged", 11, chain=BACKUP.label, segments=16, into=1, removed=48, freed_bytes=65_536,
    ),
    archive_event(
        "upkeep failed", 12, message="merging small segments failed: the segment segments/x is damaged",
        kind="integrity", remedy="Run 'neokeep verify'.",
    ),
    archive_event(
        "trouble", 20, message=AWAY, kind="repository", remedy="Check that the path exists.", retry_seconds=1.0,
    ),
    archive_event(
        "state", 30, chain=BACKUP.label, last_tx=35_063, lag_transactions=1, lag_bytes=512, lag_seconds=14.0,
        message=AWAY,
    ),
    archive_event("recovered", 31, last_tx=35_063),
    archive_event("state", 40, chain=BACKUP.label, last_tx=35_063, lag_transactions=0, lag_bytes=0, lag_seconds=0.0),
    archive_event("broken", 41, chain=BACKUP.label, last_tx=35_063, message="neostore.transaction.db.7 was pruned"),
    archive_event(
        "full backup failed", 42, message="neo4j could not be captured in 6 attempts", kind="source",
        remedy="Keep transaction logs longer.", retry_seconds=2.0,
    ),
    archive_event("state", 50, message="a full backup runs, since neostore.transaction.db.7 was pruned"),
    archive_event("following", 55, chain=NEWER, last_tx=35_090),
    archive_event("gap", 55, first_tx=35_064, last_tx=35_089),
    archive_event(
        "stopped", 59, chain=NEWER, last_tx=35_090, lag_transactions=0, lag_bytes=0, lag_seconds=0.0,
    ),
)  # fmt: skip
"""What `archive` tells in an eventful minute: every kind of event."""
