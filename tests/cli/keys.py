"""Reports about keys."""

from __future__ import annotations

from cli.samples import NOON
from neokeep import reports

KEY = reports.KeyInfo(
    id="4f1c0d1ea2b34c5d6e7f8091a2b3c4d5",
    role="reader",
    kind="passphrase",
    name="",
    created_at=NOON,
    recipient=None,
)
HOST_KEY = reports.KeyInfo(
    id="920c11316fa33e49ab1bb5fd5e85ec2b",
    role="writer",
    kind="recipient",
    name="host.pem.pub",
    created_at=NOON,
    recipient="8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a",
)
KEYS = reports.KeyListReport(
    repository="/backup/neo4j",
    repository_id="6de05d63-eb1e-459c-8330-c997e300ec49",
    keys=(KEY, HOST_KEY),
    damaged=(
        reports.Failure(
            subject="5ad4c29bd4e8fda2a0a45ba1de1c7bb1",
            kind="integrity",
            message="the key object keys/5ad4c29bd4e8fda2a0a45ba1de1c7bb1 is damaged",
            remedy="Use another key of this repository.",
        ),
    ),
)
KEY_ADDED = reports.KeyReport(repository="/backup/neo4j", key=HOST_KEY, removed=None)
KEY_REMOVED = reports.KeyReport(repository="/backup/neo4j", key=None, removed=KEY.id)
KEY_CHANGED = reports.KeyReport(repository="/backup/neo4j", key=KEY, removed="c89eaafc4f1403eeefe2c053f751662f")
KEY_PAIR = reports.KeyPairReport(private_file="id.pem", public_file="id.pem.pub")
