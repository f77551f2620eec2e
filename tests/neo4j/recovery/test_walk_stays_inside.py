"""The walk over a log reads nothing behind a transaction's commands and writes nothing outside of its output.

Compiled code does not look at bounds. So the same functions run as plain Python here, over arrays that do, and have to
agree with the compiled ones in every verdict and every byte.
"""

from __future__ import annotations

import importlib
import random
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from helpers.properties import examples, one_of
from helpers.redo_model import KERNELS, SIZES, Maker, payload
from helpers.txcommands import rule, schema
from helpers.txlog import transaction_bytes
from neokeep.neo4j.log.checkpoint import LogPosition
from neokeep.neo4j.log.commands import UnknownCommand, commands
from neokeep.neo4j.recovery import compiled, walk
from neokeep.neo4j.recovery.images import BAD
from neokeep.neo4j.recovery.layout import ID_BITS, WITH_HEADER, Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOM_BYTES, ROOM_ROWS, ROOM_VALUES = 20_000, 300, 20
COMMIT_BYTES = 22
STORES = np.array([(SIZES[store], store in WITH_HEADER, 1 << ID_BITS[store]) for store in Store], np.int64)
PARTS = ("bits", "images", "walk")


class Inside:
    """An array that knows its bounds; `hidden` are offsets that may not be read."""

    def __init__(self, inner: Any, hidden: range = range(0)) -> None:
        self.inner = inner
        self.hidden = hidden

    def __len__(self) -> int:
        return len(self.inner)

    def _checked(self, at: Any) -> Any:
        for axis, place in enumerate(at if isinstance(at, tuple) else (at,)):
            assert 0 <= place < self.inner.shape[axis], f"{at} is out of bounds"
            assert place not in self.hidden, f"{at} is behind the commands"
        return at

    def __getitem__(self, at: Any) -> Any:
        found = self.inner[self._checked(at)]
        # Of the types of compiled code: numbers are 64 bits, bytes are bytes.
        return int(found) if self.inner.dtype == np.int64 else found

    def __setitem__(self, at: Any, value: Any) -> None:
        self.inner[self._checked(at)] = value


@pytest.fixture(scope="module")
def plain() -> Callable[..., int]:
    """Make `walk`, and all that it calls, without compiling."""
    names = [f"neokeep.neo4j.recovery.{part}" for part in PARTS]
    kept = {name: sys.modules.pop(name) for name in names if name in sys.modules}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiled, "_compile", lambda function, inner: function)
        made: Callable[..., int] = importlib.import_module(names[-1]).walk
    for name in names:
        sys.modules.pop(name)
    sys.modules.update(kept)
    for part in PARTS:
        setattr(sys.modules["neokeep.neo4j.recovery"], part, kept[f"neokeep.neo4j.recovery.{part}"])
    assert made is not walk.walk
    return made


@dataclass
class Outcome:
    verdict: int
    state: list[int]
    out: bytes
    rows: list[list[int]]
    metadata: list[list[int]]


def run(function: Callable[..., int], data: bytes, *, guarded: bool, writing: int, room: int = ROOM_BYTES) -> Outcome:
    out, rows = np.zeros(room, np.uint8), np.zeros((min(ROOM_ROWS, room), 3), np.int64)
    metadata, state = np.zeros((min(ROOM_VALUES, room), 2), np.int64), np.zeros(walk.STATE_SIZE, np.int64)
    state[2] = writing
    begins, ends = np.zeros(1, np.int64), np.array([len(data)], np.int64)
    arrays: list[Any] = [np.frombuffer(data, np.uint8), begins, ends, out, rows, state, STORES, metadata]
    if guarded:
        end = len(data) - COMMIT_BYTES
        # Of the commit entry only the transaction id may be of interest.
        hidden = [range(end, end + 2)]
        arrays = [Inside(array, hidden[0] if index == 0 else range(0)) for index, array in enumerate(arrays)]
    verdict = function(*arrays)
    used = state.tolist()
    return Outcome(verdict, used, out[: used[0]].tobytes(), rows[: used[1]].tolist(), metadata[: used[3]].tolist())


