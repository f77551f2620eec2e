"""`info`: what backups there are. Reads manifests only, so it is quick however large the backups."""

from __future__ import annotations

from typing import TYPE_CHECKING

from neokeep import reports
from neokeep.repository.manifest import Manifest

if TYPE_CHECKING:
    from neokeep.repository.repository import Repository


def describe(repository: Repository, database: str | None = None, label: str | None = None) -> reports.InfoReport:
    """List the backups of a repository, newest last, optionally of one database or only the one with a label.

    Raises:
        RepositoryError: there is no backup with that label.
    """
    items = [repository.manifest(label)] if label is not None else repository.manifests()
    backups: list[reports.BackupInfo] = []
    damaged: list[reports.Failure] = []
    for item in items:
        if isinstance(item, Manifest):
            if database in (None, item.database):
                backups.append(backup_info(item))
        else:
            error = item.error
            damaged.append(
                reports.Failure(subject=item.label, kind=error.kind, message=error.message, remedy=error.remedy)
            )
    return reports.InfoReport(
        repository=repository.storage.url,
        repository_id=repository.config.repository_id,
        format=repository.config.format,
        backups=tuple(backups),
        damaged=tuple(damaged),
    )


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
        left_out=tuple(
            reports.LeftOutInfo(path=item.path, reason=item.reason, rebuilt=item.rebuilt) for item in manifest.left_out
        ),
        events=manifest.events,
        neokeep_version=manifest.neokeep_version,
        base=manifest.base,
        reason=manifest.reason,
    )
