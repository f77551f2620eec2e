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
        ConsistencyKind(
            code=code,
            count=found.counts[code],
            explained=found.explained[code],
            what=CODES[code].what,
            consequence=CODES[code].consequence,
        )
        for code in sorted(found.counts, key=lambda code: list(CODES).index(code))
    )
    return ConsistencyReport(
        subject=store.subject,
        database=store.database,
        label=store.label,
        archive=store.archive,
        last_transaction=store.last_transaction,
        not_applied=None if store.pending is None else store.pending.transactions,
        ok=all(kind.count == kind.explained for kind in kinds),
        nodes=checked.nodes,
        relationships=checked.relationships,
        inconsistencies=sum(kind.count for kind in kinds),
        explained=sum(kind.explained for kind in kinds),
        kinds=kinds,
        findings=tuple(
            ConsistencyFinding(
                code=one.code, store=one.store, record=one.record, detail=one.detail, explained=one.explained
            )
            for one in found.kept
        ),
        left_out=tuple(ConsistencyLeftOut(part=one.part, why=one.why) for one in checked.left_out),
        seconds=seconds,
    )


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
    yield from found_of(report, explained=False, most=None)
    if report.explained:
        yield ""
        yield explanation_of(report)
        yield from found_of(report, explained=True, most=None)


def explanation_of(report: ConsistencyReport) -> str:
    """Say what the findings are that a log explains."""
    return f"{report.explained} of them are gone once the log is applied:"


def found_of(report: ConsistencyReport, *, explained: bool, most: int | None) -> Iterator[str]:
    """Give the lines of the kinds that a log explains, or does not: with at most so many findings of each."""
    for kind in report.kinds:
        count = kind.explained if explained else kind.count - kind.explained
        if not count:
            continue
        yield ""
        yield f"{kind.code}: {count}. {kind.what} {kind.consequence}"
        own = [one for one in report.findings if one.code == kind.code and one.explained == explained][:most]
        for one in own:
            yield f"  {one.store} {one.record}: {one.detail}"
        if len(own) < count:
            more = "" if most is None else "; --report-path or --output json tells them"
            yield f"  and {count - len(own)} more{more}"