def agree(plain: Callable[..., int], data: bytes, *, room: int = ROOM_BYTES) -> Outcome:
    """Run both ways, looking and writing; what the compiled one says when it writes."""
    for writing in (0, 1):
        found = run(walk.walk, data, guarded=False, writing=writing, room=room)
        assert run(plain, data, guarded=True, writing=writing, room=room) == found
        if not writing:
            assert (found.out, found.rows, found.metadata) == (b"", [], [])
    return found


def understood(data: bytes) -> bool:
    try:
        list(commands(data, LogPosition(0, 0)))
    except UnknownCommand:
        return False
    return True


def transaction(kernel: int, body: bytes) -> bytes:
    return transaction_bytes(kernel, 2, body, 0xDEAD5EED, 2)


def each_kind(kernel: int) -> Iterator[bytes]:
    """A command of each kind, with images before and after."""
    maker = Maker(kernel, random.Random(kernel))
    kinds = [maker.node, maker.relationship, maker.property, maker.group, maker.token, maker.schema, maker.metadata]
    for make in [*kinds, maker.nothing, maker.nothing, maker.nothing]:
        yield make().data
    yield schema(kernel, 3, rule(kernel), rule(kernel), with_map=True)


@pytest.mark.parametrize("kernel", one_of(4, (4, 9, 20, 32)))
def test_a_transaction_that_ends_at_any_byte_is_seen_through(plain: Callable[..., int], kernel: int) -> None:
    for command in each_kind(kernel):
        for cut in range(len(command)):
            data = transaction(kernel, command[:cut])
            assert agree(plain, data).verdict == BAD, f"{command[:cut].hex()}"
            assert not understood(data)
        assert agree(plain, transaction(kernel, command)).verdict == walk.DONE


@examples(100, HealthCheck.function_scoped_fixture)
@given(
    seed=st.integers(0, 1 << 32),
    kernel=st.sampled_from(KERNELS),
    changes=st.lists(st.tuples(st.integers(0, 4000), st.sampled_from([0, 1, 9, 0x7F, 0x80, 0xFF])), max_size=4),
    room=st.sampled_from([0, 60, 300, ROOM_BYTES]),
)
def test_whatever_bytes_there_are_both_agree_and_stay_inside(
    plain: Callable[..., int], seed: int, kernel: int, changes: list[tuple[int, int]], room: int
) -> None:
    maker = Maker(kernel, random.Random(seed))
    data = bytearray(transaction(kernel, payload(kernel, [maker.command() for _ in range(4)])))
    for at, value in changes:
        data[1 + at % (len(data) - 1)] = value
    found = agree(plain, bytes(data), room=room)
    if found.verdict == walk.DONE:
        assert understood(bytes(data)) or any(at % (len(data) - 1) >= len(data) - 23 for at, _ in changes)
    if not changes and room == ROOM_BYTES:
        assert found.verdict == walk.DONE


@pytest.mark.parametrize("additional", [-1, -(1 << 31), 1, 1 << 20, (1 << 31) - 1])
def test_an_absurd_additional_header_is_no_way_out(plain: Callable[..., int], additional: int) -> None:
    data = bytearray(transaction(20, payload(20, [Maker(20, random.Random(1)).node()])))
    data[30:34] = additional.to_bytes(4, "little", signed=True)
    assert agree(plain, bytes(data)).verdict == BAD


@pytest.mark.parametrize("version", [0, 1, 33, 127, 255])
def test_a_kernel_version_that_is_not_known_is_refused(plain: Callable[..., int], version: int) -> None:
    data = bytearray(transaction(20, payload(20, [Maker(20, random.Random(1)).node()])))
    data[0] = version
    assert agree(plain, bytes(data)).verdict == BAD


@pytest.mark.parametrize(("begin", "end"), [(-1, 90), (0, 10), (0, 1 << 40), (50, 40)])
def test_offsets_that_lie_outside_of_the_file_are_refused(plain: Callable[..., int], begin: int, end: int) -> None:
    data = np.frombuffer(transaction(20, payload(20, [Maker(20, random.Random(1)).node()])), np.uint8)
    empty, rows, pairs = np.empty(0, np.uint8), np.empty((0, 3), np.int64), np.empty((0, 2), np.int64)
    for function in (walk.walk, plain):
        state = np.zeros(walk.STATE_SIZE, np.int64)
        begins, ends = np.array([begin], np.int64), np.array([end], np.int64)
        assert function(data, begins, ends, empty, rows, state, STORES, pairs) == BAD
