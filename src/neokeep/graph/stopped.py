"""Opening a stopped database of a server where it lies. Nothing there is written."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from neokeep.errors import LockedError
from neokeep.graph.opened import OpenedStore
from neokeep.graph.pending import pending_log, recovered_pages
from neokeep.neo4j.store.pages import DirectoryPages
from neokeep.restore.recover import is_clean

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from neokeep.neo4j.source import Database, Source
    from neokeep.progress import Progress


@contextmanager
def opened_database(
    source: Source, name: str, *, as_is: bool = False, scratch: Path | None, progress: Progress
) -> Iterator[OpenedStore]:
    """Open a stopped database until the block ends.

    Where the log is not in the store yet, as after a crash, it is applied in files below `scratch`, or where the system
    keeps temporary files: those take what the log changes. Not so where it is wanted `as_is`.

    Raises:
        LockedError: it is open in a running server, or was opened before the block ended.
        SourceError: there is no such database, its format is not supported, or its log is not understood.
        IntegrityError: a store file is missing, or the log is damaged.
    """
    database = source.database(name)
    _require_stopped(database)
    subject, aligned = str(database.store_directory), database.store_format() == "aligned"
    place, clean = (database.store_directory, database.log_directory), is_clean(database.log_directory)
    if clean or as_is:
        pending = pending_log(*place, aligned=aligned, scratch=scratch) if as_is else None
        with DirectoryPages(database.store_directory) as pages:
            yield OpenedStore(subject, database.name, pages, aligned, pending=pending, derived=clean)
    else:
        progress.say(f"applying the log of {database.name}, which was not stopped in order, in scratch")
        with recovered_pages(*place, aligned=aligned, scratch=scratch) as (recovered, last):
            yield OpenedStore(subject, database.name, recovered, aligned, last_transaction=last)
    # What a server wrote meanwhile would look like damage.
    _require_stopped(database)


def _require_stopped(database: Database) -> None:
    if database.lock().held:
        raise LockedError(
            f"{database.name} is open in a running server, which changes it all the time",
            remedy="Back it up and read that: give --backup LABEL --repo REPOSITORY in place of --home.",
        )
