"""The lag is what reading on would find, although hardly any of it is read."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from helpers.chains import moment_of, put_logs, span
from helpers.database import make_logs
from helpers.txlog import KERNELS, build_log
from neokeep.archive.lag import NONE, Lag, lag_behind
from neokeep.capture.chain import read_on
from neokeep.neo4j.log.names import log_name

if TYPE_CHECKING:
    from pathlib import Path

NOW = moment_of(100)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("zeros", [0, 50_000])
def test_it_is_what_is_behind_the_tail_wherever_that_is(tmp_path: Path, kernel: int, zeros: int) -> None:
    logs = make_logs(kernel, files=4, each=3)
    put_logs(tmp_path, logs, zeros)
    for log in logs:
        for transaction in range(log.first_transaction, log.last_transaction + 1):
            tail = span(log, transaction)
            counted = NONE
            for stretch in read_on(tmp_path, tail):
                counted = counted.and_behind(stretch, NOW)
            assert lag_behind(tmp_path, tail, NOW) == counted
            assert counted.transactions == logs[-1].last_transaction - transaction


def test_transactions_bytes_and_the_age_of_the_oldest(tmp_path: Path) -> None:
    (log,) = make_logs(20, files=1, each=4)
    put_logs(tmp_path, [log], 1000)
    waits = log.ends[-1] - log.ends[0]
    assert lag_behind(tmp_path, span(log, 2), moment_of(3) + timedelta(seconds=7)) == Lag(3, waits, 7.0)


def test_a_clock_that_was_set_back_gives_no_negative_age(tmp_path: Path) -> None:
    (log,) = make_logs(20, files=1, each=4)
    put_logs(tmp_path, [log])
    found = lag_behind(tmp_path, span(log, 2), moment_of(1) - timedelta(days=1))
    assert found is not None
    assert found.seconds == 0


def test_where_nothing_is_behind_nothing_waits(tmp_path: Path) -> None:
    logs = make_logs(20, files=2, each=2)
    put_logs(tmp_path, logs, 1000)
    assert lag_behind(tmp_path, span(logs[-1], 5), NOW) == NONE


@pytest.mark.parametrize("kernel", KERNELS)
def test_half_a_transaction_and_a_file_without_a_header_do_not_count(tmp_path: Path, kernel: int) -> None:
    logs = make_logs(kernel, files=2, each=2)
    put_logs(tmp_path, logs, 1000)
    tail = span(logs[0], 2)
    whole = lag_behind(tmp_path, tail, NOW)
    (tmp_path / log_name(logs[-1].version + 1)).write_bytes(bytes(300))
    assert lag_behind(tmp_path, tail, NOW) == whole
    half = build_log(kernel, [b"half"]).data[-20:]
    (tmp_path / log_name(logs[-1].version)).write_bytes(logs[-1].data + half + bytes(1000))
    assert lag_behind(tmp_path, tail, NOW) == whole


def test_a_log_that_is_gone_tells_nothing(tmp_path: Path) -> None:
    logs = make_logs(20, files=3, each=2)
    put_logs(tmp_path, [logs[0], logs[2]])
    assert lag_behind(tmp_path, span(logs[0], 3), NOW) is None
    assert lag_behind(tmp_path / "nowhere", span(logs[0], 3), NOW) is None


def test_complete_files_are_counted_without_being_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    logs = make_logs(20, files=9, each=40)
    put_logs(tmp_path, logs)
    tail = span(logs[0], 2)
    counted = NONE
    for stretch in read_on(tmp_path, tail):
        counted = counted.and_behind(stretch, NOW)
    read: set[str] = set()
    pread = os.pread

    def noted(descriptor: int, length: int, offset: int) -> bytes:
        read.add(os.path.basename(os.readlink(f"/proc/self/fd/{descriptor}")))
        return pread(descriptor, length, offset)

    monkeypatch.setattr(os, "pread", noted)
    assert lag_behind(tmp_path, tail, NOW) == counted
    assert read == {log_name(0), log_name(8)}
