"""Having the parts of a proof done by the workers of a dask cluster (extra `distributed`).

Workers read the store themselves, so its directory has to be at the same path on each. What they are sent is what is
known of all nodes and groups, once each, and numbers of records; what comes back are the sums of parts.
"""

from __future__ import annotations

import logging
import math
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from neokeep.consistency.proof.part import prove_part
from neokeep.consistency.proof.prove import Proof
from neokeep.consistency.state import State
from neokeep.errors import ConfigurationError, NeokeepError, SourceError, UnreachableError, UsageError
from neokeep.extras import MissingExtra
from neokeep.neo4j.recovery.layout import FILES
from neokeep.neo4j.store.graph import GraphReader
from neokeep.neo4j.store.pages import DirectoryPages
from neokeep.version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from distributed import Client, Future

    from neokeep.consistency.proof.part import Part
    from neokeep.consistency.proof.plan import Work
    from neokeep.consistency.state import Known
    from neokeep.neo4j.store.pages import StorePages
    from neokeep.progress import Progress

SECONDS_TO_CONNECT = 10
SECONDS_WITHOUT_WORKERS = 30
"""How long there may be no worker: those that are started again take some."""
_SECONDS_BETWEEN_QUESTIONS = 1
_SECONDS_BETWEEN_LOOKS = 0.02
_MOST_LOSSES = 3
"""How often all workers may end that have what is known of the graph."""
_MOST_TASKS = 2000
_LEAST_PARTS = 16
"""Parts of a task: some hundredths of a second each."""


@dataclass(frozen=True, slots=True)
class Shared:
    """A store that workers can read: its directory, format, and what tells that each finds the same files there.

    `files` has the size of each record store, and when it was last changed, in seconds.
    """

    directory: Path
    aligned: bool
    files: tuple[tuple[str, int, int], ...]
    version: str = __version__


def shared(pages: StorePages, *, aligned: bool) -> Shared:
    """Describe a store to workers.

    Raises:
        UsageError: it is not just files in a directory.
    """
    directory = pages.directory if isinstance(pages, DirectoryPages) else None
    if directory is None:
        raise UsageError(
            "workers cannot read this: only a database that was stopped in order lies in a directory as it is",
            remedy="Leave --scheduler out, or start and stop the database, so that its log is applied.",
        )
    return Shared(directory.absolute(), aligned, _files(directory))


