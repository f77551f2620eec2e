"""Reports of consistency checks."""

from __future__ import annotations

import msgspec

from cli.samples import BACKUP, NOON
from neokeep import reports

CONSISTENT = reports.ConsistencyReport(
    subject="/var/lib/neo4j/data/databases/neo4j",
    database="neo4j",
    label=None,
    archive=None,
    last_transaction=None,
    not_applied=None,
    ok=True,
    nodes=3_000_000,
    relationships=12_000_000,
    inconsistencies=0,
    explained=0,
    kinds=(),
    findings=(),
    left_out=(reports.ConsistencyLeftOut(part="index words", why="indexes of type FULLTEXT are not read"),),
    seconds=31.5,
)
INCONSISTENT = msgspec.structs.replace(
    CONSISTENT,
    subject=f"{BACKUP.label} in /backup/neo4j",
    label=BACKUP.label,
    last_transaction=BACKUP.last_tx,
    ok=False,
    inconsistencies=1,
    kinds=(
        reports.ConsistencyKind(
            code="relationship-next",
            count=1,
            explained=0,
            what="The relationship behind it in a chain does not lead back to it.",
            consequence="Relationships are missing from some answers, or a query fails.",
        ),
    ),
    recorded_at=NOON,
    findings=(
        reports.ConsistencyFinding(
            code="relationship-next",
            store="neostore.relationshipstore.db",
            record=4711,
            detail="it names 815 as its next in the chain of node 17",
            explained=False,
        ),
    ),
)
