"""Headers of log files, and the names of the files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.txlog import LEGACY_ID, STORE_ID, flipped, header_bytes
from neokeep.errors import IntegrityError, SourceError
from neokeep.neo4j.log.header import LogHeader, expect_version, parse_header
from neokeep.neo4j.log.names import checkpoint_name, checkpoint_versions, log_name, log_versions

if TYPE_CHECKING:
    from pathlib import Path

SIZES = {6: 16, 7: 64, 8: 128, 9: 128}


@pytest.mark.parametrize("log_format", SIZES)
@given(version=st.integers(0, (1 << 56) - 1), last=st.integers(1, (1 << 63) - 1), index=st.integers(0, 1 << 62))
def test_what_was_written_is_read(log_format: int, version: int, last: int, index: int) -> None:
    header = parse_header(header_bytes(log_format, version, last, index) + b"more", "x")
    store_id = {6: b"", 7: LEGACY_ID}.get(log_format, STORE_ID)
    appended = index if log_format == 9 else None
    assert header == LogHeader(log_format, version, last, appended, store_id, SIZES[log_format])


@pytest.mark.parametrize("log_format", SIZES)
def test_a_header_that_is_not_complete_is_not_there_yet(log_format: int) -> None:
    data = header_bytes(log_format, 3, 7)
    assert all(parse_header(data[:length], "x") is None for length in range(SIZES[log_format]))
    assert parse_header(bytes(1000), "x") is None


@pytest.mark.parametrize("log_format", [10, 11])
def test_enveloped_logs_are_refused_by_name(log_format: int) -> None:
    with pytest.raises(SourceError, match=f"a file is an enveloped transaction log .header format {log_format}."):
        parse_header(header_bytes(9, 0, 1).replace(b"\x09", bytes([log_format]), 1), "a file")


@pytest.mark.parametrize("log_format", [1, 5, 12, 127, 255])
def test_formats_that_are_not_known_are_refused(log_format: int) -> None:
    with pytest.raises(SourceError, match=f"log header format {log_format}, which neokeep does not know"):
        parse_header(bytes([log_format]) + header_bytes(9, 0, 1)[1:], "a file")


@pytest.mark.parametrize("log_format", SIZES)
def test_a_flipped_bit_is_a_refusal_or_shows_in_what_the_header_says(log_format: int) -> None:
    data = header_bytes(log_format, 3, 7, 9)
    whole = parse_header(data, "x")
    told = {6: 16, 7: 56, 8: 80, 9: 88}[log_format]
    for at in range(len(data)):
        for bit in range(8):
            try:
                header = parse_header(flipped(data, at, 1 << bit), "x")
            except SourceError:
                assert at == 0
                continue
            # Behind what it says a header is zero; formats 8 and 9 are one bit apart, and of one size.
            assert (header == whole) == (at >= told)
            assert header is None or header.version == 3 or 1 <= at < 8


@pytest.mark.parametrize("log_format", SIZES)
def test_a_version_that_was_flipped_is_told_by_the_name_of_the_file(log_format: int) -> None:
    data = header_bytes(log_format, 3, 7)
    for at in range(1, 8):
        header = parse_header(flipped(data, at), "x")
        assert header is not None
        with pytest.raises(IntegrityError, match=f"log version {header.version}"):
            expect_version(header, 3, "neostore.transaction.db.3")


@given(st.binary(max_size=200))
def test_any_bytes_are_a_header_or_none_or_refused(data: bytes) -> None:
    try:
        header = parse_header(data, "x")
    except SourceError:
        return
    assert header is None or header.size <= len(data)


def test_a_file_must_hold_the_version_of_its_name() -> None:
    header = parse_header(header_bytes(9, 4, 1), "x")
    assert header is not None
    expect_version(header, 4, "x")
    with pytest.raises(IntegrityError, match="log version 4"):
        expect_version(header, 5, "neostore.transaction.db.5")


def test_versions_are_listed_in_order_and_strangers_are_not(tmp_path: Path) -> None:
    for name in (log_name(10), log_name(9), checkpoint_name(2), "checkpoint.x", "neostore.transaction.db.1.bak"):
        (tmp_path / name).touch()
    assert log_versions(tmp_path) == [9, 10]
    assert checkpoint_versions(tmp_path) == [2]
    assert log_versions(tmp_path / "none") == checkpoint_versions(tmp_path / "none") == []