def prove_on(scheduler: str, store: Shared, state: State, parts: Sequence[Work], *, progress: Progress) -> Proof:
    """Have the work done by the workers of a scheduler; it ends early where anything is not whole.

    Raises:
        ConfigurationError: the extra is not installed, or neokeep is not, or another one, where workers are.
        UnreachableError: the scheduler does not answer or goes away, or has no workers, or they end again and again.
        SourceError: a worker does not find the same store.
    """
    proof = Proof(state)
    proof.begin()
    each = max(_LEAST_PARTS, -(-len(parts) // _MOST_TASKS))
    tasks = [tuple(parts[begin : begin + each]) for begin in range(0, len(parts), each)]
    with _connected(scheduler) as client:
        for task, found in _outcomes(client, store, state.known, tasks):
            for part in found:
                proof.add(part)
            progress.advance(sum(work.bytes for work in task))
            if proof.doubtful:
                break
    return proof


@contextmanager
def _connected(scheduler: str) -> Iterator[Client]:
    try:
        from distributed import Client
    except ModuleNotFoundError as problem:
        raise MissingExtra("--scheduler", problem.name, "distributed") from problem
    # What it has to say of connections that end is said here.
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    try:
        client = Client(scheduler, timeout=SECONDS_TO_CONNECT, set_as_default=False)
    except (OSError, ValueError) as problem:
        raise UnreachableError(
            f"the scheduler at {scheduler} does not answer: {problem}",
            remedy="Look whether it runs, and give its address as it tells it, such as tcp://host:8786.",
        ) from problem
    with client:
        try:
            client.wait_for_workers(1, timeout=SECONDS_TO_CONNECT)
        except TimeoutError as problem:
            raise UnreachableError(
                f"the scheduler at {scheduler} has no workers", remedy="Start some: dask worker ADDRESS."
            ) from problem
        yield client


def _outcomes(
    client: Client, store: Shared, known: Known, tasks: Sequence[tuple[Work, ...]]
) -> Iterator[tuple[tuple[Work, ...], list[Part | None]]]:
    """Have tasks done, and give what each says as it comes; those of a worker that dies are done by another."""
    try:
        yield from _Tasks(client, store, known).outcomes(tasks)
    except NeokeepError:
        raise
    except Exception as problem:
        # Whatever went wrong on a machine that is not this one, or between them.
        raise ConfigurationError(
            f"a worker could not do its part: {type(problem).__name__}: {problem}",
            remedy=f"Install neokeep {__version__} with its dependencies for the workers, and see what they print.",
        ) from problem


class _Tasks:
    """Tasks on their way. dask gives those of a dead worker to another; here is seen to what it waits for forever."""

    def __init__(self, client: Client, store: Shared, known: Known) -> None:
        from distributed import as_completed

        self._client, self._store, self._known = client, store, known
        self._waiting = as_completed(loop=client.loop)
        self._pending: dict[Future, tuple[Work, ...]] = {}
        self._address = client.scheduler.address
        self._asked = time.monotonic()
        self._missing_since: float | None = None

    def outcomes(self, tasks: Sequence[tuple[Work, ...]]) -> Iterator[tuple[tuple[Work, ...], list[Part | None]]]:
        lost, rounds = list(tasks), 0
        while lost or self._pending:
            found = self._waiting.next_batch(block=False)
            for future in found:
                task = self._pending.pop(future)
                # What workers were sent is gone with the last of them that had it.
                if future.status in ("cancelled", "lost"):
                    lost.append(task)
                    self._asked = -math.inf
                    continue
                yield task, self._outcome(future)
                future.release()
            if not found:
                if self._has_workers() and lost:
                    self._submit(lost, rounds)
                    lost, rounds = [], rounds + 1
                time.sleep(_SECONDS_BETWEEN_LOOKS)

    def _submit(self, tasks: Sequence[tuple[Work, ...]], rounds: int) -> None:
        if rounds > _MOST_LOSSES:
            raise self._gone("workers end again and again", "See what they print: they may lack memory.")
        try:
            sent = self._client.scatter(self._known, broadcast=True, hash=False)
        except TimeoutError as problem:
            raise self._gone("there are no workers any more", "Start some, and check again.") from problem
        for task in tasks:
            future = self._client.submit(work_on, self._store, sent, task, pure=False)
            self._pending[future] = task
            self._waiting.add(future)

    def _outcome(self, future: Future) -> list[Part | None]:
        from distributed import KilledWorker

        try:
            found: list[Part | None] = future.result()
        except KilledWorker as problem:
            raise self._gone(
                "workers end while they do a part", "See what they print: they may lack memory."
            ) from problem
        return found

    def _has_workers(self) -> bool:
        """See, where nothing comes, whether anything can; there may be no workers for a while."""
        if self._client.status != "running":
            raise self._gone("the scheduler went away", "Start it and its workers, and check again.")
        now = time.monotonic()
        if now - self._asked >= _SECONDS_BETWEEN_QUESTIONS:
            self._asked = now
            there = bool(self._client.scheduler_info()["workers"])
            self._missing_since = None if there else self._missing_since or now
        if self._missing_since is not None and now - self._missing_since > SECONDS_WITHOUT_WORKERS:
            raise self._gone("there are no workers any more", "Start some, and check again.")
        return self._missing_since is None

    def _gone(self, what: str, remedy: str) -> UnreachableError:
        return UnreachableError(f"the check at {self._address} was not made: {what}", remedy=remedy)


def work_on(store: Shared, known: Known, task: Sequence[Work]) -> list[Part | None]:
    """Do some work on a worker; None in the place of a part that is not whole.

    Raises:
        ConfigurationError: this is another neokeep.
        SourceError: there is no such store here.
    """
    _require_same(store)
    with DirectoryPages(store.directory) as pages:
        state = State(GraphReader(pages, aligned=store.aligned), known, claiming=True)
        return [prove_part(state, work) for work in task]


def _require_same(store: Shared) -> None:
    if store.version != __version__:
        raise ConfigurationError(
            f"a worker has neokeep {__version__}, and this is {store.version}",
            remedy=f"Install neokeep {store.version} for the workers.",
        )
    if _files(store.directory) != store.files:
        raise SourceError(
            f"a worker does not find the same files in {store.directory}",
            remedy="Have that directory at the same path on every worker, on a file system that they share.",
        )


def _files(directory: Path) -> tuple[tuple[str, int, int], ...]:
    found = []
    for name in FILES.values():
        path = directory / name
        if path.is_file():
            told = path.stat()
            found.append((name, told.st_size, int(told.st_mtime)))
    return tuple(found)
