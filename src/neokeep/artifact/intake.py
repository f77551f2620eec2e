"""Taking the files of an archive into a repository while it is read: store files as blocks, log files into scratch.

An archive is one stream of files in any order. One thread at a time takes the next piece off it; all of them name,
compress and store such pieces. Only logs are unpacked, since where recovery starts stands in a file that may come last.
"""

from __future__ import annotations

import threading
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from neokeep.artifact.behind import WriteBehind
from neokeep.artifact.unpack import require_foreign, write_entry
from neokeep.capture.logs import LOG_MODE
from neokeep.capture.plan import is_dropped
from neokeep.errors import IntegrityError, SourceError
from neokeep.files import AlignedBuffer
from neokeep.neo4j.log.names import is_log_name
from neokeep.neo4j.store.layout import NEOSTORE, RECORD_SIZES, FileKind, classified, classify, index_directory
from neokeep.neo4j.store.lucene import LuceneChanged, files_of_commit
from neokeep.neo4j.store.neostore import parse_neostore, refuse_block_store, require_supported
from neokeep.repository.block import ID_SIZE, LARGEST_BLOCK, block_size
from neokeep.repository.blocklist import make_block_list
from neokeep.repository.manifest import FileEntry
from neokeep.restore.write import GATHER, Owner
from neokeep.workers import run_workers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from neokeep.artifact.places import CountedSource
    from neokeep.neo4j.artifact.read import Artifact
    from neokeep.neo4j.artifact.tar import TarEntry
    from neokeep.neo4j.store.layout import Listing
    from neokeep.neo4j.store.neostore import StoreId
    from neokeep.progress import Progress
    from neokeep.repository.manifest import BlockList
    from neokeep.repository.writer import LendsWorkers, TakesBlocks

    ReadInto = Callable[[memoryview], int]

_EXTENT = LARGEST_BLOCK
_LARGEST_HELD = 1024 * 1024
_MOST_HELD = 64 * 1024 * 1024
_BELIEVED = 64 * 1024**3
_BEST_RATIO = 2_000


@dataclass(slots=True)
class _File:
    """A store file on its way; `ids` grows as it is read. `unfinished` counts extents that are not stored yet."""

    path: str
    size: int
    block_size: int
    ids: bytearray = field(default_factory=bytearray)
    read: int = 0
    unfinished: int = 0

    @property
    def is_read(self) -> bool:
        """Whether nothing is left of it in the archive."""
        return self.read == self.size


@dataclass(frozen=True, slots=True)
class _Extent:
    """Some blocks of a file, in the buffer of the thread that took them; `at` is where their ids belong."""

    file: _File
    at: int
    length: int


@dataclass(frozen=True, slots=True)
class Content:
    """What was taken: which store, its files but the logs, and what of the archive belongs into no backup.

    `dropped` maps directories of whole indexes to why they are left out. `skipped` are the locks and temporary files of
    a server. `read` counts the bytes of all files.
    """

    store_id: StoreId
    files: tuple[FileEntry, ...]
    dropped: dict[str, str]
    skipped: tuple[str, ...]
    read: int


