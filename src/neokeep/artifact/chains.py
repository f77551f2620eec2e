"""Putting `.backup` artifacts in order: which differential one goes on with which full one, and what is missing.

Pure functions over headers. Neo4j's rules: a chain is of one database id; each differential artifact begins with the
transaction behind the one before it, but the first behind a full one may begin earlier. One without transactions (0 to
0) tells only that nothing had happened.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from neokeep.artifact.reports import ArtifactChain

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from neokeep.neo4j.artifact.metadata import BackupMetadata

    Named = tuple[str, BackupMetadata]
    """A path and what the header there says."""


def order_chains(artifacts: Iterable[Named]) -> tuple[ArtifactChain, ...]:
    """Order artifacts into chains: by database, then by the time of the full one."""
    groups: dict[tuple[str, str], list[Named]] = {}
    for path, metadata in artifacts:
        groups.setdefault((metadata.database, str(metadata.database_id)), []).append((path, metadata))
    return tuple(chain for _, group in sorted(groups.items()) for chain in _chains_of(group))


def _chains_of(group: Sequence[Named]) -> list[ArtifactChain]:
    fulls = sorted((one for one in group if one[1].full), key=_by_time)
    following: dict[str | None, list[Named]] = {path: [] for path, _ in fulls}
    for one in sorted((one for one in group if not one[1].full), key=_by_transaction):
        following.setdefault(_full_of(one, fulls), []).append(one)
    found = [_chain(full, following[full[0]]) for full in fulls]
    if None in following:
        found.append(_chain(None, following[None]))
    return found


def _full_of(one: Named, fulls: Sequence[Named]) -> str | None:
    """Find the newest full artifact that a differential one can follow; without a gap, where there is such."""
    _, wanted = one
    earlier = [full for full in fulls if full[1].time <= wanted.time]
    joining = [full for full in earlier if not _is_empty(wanted) and wanted.lowest <= full[1].highest + 1]
    return next((full[0] for full in reversed(joining or earlier)), None)


def _chain(full: Named | None, following: Sequence[Named]) -> ArtifactChain:
    gaps: list[str] = []
    reached = None if full is None else full[1].highest
    whole = reached
    if full is None:
        gaps.append(f"the full artifact before {following[0][0]} is missing")
    for path, metadata in following:
        if _is_empty(metadata):
            continue
        if reached is not None and metadata.lowest > reached + 1:
            gaps.append(f"transactions {reached + 1} to {metadata.lowest - 1} are missing before {path}")
        reached = max(reached or 0, metadata.highest)
        if not gaps:
            whole = reached
    first = full or following[0]
    return ArtifactChain(
        database=first[1].database,
        database_id=str(first[1].database_id),
        full=None if full is None else full[0],
        differentials=tuple(path for path, _ in following),
        last_tx=whole,
        gaps=tuple(gaps),
    )


def _is_empty(metadata: BackupMetadata) -> bool:
    return metadata.lowest == metadata.highest == 0


def _by_time(one: Named) -> tuple[object, ...]:
    path, metadata = one
    return (metadata.time, metadata.highest, path)


def _by_transaction(one: Named) -> tuple[object, ...]:
    path, metadata = one
    return (metadata.time, path) if _is_empty(metadata) else (metadata.time, path, metadata.lowest)
