"""How a capture may go about its work."""

from __future__ import annotations

from dataclasses import dataclass, field

from neokeep.workers import default_jobs


@dataclass(frozen=True, slots=True)
class CaptureOptions:
    """Options of a capture.

    `type` is `full`, `incremental` or `auto` (incremental where the chain holds and no full one is due); a full one is
    due after `full_every` seconds, or when the archived log is larger than `full_at_log_share` of the store.
    `indexes` is `copy` or `rebuild` (leave out all that Neo4j can make again); `rate_limit` is in bytes per second of
    reading; `gentle` lets the database go first.
    """

    type: str = "full"
    full_every: int | None = None
    full_at_log_share: float | None = 1.0
    indexes: str = "copy"
    rate_limit: int | None = None
    jobs: int = field(default_factory=default_jobs)
    gentle: bool = True
