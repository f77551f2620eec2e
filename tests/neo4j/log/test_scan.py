"""Boundaries of transactions: found exactly, whatever is in them, however the file is read, while it grows."""

from __future__ import annotations

from functools import cache

import pytest
from crc32c import crc32c
from hypothesis import given
from hypothesis import strategies as st

from helpers import txlog
from helpers.hostile import FAMILIES, CountingReader, checksum, growing, hostile_logs, overwritten
from helpers.properties import one_of
from helpers.txlog import BuiltLog, build_log, fake_commit, reader
from neokeep.neo4j.log import boundaries, scan
from neokeep.neo4j.log.scan import Scan, Tail, has_commit, scan_log


def found(data: bytes, built: BuiltLog) -> Scan:
    return scan_log(reader(data), built.header)


def expect_all(result: Scan, built: BuiltLog) -> None:
    assert list(result.ends) == built.ends
    assert list(result.commit_times) == built.commit_times
    assert (result.first_transaction, result.last_transaction) == (built.first_transaction, built.last_transaction)
    assert result.end == built.boundaries[-1]
    if built.ends:
        assert result.last_checksum == built.last_checksum
        assert result.kernel_version == built.kernel


@given(hostile_logs(), st.integers(0, 70))
def test_exactly_the_transactions_are_found_whatever_is_in_them(built: BuiltLog, zeros: int) -> None:
    result = found(built.data + bytes(zeros), built)
    expect_all(result, built)
    assert result.tail is (Tail.ZEROS if zeros else Tail.END_OF_FILE)


@given(hostile_logs(), st.integers(1, 90))
def test_they_are_found_through_a_window_of_any_size(built: BuiltLog, piece: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scan, "PIECE", piece)
        expect_all(found(built.data, built), built)


@pytest.mark.parametrize("kernel", txlog.KERNELS)
def test_transactions_larger_than_the_window_are_found(kernel: int, monkeypatch: pytest.MonkeyPatch) -> None:
    built = build_log(kernel, [fake_commit(kernel, 2) * 40, bytes(5000), bytes([kernel, 5]) * 2000, b"x"])
    for piece in (1, 21, 22, 23, 64, 1000, 4096):
        monkeypatch.setattr(scan, "PIECE", piece)
        expect_all(found(built.data, built), built)


@cache
def thousands(kernel: int) -> BuiltLog:
    return build_log(kernel, [b"p" * (number % 90) for number in range(6000)], last_before=1 << 33)


