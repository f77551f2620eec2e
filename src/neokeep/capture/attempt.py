"""One attempt to capture a database: checkpoint, logs opened, store copied, log read to its end, files listed again.

The order is the proof: everything that changed since the checkpoint is in the log from its position on, and the log is
read to its end after the last byte of the store was.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from neokeep.capture.checkpoint import ChosenCheckpoint, choose_checkpoint
from neokeep.capture.copying import Copied, FileCopier
from neokeep.capture.logs import LOG_MODE, FollowedLog, LogFollower
from neokeep.capture.plan import explain_changes, is_dropped, plan_copy
from neokeep.capture.void import CaptureVoid
from neokeep.errors import SourceError
from neokeep.files import explain
from neokeep.neo4j.store.layout import Listing, list_database, rebuildable
from neokeep.repository.manifest import FileEntry, LeftOut

if TYPE_CHECKING:
    from neokeep.capture.options import CaptureOptions
    from neokeep.capture.reading import GentleReader
    from neokeep.neo4j.source import Database
    from neokeep.progress import Progress
    from neokeep.repository.writer import LendsWorkers


@dataclass(frozen=True, slots=True)
class Image:
    """A captured database: consistent once Neo4j has recovered it."""

    checkpoint: ChosenCheckpoint
    log: FollowedLog
    files: tuple[FileEntry, ...]
    left_out: tuple[LeftOut, ...]
    events: tuple[str, ...]
    file_retries: int


def capture_once(
    database: Database, writer: LendsWorkers, reader: GentleReader, options: CaptureOptions, progress: Progress
) -> Image:
    """Capture a database, running or stopped.

    Raises:
        CaptureVoid: what was read does not fit together; start over.
        IntegrityError: the transaction log of the source is damaged.
    """
    store_id = str(database.store_id())
    places = _places(database)
    checkpoint = choose_checkpoint(database.log_directory)
    follower = LogFollower(database.log_directory, checkpoint.position, writer)
    try:
        follower.start()
        before = _list(database)
        plan = plan_copy(before, options.indexes)
        progress.begin(f"copying {database.name}", plan.size)
        copier = FileCopier(database.store_directory, writer, reader, progress)
        copied = copier.run(plan, options, follower.check)
        try:
            log = follower.finish()
            after = _list(database)
            changes = explain_changes(before, after)
            if changes.void:
                raise CaptureVoid(changes.void)
            if _places(database) != places:
                raise CaptureVoid("the directories of the database were replaced")
            _require_same_files(database, copied, store_id)
        finally:
            copied.close()
    finally:
        follower.close()
    drop = copied.drop | changes.drop
    entries = [entry for path, entry in sorted(copied.entries.items()) if not is_dropped(path, drop)]
    dropped = [LeftOut(path=path, reason=reason, rebuilt=is_rebuilt(path)) for path, reason in sorted(drop.items())]
    return Image(
        checkpoint=checkpoint,
        log=log,
        files=(*entries, *log.entries, checkpoint_entry(checkpoint, writer)),
        left_out=(*plan.left_out, *dropped, *changes.left_out),
        events=(*changes.events, *log_events(log)),
        file_retries=copied.retries,
    )


def _list(database: Database) -> Listing:
    listing = list_database(database.store_directory)
    if listing.migrating:
        raise SourceError(
            f"{database.store_directory} is in the middle of a store migration",
            remedy="Let the server finish the migration, then repeat the backup.",
        )
    return listing


def _places(database: Database) -> list[tuple[int, int] | None]:
    """Tell store and log directory apart from others that may come to stand under their names; None for none."""
    places: list[tuple[int, int] | None] = []
    for directory in (database.store_directory, database.log_directory):
        try:
            status = directory.stat()
            places.append((status.st_dev, status.st_ino))
        except FileNotFoundError:
            places.append(None)
        except OSError as problem:
            raise explain(problem, "look at", directory) from problem
    return places


def _require_same_files(database: Database, copied: Copied, store_id: str) -> None:
    """A store that was replaced under the copy (a load, a restore) has other files, even if they look alike."""
    if str(database.store_id()) != store_id:
        raise CaptureVoid("the store was replaced by another one")
    for file in copied.record_stores:
        try:
            same = (database.store_directory / file.path).stat().st_ino == file.inode
        except FileNotFoundError:
            same = False
        except OSError as problem:
            raise explain(problem, "look at", database.store_directory / file.path) from problem
        if not same:
            raise CaptureVoid(f"{file.path} was replaced by another file")


def is_rebuilt(path: str) -> bool:
    """Tell whether Neo4j makes a file, or all of an index directory, anew."""
    return rebuildable(path) or path.startswith("schema/index/")


def checkpoint_entry(checkpoint: ChosenCheckpoint, writer: LendsWorkers) -> FileEntry:
    """Store the checkpoint file, up to and with the record that was chosen."""
    with writer.worker() as worker:
        content = worker.put_bytes(checkpoint.content)
    return FileEntry(area="log", path=checkpoint.name, kind="checkpoint", mode=LOG_MODE, content=content)


def log_events(log: FollowedLog) -> tuple[str, ...]:
    """Tell what is worth telling of a log."""
    return (f"behind the last transaction stood part of another one, left out: {log.torn}",) if log.torn else ()
