"""Manifests by hand, for tests that plan and take no backup."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec

from neokeep.repository.manifest import NO_BLOCKS, LogPoint, Manifest, SourceRecord, Statistics

NOW = datetime(2026, 11, 22, 17, 30, 15, tzinfo=UTC)
NO_COST = Statistics(
    seconds=0, bytes_read=0, size_bytes=0, stored_bytes=0, blocks=0, new_blocks=0, attempts=1, file_retries=0
)


def full_manifest(label: str = "neo4j-20261122-173015F", **fields: Any) -> Manifest:
    """A full backup of `neo4j` that holds nothing and ends with transaction 1, unless `fields` say otherwise."""
    made = Manifest(
        format=1,
        label=label,
        type="full",
        neokeep_version="0",
        source=SourceRecord(name="test", host="h", home="/h", edition="community", running=True),
        database="neo4j",
        neo4j_version=None,
        kernel_version=20,
        store_id="a store",
        store_format="aligned",
        started_at=NOW,
        finished_at=NOW,
        checkpoint=LogPoint(version=0, offset=0),
        end=LogPoint(version=0, offset=0, transaction=1, commit_time=NOW, checksum=7),
        first_transaction=1,
        files=NO_BLOCKS,
        file_count=0,
        left_out=(),
        events=(),
        statistics=NO_COST,
    )
    return msgspec.structs.replace(made, **fields)
