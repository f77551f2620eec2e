"""Finishing makes a store clean in an order in which it may be killed at any call."""

from __future__ import annotations

import shutil
import struct
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from helpers.calls import Killed, killed_at, recorded
from helpers.fuzzy import Fuzzy
from helpers.redo_model import write_logs
from helpers.txlog import KERNELS, build_log, checkpoint_file, commit_time
from neokeep.capture.checkpoint import choose_checkpoint
from neokeep.errors import AccessError
from neokeep.neo4j.log.checkpoint import LogPosition
from neokeep.neo4j.log.names import log_versions
from neokeep.neo4j.store.layout import TREES
from neokeep.restore.recover import is_clean

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def one_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have every checkpoint made at the same time, so that files can be compared."""
    monkeypatch.setattr("neokeep.neo4j.recovery.finish.time", SimpleNamespace(time=lambda: 1_760_000_000.0))


@pytest.mark.parametrize("kernel", KERNELS)
def test_the_newest_checkpoint_stands_at_the_end_of_the_log(tmp_path: Path, kernel: int) -> None:
    fuzzy = Fuzzy(tmp_path, kernel)
    assert not is_clean(fuzzy.log)
    fuzzy.recover()
    assert is_clean(fuzzy.log)
    record = choose_checkpoint(fuzzy.log).record
    last = fuzzy.logs[1]
    assert record is not None
    assert record.position == LogPosition(1, len(last.data))
    assert (record.reason, record.time, record.kernel_version) == ("Recovered by neokeep", 1_760_000_000_000, kernel)
    if kernel >= 5:
        assert (record.transaction, record.commit_time) == (last.last_transaction, commit_time(last.last_transaction))
    assert (fuzzy.log / "neostore.transaction.db.1").read_bytes() == last.data
    assert record.end == (fuzzy.log / "checkpoint.0").stat().st_size


@pytest.mark.parametrize("kernel", KERNELS)
def test_nothing_stays_that_neo4j_would_take_for_good(tmp_path: Path, kernel: int) -> None:
    fuzzy = Fuzzy(tmp_path, kernel)
    fuzzy.recover()
    assert not [name for name in fuzzy.content() if name in TREES or name.startswith("schema")]


def slots(fuzzy: Fuzzy) -> dict[int, int]:
    page = (fuzzy.store / "neostore").read_bytes()
    return {
        slot: struct.unpack_from(">q", page, 9 * slot + 1)[0] for slot in range(len(page) // 9) if page[9 * slot] == 1
    }


def test_neostore_of_4x_tells_where_the_log_ends(tmp_path: Path) -> None:
    fuzzy = Fuzzy(tmp_path, 4)
    before = slots(fuzzy)
    fuzzy.recover()
    last = fuzzy.logs[1]
    number, checksum = last.last_transaction, last.last_checksum
    changed = {slot: value for slot, value in slots(fuzzy).items() if before.get(slot) != value}
    assert changed.pop(6) in range(4, number + 1)
    assert changed == {
        3: number, 9: checksum - (1 << 32) if checksum >> 31 else checksum,
        11: 1, 12: len(last.data), 13: commit_time(number), 19: 4,
        **({2: 1} if before.get(2) != 1 else {}),
    }  # fmt: skip


@pytest.mark.parametrize("kernel", [20, 32])
def test_neostore_since_5_stays_as_it_was(tmp_path: Path, kernel: int) -> None:
    fuzzy = Fuzzy(tmp_path, kernel)
    before = (fuzzy.store / "neostore").read_bytes()
    fuzzy.recover()
    assert (fuzzy.store / "neostore").read_bytes() == before


@pytest.mark.parametrize("kernel", [4, 20])
def test_the_checkpoint_is_written_when_all_else_is_durable(tmp_path: Path, kernel: int) -> None:
    fuzzy = Fuzzy(tmp_path, kernel)
    with recorded() as calls:
        fuzzy.recover()
    checkpoint = str(fuzzy.log / "checkpoint.0")
    named = [(name, path) for name, path in calls if name in ("pwrite", "fsync", "ftruncate")]
    at = named.index(("pwrite", checkpoint))
    dirty: set[str] = set()
    for name, path in named[:at]:
        if name == "fsync":
            dirty.discard(path)
        elif path != checkpoint:
            dirty.add(path)
    assert dirty == set()
    synced = [path for name, path in named[:at] if name == "fsync"]
    assert {str(fuzzy.store), str(fuzzy.log), str(fuzzy.log / "neostore.transaction.db.1")} <= set(synced)
    assert named[at + 1 :] == [("fsync", checkpoint), ("fsync", str(fuzzy.log))]
    assert {name for name, _ in calls[calls.index(("pwrite", checkpoint)) :]} == {"pwrite", "fsync"}


@pytest.mark.faults
@pytest.mark.parametrize("kernel", KERNELS)
def test_killed_at_any_call_it_is_due_for_recovery_or_clean(tmp_path: Path, kernel: int) -> None:
    whole = Fuzzy(tmp_path / "whole", kernel)
    with recorded() as calls:
        whole.recover()
    expected, became_clean = whole.content(), list[bool]()
    for step in range(len(calls)):
        fuzzy = Fuzzy(tmp_path / "killed", kernel)
        with killed_at(step), pytest.raises(Killed):
            fuzzy.recover()
        clean = is_clean(fuzzy.log)
        became_clean.append(clean)
        if clean:
            assert fuzzy.content() == expected
        if not clean:
            fuzzy.recover()
            assert fuzzy.content() == expected
        shutil.rmtree(tmp_path / "killed")
    assert became_clean == sorted(became_clean)
    assert became_clean[0] is False
    assert became_clean[-1] is True


def test_a_log_file_that_a_server_had_just_made_is_removed(tmp_path: Path) -> None:
    fuzzy = Fuzzy(tmp_path, 20)
    (fuzzy.log / "neostore.transaction.db.1").write_bytes(fuzzy.logs[1].data)
    (fuzzy.log / "neostore.transaction.db.2").write_bytes(bytes(1 << 20))
    fuzzy.recover()
    assert is_clean(fuzzy.log)
    assert not (fuzzy.log / "neostore.transaction.db.2").exists()


def test_of_a_log_that_was_rotated_at_its_end_the_empty_file_is_removed(tmp_path: Path) -> None:
    fuzzy = Fuzzy(tmp_path, 20)
    newest = fuzzy.logs[1].next([])
    write_logs(fuzzy.log, [fuzzy.logs[1], newest])
    fuzzy.recover()
    assert choose_checkpoint(fuzzy.log).position == LogPosition(1, fuzzy.logs[1].ends[-1])
    assert log_versions(fuzzy.log) == [0, 1]
    assert is_clean(fuzzy.log)


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_clean_store_stays_clean(tmp_path: Path, kernel: int) -> None:
    fuzzy = Fuzzy(tmp_path, kernel)
    fuzzy.recover()
    fuzzy.recover()
    assert is_clean(fuzzy.log)


def test_a_new_4x_database_without_any_checkpoint_is_recovered_from_the_begin(tmp_path: Path) -> None:
    fuzzy = Fuzzy(tmp_path, 4)
    (fuzzy.log / "checkpoint.0").write_bytes(checkpoint_file(4, []))
    fuzzy.recover()
    assert is_clean(fuzzy.log)


def test_a_4x_database_without_checkpoint_or_transaction_is_clean(tmp_path: Path) -> None:
    fuzzy = Fuzzy(tmp_path, 4)
    (fuzzy.log / "checkpoint.0").write_bytes(checkpoint_file(4, []))
    (fuzzy.log / "neostore.transaction.db.1").unlink()
    write_logs(fuzzy.log, [build_log(4)])
    fuzzy.recover()
    assert is_clean(fuzzy.log)


def test_an_index_that_cannot_be_removed_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fuzzy = Fuzzy(tmp_path, 20)

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("neokeep.neo4j.recovery.finish.shutil.rmtree", refuse)
    with pytest.raises(AccessError, match="cannot remove"):
        fuzzy.recover()
    assert not is_clean(fuzzy.log)
