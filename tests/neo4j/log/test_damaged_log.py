"""Damage of every kind at every place: what is before it is taken, nothing of it is, and the verdict says where."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers import txlog
from helpers.hostile import FAMILIES, CountingReader, growing, hostile_logs, intact, overwritten
from helpers.properties import one_of
from helpers.txlog import BuiltLog, build_log, fake_commit, flipped, reader
from neokeep.neo4j.log import boundaries, scan
from neokeep.neo4j.log.scan import Scan, Tail, has_commit, has_data, scan_log

if TYPE_CHECKING:
    from pathlib import Path

AMPLE = 3
"""Whole transactions behind damage that leave no doubt that it is damage."""


def found(data: bytes, built: BuiltLog) -> Scan:
    return scan_log(reader(data), built.header)


def small_log(kernel: int) -> BuiltLog:
    return build_log(kernel, [b"first", fake_commit(kernel, 3), b"", bytes(9), b"x" * 70, b"last"], last_before=300)


def expect_verdict(data: bytes, built: BuiltLog) -> Scan:
    """Demand that exactly what is before the first damaged byte is taken, and that place and reason are told."""
    result = found(data, built)
    assert list(result.ends) == intact(built, data)
    if data[result.end :].strip(b"\0"):
        told_by_caller = result.tail is Tail.ZEROS and data[result.end] == 0
        assert told_by_caller or str(result.end) in result.reason
    return result


@given(hostile_logs(st.sampled_from(FAMILIES)), st.data())
def test_a_log_cut_at_any_byte_ends_with_the_last_whole_transaction(built: BuiltLog, choices: st.DataObject) -> None:
    cut = choices.draw(st.integers(built.header_size, len(built.data)))
    result = expect_verdict(built.data[:cut], built)
    assert result.tail is (Tail.END_OF_FILE if cut in built.boundaries else Tail.TORN)


@pytest.mark.parametrize("kernel", one_of(4, FAMILIES))
def test_a_small_log_cut_at_each_byte_ends_with_the_last_whole_transaction(kernel: int) -> None:
    built = small_log(kernel)
    for cut in range(built.header_size, len(built.data)):
        result = expect_verdict(built.data[:cut], built)
        assert result.tail is (Tail.END_OF_FILE if cut in built.boundaries else Tail.TORN)
        assert bool(result.reason) == (result.tail is Tail.TORN)


@given(hostile_logs(st.sampled_from(FAMILIES)), st.integers(1, 300), st.data())
def test_a_preallocated_log_cut_at_any_byte_ends_with_the_last_whole_transaction(
    built: BuiltLog, zeros: int, choices: st.DataObject
) -> None:
    cut = choices.draw(st.integers(built.header_size, len(built.data)))
    data = built.data[:cut] + bytes(zeros)
    result = expect_verdict(data, built)
    # Zeros at the end of a transaction may stand in for those that were cut off.
    assert result.tail is (Tail.TORN if any(data[result.end :]) else Tail.ZEROS)


@pytest.mark.parametrize("kernel", one_of(4, FAMILIES))
@pytest.mark.parametrize("mask", [0x01, *(pytest.param(mask, marks=pytest.mark.slow) for mask in (0x04, 0x80)), 0xFF])
def test_a_flipped_byte_anywhere_is_damage_where_enough_stands_behind_it(kernel: int, mask: int) -> None:
    built = small_log(kernel)
    for at in range(built.header_size, len(built.data)):
        data = flipped(built.data, at, mask)
        result = expect_verdict(data, built)
        behind = len(built.ends) - len(result.ends) - 1
        if data[result.end] == 0:
            assert result.tail is Tail.ZEROS
        elif behind >= AMPLE - 1:
            assert result.tail is Tail.DAMAGED, at
        elif behind == 1:
            following = result.last_transaction + 2
            later = has_commit(reader(data), result.end, data[result.end], following)
            assert later or result.tail is Tail.DAMAGED or at > built.ends[-2], at
        else:
            assert result.tail in (Tail.TORN, Tail.DAMAGED)


@given(hostile_logs(st.sampled_from(FAMILIES), least=1), st.integers(1, 255), st.data())
def test_a_flipped_byte_is_never_part_of_a_transaction_whatever_is_in_it(
    built: BuiltLog, mask: int, choices: st.DataObject
) -> None:
    at = choices.draw(st.integers(built.header_size, len(built.data) - 1))
    expect_verdict(flipped(built.data, at, mask), built)


@pytest.mark.parametrize("kernel", one_of(4, FAMILIES))
def test_zeros_of_any_length_in_the_middle_are_no_end_without_notice(kernel: int, tmp_path: Path) -> None:
    built = build_log(kernel, [b"x" * 40 for _ in range(12)])
    path = tmp_path / "log"
    for start in range(built.header_size, built.ends[3], 7):
        for length in (1, 2, 3, 8, 22, 60, 200, 400):
            data = overwritten(built.data, start, bytes(length)) + bytes(50)
            if data == built.data + bytes(50):
                continue
            result = expect_verdict(data, built)
            if result.tail is Tail.ZEROS:
                path.write_bytes(data)
                with path.open("rb") as file:
                    assert has_data(file.fileno(), result.end)
            else:
                assert result.tail is Tail.DAMAGED, (start, length)


@given(hostile_logs(st.sampled_from(FAMILIES)), st.data())
def test_any_bytes_over_a_stretch_leave_what_is_before_it(built: BuiltLog, choices: st.DataObject) -> None:
    at = choices.draw(st.integers(built.header_size, len(built.data)))
    damage = choices.draw(st.one_of(st.binary(min_size=1, max_size=60), st.integers(1, 200).map(bytes)))
    expect_verdict(overwritten(built.data, at, damage), built)


@given(hostile_logs(st.sampled_from(FAMILIES), least=2), st.data())
def test_stretches_that_are_swapped_doubled_or_missing_leave_what_is_before_them(
    built: BuiltLog, choices: st.DataObject
) -> None:
    places = st.one_of(st.sampled_from(built.boundaries), st.integers(built.header_size, len(built.data)))
    first, second, third = sorted(choices.draw(st.tuples(places, places, places)))
    data = built.data
    head, one, two, rest = data[:first], data[first:second], data[second:third], data[third:]
    damaged = choices.draw(
        st.sampled_from([head + two + one + rest, head + one + one + two + rest, head + two + rest, head + rest + one])
    )
    expect_verdict(damaged, built)


@pytest.mark.parametrize("kernel", FAMILIES)
def test_a_lost_page_that_held_many_transactions_is_damage(kernel: int) -> None:
    built = build_log(kernel, [b"x" * 60 for _ in range(200)])
    for page in (1, 2, 3):
        for filling in (bytes(4096), b"\x55" * 4096, built.data[4096 * (page - 1) :][:4096]):
            data = overwritten(built.data, 4096 * page, filling)
            assert expect_verdict(data, built).tail is Tail.DAMAGED


@pytest.mark.parametrize("kernel", FAMILIES)
def test_a_kernel_version_that_changed_by_a_flip_does_not_hide_what_is_behind(kernel: int) -> None:
    built = build_log(kernel, [b"x" * 9 for _ in range(8)])
    for number, start in enumerate(built.boundaries[:5]):
        for wrong in set(range(2, 33)) - {kernel}:
            data = overwritten(built.data, start, bytes([wrong]))
            result = expect_verdict(data, built)
            assert result.tail is Tail.DAMAGED, (number, wrong)
            assert has_commit(reader(data), result.end, wrong, result.last_transaction + 2)


@pytest.mark.parametrize("kernel", FAMILIES)
def test_a_header_that_names_a_wrong_transaction_is_damage(kernel: int) -> None:
    built = build_log(kernel, [b"one", b"two", b"three"], last_before=500)
    for at in range(8, 16):
        for bit in range(8):
            data = flipped(built.data, at, 1 << bit)
            wrong = BuiltLog(kernel, 0, 0, data)
            for end in (built.ends[0], len(data)):
                result = found(data[:end], wrong)
                assert (result.tail, len(result.ends)) == (Tail.DAMAGED, 0)
                assert result.reason


@pytest.mark.parametrize("kernel", [20, 22, 32])
def test_a_header_that_names_a_wrong_append_index_is_damage(kernel: int) -> None:
    built = build_log(kernel, [b"one"])
    for at in range(16, 24):
        data = flipped(built.data, at)
        result = found(data, BuiltLog(kernel, 0, 0, data))
        assert result.tail is Tail.DAMAGED
        assert "append index" in result.reason


@pytest.mark.parametrize("kernel", FAMILIES)
@pytest.mark.parametrize("wrong", [-1, 1, 3])
def test_an_id_that_does_not_follow_on_ends_the_log_although_all_else_does(kernel: int, wrong: int) -> None:
    built = build_log(kernel, [b"one", b"two"])
    number = built.last_transaction + 1
    data = built.data
    checksum = built.last_checksum
    for at in range(5):
        more = txlog.transaction_bytes(kernel, number + wrong + at, b"x" * 9, checksum, append_index=number + at)
        checksum = int.from_bytes(more[-4:], "big" if kernel < 5 else "little")
        data += more
    result = found(data, built)
    assert list(result.ends) == built.ends
    assert result.tail in (Tail.TORN, Tail.DAMAGED)
    assert str(result.end) in result.reason


def test_half_a_first_transaction_is_not_blamed_on_the_header() -> None:
    built = build_log(20, [b"one" * 30])
    for cut in range(built.header_size + 1, len(built.data)):
        assert found(built.data[:cut] + bytes(40), built).tail is Tail.TORN


def later_start(kernel: int, *, checksum: int = 0x1234, index: int = 5) -> bytes:
    """What looks like the commit entry of transaction 4 and the start entry of transaction 5."""
    return b"y" * 60 + fake_commit(kernel, 4) + txlog.start_entry(kernel, 5, checksum, index)


@pytest.mark.parametrize("kernel", FAMILIES)
@pytest.mark.parametrize("behind", [b"", bytes(60)], ids=["end of file", "zeros"])
def test_half_a_transaction_that_holds_what_looks_like_later_ones_is_torn(kernel: int, behind: bytes) -> None:
    others = build_log(kernel, [b"y" * 20] * 6, last_before=10_000)
    inside = [later_start(kernel, checksum=7, index=9), others.data[others.header_size :]]
    inside += [later_start(kernel, checksum=7)] if kernel <= 21 else []
    inside += [later_start(kernel, index=9)] if kernel >= 17 else []
    for payload in inside:
        built = build_log(kernel, [b"one", payload])
        result = found(built.data[:-5] + behind, built)
        assert (result.tail, list(result.ends)) == (Tail.TORN, built.ends[:1])
    damaged = build_log(kernel, [b"one", later_start(kernel)])
    assert found(damaged.data[:-5] + behind, damaged).tail is Tail.DAMAGED


def test_where_nothing_ties_transactions_together_half_of_one_is_torn_whatever_it_holds() -> None:
    built = build_log(32, [b"one", later_start(32)])
    header = replace(built.header, last_append_index=None)
    assert scan_log(reader(built.data[:-5]), header).tail is Tail.TORN


def test_zeros_and_then_data_end_the_log_at_the_zeros() -> None:
    built = build_log(32, [b"one", b"two"])
    rest = build_log(32, [b"four"], last_before=4).data[128:]
    result = found(built.data + bytes(300) + rest, built)
    assert (result.tail, list(result.ends)) == (Tail.ZEROS, built.ends)


@pytest.mark.parametrize("holes", [True, False])
def test_data_behind_zeros_is_seen_in_files_with_holes_and_without(tmp_path: Path, holes: bool) -> None:
    path = tmp_path / "log"
    size = 3_000_001
    for at in (None, 0, 1, 1 << 20, size - 1):
        with path.open("wb") as file:
            file.write(b"log")
            file.truncate(3 + size) if holes else file.write(bytes(size))
            if at is not None:
                os.pwrite(file.fileno(), b"\1", 3 + at) if holes else (file.seek(3 + at), file.write(b"\1"))
        with path.open("rb") as file:
            assert has_data(file.fileno(), 3) == (at is not None)
            assert not has_data(file.fileno(), 3 + size)


def test_what_is_no_transaction_is_damage_and_says_what_it_is() -> None:
    built = build_log(20, [b"one"])
    for tail, reason in (
        (b"\x14\x05" + bytes(80), "a commit entry where a transaction must start"),
        (b"\x14\x63" + bytes(80), "a type 99 entry"),
        (b"\x14\x00" + bytes(80) + b"\1", "a type 0 entry"),
        (b"\x7f\x01" + bytes(80), "unknown kernel version 127"),
    ):
        result = found(built.data + tail, built)
        assert result.tail is Tail.DAMAGED
        assert reason in result.reason
        assert str(built.ends[-1]) in result.reason
        assert list(result.ends) == built.ends


def test_a_negative_or_huge_additional_header_is_damage() -> None:
    for length in (b"\xff\xff\xff\xff", b"\x01\x00\x10\x00"):
        start = txlog.start_entry(20, 2, 0, 2)[:-4] + length
        built = build_log(20)
        result = found(built.data + start + b"\1" * 99, built)
        assert result.tail is Tail.DAMAGED
        assert "additional header" in result.reason


def test_a_checksum_that_does_not_fit_is_told_with_its_place() -> None:
    built = build_log(20, [b"one", b"two"])
    result = found(flipped(built.data, built.ends[0] + 37), built)
    assert f"transaction 3 at {built.ends[0]} is not complete" in result.reason
    assert f"the checksum in its commit entry at {built.ends[1] - 22} does not fit" in result.reason


def test_where_the_log_goes_on_behind_damage_is_told() -> None:
    built = build_log(32, [b"one", b"two", b"three", b"four"])
    result = found(flipped(built.data, built.ends[0] + 40), built)
    assert f"yet transaction 4 follows behind it, at {built.ends[1]}" in result.reason


@pytest.mark.parametrize("kernel", FAMILIES)
@pytest.mark.parametrize("last", [(1 << 62) + 1, (1 << 63) - 1, -2])
def test_an_impossible_transaction_in_the_header_is_damage(kernel: int, last: int) -> None:
    header = txlog.header_bytes(txlog.header_format(kernel), 0, last, 1)
    built = BuiltLog(kernel, 0, 0, header + txlog.transaction_bytes(kernel, 2, b"x" * 90, 7, append_index=2))
    result = found(built.data, built)
    assert (result.tail, len(result.ends)) == (Tail.DAMAGED, 0)
    assert str(last) in result.reason


@st.composite
def garbage(draw: st.DrawFn) -> BuiltLog:
    """A header, and behind it anything: noise, zeros, pieces of logs, and more of the same."""
    kernel = draw(st.sampled_from(FAMILIES))
    built = build_log(kernel, last_before=draw(st.sampled_from([1, 2, 100, 1 << 40])))
    some = build_log(kernel, [b"x" * 20, fake_commit(kernel, 3)], last_before=built.last_before).data[
        built.header_size :
    ]
    part = st.one_of(
        st.binary(max_size=200),
        st.integers(1, 400).map(bytes),
        st.sampled_from([some, some[:-9], some[5:], bytes([kernel, 5]), bytes([kernel, 1])]),
        st.builds(fake_commit, st.just(kernel), st.integers(built.last_before, built.last_before + 9)),
    )
    pieces = draw(st.lists(st.tuples(part, st.sampled_from([1, 1, 2, 50])), max_size=12))
    built.data += b"".join(piece * times for piece, times in pieces)
    return built


@given(garbage(), st.sampled_from([50, 700, 1 << 22]))
def test_whatever_a_file_holds_the_scan_ends_and_reads_no_more_than_some_times_its_size(
    built: BuiltLog, piece: int
) -> None:
    counting = CountingReader(built.data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scan, "PIECE", piece)
        result = scan_log(counting, built.header)
    # One scan, one look behind its end, and one more from there on for each of a few suspects.
    times = 5 + scan._SECOND_LOOKS
    assert counting.handed_out <= times * len(built.data)
    assert counting.calls <= times * (len(built.data) // 22 + 3)
    assert built.header_size <= result.end <= len(built.data)
    assert list(result.ends) == sorted(result.ends)


@pytest.mark.parametrize("kernel", FAMILIES)
def test_a_whole_log_is_read_once_and_a_damaged_one_at_most_three_times(kernel: int) -> None:
    built = build_log(kernel, [b"x" * 50 for _ in range(300)])
    for data, most in (
        (built.data, 1),
        (built.data + bytes(100_000), 1),
        (built.data[:-9], 2),
        (built.data[:-9] + bytes(100_000), 3),
        (flipped(built.data, built.ends[100] + 30), 3),
        (overwritten(built.data, built.ends[100] + 45, bytes(9000)), 3),
    ):
        counting = CountingReader(data)
        scan_log(counting, built.header)
        assert counting.handed_out <= most * len(data)


@given(hostile_logs(st.sampled_from(FAMILIES)), st.data())
def test_a_file_that_shrinks_under_the_scan_gives_no_wrong_end(built: BuiltLog, choices: st.DataObject) -> None:
    inside = st.integers(0, len(built.data))
    states = [built.data[:size] for size in choices.draw(st.lists(inside, min_size=1, max_size=12))]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scan, "PIECE", choices.draw(st.sampled_from([20, 100, 1 << 22])))
        result = scan_log(growing([built.data, *states]), built.header)
    assert list(result.ends) == built.ends[: len(result.ends)]


def test_a_verdict_on_damage_holds_little_of_the_file_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    held = 0
    extend = boundaries.Window.extend

    def watching(window: boundaries.Window, keep_from: int) -> bool:
        nonlocal held
        extended = extend(window, keep_from)
        held = max(held, len(window.data))
        return extended

    monkeypatch.setattr(scan, "PIECE", 5000)
    monkeypatch.setattr(boundaries.Window, "extend", watching)
    built = build_log(20, [b"a", b"\1" * 100_000, bytes(100_000), b"b"])
    for data in (built.data, built.data[:-3], flipped(built.data, built.ends[0] + 99), built.data + bytes(90_000)):
        found(data, built)
    assert held < 2 * 5000
