"""Which backup to restore, and whether the server that will open it can. Pure functions over manifests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from neokeep.errors import RepositoryError, SourceError, UsageError
from neokeep.neo4j.versions import Neo4jVersion, kernel_version_introduced, kernel_version_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from neokeep.repository.manifest import Manifest

FIRST_OF_4X_LOGS = 5
"""Kernel versions below this are Neo4j 4.x: another log format, which only 4.x itself can recover."""


def choose_source(
    manifests: Sequence[Manifest], database: str, *, from_source: str | None, home: str
) -> list[Manifest]:
    """Choose whose backups of a database are meant: those of one source.

    Where several sources have such a database, the source whose home is the target is taken, and then the only one that
    was captured: archives that were ingested must not stand in the way of a restore. Otherwise the user has to say
    which, since the newest of them may be another graph.

    Raises:
        RepositoryError: there is none.
        UsageError: the choice is not clear.
    """
    candidates = [item for item in manifests if item.database == database]
    if from_source is not None:
        candidates = [item for item in candidates if item.source.name == from_source]
    if not any(item.type == "full" for item in candidates):
        raise _no_backup(manifests, database, from_source)
    sources = {item.source.name for item in candidates}
    if len(sources) > 1:
        captured = [item for item in candidates if item.ingested is None]
        here = [item for item in captured if item.source.home == home]
        if not here and len({item.source.name for item in captured}) == 1:
            here = captured
        if not any(item.type == "full" for item in here):
            raise UsageError(
                f"several sources have backups of {database}: {', '.join(sorted(sources))}",
                remedy="Say which with --from-source NAME or --backup LABEL.",
            )
        return here
    return candidates


def require_database(manifest: Manifest, database: str, from_source: str | None) -> None:
    """Check that a backup chosen by its label is of the database, and of the source, that was asked for.

    Raises:
        RepositoryError: it is not.
    """
    if manifest.database != database or from_source not in (None, manifest.source.name):
        wanted = database if from_source is None else f"{database} of {from_source}"
        raise RepositoryError(
            f"backup {manifest.label} is of database {manifest.database} of {manifest.source.name}, not of {wanted}",
            remedy="List them with: neokeep info",
        )


def _no_backup(manifests: Sequence[Manifest], database: str, from_source: str | None) -> RepositoryError:
    known = sorted({item.database for item in manifests})
    where = f" of source {from_source}" if from_source else ""
    return RepositoryError(
        f"there is no backup of a database {database!r}{where}",
        remedy=f"The repository has backups of: {', '.join(known) or 'nothing'}.",
    )


def require_openable(manifest: Manifest, kernel_version: int, server: Neo4jVersion | None) -> None:
    """Refuse a backup that the target's server could not open; `kernel_version` is the newest in its log.

    Raises:
        SourceError: it would be a downgrade, or needs a migration first; the remedy names the path.
    """
    if server is None:
        return
    oldest = kernel_version_introduced(kernel_version)
    if server < oldest:
        raise SourceError(
            f"backup {manifest.label} was written by Neo4j {_writer(manifest, kernel_version)}; "
            f"the target is {server}, which cannot open it",
            remedy=f"Restore it into Neo4j {oldest} or newer: a store is never downgraded.",
        )
    if kernel_version < FIRST_OF_4X_LOGS and server.family != "4.4":
        raise SourceError(
            f"backup {manifest.label} was written by Neo4j {_writer(manifest, kernel_version)}; "
            f"the target is {server}, which can neither recover nor open it",
            remedy="Restore it into a Neo4j 4.4 home with --recover, dump it there, load the dump into 5.26 and run "
            "'neo4j-admin database migrate' on it; from 5.26 newer versions open it directly.",
        )


def _writer(manifest: Manifest, kernel_version: int) -> str:
    if manifest.neo4j_version is not None and kernel_version == manifest.kernel_version:
        return manifest.neo4j_version
    return f"{kernel_version_name(kernel_version)} or newer"
