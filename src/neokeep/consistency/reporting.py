"""From what a check found to its report, and the same as a file for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from neokeep.consistency.codes import CODES
from neokeep.files import explained
from neokeep.reports import ConsistencyFinding, ConsistencyKind, ConsistencyLeftOut, ConsistencyReport

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from neokeep.consistency.run import Checked
    from neokeep.graph.opened import OpenedStore


def report_of(checked: Checked, store: OpenedStore, *, seconds: float) -> ConsistencyReport:
    """Make the report of a check."""
    found = checked.findings
    kinds = tuple(
        ConsistencyKind(code=code, count=found.counts[code], what=CODES[code].what, consequence=CODES[code].consequence)
        for code in sorted(found.counts, key=lambda code: list(CODES).index(code))
    )
    return ConsistencyReport(
        subject=store.subject,
        database=store.database,
        label=store.label,
        last_transaction=store.last_transaction,
        ok=not kinds,
        nodes=checked.nodes,
        relationships=checked.relationships,
        inconsistencies=sum(kind.count for kind in kinds),
        kinds=kinds,
        findings=tuple(
            ConsistencyFinding(code=one.code, store=one.store, record=one.record, detail=one.detail)
            for one in found.kept
        ),
        left_out=tuple(ConsistencyLeftOut(part=one.part, why=one.why) for one in checked.left_out),
        seconds=seconds,
    )


def require_writable(path: Path) -> None:
    """Refuse a file that cannot be written before the work is done whose outcome would go there.

    Raises:
        AccessError, SpaceError: it cannot be written.
    """
    with explained("write", path), path.open("a", encoding="utf-8"):
        pass


def write_report(report: ConsistencyReport, path: Path) -> None:
    """Write the report as text to a file, in place of one that is there.

    Raises:
        AccessError, SpaceError: it cannot be written.
    """
    with explained("write", path), path.open("w", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in lines_of(report))


def lines_of(report: ConsistencyReport) -> Iterator[str]:
    """Give the lines of the report: each kind with what it means, and below it what was found."""
    yield f"Consistency of {report.database}: {report.subject}"
    yield f"{report.nodes} nodes, {report.relationships} relationships, {report.inconsistencies} inconsistencies"
    for one in report.left_out:
        yield f"not looked at: {one.part}: {one.why}"
    for kind in report.kinds:
        yield ""
        yield f"{kind.code}: {kind.count}. {kind.what} {kind.consequence}"
        own = [found for found in report.findings if found.code == kind.code]
        for found in own:
            yield f"  {found.store} {found.record}: {found.detail}"
        if len(own) < kind.count:
            yield f"  and {kind.count - len(own)} more"
