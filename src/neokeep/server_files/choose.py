"""Which backup's server files are meant: that of a label, or the newest of a server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from neokeep.errors import RepositoryError, UsageError
from neokeep.repository.contents import server_file_list
from neokeep.repository.manifest import Manifest, ServerFile
from neokeep.repository.reader import BlockReader

if TYPE_CHECKING:
    from collections.abc import Sequence

    from neokeep.repository.repository import Repository


@dataclass(frozen=True, slots=True)
class Chosen:
    """A backup with the server's other files, and what reads them."""

    manifest: Manifest
    files: tuple[ServerFile, ...]
    reader: BlockReader


def choose(
    repository: Repository,
    *,
    label: str | None,
    database: str | None = None,
    from_source: str | None = None,
    preferred: str | None = None,
) -> Chosen:
    """Choose the backup with a label, or the newest that has the server's other files; `preferred` is a source.

    Raises:
        RepositoryError: there is no such backup, or it has none.
        UsageError: several servers have such backups.
        KeyNeededError: only a writer's key is at hand.
    """
    manifest = (
        repository.manifest(label) if label is not None else _newest(repository, database, from_source, preferred)
    )
    if manifest.server is None:
        raise RepositoryError(
            f"{manifest.label} has none of the server's other files",
            remedy="Choose another backup. Every new one has them, unless --server-files is none.",
        )
    if (database is not None and manifest.database != database) or from_source not in {None, manifest.source.name}:
        raise UsageError(
            f"{manifest.label} is of {manifest.database} of {manifest.source.name}",
            remedy="Name the database and source that it is of, or leave them out.",
        )
    reader = BlockReader.of(repository)
    return Chosen(manifest, tuple(server_file_list(reader, manifest)), reader)


def _newest(repository: Repository, database: str | None, from_source: str | None, preferred: str | None) -> Manifest:
    items = [item for item in repository.manifests() if isinstance(item, Manifest)]
    found = newest_first(items, database, from_source)
    found = [item for item in found if item.source.name == preferred] or found
    if not found:
        raise RepositoryError(
            f"no backup in {repository.storage.url} has the server's other files"
            + (f" of {from_source}" if from_source else ""),
            remedy="Take one: 'neokeep backup' has them unless --server-files is none.",
        )
    sources = sorted({item.source.name for item in found})
    if len(sources) > 1:
        raise UsageError(
            f"backups of several servers have such files: {', '.join(sources)}",
            remedy="Choose one with --from-source, or a backup with --backup.",
        )
    return found[0]


def newest_first(items: Sequence[Manifest], database: str | None, from_source: str | None) -> list[Manifest]:
    """List the backups that may be meant."""
    fitting = [
        item
        for item in items
        if item.server is not None and database in {None, item.database} and from_source in {None, item.source.name}
    ]
    return sorted(fitting, key=lambda item: (item.finished_at, item.label), reverse=True)