class Intake:
    """Takes all files of one archive. Use once."""

    def __init__(
        self, artifact: Artifact, source: CountedSource, writer: LendsWorkers, log: Path, progress: Progress
    ) -> None:
        self._artifact, self._source = artifact, source
        self._writer = writer
        self._log = log
        self._progress = progress
        self._lock = threading.Lock()
        self._file: _File | None = None
        self._entries: Iterator[TarEntry] = iter(())
        self._read_into: ReadInto = len
        self._found: dict[str, BlockList] = {}
        self._folders: dict[str, list[tuple[str, int]]] = {"": []}
        self._held: dict[str, bytes] = {}
        self._held_bytes = 0
        self._skipped: list[str] = []
        self._store_id: StoreId | None = None
        self._read = 0

    def run(self, jobs: int) -> Content:
        """Take everything; store files are blocks then, log files lie in the directory that was given.

        Raises:
            SourceError: it is no store that can be worked with.
            IntegrityError: the archive is damaged, cut off or unsafe.
            SpaceError: there is no room for its log in scratch.
        """
        with self._artifact.entries() as (entries, read_into):
            self._entries, self._read_into = entries, read_into
            run_workers(self._work, jobs)
        where = self._source.name
        listing = classified(self._folders.items())
        if listing.migrating:
            raise SourceError(
                f"an unfinished migration is in {where}", remedy="Let Neo4j finish the migration, then dump it again."
            )
        if self._store_id is None:
            raise SourceError(
                f"{where} holds no Neo4j database: there is no file {NEOSTORE} in it", remedy="Use another archive."
            )
        commits, dropped = _whole_indexes(listing, self._folders, self._held)
        return Content(
            store_id=self._store_id,
            files=tuple(
                FileEntry(
                    area="store", path=file.path, kind=file.kind.name.lower(), mode=LOG_MODE,
                    content=self._found[file.path],
                )
                for file in listing.files
                if file.kind is not FileKind.NEVER
                and not is_dropped(file.path, dropped)
                and (file.kind is not FileKind.LUCENE or file.path in commits)
            ),
            dropped=dropped,
            skipped=tuple(sorted(self._skipped)),
            read=self._read,
        )  # fmt: skip

    def _work(self, stopping: threading.Event) -> None:
        with self._writer.worker() as worker, closing(AlignedBuffer(max(_EXTENT, GATHER))) as buffer:
            while not stopping.is_set():
                with self._lock:
                    extent = self._next(buffer)
                if extent is None:
                    return
                self._store(extent, worker, buffer)

    def _next(self, buffer: AlignedBuffer) -> _Extent | None:
        """Take the next extent off the stream, into the buffer; None at the end."""
        while self._file is None or self._file.is_read:
            entry = next(self._entries, None)
            if entry is None:
                return None
            self._file = self._begun(entry)
        file = self._file
        length = min(_EXTENT // file.block_size * file.block_size, file.size - file.read)
        view = buffer.view[:length]
        if self._read_into(view) != length:
            raise AssertionError("a reader of archives gives all of an entry, or raises")
        extent = _Extent(file, len(file.ids), length)
        file.ids += bytes(-(-length // file.block_size) * ID_SIZE)
        file.read += length
        file.unfinished += 1
        self._look_at(file, view)
        self._read += length
        self._require_plausible()
        self._progress.advance(length)
        return extent

    def _begun(self, entry: TarEntry) -> _File | None:
        """Begin with an entry; None where no block comes of it."""
        require_foreign(entry)
        if entry.is_directory:
            self._folders.setdefault(f"{entry.path}/", [])
            return None
        if is_log_name(entry.path):
            with WriteBehind(GATHER) as behind:
                write_entry(self._log / entry.path, entry, self._read_into, behind, Owner.of(self._log), self._progress)
            self._read += entry.size
            return None
        if classify(entry.path) is FileKind.NEVER:
            self._skipped.append(entry.path)
            return None
        refuse_block_store(entry.path, self._source.name)
        folder, _, name = entry.path.rpartition("/")
        self._folders.setdefault(f"{folder}/" if folder else "", []).append((name, entry.size))
        if entry.size:
            return _File(entry.path, entry.size, block_size(entry.size))
        self._found[entry.path] = make_block_list(0, block_size(0), b"", bytes)
        return None

    def _look_at(self, file: _File, view: memoryview) -> None:
        """Remember what has to be looked into: the store's own file, and the lists of files of full-text indexes."""
        if file.path == NEOSTORE and self._store_id is None:
            self._store_id = parse_neostore(bytes(view[:_LARGEST_HELD]), f"{NEOSTORE} of {self._source.name}")
            require_supported(self._store_id, self._source.name)
        name = file.path.rpartition("/")[2]
        lists_files = name.startswith("segments") or name.endswith(".si")
        if lists_files and file.size <= _LARGEST_HELD and self._held_bytes + file.size <= _MOST_HELD:
            self._held[file.path] = bytes(view)
            self._held_bytes += file.size

    def _require_plausible(self) -> None:
        """Give up on what would never end: no store is packed as well as nothing but zeros."""
        if self._read > _BELIEVED and self._read > _BEST_RATIO * self._source.taken:
            raise IntegrityError(
                f"{self._source.name} holds {self._read} bytes and more in {self._source.taken}: no database does",
                remedy="Do not use it: it is not as Neo4j wrote it.",
            )

    def _store(self, extent: _Extent, worker: TakesBlocks, buffer: AlignedBuffer) -> None:
        file = extent.file
        view = buffer.view[: extent.length]
        contents = [view[at : at + file.block_size] for at in range(0, extent.length, file.block_size)]
        ids = worker.put(contents, RECORD_SIZES.get(file.path, 0))
        with self._lock:
            file.ids[extent.at : extent.at + len(ids)] = ids
            file.unfinished -= 1
            complete = file.is_read and not file.unfinished
        if complete:
            content = worker.block_list(file.size, file.block_size, bytes(file.ids))
            with self._lock:
                self._found[file.path] = content


def _whole_indexes(
    listing: Listing, folders: Mapping[str, Sequence[tuple[str, int]]], held: Mapping[str, bytes]
) -> tuple[set[str], dict[str, str]]:
    """Name the files of the newest commits of all Lucene indexes; and the indexes that are not whole, with the reason.

    `held` gives the content of the files that list others.
    """
    wanted: set[str] = set()
    broken: dict[str, str] = {}
    for directory in listing.lucene:

        def read(name: str, directory: str = directory) -> bytes:
            if (path := f"{directory}/{name}") not in held:
                raise FileNotFoundError(path)
            return held[path]

        try:
            commit = files_of_commit(read, [name for name, _ in folders[f"{directory}/"]])
        except LuceneChanged as problem:
            index = index_directory(f"{directory}/") or directory
            broken[index] = f"it is not whole in the archive: {problem}"
        else:
            wanted.update(f"{directory}/{name}" for name in commit.files)
    return wanted, broken