@pytest.mark.parametrize("kernel", one_of(4, FAMILIES))
@pytest.mark.parametrize("piece", [1000, 30_000, 1 << 22])
def test_thousands_of_transactions_are_found_in_runs_that_go_on_in_the_next_window(
    kernel: int, piece: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = thousands(kernel)
    monkeypatch.setattr(scan, "PIECE", piece)
    result = found(built.data + bytes(5000), built)
    expect_all(result, built)
    assert result.tail is Tail.ZEROS


@given(hostile_logs(least=3), st.data())
def test_runs_and_single_steps_find_the_same(built: BuiltLog, choices: st.DataObject) -> None:
    at = choices.draw(st.integers(built.header_size, len(built.data)))
    data = overwritten(built.data, at, choices.draw(st.binary(max_size=30)))
    many = choices.draw(st.sampled_from([1, 2, 32]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(boundaries, "_RUN", choices.draw(st.integers(1, 5)))
        patch.setattr(boundaries, "_MANY", many)
        in_runs = found(data, built)
        patch.setattr(boundaries, "_take_run", lambda *_: 0)
        assert found(data, built) == in_runs


@pytest.mark.parametrize("kernel", FAMILIES)
def test_transactions_in_order_are_summed_together_and_not_one_by_one(
    kernel: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = 0

    def counting(data: bytes, value: int = 0) -> int:
        nonlocal calls
        calls += 1
        return crc32c(data, value)

    built = build_log(kernel, [b"p" * (number % 90) for number in range(3000)])
    monkeypatch.setattr(boundaries, "crc32c", counting)
    expect_all(found(built.data, built), built)
    assert calls < 10


@pytest.mark.parametrize("kernel", FAMILIES)
def test_a_run_is_over_where_one_checksum_does_not_hold(kernel: int) -> None:
    built = build_log(kernel, [b"x" * 30 for _ in range(100)])
    for number in (0, 1, 57, 99):
        at = built.boundaries[number] + 50
        result = found(txlog.flipped(built.data, at), built)
        assert list(result.ends) == built.ends[:number]


@pytest.mark.parametrize("kernel", one_of(4, FAMILIES))
def test_many_fake_commit_entries_do_not_make_the_work_grow_with_its_square(
    kernel: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    summed = 0

    def counting(data: memoryview, value: int = 0) -> int:
        nonlocal summed
        summed += len(data)
        return crc32c(data, value)

    built = build_log(kernel, [fake_commit(kernel, 2) * 3000, *(fake_commit(kernel, id_) for id_ in range(3, 400))])
    monkeypatch.setattr(boundaries, "crc32c", counting)
    for piece in (1000, 1 << 22):
        summed = 0
        monkeypatch.setattr(scan, "PIECE", piece)
        expect_all(found(built.data, built), built)
        assert summed < 10 * len(built.data)


def with_start(kernel: int, transaction: bytes, at: int, replacement: bytes) -> bytes:
    """A transaction with other bytes in its start entry, and the checksum that is right for them."""
    body = overwritten(transaction, at, replacement)[:-4]
    return body + checksum(kernel, body)


ODD_STARTS = [
    ("kernel version", b"\x1f", ""),
    ("type", b"\x0a", "a chunk start entry where a transaction must start"),
    ("previous checksum", b"\xab\xcd\xef\x01", "its previous checksum differs"),
    ("length", b"\xff\xff\xff\xff", "an impossible additional header length"),
    ("length", b"\x01\x01\x01\x01", "an impossible additional header length"),
]


@pytest.mark.parametrize("piece", [300, 1 << 22])
@pytest.mark.parametrize(
    ("kernel", "place", "replacement", "reason"),
    [(kernel, *odd) for kernel in FAMILIES for odd in ODD_STARTS if kernel <= 21 or odd[0] != "previous checksum"],
)
def test_a_start_entry_that_does_not_fit_ends_the_log_although_its_checksum_is_right(
    kernel: int, place: str, replacement: bytes, reason: str, piece: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scan, "PIECE", piece)
    size = len(txlog.start_entry(kernel, 1, 0, 1))
    at = {"kernel version": 0, "type": 1, "previous checksum": 18, "length": size - 4}[place]
    built = build_log(kernel, [b"x" * 30] * 50, previous_checksum=0xABCD)
    for number in (0, 1, 30, 47):
        start, end = built.boundaries[number : number + 2]
        odd = with_start(kernel, built.data[start:end], at, replacement)
        data = built.data[:start] + odd + built.data[end:]
        result = scan_log(reader(data), built.header, previous_checksum=0xABCD)
        assert (list(result.ends), result.tail) == (built.ends[:number], Tail.DAMAGED)
        assert reason in result.reason


@pytest.mark.parametrize("kernel", [4, 16, 20])
def test_the_first_of_many_is_held_to_the_checksum_of_the_file_before(kernel: int) -> None:
    built = build_log(kernel, [b"x" * 30] * 50, previous_checksum=0xABCD)
    assert scan_log(reader(built.data), built.header, previous_checksum=0xABCD).tail is Tail.END_OF_FILE
    broken = scan_log(reader(built.data), built.header, previous_checksum=0xABCE)
    assert (broken.tail, len(broken.ends)) == (Tail.DAMAGED, 0)


@pytest.mark.parametrize("kernel", one_of(4, FAMILIES))
@pytest.mark.parametrize("zeros", [0, 300])
def test_a_file_that_grew_at_any_byte_is_read_as_if_at_once(kernel: int, zeros: int) -> None:
    built = build_log(kernel, [b"first", fake_commit(kernel, 3), b"", bytes(9)])
    whole = built.data + bytes(zeros)
    expected = found(whole, built)
    for cut in range(built.header_size, len(whole) + 1):
        data = whole[:cut] if not zeros else whole[:cut].ljust(len(whole), b"\0")
        before = found(data, built)
        assert scan_log(reader(whole), built.header, resume=before) == expected, cut


@pytest.mark.parametrize("kernel", FAMILIES)
def test_going_on_reads_only_what_is_behind_the_last_transaction(kernel: int) -> None:
    built = build_log(kernel, [b"x" * 50] * 100)
    before = found(built.data[: built.ends[79]], built)
    counting = CountingReader(built.data)
    expect_all(scan_log(counting, built.header, resume=before), built)
    assert counting.handed_out == len(built.data) - built.ends[79]


@given(hostile_logs(), st.data())
def test_going_on_with_a_growing_file_finds_what_a_fresh_scan_finds(built: BuiltLog, choices: st.DataObject) -> None:
    inside = st.integers(built.header_size, len(built.data))
    cuts = sorted(choices.draw(st.lists(inside, max_size=6)))
    piece = choices.draw(st.sampled_from([3, 40, 4096]))
    size = len(built.data) + 20
    result: Scan | None = None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scan, "PIECE", piece)
        for cut in [*cuts, len(built.data)]:
            data = built.data[:cut].ljust(size, b"\0")
            result = scan_log(reader(data), built.header, resume=result)
            assert result == found(data, built)
    assert result is not None
    expect_all(result, built)


@given(hostile_logs(), st.data())
def test_a_file_that_grows_between_two_reads_of_one_scan_gives_no_wrong_end(
    built: BuiltLog, choices: st.DataObject
) -> None:
    cuts = sorted(choices.draw(st.lists(st.integers(built.header_size, len(built.data)), min_size=1, max_size=8)))
    states = [built.data[:cut].ljust(len(built.data) + 20, b"\0") for cut in cuts]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scan, "PIECE", choices.draw(st.sampled_from([3, 40, 200])))
        seen = scan_log(growing(states), built.header)
        assert list(seen.ends) == built.ends[: len(seen.ends)]
        expect_all(scan_log(reader(built.data), built.header, resume=seen), built)


@pytest.mark.parametrize("kernel", FAMILIES)
def test_the_log_goes_on_in_the_next_file_where_it_was_rotated(kernel: int) -> None:
    first = build_log(kernel, [b"one", b"two"], last_before=70)
    second = first.next([b"three"])
    before = found(first.data, first)
    after = scan_log(reader(second.data), second.header, previous_checksum=before.last_checksum)
    assert (before.tail, after.tail) == (Tail.END_OF_FILE, Tail.END_OF_FILE)
    assert second.header.last_transaction == before.last_transaction == 72
    assert (after.first_transaction, after.last_transaction) == (73, 73)


def test_kernel_versions_may_change_inside_of_a_file() -> None:
    built = build_log(17, [b"one", b"two"])
    built.kernel = 20
    built.add(b"three")
    built.kernel = 32
    built.add(b"four")
    expect_all(found(built.data, built), built)


@pytest.mark.parametrize("kernel", [4, 20, 21])
def test_versions_that_chain_are_held_to_the_checksum_of_the_transaction_before(kernel: int) -> None:
    built = build_log(kernel, [b"one"], last_before=7, previous_checksum=0xABCD)
    assert scan_log(reader(built.data), built.header, previous_checksum=0xABCD).tail is Tail.END_OF_FILE
    assert scan_log(reader(built.data), built.header).tail is Tail.END_OF_FILE
    broken = scan_log(reader(built.data), built.header, previous_checksum=0xABCE)
    assert broken.tail is Tail.DAMAGED
    assert "previous checksum" in broken.reason
    assert not broken.ends


@pytest.mark.parametrize("kernel", [22, 32])
def test_versions_without_a_chain_are_not_held_to_it(kernel: int) -> None:
    built = build_log(kernel, [b"one"])
    assert scan_log(reader(built.data), built.header, previous_checksum=1).tail is Tail.END_OF_FILE


@pytest.mark.parametrize("kernel", [17, 20, 32])
def test_a_wrong_append_index_is_damage(kernel: int) -> None:
    built = build_log(kernel)
    wrong = txlog.transaction_bytes(kernel, 2, b"x", built.last_checksum, append_index=3)
    result = found(built.data + wrong, built)
    assert result.tail is Tail.DAMAGED
    assert "append index 3" in result.reason


@pytest.mark.parametrize("kernel", [17, 20, 22, 32])
def test_append_indexes_are_counted_from_that_of_the_header(kernel: int) -> None:
    data = txlog.header_bytes(9, 0, 1, 40)
    first = txlog.transaction_bytes(kernel, 2, b"one", 7, append_index=41)
    checksum = int.from_bytes(first[-4:], "little")
    second = txlog.transaction_bytes(kernel, 3, b"two", checksum, append_index=42)
    built = BuiltLog(kernel, 0, 1, data + first + second)
    assert list(found(built.data, built).ends) == [len(data + first), len(built.data)]
    wrong = txlog.transaction_bytes(kernel, 3, b"two", checksum, append_index=3)
    assert list(found(data + first + wrong, built).ends) == [len(data + first)]


@given(hostile_logs(), st.integers(10, 70))
def test_a_commit_of_a_later_transaction_is_seen_through_any_window(built: BuiltLog, piece: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scan, "PIECE", piece)
        for number in range(built.first_transaction, built.last_transaction + 1):
            assert has_commit(reader(built.data), built.header_size, built.kernel, number)
        assert not has_commit(reader(built.data), built.header_size, built.kernel, built.last_transaction + 5)
        assert not has_commit(reader(built.data), len(built.data), built.kernel, built.last_transaction)


@given(hostile_logs(), st.integers(0, 2000))
def test_only_starts_and_ends_of_transactions_are_boundaries(built: BuiltLog, offset: int) -> None:
    assert found(built.data, built).is_boundary(offset) == (offset in built.boundaries)
