"""Checkpoint records of every layout; the newest complete one counts."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.txlog import FIRST_TIME, checkpoint_file, checkpoint_record, checkpoint_size, commit_time, flipped
from neokeep.errors import SourceError
from neokeep.neo4j.log.checkpoint import Checkpoint, LogPosition, parse_checkpoints
from neokeep.neo4j.log.header import parse_header

LAYOUTS = (2, 4, 5, 6, 16, 17, 18, 20, 31, 32)


def parsed(data: bytes) -> tuple[Checkpoint, ...]:
    header = parse_header(data, "checkpoint.0")
    return () if header is None else parse_checkpoints(data, header, "checkpoint.0")


def records(kernel: int, count: int) -> list[bytes]:
    return [checkpoint_record(kernel, 7, 1000 + 10 * number, 50 + number) for number in range(count)]


@pytest.mark.parametrize("kernel", LAYOUTS)
@given(version=st.integers(0, 1 << 40), offset=st.integers(0, 1 << 40), last=st.integers(1, 1 << 40))
def test_every_field_is_read(kernel: int, version: int, offset: int, last: int) -> None:
    record = checkpoint_record(kernel, version, offset, last, "Scheduled checkpoint for ünïcode")
    data = checkpoint_file(kernel, [record], zeros=77)
    (found,) = parsed(data)
    assert found == Checkpoint(
        position=LogPosition(version, offset),
        transaction=None if kernel < 5 else last,
        commit_time=None if kernel < 5 else commit_time(last),
        time=FIRST_TIME + last,
        reason="Scheduled checkpoint for ünïcode",
        kernel_version=kernel,
        end=len(data) - 77,
    )


@pytest.mark.parametrize(("kernel", "size"), [(4, 192), (20, 232), (32, 486)])
def test_records_have_the_sizes_of_real_ones(kernel: int, size: int) -> None:
    assert len(checkpoint_record(kernel, 0, 0, 1)) == checkpoint_size(kernel) == size


@pytest.mark.parametrize("kernel", LAYOUTS)
def test_a_file_cut_anywhere_ends_with_its_last_whole_record(kernel: int) -> None:
    data = checkpoint_file(kernel, records(kernel, 3))
    whole = parsed(data)
    assert len(whole) == 3
    for cut in range(len(data)):
        expected = tuple(record for record in whole if record.end <= cut)
        assert parsed(data[:cut]) == expected
        # A record may end in a zero, which then is not missed.
        filled = data[:cut].ljust(len(data) + 10, b"\0")
        assert parsed(filled) == tuple(record for record in whole if filled.startswith(data[: record.end]))


@pytest.mark.parametrize("kernel", LAYOUTS)
@pytest.mark.parametrize("mask", [0x01, 0x80, 0xFF])
def test_a_flipped_byte_never_gives_a_checkpoint_that_was_not_written(kernel: int, mask: int) -> None:
    data = checkpoint_file(kernel, records(kernel, 2))
    whole = parsed(data)
    start = len(data) - 2 * checkpoint_size(kernel)
    for at in range(start, len(data)):
        kernel_byte = (at - start) % checkpoint_size(kernel) == 0
        try:
            found = parsed(flipped(data, at, mask))
        except SourceError:
            assert kernel_byte
            continue
        assert found == tuple(record for record in whole if record.end <= at)


@given(st.sampled_from(LAYOUTS), st.integers(0, 3), st.data())
def test_any_damage_leaves_the_newest_complete_record_before_it(
    kernel: int, count: int, choices: st.DataObject
) -> None:
    data = checkpoint_file(kernel, records(kernel, count + 1), zeros=30)
    whole = parsed(data)
    at = choices.draw(st.integers(whole[0].end - checkpoint_size(kernel), len(data)))
    damage = choices.draw(st.one_of(st.binary(min_size=1, max_size=300), st.integers(1, 600).map(bytes)))
    damaged = data[:at] + damage + data[at + len(damage) :]
    expected = [record for record in whole if damaged[: record.end] == data[: record.end]]
    try:
        found = parsed(damaged)
    except SourceError:
        behind = damaged[expected[-1].end if expected else whole[0].end - checkpoint_size(kernel)]
        assert not 2 <= behind <= 32
        return
    assert list(found) == expected


@given(st.lists(st.sampled_from(LAYOUTS), min_size=1, max_size=6), st.data())
def test_records_of_several_layouts_in_one_file_are_cut_at_the_newest_complete_one(
    kernels: list[int], choices: st.DataObject
) -> None:
    header_kernel = kernels[0]
    made = [checkpoint_record(kernel, 3, 100 * at, 20 + at) for at, kernel in enumerate(kernels)]
    data = checkpoint_file(header_kernel, made)
    ends = [len(data) - sum(map(len, made[at + 1 :])) for at in range(len(made))]
    cut = choices.draw(st.integers(ends[0] - len(made[0]), len(data)))
    found = parsed(data[:cut].ljust(len(data) + 5, b"\0"))
    assert [(record.kernel_version, record.end) for record in found] == [
        (kernel, end) for kernel, end in zip(kernels, ends, strict=True) if not data[cut:end].strip(b"\0")
    ]


def test_a_record_after_a_version_change_is_read_by_its_own_layout() -> None:
    data = checkpoint_file(20, [checkpoint_record(20, 0, 200, 5), checkpoint_record(32, 1, 300, 9)], zeros=500)
    assert [record.kernel_version for record in parsed(data)] == [20, 32]
    assert parsed(data)[-1].position == LogPosition(1, 300)


def test_a_kernel_version_that_is_not_known_is_refused_by_its_number() -> None:
    data = checkpoint_file(20, records(20, 1)) + bytes([33, 9]) + bytes(600)
    with pytest.raises(SourceError, match="checkpoint of kernel version 33"):
        parsed(data)


def test_an_empty_file_holds_none() -> None:
    assert parsed(checkpoint_file(4, [])) == ()
    assert parsed(checkpoint_file(20, [], zeros=1000)) == ()


@given(st.sampled_from(LAYOUTS), st.binary(max_size=700))
def test_any_bytes_are_parsed_or_refused(kernel: int, tail: bytes) -> None:
    data = checkpoint_file(kernel, records(kernel, 1)) + tail
    with suppress(SourceError):
        assert parsed(data)[0].position == LogPosition(7, 1000)


def test_positions_are_in_the_order_of_the_log() -> None:
    assert LogPosition(2, 10) > LogPosition(1, 999) > LogPosition(1, 5)
    assert str(LogPosition(2, 10)) == "2:10"
