"""Redo leaves in the stores exactly what the commands of a log say, or nothing at all."""

from __future__ import annotations

import os
import random
import struct
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from helpers import txcommands
from helpers.calls import recorded
from helpers.properties import examples
from helpers.redo_model import KERNELS, Made, Maker, apply, content_of, fill, payload, write_logs
from helpers.txlog import build_log, flipped
from neokeep.errors import IntegrityError, SpaceError
from neokeep.neo4j.log.checkpoint import LogPosition
from neokeep.neo4j.log.commands import UnknownCommand
from neokeep.neo4j.recovery import pages, redo, stretches
from neokeep.neo4j.recovery.layout import FILES, Store

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from helpers.txlog import BuiltLog

several_times = examples(25, HealthCheck.function_scoped_fixture)


class Place:
    """A store directory of random bytes, a log directory, and what the stores hold."""

    def __init__(self, directory: Path, seed: int = 1, *, aligned: bool = True) -> None:
        self.store, self.log = directory / "store", directory / "log"
        for folder in (self.store, self.log):
            folder.mkdir(parents=True)
        self.aligned = aligned
        self.held = fill(self.store, random.Random(seed), aligned=aligned)

    def write(self, transactions: Sequence[Sequence[Made]], kernel: int, *, per_file: int = 1000) -> list[BuiltLog]:
        """Write a log of these transactions."""
        logs = [build_log(kernel)]
        for number, commands in enumerate(transactions):
            if number and number % per_file == 0:
                logs.append(logs[-1].next([]))
            logs[-1].add(payload(kernel, commands))
        write_logs(self.log, logs)
        return logs

    def redo(self, position: LogPosition | None = None) -> redo.Redone:
        return redo.redo(self.store, self.log, position or LogPosition(0, 0), aligned=self.aligned)

    def assert_held(self) -> None:
        found = content_of(self.store)
        assert [store.name for store in Store if found[store] != self.held[store]] == []


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def transactions(seed: int, kernel: int, count: int) -> list[list[Made]]:
    maker = Maker(kernel, random.Random(seed))
    return [[maker.command() for _ in range(maker.random.randrange(1, 12))] for _ in range(count)]


@several_times
@given(
    seed=st.integers(0, 1 << 32),
    kernel=st.sampled_from(KERNELS),
    count=st.integers(1, 12),
    per_file=st.sampled_from([1, 3, 100]),
    aligned=st.booleans(),
)
def test_the_stores_hold_the_last_image_of_every_record(
    tmp_path_factory: pytest.TempPathFactory, seed: int, kernel: int, count: int, per_file: int, aligned: bool
) -> None:
    place = Place(tmp_path_factory.mktemp("redo"), seed, aligned=aligned)
    made = transactions(seed, kernel, count)
    place.write(made, kernel, per_file=per_file)
    done = place.redo()
    expected: dict[int, int] = {}
    for number, commands in enumerate(made, 2):
        apply(place.held, commands, aligned=aligned)
        for command in commands:
            expected |= {key: number if key == 6 and value == -1 else value for key, value in command.metadata.items()}
    place.assert_held()
    assert done.transactions == count
    assert done.metadata == expected


