"""Going on with a chain: every complete transaction behind the tail once, and no chain that does not hold."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from helpers.chains import moment_of, put_logs, span
from helpers.database import make_logs, some_bytes
from helpers.properties import examples
from helpers.txlog import KERNELS, BuiltLog, build_log, fake_commit, flipped
from neokeep.capture import chain as chains
from neokeep.capture.chain import ChainBroken, Stretch, read_on, require_unbroken
from neokeep.errors import IntegrityError
from neokeep.neo4j.log.names import log_name

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from neokeep.repository.manifest import Span


@pytest.fixture(autouse=True)
def _soon_sure(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not wait long for half a transaction to be completed."""
    monkeypatch.setattr(chains, "_LIVE_TRIES", 3)
    monkeypatch.setattr(chains, "_LIVE_PAUSE_SECONDS", 0.001)


def taken(logs: Sequence[BuiltLog], tail: Span, stretches: Sequence[Stretch]) -> Span:
    """Prove that stretches follow on one another and are the very bytes of the log; return the new tail."""
    files = {log.version: log for log in logs}
    for stretch in stretches:
        assert stretch.first == tail.transaction + 1
        (piece,) = stretch.pieces
        log = files[piece.version]
        assert stretch.data == log.data[piece.start : piece.start + piece.length]
        assert piece.start == (tail.end if piece.version == tail.version else 0)
        assert stretch.tail == span(log, stretch.last)
        assert stretch.kernel_version == log.kernel
        assert stretch.tail.end == piece.start + piece.length
        assert (stretch.first_commit_time, stretch.last_commit_time) == (
            moment_of(stretch.first),
            moment_of(stretch.last),
        )
        tail = stretch.tail
    return tail


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("zeros", [0, 100_000])
def test_from_any_transaction_on_exactly_what_is_behind_it_is_read(tmp_path: Path, kernel: int, zeros: int) -> None:
    logs = make_logs(kernel, files=3, each=4)
    put_logs(tmp_path, logs, zeros)
    for log in logs:
        for transaction in range(log.first_transaction, log.last_transaction + 1):
            tail = span(log, transaction)
            stretches = list(read_on(tmp_path, tail))
            assert taken(logs, tail, stretches).transaction == 13
            assert bool(stretches) == (transaction < 13)


@examples(60, HealthCheck.function_scoped_fixture)
@given(st.sampled_from(KERNELS), st.integers(200, 4000), st.integers(2, 13))
def test_whatever_the_limit_nothing_is_lost_or_taken_twice(
    tmp_path: Path, kernel: int, limit: int, transaction: int
) -> None:
    logs = make_logs(kernel, files=3, each=4)
    put_logs(tmp_path, logs, 10_000)
    (log,) = [log for log in logs if log.first_transaction <= transaction <= log.last_transaction]
    tail = span(log, transaction)
    stretches = list(read_on(tmp_path, tail, limit))
    assert taken(logs, tail, stretches).transaction == 13
    for stretch in stretches:
        assert len(stretch.data) <= max(limit, 2 * (400 + 300))


@examples(60, HealthCheck.function_scoped_fixture)
@given(st.sampled_from(KERNELS), st.integers(200, 4000), st.integers(2, 13), st.integers(2, 13))
def test_reading_on_up_to_a_transaction_ends_with_it(
    tmp_path: Path, kernel: int, limit: int, transaction: int, last: int
) -> None:
    logs = make_logs(kernel, files=3, each=4)
    put_logs(tmp_path, logs, 10_000)
    tail, stop = (
        next(span(log, wanted) for log in logs if log.first_transaction <= wanted <= log.last_transaction)
        for wanted in (transaction, last)
    )
    stretches = list(read_on(tmp_path, tail, limit, stop=stop))
    assert taken(logs, tail, stretches).transaction == max(transaction, last)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("limit", [200, 1000, 4096, 100_000])
