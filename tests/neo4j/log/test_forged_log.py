"""Bytes inside of a transaction that were made to end it, checksum and all: no file is cut there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers import txlog
from helpers.hostile import FAMILIES, CountingReader, add_forged, forged_end, forged_transaction, growing
from helpers.txlog import BuiltLog, build_log, fake_commit, reader
from neokeep.neo4j.log import scan
from neokeep.neo4j.log.scan import Tail, scan_log

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Rest = Callable[[BuiltLog, bytes], bytes]


def start_of_next(built: BuiltLog, before: bytes, transaction: int) -> bytes:
    return forged_transaction(built, before, transaction)[:-30]


def some_transactions(count: int) -> Rest:
    def made(built: BuiltLog, before: bytes) -> bytes:
        forged = before
        for number in range(count):
            forged += forged_transaction(built, forged, built.last_transaction + 2 + number)
        return forged[len(before) :]

    return made


RESTS: dict[str, Rest] = {
    "nothing": lambda _built, _before: b"",
    "noise": lambda _built, _before: b"\xab\x05\x01" * 9,
    "zeros": lambda _built, _before: bytes(30) + b"data",
    "the begin of the next": lambda built, before: start_of_next(built, before, built.last_transaction + 2),
    "a whole next one": some_transactions(1),
    "many whole ones": some_transactions(6),
}


def forged_log(kernel: int, rest: Rest, before: Sequence[bytes], after: Sequence[bytes]) -> BuiltLog:
    built = build_log(kernel, before, last_before=90)
    add_forged(built, b"seems to end here", lambda so_far: rest(built, so_far) + b"but goes on")
    for payload in after:
        built.add(payload)
    return built


def expect_true_ends(built: BuiltLog, zeros: int = 0) -> None:
    data = built.data + bytes(zeros)
    counting = CountingReader(data)
    result = scan_log(counting, built.header)
    assert list(result.ends) == built.ends
    assert list(result.commit_times) == built.commit_times
    assert result.last_checksum == built.last_checksum
    assert result.tail is (Tail.ZEROS if zeros else Tail.END_OF_FILE)
    assert counting.handed_out <= 60 * len(data)


@pytest.mark.parametrize("kernel", FAMILIES)
@pytest.mark.parametrize("rest", RESTS.values(), ids=RESTS)
@pytest.mark.parametrize("zeros", [0, 500])
def test_a_forged_end_does_not_end_its_transaction(kernel: int, rest: Rest, zeros: int) -> None:
    for before, after in (([], []), ([b"one"], []), ([], [b"last"]), ([b"one", b"two"], [b"four", b"five"])):
        expect_true_ends(forged_log(kernel, rest, before, after), zeros)


@pytest.mark.parametrize("kernel", FAMILIES)
@pytest.mark.parametrize("rest", [rest for name, rest in RESTS.items() if name != "zeros"])
@pytest.mark.parametrize("piece", [23, 30, 100])
def test_a_forged_end_in_another_window_than_the_true_one_does_not_end_its_transaction(
    kernel: int, rest: Rest, piece: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scan, "PIECE", piece)
    for before, after in (([], []), ([b"one", b"two"], [b"four", b"five"])):
        expect_true_ends(forged_log(kernel, rest, before, after))


@given(st.sampled_from(FAMILIES), st.lists(st.sampled_from(list(RESTS)), min_size=1, max_size=3), st.data())
def test_forged_ends_in_several_transactions_do_not_end_them(
    kernel: int, names: list[str], choices: st.DataObject
) -> None:
    built = build_log(kernel, [b"one"])
    for name in names:
        inside, rest = choices.draw(st.binary(max_size=40)), choices.draw(st.binary(max_size=40)).replace(b"\0", b"\1")

        def behind(so_far: bytes, name: str = name, rest: bytes = rest) -> bytes:
            return RESTS[name](built, so_far) + rest + b"\1"

        add_forged(built, inside, behind)
    with pytest.MonkeyPatch.context() as patch:
        # Behind zeros a scan looks as far as its window goes; the caller, who has the whole file, does the rest.
        patch.setattr(scan, "PIECE", choices.draw(st.sampled_from([2000, 1 << 22] if "zeros" in names else [30, 200])))
        expect_true_ends(built, choices.draw(st.sampled_from([0, 100])))


@pytest.mark.parametrize("kernel", FAMILIES)
def test_several_forged_ends_in_one_transaction_do_not_end_it(kernel: int) -> None:
    built = build_log(kernel, [b"one"])

    def more(so_far: bytes) -> bytes:
        forged = so_far
        for number in range(3):
            forged += b"noise" * number + forged_end(kernel, built.last_transaction + 1, forged + b"noise" * number)
        return forged[len(so_far) :] + b"and on"

    add_forged(built, b"", more)
    built.add(b"three")
    expect_true_ends(built)


@pytest.mark.parametrize("kernel", FAMILIES)
def test_more_forged_ends_than_are_seen_through_are_no_clean_end(kernel: int) -> None:
    built = build_log(kernel, [b"one"])

    def more(so_far: bytes) -> bytes:
        forged = so_far
        for _ in range(40):
            forged += b"\1" + forged_end(kernel, built.last_transaction + 1, forged + b"\1")
        return forged[len(so_far) :] + b"\1and on"

    add_forged(built, b"", more)
    built.add(b"three")
    counting = CountingReader(built.data)
    result = scan_log(counting, built.header)
    assert result.tail is Tail.DAMAGED
    assert "cannot be told" in result.reason
    assert result.ends[0] == built.ends[0]
    assert counting.handed_out <= 60 * len(built.data)


def log_with_decoys(kernel: int, count: int) -> BuiltLog:
    """A forged end, the begin of another transaction, and then what looks like the ends of many."""
    built = build_log(kernel, [b"x"] * 40)
    decoys = b"".join(fake_commit(kernel, number) for number in range(2, 2 + count))
    add_forged(built, b"", lambda so_far: start_of_next(built, so_far, built.last_transaction + 2) + decoys)
    return built


@pytest.mark.parametrize("kernel", FAMILIES)
def test_some_decoys_before_the_true_end_do_not_hide_it(kernel: int) -> None:
    expect_true_ends(log_with_decoys(kernel, 12))


@pytest.mark.parametrize("kernel", FAMILIES)
def test_many_decoys_before_the_true_end_do_not_hide_it_without_notice(kernel: int) -> None:
    built = log_with_decoys(kernel, 30)
    result = scan_log(reader(built.data), built.header)
    assert result.tail is Tail.DAMAGED
    assert "cannot be told" in result.reason
    assert list(result.ends[:40]) == built.ends[:40]


@pytest.mark.parametrize("kernel", FAMILIES)
def test_a_copy_of_the_last_transaction_behind_it_is_not_taken_for_its_end(kernel: int) -> None:
    built = build_log(kernel, [b"one", b"two"])
    doubled = built.data + built.data[built.ends[0] :]
    result = scan_log(reader(doubled), built.header)
    assert list(result.ends) == built.ends
    assert result.last_checksum == built.last_checksum
    assert result.tail is Tail.DAMAGED or kernel == 22
    assert result == scan_log(reader(doubled), built.header, resume=scan_log(reader(built.data), built.header))


def test_a_forged_end_is_seen_through_when_the_file_goes_on() -> None:
    built = build_log(20, [b"one"])
    add_forged(built, b"inside", lambda so_far: forged_transaction(built, so_far, 4))
    cut = built.data.index(txlog.commit_prefix(20, 4)) + 22
    so_far = scan_log(reader(built.data[:cut]), built.header)
    assert so_far.last_transaction == 4
    assert scan_log(reader(built.data), built.header, resume=so_far) == scan_log(reader(built.data), built.header)


@pytest.mark.parametrize("kernel", FAMILIES)
def test_a_file_that_is_gone_at_the_second_look_is_no_failure(kernel: int) -> None:
    built = forged_log(kernel, RESTS["a whole next one"], [b"one"], [b"last"])
    for looks in range(1, 5):
        result = scan_log(growing([built.data] * looks + [b""]), built.header)
        assert result.ends[0] == built.ends[0]
