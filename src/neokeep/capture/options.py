"""How a capture may go about its work."""

from __future__ import annotations

from dataclasses import dataclass, field

from neokeep.capture.policy import FullPolicy
from neokeep.errors import UsageError
from neokeep.workers import default_jobs


@dataclass(frozen=True, slots=True)
class CaptureOptions:
    """Options of a capture.

    `type` is `full`, `incremental` or `auto` (incremental where the chain holds and `policy` asks for no full one).
    `indexes` is `copy` or `rebuild` (leave out all that Neo4j can make again); `rate_limit` is in bytes per second of
    reading; `gentle` lets the database go first. `server_files` is `none`, `config` or `all` (plugins too).
    """

    type: str = "full"
    policy: FullPolicy = field(default_factory=FullPolicy)
    indexes: str = "copy"
    rate_limit: int | None = None
    jobs: int = field(default_factory=default_jobs)
    gentle: bool = True
    server_files: str = "none"


def checked_options(
    kind: str,
    policy: tuple[int | None, int | None, float | None],
    indexes: str,
    rate_limit: int | None,
    jobs: int | None,
    *,
    gentle: bool,
    server_files: str,
) -> CaptureOptions:
    """Make options of what the caller of a function gave.

    Raises:
        UsageError: a word is none that is known, or the policy means nothing.
    """
    if indexes not in {"copy", "rebuild"}:
        raise UsageError(f"indexes={indexes!r} is not known", remedy="Use 'copy' or 'rebuild'.")
    if server_files not in {"none", "config", "all"}:
        raise UsageError(f"server_files={server_files!r} is not known", remedy="Use 'none', 'config' or 'all'.")
    if kind not in {"auto", "full", "incremental"}:
        raise UsageError(f"type={kind!r} is not known", remedy="Use 'auto', 'full' or 'incremental'.")
    return CaptureOptions(
        type=kind,
        policy=FullPolicy(*policy),
        indexes=indexes,
        rate_limit=rate_limit,
        jobs=jobs or default_jobs(),
        gentle=gentle,
        server_files=server_files,
    )