def test_a_transaction_larger_than_the_limit_is_a_stretch_of_its_own(tmp_path: Path, kernel: int, limit: int) -> None:
    log = build_log(kernel, [b"one", some_bytes(5, 50_000), b"three"])
    put_logs(tmp_path, [log], 300_000)
    tail = span(log, 2)
    stretches = list(read_on(tmp_path, tail, limit))
    assert taken([log], tail, stretches).transaction == 4


@pytest.mark.parametrize("kernel", KERNELS)
def test_fake_commit_entries_inside_transactions_do_not_cut_them(tmp_path: Path, kernel: int) -> None:
    log = build_log(kernel, [b"one", fake_commit(kernel, 3) * 4, fake_commit(kernel, 4) + fake_commit(kernel, 5)])
    put_logs(tmp_path, [log])
    assert taken([log], span(log, 2), list(read_on(tmp_path, span(log, 2), 300))).transaction == 4


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_log_that_grows_and_rotates_between_the_looks_is_read_to_its_end(tmp_path: Path, kernel: int) -> None:
    logs = [build_log(kernel, [b"one", b"two"])]
    put_logs(tmp_path, logs, 5000)
    tail = start = span(logs[0], 2)
    found: list[Stretch] = []
    for number, stretch in enumerate(read_on(tmp_path, tail)):
        found.append(stretch)
        if number < 3:
            logs[-1].add(b"more" * number)
            logs.append(logs[-1].next([b"rotated", b"twice"]))
            put_logs(tmp_path, logs, 5000)
    assert len(found) >= 4
    assert taken(logs, start, found).transaction == logs[-1].last_transaction == 12
    assert list(read_on(tmp_path, span(logs[-1], 12))) == []


def test_a_file_that_is_finished_and_rotated_between_the_two_looks_is_looked_at_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = build_log(20, [b"one"])
    put_logs(tmp_path, [log])
    tail, follows_on, logs = span(log, 2), chains._follows_on, [log]

    def rotated_meanwhile(directory: Path, version: int) -> int | None:
        if len(logs) == 1:
            log.add(b"last of the file")
            logs.append(log.next([b"first of the next"]))
            put_logs(tmp_path, logs)
        return follows_on(directory, version)

    monkeypatch.setattr(chains, "_follows_on", rotated_meanwhile)
    assert taken(logs, tail, list(read_on(tmp_path, tail))).transaction == 4


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("made_so_far", [b"", bytes(16), bytes(128), bytes(5000)])
def test_a_new_file_without_a_header_yet_is_the_end_for_now(tmp_path: Path, kernel: int, made_so_far: bytes) -> None:
    log = build_log(kernel, [b"one", b"two"])
    put_logs(tmp_path, [log])
    (tmp_path / log_name(1)).write_bytes(made_so_far)
    assert taken([log], span(log, 2), list(read_on(tmp_path, span(log, 2)))).transaction == 3


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("behind", [0, 3000])
def test_half_a_transaction_at_the_end_is_left_for_later(tmp_path: Path, kernel: int, behind: int) -> None:
    log = build_log(kernel, [b"one", b"two" * 50, b"three" * 50])
    for cut in range(log.ends[1] + 1, log.ends[2], 23):
        (tmp_path / log_name(0)).write_bytes(log.data[:cut] + bytes(behind))
        assert taken([log], span(log, 2), list(read_on(tmp_path, span(log, 2)))).transaction == 3
        assert list(read_on(tmp_path, span(log, 3))) == []


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_hole_in_the_log_is_damage_and_what_is_before_it_is_kept(tmp_path: Path, kernel: int) -> None:
    log = build_log(kernel, [b"x" * 100 for _ in range(5)])
    hole = log.data[: log.ends[1]] + bytes(log.ends[2] - log.ends[1]) + log.data[log.ends[2] :]
    (tmp_path / log_name(0)).write_bytes(hole)
    found: list[Stretch] = []
    with pytest.raises(IntegrityError, match="it is good up to transaction 3"):
        found.extend(read_on(tmp_path, span(log, 2)))
    assert list(read_on(tmp_path, span(log, 2)).__next__().data) == list(log.data[log.ends[0] : log.ends[1]])


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("part", [0.0, 0.4, 0.99])
def test_a_flipped_byte_in_the_middle_of_the_log_is_damage(tmp_path: Path, kernel: int, part: float) -> None:
    log = build_log(kernel, [b"x" * 100 for _ in range(6)])
    at = log.ends[1] + int((log.ends[2] - log.ends[1]) * part)
    (tmp_path / log_name(0)).write_bytes(flipped(log.data, at))
    with pytest.raises(IntegrityError, match="is damaged") as failure:
        list(read_on(tmp_path, span(log, 2)))
    assert failure.value.remedy


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_log_file_that_is_gone_breaks_the_chain(tmp_path: Path, kernel: int) -> None:
    logs = make_logs(kernel, files=4, each=2)
    put_logs(tmp_path, logs)
    (tmp_path / log_name(1)).unlink()
    with pytest.raises(ChainBroken, match=r"db\.1 was pruned before it was archived"):
        list(read_on(tmp_path, span(logs[0], 2)))
    (tmp_path / log_name(0)).unlink()
    with pytest.raises(ChainBroken, match=r"db\.0 was pruned"):
        list(read_on(tmp_path, span(logs[0], 2)))


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("follows_on", [1, 2, 4, 9])
def test_a_log_file_that_does_not_follow_on_breaks_the_chain(tmp_path: Path, kernel: int, follows_on: int) -> None:
    log = build_log(kernel, [b"one", b"two"])
    stranger = build_log(kernel, [b"x"], version=1, last_before=follows_on)
    put_logs(tmp_path, [log, stranger])
    found: list[Stretch] = []
    with pytest.raises(ChainBroken, match=f"follows on transaction {follows_on}, the one before it ends with 3"):
        found.extend(read_on(tmp_path, span(log, 2)))


