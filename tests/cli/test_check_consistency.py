"""What `check-consistency` says of the parts that it left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from cli import consistency
from neokeep import reports

if TYPE_CHECKING:
    from collections.abc import Callable

    from cli.conftest import Ran, Work

REASON = "it was not closed in order"


def test_parts_that_were_left_out_for_one_reason_share_a_line(work: Work, run: Callable[..., Ran]) -> None:
    parts = [*(reports.ConsistencyLeftOut(part=f"index-{number}", why=REASON) for number in range(9))]
    alone = reports.ConsistencyLeftOut(part="index words", why="indexes of type FULLTEXT are not read")
    work.answers["check"] = replace(consistency.CONSISTENT, left_out=(*parts[:4], alone, *parts[4:]))
    out = run("check-consistency neo4j --home /h").out
    assert f"Not looked at: index-0, index-1, index-2 and 6 more: {REASON}" in out
    assert "Not looked at: index words: indexes of type FULLTEXT are not read" in out
