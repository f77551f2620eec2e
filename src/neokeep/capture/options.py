"""How a capture may go about its work."""

from __future__ import annotations

import os
from dataclasses import dataclass, field


def default_jobs() -> int:
    """Return how many threads to use: every core that this process may run on."""
    return max(1, len(os.sched_getaffinity(0)))


@dataclass(frozen=True, slots=True)
class CaptureOptions:
    """Options of a capture.

    `indexes` is `copy` or `rebuild` (leave out all that Neo4j can make again); `rate_limit` is in bytes per second of
    reading; `gentle` lowers the priority of the copying threads.
    """

    indexes: str = "copy"
    rate_limit: int | None = None
    jobs: int = field(default_factory=default_jobs)
    gentle: bool = True
