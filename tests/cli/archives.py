"""Reports about archives as the work would return them, for golden files and texts."""

from __future__ import annotations

from datetime import UTC, datetime

from msgspec.structs import replace

from cli.samples import BACKUP
from neokeep import reports
from neokeep.artifact.reports import (
    ArtifactChain,
    ArtifactInfo,
    DumpReport,
    IngestReport,
    InspectReport,
    LoadReport,
    SkippedArchive,
)
from neokeep.reports import Failure

NOON = datetime(2026, 8, 1, 12, tzinfo=UTC)

DUMP = ArtifactInfo(
    path="movies.dump",
    type="dump",
    format="DZV1",
    compression="zstd",
    size_bytes=587_202_560,
    files=63,
    content_bytes=2_104_533_975,
)
FULL = ArtifactInfo(
    path="neo4j-2026-08-01T12-00-00.backup",
    type="full",
    format="BZV2",
    compression="zstd",
    size_bytes=587_202_560,
    files=63,
    content_bytes=2_104_533_975,
    database="neo4j",
    database_id="0192f2e2-7c3c-7c3c-8000-000000000007",
    store_id="record-aligned-1.1-0000018bcfe56800ffffffffffffffb3",
    store_format="aligned",
    time=NOON,
    lowest_tx=1,
    highest_tx=35_023,
    recovered=True,
    scripts=("metadataScript",),
)
DIFFERENTIAL = replace(
    FULL,
    path="neo4j-2026-08-01T14-00-00.backup",
    type="differential",
    size_bytes=1_048_576,
    files=2,
    content_bytes=9_437_184,
    time=NOON.replace(hour=14),
    lowest_tx=35_100,
    highest_tx=36_000,
    recovered=False,
    scripts=(),
)
CHAIN = ArtifactChain(
    database="neo4j",
    database_id="0192f2e2-7c3c-7c3c-8000-000000000007",
    full=FULL.path,
    differentials=(DIFFERENTIAL.path,),
    last_tx=35_023,
    gaps=(f"transactions 35024 to 35099 are missing before {DIFFERENTIAL.path}",),
)
INSPECTED = InspectReport(path="/dumps", artifacts=(DUMP, FULL, DIFFERENTIAL), chains=(CHAIN,))
ONE = InspectReport(path=f"/dumps/{FULL.path}", artifacts=(FULL,), chains=())
ONE_DAMAGED = InspectReport(
    path="/dumps",
    artifacts=(DUMP,),
    chains=(),
    failures=(
        Failure(
            subject="old.dump",
            kind="integrity",
            message="/dumps/old.dump is cut off: it ends in the middle",
            remedy="Get the file again; what is there is not whole.",
        ),
    ),
)
LOADED = LoadReport(
    archive=FULL,
    loaded_as="neo4j",
    home="/var/lib/neo4j",
    store_directory="/var/lib/neo4j/data/databases/neo4j",
    log_directory="/var/lib/neo4j/data/transactions/neo4j",
    files=63,
    content_bytes=2_104_533_975,
    store_id=FULL.store_id,
    store_format="aligned",
    kernel_version="5.25",
    last_tx=35_023,
    last_commit_time=NOON,
    clean=True,
    replaced=False,
    left_out=(),
    seconds=4.25,
    next_steps=("The archive holds a script of users and roles (metadataScript), which is not loaded.",),
)
READ = replace(
    LOADED,
    archive=DUMP,
    loaded_as=None,
    home=None,
    store_directory=None,
    log_directory=None,
    store_id=None,
    store_format=None,
    kernel_version=None,
    last_tx=None,
    last_commit_time=None,
    clean=None,
    next_steps=(),
)
DUMPED = DumpReport(
    database="neo4j",
    path="/dumps/neo4j.dump",
    format="dump",
    files=34,
    content_bytes=2_004_533_975,
    size_bytes=587_202_560,
    store_id="record-aligned-1.1-0000018bcfe56800ffffffffffffffb3",
    store_format="aligned",
    kernel_version="5.25",
    last_tx=35_023,
    last_commit_time=NOON,
    running=True,
    label=None,
    segments=0,
    recovered_by="native",
    indexes="rebuild",
    seconds=4.25,
    next_steps=("Neo4j rebuilds the indexes at its first start on it; on a large graph that takes a while.",),
)
DUMPED_MOMENT = replace(DUMPED, running=None, label="neo4j-20260801-120000F", segments=12)
INGESTED = IngestReport(
    repository="/backup/neo4j",
    backups=(
        replace(
            BACKUP,
            label="neo4j-20260801-120000F",
            source="archives",
            host="",
            home="/dumps",
            neo4j_version=None,
            edition="unknown",
            running=False,
            reason="ingested from /dumps/neo4j.dump",
            ingested=reports.IngestedInfo(
                archive="/dumps/neo4j.dump",
                type="dump",
                format="DZV1",
                size_bytes=587_202_560,
                modified=NOON,
                ingested_at=NOON,
                dated_by="log",
            ),
        ),
    ),
    skipped=(SkippedArchive(archive="/dumps/july.dump", label="neo4j-20260701-120000F"),),
)
PARTLY_INGESTED = replace(INGESTED, failures=ONE_DAMAGED.failures)
NOT_INGESTED = IngestReport(repository="/backup/neo4j", backups=(), failures=ONE_DAMAGED.failures)
