"""Opening the database in an archive of Neo4j's own, `.dump` or full `.backup`, unpacked below scratch.

The record stores are unpacked, and the trees (counts, indexes) that belong to them where the database is clean; nothing
else. The archive is read to its end all the same, and what is damaged, cut off or unsafe is refused as `load` does it.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from neokeep.files import explained, scratch_directory
from neokeep.graph.opened import OpenedStore
from neokeep.graph.pending import pending_log, recovered_pages
from neokeep.neo4j.store.layout import FileKind, classify
from neokeep.neo4j.store.pages import DirectoryPages

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from neokeep.progress import Progress
    from neokeep.restore.swap import Staging
    from neokeep.storage.place import Place

_READ = (FileKind.RECORD_STORE, FileKind.NEOSTORE, FileKind.TREE)


@contextmanager
def opened_archive(
    place: Place, *, as_is: bool = False, scratch: Path | None, progress: Progress
) -> Iterator[OpenedStore]:
    """Open the database in an archive until the block ends: a path, a URL, or - for standard input.

    Scratch takes its record stores and trees. A log that is not in the store yet is applied there, where the store is
    not wanted `as_is`.

    Raises:
        UsageError: there are several archives at the place.
        SourceError: it is no archive, holds no store, or one of a format or version that is not supported.
        IntegrityError: it is damaged, cut off or unsafe, or its log does not hold together.
        SpaceError, AccessError: scratch does not take it.
    """
    # Storages, and compiled code for logs, take a moment to load.
    from neokeep.artifact.examine import examine_unpacked
    from neokeep.artifact.places import STANDARD
    from neokeep.restore.swap import Staging

    subject = "standard input" if place.url == STANDARD else place.url
    with scratch_directory("archive", scratch) as folder:
        staging = Staging(folder / "store", folder / "log")
        name = _unpack(place, staging, progress)
        state = examine_unpacked(staging, place.url)
        aligned, last = state.store_id.store_format == "aligned", state.last_transaction
        if state.clean or as_is:
            known, pending = last if state.clean else None, None
            if as_is:
                pending = pending_log(staging.store, staging.log, aligned=aligned, scratch=scratch)
            with DirectoryPages(staging.store) as pages:
                yield OpenedStore(
                    subject,
                    name,
                    pages,
                    aligned,
                    archive=place.url,
                    last_transaction=known,
                    pending=pending,
                    derived=state.clean,
                )
        else:
            progress.say(f"applying the log in {place.url}")
            with recovered_pages(staging.store, staging.log, aligned=aligned, scratch=scratch) as (recovered, last):
                yield OpenedStore(subject, name, recovered, aligned, archive=place.url, last_transaction=last)


def _unpack(place: Place, staging: Staging, progress: Progress) -> str:
    """Unpack what is read, and tell what the database is called."""
    from neokeep.artifact.naming import archived_name, require_full
    from neokeep.artifact.places import find_one, opened
    from neokeep.artifact.unpack import unpack
    from neokeep.neo4j.artifact.read import open_artifact
    from neokeep.restore.write import Owner

    found = find_one(place)
    for directory in (staging.store, staging.log):
        with explained("make", directory):
            directory.mkdir()
    with opened(found.place) as stream:
        artifact = open_artifact(stream)
        require_full(artifact.header, place.url)
        progress.begin(f"unpacking {place.url}", artifact.header.size or 0)
        try:
            unpack(artifact, staging, Owner.of(staging.store), progress, wanted=_is_read, durable=False)
        finally:
            progress.end()
    return archived_name(artifact.header, found)


def _is_read(path: str) -> bool:
    return classify(path) in _READ
