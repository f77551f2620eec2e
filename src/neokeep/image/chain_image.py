"""A chain in a scratch directory: its log whole and verified, its store files on demand.

Indexes, counts and ids are not there: Neo4j makes them anew from the records. The scratch directory takes the log and
the blocks that the log changes, not the store.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from neokeep.capture.checkpoint import ChosenCheckpoint, choose_checkpoint
from neokeep.files import scratch_directory
from neokeep.image.lazy import LazyFiles
from neokeep.neo4j.store.layout import rebuildable
from neokeep.repository.contents import file_list
from neokeep.restore.logs import LogEnd, apply_segments, cut_log
from neokeep.restore.targets import NEWEST
from neokeep.restore.write import Owner, write_files

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from neokeep.neo4j.recovery.pages import StoreFiles
    from neokeep.progress import Progress
    from neokeep.repository.chains import Chain
    from neokeep.repository.manifest import FileEntry
    from neokeep.repository.reader import BlockReader


@dataclass(frozen=True, slots=True)
class ChainImage:
    """A chain that was laid out: store files, log directory, where recovery starts, and the end of the log.

    `left_out` names the files of the base that are not there.
    """

    chain: Chain
    store: LazyFiles
    log: Path
    checkpoint: ChosenCheckpoint
    end: LogEnd
    left_out: tuple[str, ...]

    def stores(self) -> StoreFiles:
        """Open the record stores, to be used as a context."""
        # Compiled code takes a moment to load, which other commands need not wait for.
        from neokeep.neo4j.recovery.pages import StoreFiles

        aligned = self.chain.base.store_format == "aligned"
        return StoreFiles(self.store.directory, aligned=aligned, bring=self.store.bring_pages)


@contextmanager
def chain_image(
    reader: BlockReader, chain: Chain, *, scratch: Path | None, jobs: int, progress: Progress
) -> Iterator[ChainImage]:
    """Lay out a chain up to its end below `scratch` (the system's place for temporary files when it is None).

    Raises:
        IntegrityError: its log does not hold together, or a block or segment is missing or damaged.
    """
    with scratch_directory("image", scratch) as folder:
        store, log = folder / "store", folder / "log"
        store.mkdir()
        log.mkdir()
        files = file_list(reader, chain.base)
        kept, left_out = _parted([file for file in files if file.area == "store"])
        owner = Owner.of(log)
        write_files(
            reader, [file for file in files if file.area == "log"], {"log": log}, owner, jobs=jobs, progress=progress
        )
        apply_segments(reader.storage, chain.segments, log, owner, chain.base, progress)
        end = cut_log(log, NEWEST, chain.base.end.transaction or 0)
        lazy = LazyFiles(reader, kept, store, jobs=jobs)
        yield ChainImage(chain, lazy, log, choose_checkpoint(log), end, left_out)


def _parted(files: list[FileEntry]) -> tuple[list[FileEntry], tuple[str, ...]]:
    kept = [file for file in files if not rebuildable(file.path)]
    return kept, tuple(file.path for file in files if rebuildable(file.path))
