"""Taking a store back to a transaction leaves what the log up to there makes of an empty store, or nothing at all."""

from __future__ import annotations

import random
import shutil
import struct
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from helpers.properties import examples
from helpers.redo_model import SIZES, WITH_SIZE, content_of, write_logs
from helpers.txcommands import CREATED, IN_USE, PROPERTY, block, created, deleted, node, pair, properties
from helpers.txlog import build_log
from neokeep.errors import IntegrityError
from neokeep.neo4j.log.checkpoint import LogPosition
from neokeep.neo4j.recovery import pages, stretches
from neokeep.neo4j.recovery.layout import FILES
from neokeep.neo4j.recovery.redo import Redone, redo

if TYPE_CHECKING:
    from pathlib import Path

STRING = 9
KERNELS = (4, 9, 10, 20, 32)
several_times = examples(25, HealthCheck.function_scoped_fixture)
Chain = list[tuple[int, bytes]]


class Maker:
    """Makes transactions that say truly what was before: properties with strings that take several records."""

    def __init__(self, kernel: int, seed: int) -> None:
        self.kernel = kernel
        self.random = random.Random(seed)
        self.held: dict[int, Chain] = {}
        self.free = list(range(1, 60))

    def transaction(self) -> bytes:
        records = self.random.sample(range(12), self.random.randrange(1, 5))
        return bytes([self.kernel, 3]).join(self.command(record) for record in records)

    def command(self, record: int) -> bytes:
        old = self.held.pop(record, None)
        if old is None:
            return created(self.kernel, PROPERTY, record, self.image(self.new(record), CREATED))
        before = self.image(old, 0)
        self.free += [number for number, _ in old]
        freed = [(number, 0, b"") for number, _ in old]
        if self.random.random() < 0.3:
            if self.kernel >= 10:
                return deleted(self.kernel, PROPERTY, record, before)
            return pair(self.kernel, 2, record, before, properties(self.kernel, flags=0, deleted=freed))
        new = self.new(record)
        # An id that the transaction freed and took again is told as the record that it is now.
        kept = [item for item in freed if item[0] not in {number for number, _ in new}]
        return pair(self.kernel, 2, record, before, self.image(new, CREATED, kept))

    def new(self, record: int) -> Chain:
        self.random.shuffle(self.free)
        count = self.random.randrange(1, 4)
        chain = [(self.free.pop(), self.random.randbytes(self.random.randrange(1, 120))) for _ in range(count)]
        self.held[record] = chain
        return chain

    def image(self, chain: Chain, made: int, freed: list[tuple[int, int, bytes]] | None = None) -> bytes:
        records = [(number, IN_USE | made, data) for number, data in chain]
        value = block(self.kernel, 3, chain[0][0], kind=STRING, records=records)
        return properties(self.kernel, [value], IN_USE | made, deleted=freed or [])


class Place:
    """A store directory in which every record is free, and a log directory."""

    def __init__(self, directory: Path) -> None:
        self.store, self.log = directory / "store", directory / "log"
        for folder in (self.store, self.log):
            folder.mkdir(parents=True)
        for store, size in SIZES.items():
            head = struct.pack(">I", size) if store in WITH_SIZE else b""
            (self.store / FILES[store]).write_bytes(head.ljust(8192, b"\0"))

    def write(self, kernel: int, payloads: list[bytes], per_file: int) -> None:
        shutil.rmtree(self.log)
        self.log.mkdir()
        logs = [build_log(kernel)]
        for number, payload in enumerate(payloads):
            if number and number % per_file == 0:
                logs.append(logs[-1].next([]))
            logs[-1].add(payload)
        write_logs(self.log, logs)

    def redo(self, last: int | None = None) -> Redone:
        return redo(self.store, self.log, LogPosition(0, 0), aligned=True, last=last)


@several_times
@given(
    seed=st.integers(0, 1 << 32),
    kernel=st.sampled_from(KERNELS),
    count=st.integers(1, 20),
    target=st.integers(0, 20),
    started=st.integers(0, 20),
    per_file=st.sampled_from([1, 4, 100]),
    room=st.sampled_from([150, 2000, 1 << 20]),
)
def test_a_store_of_any_later_moment_is_taken_back_to_any_transaction(
    tmp_path_factory: pytest.TempPathFactory,
    seed: int,
    kernel: int,
    count: int,
    target: int,
    started: int,
    per_file: int,
    room: int,
) -> None:
    directory, maker = tmp_path_factory.mktemp("undo"), Maker(kernel, seed)
    payloads = [maker.transaction() for _ in range(count)]
    target, started = min(target, count), min(started, count)
    forward, back = Place(directory / "forward"), Place(directory / "back")
    forward.write(kernel, payloads[:target], per_file)
    forward.redo()
    back.write(kernel, payloads[:started], per_file)
    back.redo()
    back.write(kernel, payloads, per_file)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stretches, "OUTPUT_BYTES", room)
        patch.setattr(stretches, "OUTPUT_ROWS", 1 + room // 100)
        patch.setattr(pages, "PAGES_AT_ONCE", 2)
        done = back.redo(last=target + 1)
    assert (done.transactions, done.undone) == (target, count - target)
    wanted, found = content_of(forward.store), content_of(back.store)
    for store, content in wanted.items():
        assert found[store] == content.ljust(len(found[store]), b"\0"), store.name


@pytest.mark.parametrize("kernel", [4, 20])
def test_a_record_that_was_removed_without_telling_what_it_held_is_refused(tmp_path: Path, kernel: int) -> None:
    place = Place(tmp_path)
    made = pair(kernel, 1, 5, node(kernel), node(kernel, records=[(3, IN_USE | CREATED, b"labels")]))
    removed = pair(kernel, 1, 5, node(kernel), node(kernel, records=[(3, 0, b"")]))
    again = pair(kernel, 1, 6, node(kernel), node(kernel, records=[(3, IN_USE | CREATED, b"more")]))
    place.write(kernel, [made, removed, again], 100)
    assert place.redo(last=2).undone == 2, "the log before the target tells"
    place.write(kernel, [removed, again], 100)
    with pytest.raises(IntegrityError, match=r"does not tell what record 3 of neostore\.nodestore\.db\.labels was"):
        place.redo(last=1)
    assert place.redo(last=2).undone == 1, "what was free at the target needs no telling"


def test_slots_of_neostore_get_the_value_before_the_first_change_behind_the_target(tmp_path: Path) -> None:
    def slot(key: int, before: int, after: int) -> bytes:
        return bytes([19]) + struct.pack(">qBqBq", key, 1, before, 1, after)

    place = Place(tmp_path)
    place.write(4, [slot(14, 10, 11), slot(14, 11, 12), slot(15, 70, 71), slot(14, 12, 13)], 3)
    assert place.redo(last=2).metadata == {14: 11, 15: 70}
    assert place.redo(last=5).metadata == {14: 13, 15: 71}
    assert place.redo(last=1).metadata == {14: 10, 15: 70}