@pytest.mark.parametrize("kernel", KERNELS)
def test_an_upgraded_server_writes_on_with_a_newer_kernel_version(tmp_path: Path, kernel: int) -> None:
    log = build_log(kernel, [b"one", b"two"])
    newer = log.next([b"three"], kernel=max(kernel, 21))
    put_logs(tmp_path, [log, newer])
    assert taken([log, newer], span(log, 2), list(read_on(tmp_path, span(log, 2)))).transaction == 4


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_log_that_still_holds_the_last_archived_transaction_is_unbroken(tmp_path: Path, kernel: int) -> None:
    logs = make_logs(kernel, files=2, each=4)
    put_logs(tmp_path, logs, 1000)
    for log in logs:
        for transaction in range(log.first_transaction, log.last_transaction + 1):
            require_unbroken(tmp_path, span(log, transaction))
    (tmp_path / log_name(0)).unlink()
    require_unbroken(tmp_path, span(logs[1], 7))
    with pytest.raises(ChainBroken, match=r"db\.0, in which the last archived transaction stands, was pruned"):
        require_unbroken(tmp_path, span(logs[0], 3))


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_log_that_went_back_is_noticed(tmp_path: Path, kernel: int) -> None:
    logs = make_logs(kernel, files=2, each=4)
    tail = span(logs[1], 8)
    put_logs(tmp_path, logs[:1])
    with pytest.raises(ChainBroken, match=r"the log went back: neostore\.transaction\.db\.1 is not there any more"):
        require_unbroken(tmp_path, tail)
    for data in (logs[1].data[: tail.start], logs[1].data[: tail.end - 1], logs[1].data[: tail.start] + bytes(9000)):
        (tmp_path / log_name(1)).write_bytes(data)
        with pytest.raises(ChainBroken, match=r"went back before transaction 8|history forked"):
            require_unbroken(tmp_path, tail)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("payload", [b"two", b"TWO", b"another length", b""])
