"""Checking what a user names: a stopped database of a server, or a backup in a repository."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from neokeep.consistency.pending import recovered_pages
from neokeep.consistency.reporting import report_of
from neokeep.consistency.run import check_store
from neokeep.errors import LockedError
from neokeep.neo4j.store.pages import DirectoryPages
from neokeep.restore.recover import is_clean

if TYPE_CHECKING:
    from pathlib import Path

    from neokeep.neo4j.source import Database, Source
    from neokeep.progress import Progress
    from neokeep.reports import ConsistencyReport
    from neokeep.repository.repository import Repository


def check_database(source: Source, name: str, *, scratch: Path | None, progress: Progress) -> ConsistencyReport:
    """Check a stopped database where it lies. Nothing there is written.

    Where the log is not in the store yet, as after a crash, it is applied in files below `scratch`, or where the system
    keeps temporary files: those take what the log changes.

    Raises:
        LockedError: it is open in a running server, or was opened meanwhile.
        SourceError: there is no such database, its format is not supported, or its log is not understood.
        IntegrityError: a store file is missing or cannot be read at all, or the log is damaged.
    """
    database, began = source.database(name), time.monotonic()
    _require_stopped(database)
    aligned, last = database.store_format() == "aligned", None
    if is_clean(database.log_directory):
        with DirectoryPages(database.store_directory) as pages:
            checked = check_store(pages, aligned=aligned, progress=progress)
    else:
        progress.say(f"applying the log of {database.name}, which was not stopped in order, in scratch")
        place = (database.store_directory, database.log_directory)
        with recovered_pages(*place, aligned=aligned, scratch=scratch) as (recovered, last):
            checked = check_store(recovered, aligned=aligned, progress=progress)
    # What a server wrote meanwhile would look like damage.
    _require_stopped(database)
    subject, seconds = str(database.store_directory), _since(began)
    return report_of(checked, subject=subject, database=database.name, seconds=seconds, last_transaction=last)


def check_backup(
    repository: Repository,
    name: str,
    *,
    label: str | None,
    from_source: str | None,
    scratch: Path | None,
    jobs: int,
    progress: Progress,
) -> ConsistencyReport:
    """Check a database as it is at the end of a backup, or of the newest chain, with its log applied natively.

    Record stores and log are laid out below `scratch`, or where the system keeps temporary files; no indexes.

    Raises:
        RepositoryError: there is no such backup.
        SourceError: the log holds what neokeep does not understand.
        IntegrityError: the backup is damaged, or its log does not hold together.
    """
    # Compiled code takes a moment to load, which a check of a database need not wait for.
    from neokeep.image.chain_image import chain_image
    from neokeep.neo4j.recovery.log import read_parts
    from neokeep.neo4j.recovery.redo import redo_files
    from neokeep.repository.reader import BlockReader
    from neokeep.restore.choose import choose_chain

    began = time.monotonic()
    chain = choose_chain(repository, name.lower(), label=label, from_source=from_source)
    last = chain.last_transaction
    if label is not None:
        last = repository.manifest(label).end.transaction or 0
        chain = replace(chain, segments=tuple(segment for segment in chain.segments if segment.first <= last))
    reader = BlockReader.of(repository)
    with chain_image(reader, chain, scratch=scratch, jobs=jobs, progress=progress) as image:
        progress.say(f"applying the log of {chain.base.label} up to transaction {last}")
        parts = read_parts(image.log, image.checkpoint.position)
        with image.stores() as files:
            redo_files(files, parts, last=last)
        with DirectoryPages(image.store.directory, bring=image.store.bring) as pages:
            checked = check_store(pages, aligned=chain.base.store_format == "aligned", progress=progress)
    return report_of(
        checked,
        subject=f"{label or chain.base.label} in {repository.storage.url}",
        database=chain.base.database,
        seconds=_since(began),
        label=label or chain.base.label,
        last_transaction=last,
    )


def _require_stopped(database: Database) -> None:
    if database.lock().held:
        raise LockedError(
            f"{database.name} is open in a running server, which changes it all the time",
            remedy="Back it up and check that: neokeep check-consistency DATABASE --backup LABEL --repo REPOSITORY.",
        )


def _since(began: float) -> float:
    return round(time.monotonic() - began, 3)
