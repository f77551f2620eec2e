"""From what the user asks for to a restore plan: reads manifests and the ends of chains, decides nothing by itself."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from neokeep.errors import IntegrityError
from neokeep.repository.chains import Chain, chain_of, header_of
from neokeep.repository.manifest import Manifest
from neokeep.repository.repository import DamagedManifest
from neokeep.repository.windows import windows_of
from neokeep.restore.farthest import checksum_of, farthest
from neokeep.restore.plan import choose_source, require_database
from neokeep.restore.targets import NEWEST, Moment, RestorePlan, plan_backup, plan_moment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from neokeep.repository.repository import Repository
    from neokeep.repository.windows import Window


def choose_plan(
    repository: Repository,
    database: str,
    *,
    label: str | None,
    from_source: str | None,
    home: str,
    moment: Moment = NEWEST,
) -> RestorePlan:
    """Plan a restore of a database: of the backup with a label, up to a moment, or up to a moment of its chain.

    Raises:
        RepositoryError: there is no such backup.
        UsageError: the moment lies outside every restore window, or the choice is not clear.
    """
    if label is not None:
        manifest = repository.manifest(label)
        require_database(manifest, database, from_source)
        base = manifest if manifest.base is None else repository.manifest(manifest.base)
        if moment != NEWEST:
            windows = windows_of(repository, [base, manifest], with_times=moment.time is not None)
            return _with_kernel(repository, plan_moment(windows[:1], moment))
        return _with_kernel(repository, plan_backup(chain_of(repository, base), label, manifest.end.transaction or 0))
    everything = list(repository.manifests())
    readable = [item for item in everything if isinstance(item, Manifest)]
    chosen = choose_source(readable, database, from_source=from_source, home=home)
    _require_newest([item for item in everything if isinstance(item, DamagedManifest)], chosen, database)
    windows = windows_of(repository, chosen, with_times=moment.time is not None)
    if moment == NEWEST:
        windows = [farthest(repository, windows)]
    plan = _with_kernel(repository, plan_moment(windows, moment))
    return replace(plan, remark=_other_history(repository, windows, plan))


def _other_history(repository: Repository, windows: Sequence[Window], plan: RestorePlan) -> str:
    """Tell of a backup with another transaction of the wanted id, from a history that was lost or went on elsewhere."""
    wanted = plan.moment.transaction
    chosen = next((one.chain for one in windows if one.chain.base.label == plan.base.label), None)
    if wanted is None or chosen is None:
        return ""
    ours = checksum_of(repository, chosen, wanted)
    for window in windows:
        chain = window.chain
        theirs = checksum_of(repository, chain, wanted) if chain is not chosen and chain.reaches(wanted) else None
        if None not in (ours, theirs) and ours != theirs:
            return (
                f"another history of {chain.base.database} has a transaction {wanted} too: --backup {chain.base.label} "
                f"chooses it; this is that of {plan.base.label}"
            )
    return ""


def _with_kernel(repository: Repository, plan: RestorePlan) -> RestorePlan:
    """Note the newest kernel version of the log: a server may have been upgraded since the base was taken."""
    newest = header_of(repository, plan.segments[-1]).kernel_version if plan.segments else plan.base.kernel_version
    return replace(plan, kernel_version=newest)


def _require_newest(damaged: list[DamagedManifest], chosen: list[Manifest], database: str) -> None:
    """Refuse to take an older backup without a word where the newest one is damaged."""
    newest = max(chosen, key=lambda item: item.finished_at)
    for item in damaged:
        if item.label.startswith(f"{database}-") and item.label[-16:-1] > newest.label[-16:-1]:
            raise IntegrityError(
                f"the newest backup of {database}, {item.label}, is damaged: {item.error.message}",
                remedy=f"Restore the newest whole one with --backup {newest.label}, and run 'neokeep verify'.",
            )


def choose_chain(repository: Repository, database: str, *, label: str | None, from_source: str | None) -> Chain:
    """Choose the chain of a backup, or the newest chain of a database.

    Raises:
        RepositoryError: there is no such backup.
        UsageError: several sources have such a database.
    """
    if label is not None:
        manifest = repository.manifest(label)
        require_database(manifest, database, from_source)
        return chain_of(repository, manifest if manifest.base is None else repository.manifest(manifest.base))
    readable = [item for item in repository.manifests() if isinstance(item, Manifest)]
    chosen = choose_source(readable, database, from_source=from_source, home="")
    newest = max((item for item in chosen if item.type == "full"), key=lambda item: item.finished_at)
    return chain_of(repository, newest)