def test_history_that_forked_is_noticed_although_ids_and_places_are_the_same(
    tmp_path: Path, kernel: int, payload: bytes
) -> None:
    archived = build_log(kernel, [b"one", b"two"])
    forked = build_log(kernel, [b"one", payload])
    put_logs(tmp_path, [forked])
    if payload == b"two":
        require_unbroken(tmp_path, span(archived, 3))
        return
    forked.add(b"three" * 100)
    put_logs(tmp_path, [forked], 1000)
    with pytest.raises(ChainBroken, match="history forked: transaction 3 of the source is not the archived one"):
        require_unbroken(tmp_path, span(archived, 3))


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_flipped_byte_in_the_last_archived_transaction_is_no_unbroken_chain(tmp_path: Path, kernel: int) -> None:
    log = build_log(kernel, [b"one", b"two" * 9, b"three"])
    tail = span(log, 3)
    for at in range(tail.start, tail.end):
        (tmp_path / log_name(0)).write_bytes(flipped(log.data, at))
        with pytest.raises(ChainBroken):
            require_unbroken(tmp_path, tail)


def test_the_checksum_that_was_archived_counts_and_not_only_that_of_the_log(tmp_path: Path) -> None:
    log = build_log(20, [b"one"])
    put_logs(tmp_path, [log])
    with pytest.raises(ChainBroken, match="history forked"):
        require_unbroken(tmp_path, msgspec.structs.replace(span(log, 2), checksum=1))
    with pytest.raises(ChainBroken, match="history forked"):
        require_unbroken(tmp_path, msgspec.structs.replace(span(log, 2), transaction=3))


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_server_that_never_rests_does_not_keep_a_reader_going(tmp_path: Path, kernel: int) -> None:
    log = build_log(kernel, [b"archived"])
    put_logs(tmp_path, [log], 100_000)
    tail = span(log, log.last_transaction)
    log.add(b"before the reader began")
    put_logs(tmp_path, [log], 100_000)
    found: list[Stretch] = []
    for stretch in read_on(tmp_path, tail):
        found.append(stretch)
        assert len(found) < 5
        log.add(b"while it was stored")
        put_logs(tmp_path, [log], 100_000)
    assert [stretch.last for stretch in found] == [tail.transaction + 1]


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_reader_that_comes_back_leaves_half_a_transaction_without_waiting(
    tmp_path: Path, kernel: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: pytest.fail("it waited"))
    log = build_log(kernel, [b"archived"])
    tail = span(log, log.last_transaction)
    half = build_log(kernel, [b"archived", b"half of this"]).data[len(log.data) :][:20]
    (tmp_path / log_name(log.version)).write_bytes(log.data + half + bytes(10_000))
    assert list(read_on(tmp_path, tail, patient=False)) == []


@pytest.mark.parametrize("kernel", KERNELS)
def test_zeros_inside_a_transaction_are_not_taken_for_the_end(tmp_path: Path, kernel: int) -> None:
    step = chains._STEP
    log = build_log(kernel, [b"archived", b"\x01" * (step // 2) + bytes(2 * step) + b"\x01" * 100, b"last"])
    put_logs(tmp_path, [log], 100_000)
    tail = span(log, log.first_transaction)
    for patient in (True, False):
        stretches = list(read_on(tmp_path, tail, patient=patient))
        assert taken([log], tail, stretches).transaction == log.last_transaction


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_light_look_at_the_last_archived_transaction_sees_a_fork_too(tmp_path: Path, kernel: int) -> None:
    log = build_log(kernel, [b"one", b"two"])
    put_logs(tmp_path, [log])
    tail = span(log, log.last_transaction)
    require_unbroken(tmp_path, tail, whole=False)
    put_logs(tmp_path, [build_log(kernel, [b"one", b"owt"])])
    with pytest.raises(ChainBroken, match="forked"):
        require_unbroken(tmp_path, tail, whole=False)
