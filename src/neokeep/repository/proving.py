"""Reading packs and segments whole, on several threads, in the order of their hashes.

The order is what lets a verification that was killed go on: all objects below the first that is not done are proven.
What could not be read now may be readable again; only what was read and is wrong is damaged.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from blake3 import blake3

from neokeep.errors import AWAY, IntegrityError, NeokeepError, RepositoryError
from neokeep.repository.coverage import key_of
from neokeep.repository.index import RowsByPack
from neokeep.repository.segment import SegmentMissing, read_segment
from neokeep.storage.base import ObjectMissing
from neokeep.workers import run_workers

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from neokeep.progress import Progress
    from neokeep.repository.reader import BlockReader
    from neokeep.repository.segment import SegmentName
    from neokeep.repository.survey import ChainState
    from neokeep.storage.base import Storage


@dataclass(frozen=True, slots=True)
class Task:
    """One object to read: a pack, with its number in the index or -1, or a segment with its chain."""

    name: str
    identity: bytes
    size: int
    number: int = -1
    segment: SegmentName | None = None
    chain: ChainState | None = None


@dataclass(slots=True)
class Findings:
    """What was found: damaged and unreadable objects with the reason, and damaged or missing blocks.

    Of what was read, `proven` names the objects whose needed content is right, `failed` all others.
    """

    objects: dict[str, str] = field(default_factory=dict)
    unreadable: dict[str, str] = field(default_factory=dict)
    blocks: set[bytes] = field(default_factory=set)
    proven: set[str] = field(default_factory=set)
    failed: set[str] = field(default_factory=set)
    bytes_checked: int = 0
    blocks_checked: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


class BlocksByPack:
    """The blocks that backups need, in the order in which they lie."""

    def __init__(self, reader: BlockReader, needed: NDArray[np.bool_]) -> None:
        self._reader = reader
        self._index = reader.index
        self._rows = RowsByPack(reader.index, needed)

    def bad_blocks(self, number: int, data: memoryview) -> tuple[int, list[bytes]]:
        """Decode the needed blocks of a pack; how many there are, and the ids of those that are not right."""
        rows = self._rows.of(number)
        where = self._index.locate(rows)
        ids, sizes = self._index.ids(rows), self._index.sizes(rows)
        bad: list[bytes] = []
        for at in range(len(rows)):
            offset, identity = int(where.offset[at]), ids[at].tobytes()
            try:
                stored = data[offset : offset + int(where.stored[at])]
                self._reader.decode(number, offset, stored, identity, int(sizes[at]))
            except IntegrityError:
                bad.append(identity)
        return len(rows), bad

    def count(self, number: int) -> int:
        """Tell how many needed blocks a pack has."""
        return len(self._rows.of(number))


def prove(
    storage: Storage,
    tasks: Sequence[Task],
    blocks: BlocksByPack,
    findings: Findings,
    *,
    jobs: int,
    progress: Progress,
    done_below: Callable[[int], None] = lambda _key: None,
) -> None:
    """Read objects; `done_below` is told, under the lock of the findings, below which key all of them are done."""
    if not tasks:
        return
    ordered = sorted(tasks, key=lambda task: (key_of(task.identity), task.name))
    finished = np.zeros(len(ordered), np.bool_)
    lock = threading.Lock()
    following = low = 0
    progress.begin("verifying", sum(task.size for task in ordered))

    def work(stopping: threading.Event) -> None:
        nonlocal following, low
        while not stopping.is_set():
            with lock:
                number, following = following, following + 1
            if number >= len(ordered):
                return
            progress.advance(_prove(storage, ordered[number], blocks, findings))
            with lock:
                finished[number] = True
                while low < len(ordered) and finished[low]:
                    low += 1
                if low < len(ordered):
                    done_below(key_of(ordered[low].identity))

    run_workers(work, jobs)
    progress.end()


def _prove(storage: Storage, task: Task, blocks: BlocksByPack, findings: Findings) -> int:
    if task.segment is not None and task.chain is not None:
        return _prove_segment(storage, task.segment, task.chain, findings)
    return _prove_pack(storage, task, blocks, findings)


def _prove_pack(storage: Storage, task: Task, blocks: BlocksByPack, findings: Findings) -> int:
    """Check one pack and the needed blocks in it; return the bytes read."""
    problem: RepositoryError | None = None
    try:
        data = storage.read(task.name)
    except RepositoryError as found:
        if isinstance(found, ObjectMissing) and not blocks.count(task.number):
            return 0  # No backup needed it, and it was collected since it was listed.
        problem, data = found, b""
    damaged = problem is None and blake3(data).digest() != task.identity
    count, bad = blocks.bad_blocks(task.number, memoryview(data))
    with findings.lock:
        findings.bytes_checked += len(data)
        findings.blocks_checked += count
        findings.blocks.update(bad)
        if problem is not None:
            findings.unreadable[task.name] = problem.message
        elif damaged:
            findings.objects[task.name] = "its content is not what its name says"
        right = problem is None and not bad
        (findings.proven if right else findings.failed).add(task.name)
        if damaged:
            findings.failed.add(task.name)
    return len(data)


def _prove_segment(storage: Storage, segment: SegmentName, chain: ChainState, findings: Findings) -> int:
    try:
        header, data = read_segment(storage, segment)
    except SegmentMissing as problem:
        with findings.lock:
            chain.bad.add(segment)
            chain.gone[segment] = problem.message
        return 0
    except IntegrityError as problem:
        with findings.lock:
            chain.bad.add(segment)
            findings.failed.add(segment.name)
            findings.objects[segment.name] = problem.message
    except AWAY:
        raise
    except NeokeepError as problem:
        with findings.lock:
            chain.bad.add(segment)
            findings.failed.add(segment.name)
            findings.unreadable[segment.name] = problem.message
    else:
        with findings.lock:
            chain.headers[segment] = header
            findings.proven.add(segment.name)
            findings.bytes_checked += len(data)
    return segment.size
