"""What commands and the Python API return: frozen values whose JSON form is the stable interface.

Fields may be added, never removed or renamed. Times are UTC with zone; sizes are bytes. Shapes: docs/json.md.
"""

from __future__ import annotations

from neokeep.reports.backups import (
    ArchiveEvent,
    BackupInfo,
    BackupReport,
    CertificateInfo,
    ChangeCounts,
    ConsolidateReport,
    Failure,
    HoldInfo,
    InfoReport,
    IngestedInfo,
    InitReport,
    LeftOutInfo,
    LogReport,
    RestoreReport,
    ServerFilesInfo,
    TransactionInfo,
    WindowInfo,
)
from neokeep.reports.consistency import (
    ConsistencyFinding,
    ConsistencyKind,
    ConsistencyLeftOut,
    ConsistencyReport,
)
from neokeep.reports.keys import (
    KeyInfo,
    KeyListReport,
    KeyPairReport,
    KeyReport,
)
from neokeep.reports.upkeep import (
    CheckReport,
    CollectReport,
    CopiedBackup,
    CopyReport,
    ExpireReport,
    ExpiryLine,
    Finding,
    HealReport,
    HoldReport,
    RebuildIndexReport,
    VerifiedBackup,
    VerifyReport,
)

__all__ = [
    "ArchiveEvent",
    "BackupInfo",
    "BackupReport",
    "CertificateInfo",
    "ChangeCounts",
    "CheckReport",
    "CollectReport",
    "ConsistencyFinding",
    "ConsistencyKind",
    "ConsistencyLeftOut",
    "ConsistencyReport",
    "ConsolidateReport",
    "CopiedBackup",
    "CopyReport",
    "ExpireReport",
    "ExpiryLine",
    "Failure",
    "Finding",
    "HealReport",
    "HoldInfo",
    "HoldReport",
    "InfoReport",
    "IngestedInfo",
    "InitReport",
    "KeyInfo",
    "KeyListReport",
    "KeyPairReport",
    "KeyReport",
    "LeftOutInfo",
    "LogReport",
    "RebuildIndexReport",
    "RestoreReport",
    "ServerFilesInfo",
    "TransactionInfo",
    "VerifiedBackup",
    "VerifyReport",
    "WindowInfo",
]
