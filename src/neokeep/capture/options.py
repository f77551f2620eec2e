"""How a capture may go about its work."""

from __future__ import annotations

from dataclasses import dataclass, field

from neokeep.capture.policy import FullPolicy
from neokeep.workers import default_jobs


@dataclass(frozen=True, slots=True)
class CaptureOptions:
    """Options of a capture.

    `type` is `full`, `incremental` or `auto` (incremental where the chain holds and `policy` asks for no full one).
    `indexes` is `copy` or `rebuild` (leave out all that Neo4j can make again); `rate_limit` is in bytes per second of
    reading; `gentle` lets the database go first.
    """

    type: str = "full"
    policy: FullPolicy = field(default_factory=FullPolicy)
    indexes: str = "copy"
    rate_limit: int | None = None
    jobs: int = field(default_factory=default_jobs)
    gentle: bool = True
