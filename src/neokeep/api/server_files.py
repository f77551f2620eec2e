"""The server's other files: bringing them back, and what changed in them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from neokeep.api.places import openers, repository_at, source_of
from neokeep.errors import UsageError

if TYPE_CHECKING:
    from neokeep.api.places import Directory, OneOrSeveral
    from neokeep.neo4j.source import Source
    from neokeep.repository.repository import Repository
    from neokeep.server_files.reports import DiffConfigReport, ServerFilesReport
    from neokeep.storage.place import Place


def restore_server_files(
    repository: OneOrSeveral,
    directory: Directory,
    *,
    label: str | None = None,
    database: str | None = None,
    from_source: str | None = None,
) -> ServerFilesReport:
    """Write configuration, certificates, licences and plugins of a backup into a new or empty directory.

    The backup with this label, or the newest that has them, of a database or source where one is named. Nothing is
    written over files that are there. Of several repositories the first gives them that can.
    """
    from neokeep.server_files.restore import restore_server_files as restore

    def ask(opened: Repository) -> ServerFilesReport:
        return restore(opened, Path(directory), label=label, database=database, from_source=from_source)

    if not isinstance(repository, list | tuple):
        return ask(repository_at(repository))
    from neokeep.copies.each import ask_first

    return ask_first(openers(repository), ask)


def diff_config(
    repository: Repository | Place | Directory,
    before: str | None = None,
    after: str | None = None,
    *,
    source: Source | Directory | None = None,
    from_source: str | None = None,
) -> DiffConfigReport:
    """Compare configuration, certificates and plugins of the backup `before` with those of `after` or of a server.

    Without `before` the newest backup of that server is meant. Values of secret settings are never in the report.
    """
    from neokeep.server_files.diff import diff_config as compare

    if after is None and source is None:
        raise UsageError(
            "there is nothing to compare the backup with", remedy="Name a second backup, or the server with --home."
        )
    if after is not None and before is None:
        raise UsageError("only one of the two backups is named", remedy="Give `before` too.")
    found = None if source is None or after is not None else source_of(source)
    return compare(repository_at(repository), before, after, source=found, from_source=from_source)
