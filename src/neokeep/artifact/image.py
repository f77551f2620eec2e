"""A moment of a repository as a clean store whose files are fetched when they are read: what a dump is made of.

The scratch directory takes the log and the blocks that the log changes, never the whole store.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from neokeep.capture.checkpoint import choose_checkpoint
from neokeep.errors import IntegrityError
from neokeep.files import scratch_directory
from neokeep.image.lazy import LazyFiles
from neokeep.neo4j.store.layout import NEOSTORE, rebuildable
from neokeep.repository.contents import file_list
from neokeep.restore.logs import LogEnd, apply_segments, cut_log, end_at
from neokeep.restore.recover import is_clean
from neokeep.restore.targets import Moment
from neokeep.restore.write import Owner, write_files

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from neokeep.progress import Progress
    from neokeep.repository.manifest import FileEntry
    from neokeep.repository.reader import BlockReader
    from neokeep.restore.targets import RestorePlan


@dataclass(frozen=True, slots=True)
class CleanImage:
    """A clean store: its files, its log directory, where the log ends, and whether recovery had to make it so."""

    store: LazyFiles
    log: Path
    end: LogEnd
    was_recovered: bool


@contextmanager
def clean_image(
    reader: BlockReader, plan: RestorePlan, *, with_indexes: bool, scratch: Path | None, jobs: int, progress: Progress
) -> Iterator[CleanImage]:
    """Lay out what a plan restores below `scratch`, and recover it natively where that is due.

    Raises:
        UnknownCommand: the log holds what neokeep does not understand.
        IntegrityError: it does not hold together, or a block or segment is missing or damaged.
    """
    base = plan.base
    with scratch_directory("dump", scratch) as folder:
        store, log = folder / "store", folder / "log"
        store.mkdir()
        log.mkdir()
        files, floor = file_list(reader, base), base.end.transaction or 0
        of_log = [file for file in files if file.area == "log"]
        owner = Owner.of(log)
        write_files(reader, of_log, {"log": log}, owner, jobs=jobs, progress=progress)
        apply_segments(reader.storage, plan.segments, log, owner, base, progress)
        if plan.goes_back:
            end = end_at(log, plan.moment, (base.opens or base.end).transaction or 0)
        else:
            end = cut_log(log, plan.moment, floor)
        due = plan.goes_back or not is_clean(log)
        kept = _kept(files, with_indexes=with_indexes and not due)
        lazy = LazyFiles(reader, kept, store, jobs=jobs)
        if due:
            progress.say(f"applying the log of {base.database} up to transaction {end.transaction}")
            _recover(lazy, log, end.transaction if plan.goes_back else None, aligned=base.store_format == "aligned")
        lazy.bring(NEOSTORE)
        yield CleanImage(lazy, log, end, due)


def _kept(files: Sequence[FileEntry], *, with_indexes: bool) -> list[FileEntry]:
    return [file for file in files if file.area == "store" and (with_indexes or not rebuildable(file.path))]


def _recover(lazy: LazyFiles, log: Path, last: int | None, *, aligned: bool) -> None:
    """Apply the log to the files as they are fetched; behind `last` it is undone and cut off."""
    # Compiled code takes a moment to load, which other commands need not wait for.
    from neokeep.neo4j.recovery.finish import finish
    from neokeep.neo4j.recovery.log import read_parts
    from neokeep.neo4j.recovery.pages import StoreFiles
    from neokeep.neo4j.recovery.redo import redo_files

    checkpoint = choose_checkpoint(log)
    parts = read_parts(log, checkpoint.position)
    with StoreFiles(lazy.directory, aligned=aligned, bring=lazy.bring_pages) as files:
        done = redo_files(files, parts, last=last)
    if last is not None:
        cut_log(log, Moment(transaction=last), last)
        parts = read_parts(log, checkpoint.position)
    lazy.bring(NEOSTORE)
    finish(lazy.directory, log, parts, done.metadata, checkpoint.name, len(checkpoint.content))
    if not is_clean(log):
        raise IntegrityError(
            "the store is not clean after its log was applied",
            remedy="Restore the backup, let Neo4j recover it, and dump that.",
        )
