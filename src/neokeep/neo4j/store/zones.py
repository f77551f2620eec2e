"""The time zones by the numbers under which stored values name them.

`zones.txt` has one name of the IANA a line, the first is number 0. It was read out of stores in which servers of
4.4.48, 5.26.30 and 2026.08.1 kept a time in each zone that they know: newer versions only add to the end.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files


@cache
def zone_names() -> tuple[str, ...]:
    """List the names; the few that no server takes any more are `unknown zone N`."""
    lines = (files("neokeep.neo4j.store") / "zones.txt").read_text(encoding="ascii").splitlines()
    return tuple(line or f"unknown zone {number}" for number, line in enumerate(lines))
