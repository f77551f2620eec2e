"""When a full backup is due although the chain of the newest one holds: one policy for all that go on with chains.

The decision is a pure function of how the chain stands; `state_of` finds that out from listings and manifests alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from neokeep.errors import UsageError
from neokeep.units import format_count

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from neokeep.repository.chains import Chain
    from neokeep.repository.manifest import Manifest
    from neokeep.repository.repository import Repository


LITTLE_LOG = 16 * 1024 * 1024
"""Stored bytes of log that are replayed in no time: below it, however small the store, no full backup is due."""


@dataclass(frozen=True, slots=True)
class ChainState:
    """How a chain stands: the age of its full backup, and what came behind it.

    `log_bytes` and `full_bytes` are alike: compressed, as the repository holds them, whoever stored a block first.
    `full_bytes` is None where the manifest does not tell.
    """

    age: timedelta
    incremental_backups: int
    log_bytes: int
    full_bytes: int | None
    damage_found: bool


@dataclass(frozen=True, slots=True)
class FullPolicy:
    """When the next full backup is due; None means that there is no such rule.

    `every` is in seconds, `after` is a number of incremental backups, `at_log_share` the size of the archived log as a
    share of the size of the full backup.
    """

    every: int | None = None
    after: int | None = None
    at_log_share: float | None = None

    def __post_init__(self) -> None:
        for name, value in (("every", self.every), ("after", self.after), ("at_log_share", self.at_log_share)):
            if value is not None and not value > 0:
                raise UsageError(
                    f"full_{name}={value!r} is not above zero", remedy="Give a larger number, or None for no such rule."
                )

    def due(self, state: ChainState) -> str:
        """Say why a full backup is due, or nothing."""
        if state.damage_found:
            return "a verification found damage since the newest full backup"
        if self.every is not None and state.age >= timedelta(seconds=self.every):
            return f"the newest full backup is {state.age.days} days and {state.age.seconds // 3600} hours old"
        if self.after is not None and state.incremental_backups >= self.after:
            behind = format_count(state.incremental_backups, "incremental backup")
            return f"the newest full backup has {behind} behind it"
        if self.at_log_share is not None and state.full_bytes and state.log_bytes >= LITTLE_LOG:
            share = state.log_bytes / state.full_bytes
            if share >= self.at_log_share:
                return f"the archived log has grown to {share:.0%} of the full backup, both compressed"
        return ""


def state_of(repository: Repository, chain: Chain, manifests: Iterable[Manifest], now: datetime) -> ChainState:
    """Find out how a chain stands.

    Incremental backups are counted by their manifests: a segment need not be a backup, and many may become one.
    """
    base = chain.base
    return ChainState(
        age=now - base.finished_at,
        incremental_backups=sum(item.base == base.label for item in manifests),
        log_bytes=chain.log_bytes,
        full_bytes=base.statistics.compressed_bytes,
        damage_found=repository.damage_found_since(base.finished_at),
    )
