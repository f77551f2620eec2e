"""`info`: what backups there are, and which moments can be restored to.

Reads manifests, the last segment of each chain, and the newest record of what verifications proved, so it is quick
however large the backups.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from neokeep import reports
from neokeep.repository.holds import hold_info, list_holds
from neokeep.repository.manifest import Manifest
from neokeep.repository.repository import DamagedManifest
from neokeep.repository.verified import read_records
from neokeep.repository.windows import problems_of, windows_of

if TYPE_CHECKING:
    from neokeep.repository.manifest import Ingested, LeftOut, ServerFiles
    from neokeep.repository.repository import Repository
    from neokeep.repository.verified import CheckedBackup, ProvenBackup
    from neokeep.repository.windows import Window


def describe(repository: Repository, database: str | None = None, label: str | None = None) -> reports.InfoReport:
    """List the backups and restore windows of a repository, newest last.

    Optionally those of one database, or only the backup with a label and the window of its chain.

    Raises:
        RepositoryError: there is no backup with that label.
    """
    items = list(repository.manifests()) if label is None else _chain_with(repository, label)
    shown = [item.label for item in items if isinstance(item, DamagedManifest) or database in (None, item.database)]
    readable = [item for item in items if isinstance(item, Manifest) and database in (None, item.database)]
    record = read_records(repository.storage)
    proven = {one.label: one for one in record.backups}
    checked = {one.label: one for one in record.checked}
    return reports.InfoReport(
        repository=repository.storage.url,
        repository_id=repository.config.repository_id,
        format=repository.config.format,
        encrypted=repository.storage.content_keys is not None,
        backups=tuple(
            _with_check(_with_proof(backup_info(item), proven.get(item.label)), checked.get(item.label))
            for item in readable
            if label in (None, item.label)
        ),
        damaged=tuple(_failure(item) for item in items if isinstance(item, DamagedManifest)),
        windows=tuple(map(window_info, windows_of(repository, readable))),
        holds=tuple(
            hold_info(hold)
            for hold in list_holds(repository.storage)
            if hold.label in shown and hold.counts_at(datetime.now(UTC))
        ),
    )


def _chain_with(repository: Repository, label: str) -> list[Manifest | DamagedManifest]:
    """Find the backup with a label, its full backup, and all others that go on with that."""
    base = repository.manifest(label).base or label
    return [
        item
        for item in repository.manifests()
        if item.label == base or (isinstance(item, Manifest) and item.base == base)
    ]


def window_info(window: Window) -> reports.WindowInfo:
    """Tell of one restore window where it begins and ends, and what is wrong with it."""
    chain = window.chain
    return reports.WindowInfo(
        base=chain.base.label,
        database=chain.base.database,
        source=chain.base.source.name,
        first_tx=window.first,
        last_tx=window.last,
        first_time=window.opens_at,
        last_time=window.closes_at,
        segments=len(chain.segments),
        log_bytes=chain.log_bytes,
        unreachable_segments=len(chain.unreachable),
        problems=problems_of(window),
    )


def _failure(damaged: DamagedManifest) -> reports.Failure:
    error = damaged.error
    return reports.Failure(subject=damaged.label, kind=error.kind, message=error.message, remedy=error.remedy)


def _with_proof(info: reports.BackupInfo, known: ProvenBackup | None) -> reports.BackupInfo:
    if known is None:
        return info
    return msgspec.structs.replace(
        info,
        structure_proven_at=known.structure,
        content_proven_at=known.content,
        recovered_at=known.recovered,
        verified_whole=known.whole and known.fits,
    )


def _with_check(info: reports.BackupInfo, found: CheckedBackup | None) -> reports.BackupInfo:
    if found is None:
        return info
    return msgspec.structs.replace(info, consistency_checked_at=found.checked, inconsistencies=found.inconsistencies)


def backup_info(manifest: Manifest) -> reports.BackupInfo:
    """Tell of one backup what its manifest says."""
    statistics, end = manifest.statistics, manifest.end
    return reports.BackupInfo(
        label=manifest.label,
        type=manifest.type,
        source=manifest.source.name,
        host=manifest.source.host,
        home=manifest.source.home,
        database=manifest.database,
        neo4j_version=manifest.neo4j_version,
        edition=manifest.source.edition,
        store_id=manifest.store_id,
        store_format=manifest.store_format,
        running=manifest.source.running,
        started_at=manifest.started_at,
        finished_at=manifest.finished_at,
        checkpoint_tx=manifest.checkpoint.transaction,
        checkpoint_position=f"{manifest.checkpoint.version}:{manifest.checkpoint.offset}",
        first_tx=manifest.first_transaction,
        last_tx=end.transaction or 0,
        last_commit_time=end.commit_time,
        end_position=f"{end.version}:{end.offset}",
        size_bytes=statistics.size_bytes,
        stored_bytes=statistics.stored_bytes,
        bytes_read=statistics.bytes_read,
        file_count=manifest.file_count,
        seconds=statistics.seconds,
        attempts=statistics.attempts,
        file_retries=statistics.file_retries,
        left_out=tuple(map(left_out_info, manifest.left_out)),
        events=manifest.events,
        neokeep_version=manifest.neokeep_version,
        base=manifest.base,
        reason=manifest.reason,
        compressed_bytes=statistics.compressed_bytes,
        server_files=None if manifest.server is None else _server_files_info(manifest.server),
        ingested=None if manifest.ingested is None else _ingested_info(manifest.ingested),
    )


def _ingested_info(ingested: Ingested) -> reports.IngestedInfo:
    return reports.IngestedInfo(
        archive=ingested.archive,
        type=ingested.type,
        format=ingested.format,
        size_bytes=ingested.size_bytes,
        modified=ingested.modified,
        ingested_at=ingested.ingested_at,
        dated_by=ingested.dated_by,
    )


def left_out_info(item: LeftOut) -> reports.LeftOutInfo:
    """Tell of something that is not in a backup."""
    return reports.LeftOutInfo(path=item.path, reason=item.reason, rebuilt=item.rebuilt)


def _server_files_info(server: ServerFiles) -> reports.ServerFilesInfo:
    return reports.ServerFilesInfo(
        mode=server.mode,
        file_count=server.count,
        redacted=server.redacted,
        left_out=tuple(map(left_out_info, server.left_out)),
    )
