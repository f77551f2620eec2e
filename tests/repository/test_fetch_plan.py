"""Plans of reads: every wanted block once, in reads that are not too long."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.backups import new_repository
from helpers.properties import examples
from neokeep.errors import IntegrityError
from neokeep.repository import fetch
from neokeep.repository.block import block_id
from neokeep.repository.fetch import FetchPlan, Wanted, jobs, plan_fetch, run_jobs
from neokeep.repository.index import BlockIndex
from neokeep.repository.pack import ENTRY, Pack
from neokeep.repository.reader import BlockReader
from neokeep.repository.writer import BlockWriter
from neokeep.storage.base import ObjectMissing

if TYPE_CHECKING:
    from neokeep.repository.repository import Repository


def identity(number: int) -> bytes:
    return number.to_bytes(32, "little")


@st.composite
def plans(draw: st.DrawFn) -> tuple[FetchPlan, list[int]]:
    """Some packs of blocks with gaps, and some blocks of them (and others) that are wanted, some twice."""
    packs: list[Pack] = []
    number = 0
    for pack in range(draw(st.integers(0, 4))):
        at, entries = 8, []
        for _ in range(draw(st.integers(1, 12))):
            at += draw(st.integers(0, 30))
            stored = draw(st.integers(1, 40))
            entries.append((identity(number), at, stored, stored + 1))
            at, number = at + stored, number + 1
        packs.append(Pack(bytes([pack]) * 32, at, np.array(entries, dtype=ENTRY)))
    wanted = draw(st.lists(st.integers(0, number + 3), max_size=40))
    count = len(wanted)
    ids = np.frombuffer(b"".join(map(identity, wanted)), "V32") if wanted else np.empty(0, "V32")
    targets = np.array(draw(st.lists(st.integers(0, 3), min_size=count, max_size=count)), np.int64)
    offsets = np.arange(count, dtype=np.int64) * 100
    return plan_fetch(BlockIndex(packs), Wanted(ids, np.full(count, 9, np.int64), targets, offsets)), wanted


@examples(40)
@given(plans())
def test_every_wanted_block_is_in_the_plan_or_missing(made: tuple[FetchPlan, list[int]]) -> None:
    plan, wanted = made
    rows = [
        (int.from_bytes(item.tobytes(), "little"), int(at))
        for item, at in zip(plan.wanted.ids, plan.wanted.offsets, strict=True)
    ]
    missing = [(wanted[at], at * 100) for at in plan.missing]
    assert sorted(rows + missing) == sorted((number, at * 100) for at, number in enumerate(wanted))


@examples(40)
@given(plans(), st.integers(40, 200), st.integers(0, 40))
def test_jobs_cover_every_row_once_and_are_neither_too_long_nor_too_wasteful(
    made: tuple[FetchPlan, list[int]], longest: int, gap: int
) -> None:
    plan, _ = made
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fetch, "LONGEST_READ", longest)
        patch.setattr(fetch, "LARGEST_GAP", gap)
        todo = list(jobs(plan))
    assert [row for job in todo for row in range(job.first, job.last)] == list(range(len(plan.pack)))
    for job in todo:
        assert 0 < job.length <= longest
        covered = job.start
        for row in range(job.first, job.last):
            start, end = int(plan.offset[row]), int(plan.offset[row] + plan.stored[row])
            assert int(plan.pack[row]) == job.pack
            assert job.start <= start
            assert end <= job.start + job.length
            assert start - covered <= gap
            covered = max(covered, end)
        assert covered == job.start + job.length


class Sink:
    """Collects what it is given."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.content: dict[tuple[int, int], bytes] = {}
        self.broken: dict[tuple[int, int], str] = {}
        self.finished = 0

    def block(self, target: int, offset: int, content: bytes | memoryview) -> None:
        with self.lock:
            assert (target, offset) not in self.content
            self.content[target, offset] = bytes(content)

    def damaged(self, target: int, offset: int, size: int, problem: IntegrityError) -> None:
        with self.lock:
            self.broken[target, offset] = problem.message

    def finish(self) -> None:
        with self.lock:
            self.finished += 1


def stored_blocks(repository: Repository, contents: list[bytes]) -> None:
    writer = BlockWriter(repository)
    with writer.worker() as worker:
        worker.put([memoryview(content) for content in contents])
    writer.finish()
    writer.close()


def all_of(contents: list[bytes]) -> Wanted:
    ids = np.frombuffer(b"".join(map(block_id, contents)), "V32")
    sizes = np.array([len(content) for content in contents], np.int64)
    numbers = np.arange(len(contents), dtype=np.int64)
    return Wanted(ids, sizes, numbers % 3, numbers)


@pytest.mark.parametrize("threads", [1, 3])
def test_every_place_gets_its_block_also_where_blocks_repeat(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "LONGEST_READ", 500)
    repository, _ = new_repository()
    contents = [bytes([number % 7]) * (number % 7 + 100) for number in range(50)]
    stored_blocks(repository, contents)
    sink, reader = Sink(), BlockReader.of(repository)
    run_jobs(reader, plan_fetch(reader.index, all_of(contents)), lambda: sink, threads)
    assert sink.content == {(number % 3, number): content for number, content in enumerate(contents)}
    assert (sink.broken, sink.finished) == ({}, threads)


@pytest.mark.parametrize("harm", ["flip", "cut", "empty", "gone"])
def test_a_damaged_pack_is_told_block_by_block(harm: str) -> None:
    repository, storage = new_repository()
    contents = [bytes([number]) * 50 for number in range(9)]
    stored_blocks(repository, contents)
    reader = BlockReader.of(repository)
    (name,) = storage.names("packs/")
    data = storage.objects[name]
    if harm == "gone":
        storage.delete(name)
    else:
        storage.replace(name, {"flip": data[:30] + b"!" + data[31:], "cut": data[:30], "empty": b""}[harm])
    sink = Sink()
    run_jobs(reader, plan_fetch(reader.index, all_of(contents)), lambda: sink, 2)
    assert len(sink.broken) == (1 if harm == "flip" else 9)
    assert len(sink.content) + len(sink.broken) == 9
    assert all(name in reason for reason in sink.broken.values())
    for content in set(contents) - set(sink.content.values()):
        with pytest.raises((IntegrityError, ObjectMissing)):
            reader.fetch(block_id(content), len(content))


def test_a_block_that_no_pack_holds_is_missing() -> None:
    repository, _ = new_repository()
    with pytest.raises(IntegrityError, match="is missing"):
        BlockReader.of(repository).fetch(bytes(32), 5)
