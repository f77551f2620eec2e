"""Opening a database as it is at the end of a backup, with its log applied natively."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from neokeep.graph.opened import OpenedStore
from neokeep.neo4j.store.pages import DirectoryPages

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from neokeep.progress import Progress
    from neokeep.repository.repository import Repository


@contextmanager
def opened_backup(
    repository: Repository,
    name: str,
    *,
    label: str | None,
    from_source: str | None,
    scratch: Path | None,
    jobs: int,
    progress: Progress,
) -> Iterator[OpenedStore]:
    """Open a database at the end of a backup, or of the newest chain, until the block ends.

    The log, and what is read of the record stores, is laid out below `scratch`, or where the system keeps temporary
    files; no indexes.

    Raises:
        RepositoryError: there is no such backup.
        SourceError: the log holds what neokeep does not understand.
        IntegrityError: the backup is damaged, or its log does not hold together.
    """
    # Compiled code takes a moment to load, which whoever reads a database need not wait for.
    from neokeep.image.chain_image import chain_image
    from neokeep.neo4j.recovery.log import read_parts
    from neokeep.neo4j.recovery.redo import redo_files
    from neokeep.repository.reader import BlockReader
    from neokeep.restore.choose import choose_chain

    chain = choose_chain(repository, name.lower(), label=label, from_source=from_source)
    last = chain.last_transaction
    if label is not None:
        last = repository.manifest(label).end.transaction or 0
        chain = replace(chain, segments=tuple(segment for segment in chain.segments if segment.first <= last))
    base = chain.base
    with chain_image(BlockReader.of(repository), chain, scratch=scratch, jobs=jobs, progress=progress) as image:
        progress.say(f"applying the log of {base.label} up to transaction {last}")
        parts = read_parts(image.log, image.checkpoint.position)
        with image.stores() as files:
            redo_files(files, parts, last=last)
        with DirectoryPages(image.store.directory, bring=image.store.bring) as pages:
            yield OpenedStore(
                f"{label or base.label} in {repository.storage.url}",
                base.database,
                pages,
                base.store_format == "aligned",
                label=label or base.label,
                last_transaction=last,
            )
