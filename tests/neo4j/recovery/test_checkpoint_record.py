"""Checkpoint records that neokeep writes are those that it reads, and those that Neo4j writes, byte for byte."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.txlog import LEGACY_ID, STORE_ID, checkpoint_file, checkpoint_size
from neokeep.neo4j.log.checkpoint import CheckpointedTransaction, LogPosition, encode_checkpoint, parse_checkpoints
from neokeep.neo4j.log.header import parse_header

numbers = st.integers(0, (1 << 63) - 1)

REAL = {
    "4.4.48": bytes.fromhex("""
        0408000000000000000000000000000f49b0000001a2054cb204000001a2054bf79517ffe6201ca89df2302e332e344641070000
        01a2054bf79500000000000000010037436865636b706f696e742074726967676572656420627920224461746162617365207368
        7574646f776e22204020747849643a20313337
    """).ljust(188, b"\0")
    + bytes.fromhex("b1e192c0"),
    "5.26.30": bytes.fromhex("""
        14090000000000000000d15e0c00000000000000000000000000d15e0c00000000001a2a5c05a201000001000001a2055b809f9b
        64b4884af75181067265636f726407616c69676e6564010100000000000000000000000000000000000000000000000000000000
        00009500000000000000950000000000000014c66b121b72be5b05a2010000ffffffffffffffff95000000000000004a00436865
        636b706f696e7420747269676765726564206279202244617461626173652073687574646f776e22204020747849643a20313439
        2c20617070656e6420696e6465783a20313439
    """).ljust(228, b"\0")
    + bytes.fromhex("f5007128"),
    "2026.08.1": bytes.fromhex("""
        2009000000000000000063800c0000000000000000000000000063800c000000000055864605a201000001000001a20545ddc683
        ae07bf2074bffb067265636f726407616c69676e6564010100000000000000000000000000000000000000000000000000000000
        000099000000000000009900000000000000204006f901df3f4605a2010000ffffffffffffffff99000000000000004a00436865
        636b706f696e7420747269676765726564206279202244617461626173652073687574646f776e22204020747849643a20313533
        2c20617070656e6420696e6465783a20313533
    """).ljust(482, b"\0")
    + bytes.fromhex("727fa341"),
}
"""What servers wrote when they were shut down."""

WRITTEN = {
    "4.4.48": (LogPosition(0, 1001904), 137, 4, 0, 0, 1795385242116, "137"),
    "5.26.30": (LogPosition(0, 810705), 149, 20, 0x1B126BC6, 1795386228338, 1795386255898, "149, append index: 149"),
    "2026.08.1": (LogPosition(0, 819299), 153, 32, 0x01F90640, 1795384819679, 1795384837717, "153, append index: 153"),
}


@pytest.mark.parametrize("version", REAL)
def test_a_record_is_that_of_a_real_server(version: str) -> None:
    record = REAL[version]
    position, transaction, kernel, transaction_checksum, *times, last = WRITTEN[version]
    *committed, time = times
    store_id = record[26:66] if kernel < 5 else record[42:106]
    newest = CheckpointedTransaction(transaction, transaction, kernel, transaction_checksum, *committed)
    reason = f'Checkpoint triggered by "Database shutdown" @ txId: {last}'
    assert encode_checkpoint(position, newest, store_id, time, reason) == record


@given(
    kernel=st.integers(2, 32),
    place=st.builds(LogPosition, numbers, numbers),
    fields=st.tuples(numbers, numbers, st.integers(0, (1 << 32) - 1), numbers, numbers),
    reason=st.text(max_size=400).filter(lambda text: text.isprintable()),
)
def test_a_record_is_read_as_it_was_written(
    kernel: int, place: LogPosition, fields: tuple[int, int, int, int, int], reason: str
) -> None:
    transaction, append_index, checksum, committed, time = fields
    newest = CheckpointedTransaction(transaction, append_index, kernel, checksum, committed)
    record = encode_checkpoint(place, newest, LEGACY_ID if kernel < 5 else STORE_ID, time, reason)
    assert len(record) == checkpoint_size(kernel)
    data = checkpoint_file(kernel, [record, record])
    header = parse_header(data, "checkpoint.0")
    assert header is not None
    first, second = parse_checkpoints(data, header, "checkpoint.0")
    assert (first.position, first.time, first.kernel_version) == (place, time, kernel)
    assert (first.transaction, first.commit_time) == ((None, None) if kernel < 5 else (transaction, committed))
    assert second.end == len(data)
    assert reason.startswith(first.reason)
    assert first.reason == reason or len(first.reason.encode()) > checkpoint_size(kernel) - 170