@several_times
@given(seed=st.integers(0, 1 << 32), kernel=st.sampled_from((4, 20, 32)), room=st.sampled_from([1, 130, 1000, 9000]))
def test_stretches_smaller_than_a_command_change_nothing(
    tmp_path_factory: pytest.TempPathFactory, seed: int, kernel: int, room: int
) -> None:
    place = Place(tmp_path_factory.mktemp("redo"), seed)
    made = transactions(seed, kernel, 6)
    place.write(made, kernel)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stretches, "OUTPUT_BYTES", room)
        patch.setattr(stretches, "OUTPUT_ROWS", 1 + room // 100)
        patch.setattr(stretches, "METADATA_VALUES", 1)
        patch.setattr(pages, "PAGES_AT_ONCE", 2)
        done = place.redo()
    for commands in made:
        apply(place.held, commands, aligned=True)
    place.assert_held()
    assert done.records == sum(len(command.records) for commands in made for command in commands)


@pytest.mark.parametrize("kernel", [4, 9, 20, 32])
def test_repeated_redo_gives_the_same(place: Place, kernel: int) -> None:
    made = transactions(7, kernel, 20)
    place.write(made, kernel, per_file=7)
    place.redo()
    for commands in made:
        apply(place.held, commands, aligned=True)
    place.redo()
    place.assert_held()


def test_what_stands_before_the_position_is_not_applied(place: Place) -> None:
    made = transactions(3, 20, 9)
    first, second = place.write(made, 20, per_file=5)
    done = place.redo(LogPosition(0, first.ends[2]))
    assert done.transactions == 6
    for commands in made[3:]:
        apply(place.held, commands, aligned=True)
    place.assert_held()
    assert place.redo(LogPosition(1, second.ends[-1])).transactions == 0
    place.assert_held()


def test_a_store_grows_by_whole_pages_of_zeros(place: Place) -> None:
    maker = Maker(20, random.Random(1), ids=50_000)
    commands = [maker.command() for _ in range(60)]
    place.write([commands], 20)
    place.redo()
    apply(place.held, commands, aligned=True)
    place.assert_held()
    assert all((place.store / name).stat().st_size % 8192 == 0 for name in FILES.values())


def test_ids_beyond_32_bits_have_their_place(place: Place) -> None:
    record, image = (1 << 33) + 5, txcommands.node(20, relationship=(1 << 34) + 1, first=(1 << 35) + 2)
    log = build_log(20, [txcommands.created(20, txcommands.NODE, record, image)])
    write_logs(place.log, [log])
    place.redo()
    with (place.store / FILES[Store.NODE]).open("rb") as file:
        file.seek(record // 546 * 8192 + record % 546 * 15)
        assert file.read(15) == bytes([1 | 4 << 1 | 8 << 4]) + struct.pack(">II", 1, 2) + bytes(6)


def test_a_torn_end_is_left_out(place: Place) -> None:
    made = transactions(5, 20, 4)
    (log,) = place.write(made, 20)
    path = place.log / "neostore.transaction.db.0"
    path.write_bytes(log.data[: log.ends[-1] - 3] + bytes(5000))
    assert place.redo().transactions == 3
    for commands in made[:3]:
        apply(place.held, commands, aligned=True)
    place.assert_held()


def refused(place: Place, error: type[Exception], match: str, position: LogPosition | None = None) -> None:
    """Demand that redo refuses and that no call changed a file."""
    with recorded() as calls, pytest.raises(error, match=match):
        place.redo(position)
    assert calls == []
    place.assert_held()


@pytest.mark.parametrize("kernel", [4, 9, 20, 32])
@pytest.mark.parametrize("number", [6, 10, 21, 22, 28, 30, 255])
def test_a_command_that_is_not_known_stops_all_of_it(place: Place, kernel: int, number: int) -> None:
    if (number == 21 and kernel < 5) or (number == 22 and kernel >= 10):
        number = 7
    made = transactions(2, kernel, 3)
    first, second = build_log(kernel), build_log(kernel)
    for commands in made:
        first.add(payload(kernel, commands))
    second = first.next([payload(kernel, made[0]), payload(kernel, [made[1][0], Made(bytes([number]) + bytes(60))])])
    write_logs(place.log, [first, second])
    refused(place, UnknownCommand, rf"at 1:\d+: a command of type {number}, which is not known")


def absurd(kernel: int) -> list[tuple[str, bytes]]:
    """Commands that parse, or nearly, and cannot be meant."""
    pack = txcommands.pack
    node, pair = txcommands.node, txcommands.pair
    free = node(kernel, 0)
    return [
        ("record id", pair(kernel, 1, -1, free, node(kernel))),
        ("record id", pair(kernel, 1, 1 << 35, free, node(kernel))),
        ("record id", pair(kernel, 1, 1 << 62, free, node(kernel))),
        ("id in an image before", pair(kernel, 1, 7, node(kernel, 1, records=[(1 << 50, 1, b"x")]), node(kernel))),
        ("a group in the place of the header", pair(kernel, 9, 0, txcommands.group(kernel, 0), b"\1" + bytes(40))),
        ("dynamic record 0", pair(kernel, 1, 7, free, node(kernel, records=[(0, 1, b"x")]))),
        ("dynamic record too long", pair(kernel, 1, 7, free, node(kernel, records=[(4, 1, bytes(57))]))),
        ("reference", pair(kernel, 1, 7, free, node(kernel, relationship=1 << 35))),
        ("reference", pair(kernel, 1, 7, free, node(kernel, first=-2))),
        ("labels", pair(kernel, 1, 7, free, node(kernel, labels=1 << 40))),
        ("negative count", pair(kernel, 1, 7, free, node(kernel)[:-4] + pack(kernel, "i", -1))),
        ("huge count", pair(kernel, 1, 7, free, node(kernel)[:-4] + pack(kernel, "i", 0x7FFFFFFF))),
        ("negative length", pair(kernel, 1, 7, free, node(kernel)[:-4] + pack(kernel, "iqiBiq", 1, 4, 9, 1, -5, -1))),
        ("huge length", pair(kernel, 1, 7, free, node(kernel)[:-4] + pack(kernel, "iqiBiq", 1, 4, 9, 1, 1 << 30, -1))),
        ("relationship type", pair(kernel, 3, 7, b"\0" + bytes(4), txcommands.relationship(kernel, kind=1 << 16))),
        ("relationship end", pair(kernel, 3, 7, b"\0" + bytes(4), txcommands.relationship(kernel, ends=(1 << 36, 1)))),
        ("type of a dynamic record", bytes([2]) + pack(kernel, "q", 7) + txcommands.properties(kernel, flags=0)
         + txcommands.properties(kernel)[:-4] + pack(kernel, "iqiB", 1, 4, 3, 0)),
        ("five longs", bytes([2]) + pack(kernel, "q", 7) + txcommands.properties(kernel, flags=0)
         + txcommands.properties(kernel, [txcommands.block(kernel, 1, 1, 2, 3, 4), txcommands.block(kernel, 2, 1)])),
        ("token id", txcommands.new_token(kernel, 8, record=-3)),
        ("type id", txcommands.new_token(kernel, 4, record=1 << 16)),
        ("metadata key", pair(kernel, 19, 900, pack(kernel, "Bq", 0, 0), pack(kernel, "Bq", 1, 1))),
        ("metadata key", pair(kernel, 19, -1 if kernel < 5 else 0, pack(kernel, "Bq", 0, 0), pack(kernel, "Bq", 1, 1))),
        ("metadata key", pair(kernel, 19, -4, pack(kernel, "Bq", 0, 0), pack(kernel, "Bq", 1, 1))),
        ("schema flag", bytes([18]) + pack(kernel, "qb", 3, 2) + txcommands.rule(kernel) * 2),
    ]  # fmt: skip


@pytest.mark.parametrize("kernel", [4, 20, 32])
def test_what_cannot_be_meant_is_refused_with_its_position(tmp_path: Path, kernel: int) -> None:
    place = Place(tmp_path)
    for why, data in absurd(kernel):
        log = build_log(kernel)
        log.add(payload(kernel, [Made(txcommands.created(kernel, 1, 3, txcommands.node(kernel)))]))
        log.add(payload(kernel, [Made(data)]))
        write_logs(place.log, [log])
        with pytest.raises(UnknownCommand) as caught:
            place.redo()
        assert caught.value.position.version == 0, why
        assert log.ends[0] <= caught.value.position.offset < log.ends[1], why
        place.assert_held()


def test_a_flipped_byte_is_damage_when_more_follows(place: Place) -> None:
    made = transactions(11, 20, 6)
    (log,) = place.write(made, 20)
    (place.log / "neostore.transaction.db.0").write_bytes(flipped(log.data, log.ends[1] + 70))
    refused(place, IntegrityError, "neostore.transaction.db.0 cannot be applied")


def test_a_missing_log_file_is_told(place: Place) -> None:
    place.write(transactions(1, 20, 9), 20, per_file=2)
    (place.log / "neostore.transaction.db.2").unlink()
    refused(place, IntegrityError, "neostore.transaction.db.2, is missing")


def test_half_a_transaction_in_the_middle_of_the_log_is_damage(place: Place) -> None:
    first, _ = place.write(transactions(1, 20, 4), 20, per_file=2)
    half = first.data + bytes([20, 1]) + bytes(range(30))
    (place.log / "neostore.transaction.db.0").write_bytes(half)
    refused(place, IntegrityError, "another log file follows")


def test_transactions_behind_a_file_without_a_header_are_not_overlooked(place: Place) -> None:
    place.write(transactions(1, 20, 6), 20, per_file=2)
    (place.log / "neostore.transaction.db.1").write_bytes(bytes(4096))
    refused(place, IntegrityError, "neostore.transaction.db.2")


def test_a_file_that_a_server_has_just_made_is_no_damage(place: Place) -> None:
    made = transactions(1, 20, 4)
    place.write(made, 20)
    (place.log / "neostore.transaction.db.1").write_bytes(bytes(4096))
    assert place.redo().transactions == 4


@pytest.mark.parametrize(
    ("position", "match"),
    [
        (LogPosition(0, 130), "recovery starts at 130, where no transaction ends"),
        (LogPosition(0, 1 << 40), "where no transaction ends"),
        (LogPosition(3, 128), "neostore.transaction.db.3 cannot be applied: recovery starts in it"),
    ],
)
def test_a_position_that_is_no_boundary_is_refused(place: Place, position: LogPosition, match: str) -> None:
    place.write(transactions(1, 20, 4), 20)
    refused(place, IntegrityError, match, position)


def test_a_log_that_begins_behind_the_position_is_refused(place: Place) -> None:
    place.write(transactions(1, 20, 4), 20, per_file=2)
    (place.log / "neostore.transaction.db.0").unlink()
    refused(place, IntegrityError, "neostore.transaction.db.0 cannot be applied")


@pytest.mark.parametrize("store", [Store.SCHEMA, Store.STRINGS])
def test_a_store_without_one_of_its_files_is_refused(place: Place, store: Store) -> None:
    place.write(transactions(1, 20, 4), 20)
    (place.store / FILES[store]).unlink()
    with pytest.raises(IntegrityError, match=f"{FILES[store]} cannot be recovered: it is not there"):
        place.redo()


@pytest.mark.parametrize("head", [b"", bytes(4), b"\xff\xff\xff\xff", struct.pack(">I", 8193), struct.pack(">I", 8)])
def test_a_store_that_does_not_say_how_large_its_records_are_is_refused(place: Place, head: bytes) -> None:
    place.write(transactions(1, 20, 4), 20)
    (place.store / FILES[Store.ARRAYS]).write_bytes(head)
    with pytest.raises(IntegrityError, match="records have"):
        place.redo()


def test_a_write_that_is_cut_short_is_finished_or_an_error(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    made = transactions(1, 20, 12)
    place.write(made, 20)
    real = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda fd, data, at: real(fd, memoryview(data)[:1000], at))
    place.redo()
    for commands in made:
        apply(place.held, commands, aligned=True)
    place.assert_held()

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(SpaceError):
        place.redo()
    place.assert_held()
