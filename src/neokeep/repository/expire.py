"""`expire`: remove the manifests of backups that no rule keeps, one chain after the other, under a lease.

Only manifests go here; what they alone needed is given back by `collect`. Killed at any moment, each backup is there
whole or not at all: of a chain the incremental backups go first.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from neokeep import reports
from neokeep.errors import UsageError
from neokeep.repository.chains import chain_of
from neokeep.repository.expiry import Point, Policy, Verdict, plan_expiry, plan_giving_up
from neokeep.repository.holds import LASTS, LEASE, reasons_of_holds, require_backup
from neokeep.repository.lease import leased, storage_time
from neokeep.repository.manifest import PREFIX, Manifest, manifest_name
from neokeep.repository.needed import manifest_is_gone
from neokeep.repository.removing import Remover
from neokeep.repository.sessions import PREFIX as WRITERS
from neokeep.repository.verified import read_records

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from neokeep.repository.repository import Repository

Catalogue = dict[str, Manifest | None]
"""All backups by label, oldest first; None where the manifest cannot be read."""


def expire(
    repository: Repository,
    policy: Policy,
    *,
    database: str | None = None,
    label: str | None = None,
    dry_run: bool = False,
) -> reports.ExpireReport:
    """Remove the backups that no rule keeps, of all databases or one; or only the backup with a label.

    Raises:
        UsageError: there is neither a rule nor a label, or both, or that backup is held.
        RepositoryError: there is no backup with that label.
        LockedError: another process removes backups.
    """
    _require_sense(policy, label, database)
    storage = repository.storage
    if dry_run:
        verdicts, _ = _plan(repository, policy, storage_time(storage), database, label)
        return _report(repository, verdicts, None)
    with leased(storage, LEASE, LASTS) as lease:
        verdicts, catalogue = _plan(repository, policy, lease.since, database, label)
        remover = Remover(storage, lease)
        going = [verdict.point for verdict in verdicts if not verdict.keep]
        # The marks of their writers go first: what is left of a mark would be taken for a backup on its way.
        finished = [item.writer for one in going if (item := catalogue[one.label]) is not None and item.writer]
        remover.remove((f"{WRITERS}/{writer}", 0) for writer in finished)
        for chain in dict.fromkeys(point.base or point.label for point in going):
            _remove_chain(repository, chain, [one for one in going if chain in (one.label, one.base)], remover)
        return _report(repository, verdicts, remover)


def _require_sense(policy: Policy, label: str | None, database: str | None) -> None:
    if label is None and policy.says_nothing:
        raise UsageError(
            "it is not said what to keep",
            remedy="Give a rule, such as --keep-within 30d or --keep-last 4, or name one backup with --backup.",
        )
    if label is not None and (database is not None or not policy.says_nothing):
        raise UsageError("a backup was named beside rules", remedy="Give --backup alone, or rules without it.")


def _plan(
    repository: Repository, policy: Policy, now: datetime, database: str | None, label: str | None
) -> tuple[list[Verdict], Catalogue]:
    held = reasons_of_holds(repository.storage, now)
    catalogue: Catalogue = {item.label: item if isinstance(item, Manifest) else None for item in repository.manifests()}
    points = _with_reach(repository, catalogue, [_point(label, item) for label, item in catalogue.items()])
    if policy.require_consistent:
        points = _with_checks(repository, points)
    if label is None:
        bases = {point.base for point in points if point.base is not None}
        lost = {base for base in bases - catalogue.keys() if manifest_is_gone(repository.storage, base)}
        return plan_expiry(points, policy, now, held=held, lost_bases=lost, database=database), catalogue
    require_backup(repository.storage, label)
    verdicts = plan_giving_up(points, label)
    for verdict in verdicts:
        if not verdict.keep and verdict.point.label in held:
            raise UsageError(
                f"{verdict.point.label} is held: {held[verdict.point.label]}",
                remedy=f"Release it first: neokeep release {verdict.point.label}",
            )
    return verdicts, catalogue


def _point(label: str, manifest: Manifest | None) -> Point:
    if manifest is None:
        # The label of an incremental backup begins with that of its full one; nothing else is known of it.
        base = label.rpartition("_")[0] if label.endswith("I") else ""
        return Point(label, "unknown", "", "", None, base or None)
    return Point(label, manifest.type, manifest.source.name, manifest.database, manifest.finished_at, manifest.base)


def _with_checks(repository: Repository, points: Sequence[Point]) -> list[Point]:
    """Tell of each backup whether its graph was found consistent."""
    found = {one.label: one.consistent for one in read_records(repository.storage).checked}
    return [replace(point, consistent=found.get(point.label)) for point in points]


def _with_reach(repository: Repository, catalogue: Catalogue, points: Sequence[Point]) -> list[Point]:
    """Find how far the chains of the two newest full backups of each database reach: only these are compared."""
    newest: dict[tuple[str, str], list[str]] = {}
    for point in reversed(points):
        if point.type == "full":
            newest.setdefault((point.source, point.database), []).append(point.label)
    asked = {label for labels in newest.values() for label in labels[:2]}
    return [
        replace(point, reaches=chain_of(repository, item).last_transaction)
        if point.label in asked and (item := catalogue[point.label]) is not None
        else point
        for point in points
    ]


def _remove_chain(repository: Repository, chain: str, points: Sequence[Point], remover: Remover) -> None:
    """Remove manifests of one chain: those that rest on the full backup first, and it last."""
    resting = sorted((point.label for point in points if point.label != chain), reverse=True)
    complete = remover.remove((manifest_name(label), 0) for label in resting)
    if not complete or all(point.label != chain for point in points):
        return
    if remover.remove([(manifest_name(chain), 0)]):
        # One that was committed while this went on would rest on nothing.
        late = [item.name for item in repository.storage.list(PREFIX) if item.name.startswith(f"{PREFIX}/{chain}_")]
        remover.remove((name, 0) for name in late)


def _report(repository: Repository, verdicts: Sequence[Verdict], remover: Remover | None) -> reports.ExpireReport:
    refused = {} if remover is None else remover.refused
    going = [verdict.point.label for verdict in verdicts if not verdict.keep]
    removed = 0 if remover is None else sum(manifest_is_gone(repository.storage, label) for label in going)
    return reports.ExpireReport(
        repository=repository.storage.url,
        dry_run=remover is None,
        lines=tuple(
            reports.ExpiryLine(
                label=verdict.point.label,
                type=verdict.point.type,
                source=verdict.point.source,
                database=verdict.point.database,
                finished_at=verdict.point.finished_at,
                keep=verdict.keep,
                reasons=verdict.reasons,
            )
            for verdict in verdicts
        ),
        removed_backups=removed,
        refused_objects=len(refused),
        refused_because=next(iter(refused.values()), ""),
        locked_objects=0 if remover is None else len(remover.locked),
        locked_until=None if remover is None else remover.locked_until,
    )
