"""What one repository cannot give comes from another one that holds the same backup, block by block.

A storage that went away in the middle is not asked again: each request would wait for all its retries. What it did not
give is read from the next one in the order of its packs, as everything else is.
"""

from __future__ import annotations

import threading
from array import array
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from neokeep.copies.same import same_backup, same_names
from neokeep.errors import AWAY, IntegrityError, NeokeepError
from neokeep.repository.block import ID_SIZE
from neokeep.repository.contents import expand_file, file_list
from neokeep.repository.fetch import Wanted, plan_fetch, run_jobs
from neokeep.repository.reader import BlockReader
from neokeep.storage.base import ObjectMissing
from neokeep.storage.layer import Layer
from neokeep.units import format_count

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from neokeep.progress import Progress
    from neokeep.repository.fetch import Sink
    from neokeep.repository.manifest import FileEntry, Manifest
    from neokeep.repository.repository import Repository
    from neokeep.storage.base import Storage, StoredObject

_TEXT_ID = f"S{ID_SIZE}"


class Lost:
    """Places of files whose blocks could not be had, and the first reason. Filled by several threads."""

    def __init__(self) -> None:
        self.problem: IntegrityError | None = None
        self._columns = (array("q"), array("q"), array("q"))
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._columns[0])

    def add(self, target: int, offset: int, size: int, problem: IntegrityError) -> None:
        """Note one place."""
        with self._lock:
            self.problem = self.problem or problem
            for column, value in zip(self._columns, (target, offset, size), strict=True):
                column.append(value)

    def add_rows(self, wanted: Wanted, rows: np.typing.NDArray[np.int64], problem: IntegrityError) -> None:
        """Note the places of rows of what was wanted."""
        for row in rows:
            self.add(int(wanted.targets[row]), int(wanted.offsets[row]), int(wanted.sizes[row]), problem)

    def places(self) -> tuple[np.typing.NDArray[np.int64], ...]:
        """Return targets, offsets and sizes (int64), in the order of the files."""
        columns = [np.array(column, np.int64) for column in self._columns]
        order = np.lexsort((columns[1], columns[0]))
        return tuple(column[order] for column in columns)


class Unasked(Layer):
    """A storage of which all is missing from the moment on in which it does not answer any more.

    `on_log` is told of each segment that it gave.
    """

    def __init__(self, inner: Storage, on_log: Callable[[], None] | None = None) -> None:
        super().__init__(inner)
        self._gone = ""
        self._on_log = on_log

    def read(self, name: str, offset: int = 0, length: int | None = None) -> bytes:
        """See Storage.read."""
        if not self._gone:
            try:
                data = self.inner.read(name, offset, length)
            except AWAY as problem:
                self._gone = problem.message
            else:
                if self._on_log is not None and name.startswith("segments/"):
                    self._on_log()
                return data
        raise ObjectMissing(f"{name} cannot be read: {self._gone}")

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """See Storage.list."""
        if not self._gone:
            try:
                yield from list(self.inner.list(prefix))
            except AWAY as problem:
                self._gone = problem.message


class Spares:
    """Other repositories that may have what `own` has of a backup. `used` tells what they gave."""

    def __init__(self, own: Repository, others: Sequence[Repository], progress: Progress) -> None:
        self._own = own
        self._others = [(other, Unasked(other.storage, partial(self._tell_log, other.storage.url))) for other in others]
        self._progress = progress
        self.used: list[str] = []

    @property
    def storages(self) -> list[Storage]:
        """Where archived log of the same chain may be."""
        return [storage for _, storage in self._others]

    def fill(
        self,
        reader: BlockReader,
        base: Manifest,
        files: Sequence[FileEntry],
        lost: Lost,
        make_sink: Callable[[Lost], Sink],
        jobs: int,
    ) -> Lost:
        """Give lost blocks to new sinks, repository by repository; return what none of them had."""
        for other, storage in self._others:
            if not lost:
                break
            try:
                lost = self._give(other, storage, reader, base, files, lost, make_sink, jobs)
            except (IntegrityError, *AWAY) as problem:
                self._tell(f"{other.storage.url} cannot help: {problem.message}")
        return lost

    def _give(
        self,
        other: Repository,
        storage: Storage,
        reader: BlockReader,
        base: Manifest,
        files: Sequence[FileEntry],
        lost: Lost,
        make_sink: Callable[[Lost], Sink],
        jobs: int,
    ) -> Lost:
        there = BlockReader(storage, other.read_index())
        named = reader, files
        if not same_names(self._own, other):
            twin = other.manifest(base.label)
            if not same_backup(twin, base):
                raise IntegrityError(f"it has another backup with the label {base.label}")
            named = there, _aligned(files, file_list(there, twin))
        targets, offsets, sizes = lost.places()
        ids = np.empty(len(targets), _TEXT_ID)
        for target in np.unique(targets):
            first, last = np.searchsorted(targets, [target, target + 1])
            content = named[1][target].content
            all_ids = np.frombuffer(expand_file(named[0], named[1][target]), _TEXT_ID)
            ids[first:last] = all_ids[offsets[first:last] // content.block_size]
        wanted = Wanted(ids.view(f"V{ID_SIZE}"), sizes, targets, offsets)
        plan = plan_fetch(there.index, wanted)
        still = Lost()
        still.add_rows(wanted, plan.missing, lost.problem or IntegrityError("it is missing"))
        given = format_count(len(plan.pack), "block")
        reason = lost.problem.message if lost.problem else "missing"
        self._tell(f"{given} that {self._own.storage.url} could not give ({reason}) came from {other.storage.url}")
        run_jobs(there, plan, lambda: make_sink(still), jobs)
        return still

    def _tell_log(self, url: str) -> None:
        message = f"archived log that {self._own.storage.url} could not give came from {url}"
        if message not in self.used:
            self._tell(message)

    def _tell(self, message: str) -> None:
        self.used.append(message)
        self._progress.say(message)


def _aligned(files: Sequence[FileEntry], theirs: Sequence[FileEntry]) -> list[FileEntry]:
    """Order the files of one repository as another lists them.

    Raises:
        IntegrityError: they are not the same files.
    """
    known = {(file.area, file.path): file for file in theirs}
    found = [known.get((file.area, file.path)) for file in files]
    alike = [
        twin
        for file, twin in zip(files, found, strict=True)
        if twin is not None
        and (twin.content.size, twin.content.block_size) == (file.content.size, file.content.block_size)
    ]
    if len(alike) != len(files):
        raise IntegrityError("its copy of this backup lists other files")
    return alike


def first_problem(lost: Lost) -> NeokeepError:
    """Make the error for what nobody could give."""
    problem = lost.problem or IntegrityError("a block is missing")
    return IntegrityError(
        f"{problem.message}; no other repository that was given has it",
        remedy="The target was not touched. Restore another backup; 'neokeep verify' says which are whole.",
    )
