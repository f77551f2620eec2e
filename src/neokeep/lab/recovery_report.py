"""What `neokeep lab compare-recovery` reports."""

from __future__ import annotations

import msgspec


class ComparedWorkload(msgspec.Struct, frozen=True, kw_only=True):
    """One workload: how much was recovered and undone, and what was wrong; nothing where `findings` is empty."""

    seed: int
    checkpoints_inside: int
    records_in_use: int
    transactions_undone: int
    findings: tuple[str, ...]
    seconds: float


class RecoveryComparison(msgspec.Struct, frozen=True, kw_only=True):
    """All workloads of one version. `directory` holds what differs, None where nothing does."""

    version: str
    same: bool
    workloads: tuple[ComparedWorkload, ...]
    directory: str | None
