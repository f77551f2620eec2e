"""What a user wants to have read: a database of a server, of a repository, or in an archive."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from neokeep.graph.archived import opened_archive
from neokeep.graph.kept import opened_backup
from neokeep.graph.stopped import opened_database

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

    from neokeep.graph.opened import OpenedStore
    from neokeep.neo4j.source import Source
    from neokeep.progress import Progress
    from neokeep.repository.repository import Repository
    from neokeep.storage.place import Place


@dataclass(frozen=True, slots=True)
class Subject:
    """A database, and where it is: at a stopped server, in a repository, or in an archive, which holds just one.

    Of a repository it is the backup with the label, or the newest state of the newest chain, of one source where there
    are several. What has to be laid out lies below `scratch`, or where the system keeps temporary files. `as_is`: a log
    that is not in the store yet is left aside; never of a repository, whose backups are nothing without their logs.
    """

    database: str | None
    source: Source | None = None
    repository: Repository | None = None
    label: str | None = None
    from_source: str | None = None
    scratch: Path | None = None
    jobs: int = 1
    archive: Place | None = None
    as_is: bool = False

    def opened(self, progress: Progress) -> AbstractContextManager[OpenedStore]:
        """Open it until the block ends.

        Raises:
            LockedError: it is open in a running server, or was opened before the block ended.
            RepositoryError: there is no such backup.
            SourceError: there is no such database or archive, its format is not supported, or its log is not
                understood.
            IntegrityError: it cannot be read at all: a store file is missing, the log, backup or archive is damaged.
        """
        if self.archive is not None:
            return opened_archive(self.archive, as_is=self.as_is, scratch=self.scratch, progress=progress)
        if self.database is None:
            raise ValueError("no database was named")
        if self.source is not None:
            return opened_database(
                self.source, self.database, as_is=self.as_is, scratch=self.scratch, progress=progress
            )
        if self.repository is None:
            raise ValueError("neither a source nor a repository nor an archive was given")
        return opened_backup(
            self.repository,
            self.database,
            label=self.label,
            from_source=self.from_source,
            scratch=self.scratch,
            jobs=self.jobs,
            progress=progress,
        )
