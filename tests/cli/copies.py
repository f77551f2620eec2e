"""Reports about several repositories: copied from one to another, healed, backed up to both."""

from __future__ import annotations

import msgspec

from cli.samples import BACKED_UP, BACKUP, INCREMENTAL, SYSTEM
from neokeep import reports

COPIED = reports.CopyReport(
    repository="/backup/neo4j",
    target="s3://bucket/neo4j",
    backups=(
        reports.CopiedBackup(
            label=BACKUP.label, type="full", database="neo4j", state="copied", bytes_read=412_000_000,
            stored_bytes=410_000_000, blocks=4100, skipped_blocks=212, segments=7,
        ),
        reports.CopiedBackup(
            label=INCREMENTAL.label, type="incremental", database="neo4j", state="present", bytes_read=0,
            stored_bytes=0, blocks=0, skipped_blocks=0, segments=0,
        ),
    ),
    failures=(),
    held=(BACKUP.label,),
    bytes_read=412_000_000,
    stored_bytes=410_000_000,
    seconds=9.5,
)  # fmt: skip
PARTLY_COPIED = msgspec.structs.replace(
    COPIED,
    failures=(
        reports.Failure(
            subject=SYSTEM.label,
            kind="repository",
            message=f"s3://bucket/neo4j holds another backup with the label {SYSTEM.label}, of staging on db2",
            remedy="Labels stay as they are: copy this one into another repository.",
        ),
    ),
)
HEALED = reports.HealReport(
    repository="/backup/neo4j",
    source="s3://bucket/neo4j",
    ok=True,
    damaged_objects=("packs/ab/ab01: its content is not what its name says",),
    manifests=(),
    blocks=311,
    own_blocks=310,
    segments=1,
    rebuilt_index=False,
    failures=(),
    bytes_read=61_000,
    stored_bytes=31_000_000,
    seconds=12.25,
)
PARTLY_HEALED = msgspec.structs.replace(
    HEALED,
    ok=False,
    failures=(
        reports.Failure(
            subject=BACKUP.label,
            kind="integrity",
            message="1 of its blocks are damaged or missing here, and s3://bucket/neo4j does not have them either",
            remedy=f"Heal it from another repository, or give the backup up: neokeep expire --backup {BACKUP.label}",
        ),
    ),
)

BACKED_UP_TO_ONE_OF_TWO = msgspec.structs.replace(
    BACKED_UP,
    others=(
        reports.BackupReport(
            repository="s3://bucket/neo4j",
            backups=(),
            failures=tuple(
                reports.Failure(
                    subject=name,
                    kind="unreachable",
                    message="s3://bucket/neo4j does not answer",
                    remedy="Check the network, and repeat the backup.",
                )
                for name in ("neo4j", "system")
            ),
        ),
    ),
)
