"""How long a server keeps its transaction logs: the policy of db.tx_log.rotation.retention_policy, parsed.

`2 days 2G` keeps two days but at most two gigabytes; `keep_all`/`true` keeps everything, `keep_none`/`false` only what
recovery needs. A policy by transactions, files or size alone says nothing about time.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

DEFAULT_POLICY_4 = "7 days"
DEFAULT_POLICY = "2 days 2G"

_PART = re.compile(r"(\d+)\s*([kKmMgG]?)\s*(days|hours|txs|entries|size|files)?")
_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_SECONDS = {"days": 86_400, "hours": 3_600}


@dataclass(frozen=True, slots=True)
class Retention:
    """What a policy promises: seconds and bytes of log that are kept, None where it does not limit them."""

    seconds: int | None
    size: int | None
    keeps_all: bool
    keeps_none: bool


def parse_retention(policy: str) -> Retention | None:
    """Read a policy; None when it is not understood."""
    text = policy.strip().lower()
    if text in ("keep_all", "true"):
        return Retention(None, None, keeps_all=True, keeps_none=False)
    if text in ("keep_none", "false"):
        return Retention(0, 0, keeps_all=False, keeps_none=True)
    seconds = size = None
    position = 0
    while position < len(text):
        match = _PART.match(text, position)
        if match is None or not match[0].strip():
            return None
        amount = int(match[1]) * _UNITS[match[2]]
        if match[3] in _SECONDS:
            seconds = amount * _SECONDS[match[3]]
        elif match[3] == "size" or (match[3] is None and match[2]):
            size = amount
        position = match.end() + len(text[match.end() :]) - len(text[match.end() :].lstrip())
    return Retention(seconds, size, keeps_all=False, keeps_none=False)
