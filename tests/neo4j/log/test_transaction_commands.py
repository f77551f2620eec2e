"""Commands of every type in every kernel version are told apart; what is not understood is refused, never guessed."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers import txcommands, txlog
from helpers.txcommands import NODE, PROPERTY, Sample, dynamic, node, pack, pair, properties, samples, transaction
from neokeep.errors import SourceError
from neokeep.neo4j.log.checkpoint import LogPosition
from neokeep.neo4j.log.commands import NO_IMAGE, Change, Command, Kind, UnknownCommand, commands, read_frame

KERNELS = range(2, 33)
HERE = LogPosition(3, 1_000)


def walk(data: bytes) -> list[Command]:
    return list(commands(data, HERE))


def expect(data: bytes, command: Command, sample: Sample, at: int) -> None:
    assert (command.kind.name, command.change.name, command.id) == (sample.kind, sample.change, sample.id)
    assert command.end == at + len(sample.data)
    before_ends = command.end if command.after == NO_IMAGE else command.after
    assert (command.before == NO_IMAGE) == (sample.before is None)
    assert (command.after == NO_IMAGE) == (sample.after is None)
    assert sample.before is None or data[command.before : before_ends] == sample.before
    assert sample.after is None or data[command.after : command.end] == sample.after
    assert command.in_use_before == (sample.change in {"DELETED", "CHANGED"})
    assert command.in_use_after == (sample.change in {"CREATED", "CHANGED"})


def expect_all(kernel: int, several: list[Sample], extra: bytes = b"") -> None:
    data = transaction(kernel, [sample.data for sample in several], extra=extra)
    found = walk(data)
    assert len(found) == len(several)
    at = read_frame(data, HERE).first_command
    for command, sample in zip(found, several, strict=True):
        expect(data, command, sample, at + 2)
        at = command.end
    assert at == len(data) - 22


@pytest.mark.parametrize("kernel", KERNELS)
def test_each_command_of_each_kernel_version_is_found_with_its_images(kernel: int) -> None:
    several = samples(kernel)
    assert {Kind[sample.kind] for sample in several} == set(Kind)
    assert {Change[sample.change] for sample in several} == set(Change)
    for sample in several:
        expect_all(kernel, [sample])
    expect_all(kernel, several)


@given(st.data(), st.sampled_from(KERNELS), st.binary(max_size=9))
def test_any_sequence_of_commands_is_walked_to_the_commit_entry(data: st.DataObject, kernel: int, extra: bytes) -> None:
    expect_all(kernel, data.draw(st.lists(st.sampled_from(samples(kernel)), min_size=1, max_size=12)), extra)


@pytest.mark.parametrize("kernel", KERNELS)
def test_the_frame_tells_times_id_and_additional_header(kernel: int) -> None:
    data = transaction(kernel, [samples(kernel)[0].data], number=1 << 40, extra=b"extra")
    frame = read_frame(data, HERE)
    assert (frame.kernel_version, frame.transaction) == (kernel, 1 << 40)
    assert frame.started == txlog.FIRST_TIME + (1 << 40)
    assert frame.committed == txlog.commit_time(1 << 40)
    assert frame.additional_header == b"extra"
    assert data[frame.first_command : frame.first_command + 2] == bytes([kernel, 3])
    assert data[frame.commit : frame.commit + 2] == bytes([kernel, 5])


def test_the_metadata_command_that_2026_08_wrote_into_a_store_of_5_26() -> None:
    written = bytes.fromhex("13 ffffffffffffffff 01 1400000000000000 01 2009000000000000")
    expect_all(20, [Sample(19, written, "METADATA", "CHANGED", -1, written[9:18], written[18:])])


def test_a_transaction_without_commands_is_empty() -> None:
    whole = transaction(20, [b""])
    start = len(whole) - 24
    assert walk(whole[:start] + whole[-22:]) == []


def refusal(data: bytes) -> UnknownCommand:
    with pytest.raises(UnknownCommand) as caught:
        walk(data)
    assert isinstance(caught.value, SourceError)
    assert caught.value.position.version == HERE.version
    assert HERE.offset <= caught.value.position.offset <= HERE.offset + len(data)
    return caught.value


def known(kernel: int) -> set[int]:
    return {sample.number for sample in samples(kernel)}


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_command_type_that_the_kernel_version_does_not_have_is_refused(kernel: int) -> None:
    first = samples(kernel)[0].data
    for number in set(range(256)) - known(kernel):
        data = transaction(kernel, [first, bytes([number]) + bytes(64)])
        refused = refusal(data)
        assert f"type {number}," in refused.reason
        assert refused.position.offset == HERE.offset + walk(transaction(kernel, [first]))[0].end
    assert (21 in known(kernel)) == (kernel < 5)
    assert (22 in known(kernel)) == (kernel >= 10)
    assert 30 not in known(kernel)


@pytest.mark.parametrize("entry", [1, 5, 7, 9, 10, 11, 12, 13, 99])
def test_another_entry_among_the_commands_is_refused(entry: int) -> None:
    one = samples(32)[0].data
    assert f"type {entry} " in refusal(transaction(32, [one + bytes([32, entry]) + bytes(50)])).reason


def test_chunks_are_refused_by_name() -> None:
    data = transaction(32, [samples(32)[0].data])
    assert "chunk start" in refusal(bytes([32, 10]) + data[2:]).reason


def test_a_command_of_another_kernel_version_is_refused() -> None:
    one = samples(20)[0].data
    assert "kernel version 21" in refusal(transaction(20, [one + bytes([21, 3]) + one])).reason


@pytest.mark.parametrize("data", [b"", bytes([20]), bytes([20, 1]) + bytes(10), bytes(80), bytes([33, 1]) + bytes(80)])
def test_bytes_that_are_no_transaction_are_refused(data: bytes) -> None:
    refusal(data)


def test_a_transaction_without_its_commit_entry_is_refused() -> None:
    data = transaction(20, [samples(20)[0].data])
    assert "no commit entry" in refusal(data[:-1]).reason


@pytest.mark.parametrize("length", [-1, -(1 << 31), (1 << 31) - 1])
def test_an_impossible_additional_header_is_refused(length: int) -> None:
    data = transaction(4, [samples(4)[0].data])
    refusal(data[:22] + struct.pack(">i", length) + data[26:])


@pytest.mark.parametrize("kernel", [4, 20])
@pytest.mark.parametrize("length", [-1, -13, -(1 << 31), (1 << 31) - 1])
def test_impossible_lengths_and_counts_neither_loop_nor_leak(kernel: int, length: int) -> None:
    huge = pack(kernel, "i", length)
    plain = node(kernel, 0)
    record = pack(kernel, "iqiB", 1, 5, 9, 1) + huge + bytes(8)
    text = pack(kernel, "qb", 3, 1) + bytes(2)
    for body in (
        pair(kernel, NODE, 1, plain, plain[:-4] + huge),
        pair(kernel, NODE, 1, plain[:-4] + huge, plain),
        pair(kernel, NODE, 1, plain[:-4] + record, plain),
        pair(kernel, PROPERTY, 1, properties(kernel)[:-4] + huge, properties(kernel)),
        bytes([18]) + text + huge,
        bytes([18]) + text + pack(kernel, "i", 1) + huge,
        bytes([18]) + text + pack(kernel, "iiB", 1, 0, 9) + huge,
        bytes([18]) + text + pack(kernel, "iiB", 1, 0, 11) + huge + bytes([6]),
        bytes([18]) + text + pack(kernel, "iiB", 1, 0, 11) + huge + bytes([9]),
    ):
        refusal(transaction(kernel, [body]))


@pytest.mark.parametrize(("tag", "element"), [(2, 0), (12, 0), (255, 0), (11, 11), (11, 0), (11, 12)])
def test_a_rule_with_a_value_of_unknown_type_is_refused(tag: int, element: int) -> None:
    value = pack(20, "iiBiB", 1, 0, tag, 1, element) + bytes(20)
    assert "schema rule" in refusal(transaction(20, [pack(20, "Bqb", 18, 3, 1) + bytes(2) + value])).reason


def test_a_rule_in_an_unknown_form_is_refused() -> None:
    assert "unknown form" in refusal(transaction(20, [pack(20, "Bqb", 18, 3, 2) + bytes(2)])).reason


@pytest.mark.parametrize("size", [0, 7, 9, 40, 255])
def test_a_property_block_of_impossible_size_is_refused(size: int) -> None:
    image = properties(20, [bytes([size]) + bytes(300) + dynamic(20)])
    assert f"{size} bytes" in refusal(transaction(20, [pair(20, PROPERTY, 1, image, image)])).reason


def test_more_blocks_than_a_record_holds_are_refused() -> None:
    image = properties(20, [txcommands.block(20, key, 1) for key in range(5)])
    assert "5 blocks" in refusal(transaction(20, [pair(20, PROPERTY, 1, image, image)])).reason


@given(st.data(), st.sampled_from(KERNELS))
def test_a_transaction_cut_anywhere_inside_is_refused_unless_at_a_command(data: st.DataObject, kernel: int) -> None:
    several = data.draw(st.lists(st.sampled_from(samples(kernel)), min_size=1, max_size=4))
    whole = transaction(kernel, [sample.data for sample in several])
    boundaries = [read_frame(whole, HERE).first_command, *(command.end for command in walk(whole))]
    cut = data.draw(st.integers(0, len(whole) - 23))
    if cut in boundaries:
        assert len(walk(whole[:cut] + whole[-22:])) == boundaries.index(cut)
    else:
        # What follows the cut may look like the rest of a command, but never so that the walk fits.
        refusal(whole[:cut] + whole[-22:])
    refusal(whole[:cut])


@given(st.data(), st.sampled_from(KERNELS))
def test_flipped_and_random_bytes_give_commands_or_a_refusal(data: st.DataObject, kernel: int) -> None:
    several = data.draw(st.lists(st.sampled_from(samples(kernel)), min_size=1, max_size=4))
    damaged = bytearray(transaction(kernel, [sample.data for sample in several]))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(damaged) - 1))
        damaged[at] = data.draw(st.integers(0, 255))
    try:
        found = walk(bytes(damaged))
    except UnknownCommand:
        return
    assert all(command.end <= len(damaged) - 22 for command in found)
