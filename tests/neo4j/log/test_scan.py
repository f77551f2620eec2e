"""Boundaries of transactions: found exactly, whatever is in them and wherever the log is cut or damaged."""

from __future__ import annotations

import pytest
from crc32c import crc32c
from hypothesis import given
from hypothesis import strategies as st

from helpers import txlog
from helpers.txlog import BuiltLog, build_log, fake_commit, flipped, reader
from neokeep.errors import SourceError
from neokeep.neo4j.log import scan
from neokeep.neo4j.log.header import parse_header
from neokeep.neo4j.log.scan import Scan, Tail, has_commit, scan_log

ALL_KERNELS = st.integers(2, 32)


def found(data: bytes, built: BuiltLog) -> Scan:
    return scan_log(reader(data), built.header)


def hostile_payload(kernel: int, following: int) -> st.SearchStrategy[bytes]:
    """Bytes that look like pieces of a log."""
    pieces = [
        st.binary(max_size=12),
        st.builds(fake_commit, st.just(kernel), st.integers(following - 1, following + 1)),
        st.just(txlog.commit_prefix(kernel, following)),
        st.just(bytes([kernel, 1])),
        st.just(bytes([kernel, 5])),
        st.integers(0, 40).map(bytes),
    ]
    return st.lists(st.one_of(pieces), max_size=6).map(b"".join)


@st.composite
def hostile_logs(draw: st.DrawFn) -> BuiltLog:
    kernel = draw(ALL_KERNELS)
    built = build_log(kernel, version=draw(st.integers(0, 1 << 40)), last_before=draw(st.integers(1, 1 << 50)))
    for number in range(draw(st.integers(0, 5))):
        extra = draw(st.binary(max_size=30)) if number == 1 else b""
        built.add(draw(hostile_payload(kernel, built.last_transaction + 1)), extra)
    return built


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


def test_many_fake_commit_entries_do_not_make_the_work_grow_with_its_square(monkeypatch: pytest.MonkeyPatch) -> None:
    summed = 0

    def counting(data: memoryview, value: int = 0) -> int:
        nonlocal summed
        summed += len(data)
        return crc32c(data, value)

    built = build_log(20, [fake_commit(20, 2) * 3000])
    monkeypatch.setattr(scan, "crc32c", counting)
    expect_all(found(built.data, built), built)
    assert summed < 10 * len(built.data)


def intact(built: BuiltLog, damaged: bytes) -> list[int]:
    """The ends of the transactions before the first damaged byte."""
    return [end for end in built.ends if damaged[:end] == built.data[:end]]


def small_log(kernel: int) -> BuiltLog:
    return build_log(kernel, [b"first", fake_commit(kernel, 3), b"", bytes(9)])


@pytest.mark.parametrize("kernel", txlog.KERNELS)
def test_a_log_cut_anywhere_ends_at_the_last_whole_transaction(kernel: int) -> None:
    built = small_log(kernel)
    for cut in range(len(built.data)):
        data = built.data[:cut]
        header = parse_header(data, "a cut log")
        if cut < built.header_size:
            assert header is None
            continue
        assert header is not None
        result = scan_log(reader(data), header)
        assert list(result.ends) == intact(built, data), cut
        assert result.tail is (Tail.END_OF_FILE if cut in built.boundaries else Tail.TORN)
        assert bool(result.reason) == (result.tail is Tail.TORN)


@pytest.mark.parametrize("kernel", txlog.KERNELS)
def test_a_log_that_turns_to_zeros_anywhere_ends_at_the_last_whole_transaction(kernel: int) -> None:
    built = small_log(kernel)
    for cut in range(built.header_size, len(built.data)):
        data = built.data[:cut].ljust(len(built.data) + 50, b"\0")
        result = found(data, built)
        assert list(result.ends) == intact(built, data), cut
        assert (result.tail is Tail.ZEROS) == (data[result.end] == 0)


@pytest.mark.parametrize("kernel", txlog.KERNELS)
@pytest.mark.parametrize("mask", [0x01, 0x80, 0xFF])
def test_a_flipped_byte_is_never_part_of_a_transaction(kernel: int, mask: int) -> None:
    built = small_log(kernel)
    for at in range(built.header_size, len(built.data)):
        data = flipped(built.data, at, mask)
        assert list(found(data, built).ends) == intact(built, data), at


@pytest.mark.parametrize("kernel", txlog.KERNELS)
def test_a_flipped_byte_in_the_header_gives_true_boundaries_or_a_refusal(kernel: int) -> None:
    built = small_log(kernel)
    for at in range(built.header_size):
        data = flipped(built.data, at, 0x03)
        try:
            header = parse_header(data, "a flipped log")
        except SourceError:
            assert at == 0
            continue
        if header is not None:
            assert set(scan_log(reader(data), header).ends) <= set(built.ends)


@given(hostile_logs(), st.data())
def test_any_damage_leaves_only_true_boundaries_before_it(built: BuiltLog, choices: st.DataObject) -> None:
    at = choices.draw(st.integers(built.header_size, len(built.data)))
    damage = choices.draw(st.binary(min_size=1, max_size=60))
    data = built.data[:at] + damage + built.data[at + len(damage) :]
    ends = list(found(data, built).ends)
    whole = intact(built, data)
    assert ends[: len(whole)] == whole
    assert set(ends) <= set(built.ends)


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


def test_zeros_and_then_data_end_the_log_at_the_zeros() -> None:
    built = build_log(32, [b"one", b"two"])
    rest = build_log(32, [b"four"], last_before=4).data[128:]
    result = found(built.data + bytes(300) + rest, built)
    assert (result.tail, list(result.ends)) == (Tail.ZEROS, built.ends)


def test_what_is_no_transaction_is_damage_and_says_what_it_is() -> None:
    built = build_log(20, [b"one"])
    for tail, reason in (
        (b"\x14\x05" + bytes(80), "a commit entry where a transaction must start"),
        (b"\x14\x63" + bytes(80), "a type 99 entry"),
        (b"\x7f\x01" + bytes(80), "unknown kernel version 127"),
    ):
        result = found(built.data + tail, built)
        assert result.tail is Tail.DAMAGED
        assert reason in result.reason
        assert list(result.ends) == built.ends


def test_a_negative_or_huge_additional_header_is_damage() -> None:
    for length in (b"\xff\xff\xff\xff", b"\x01\x00\x10\x00"):
        start = txlog.start_entry(20, 2, 0, 2)[:-4] + length
        built = build_log(20)
        assert "additional header" in found(built.data + start + bytes(99), built).reason


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
