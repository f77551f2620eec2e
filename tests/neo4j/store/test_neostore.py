"""The store id out of `neostore`: real bytes of three versions, refusals, and damaged bytes."""

from __future__ import annotations

import os
import struct
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neokeep.errors import AccessError, SourceError
from neokeep.neo4j.store.neostore import StoreId, looks_like_database, parse_neostore, read_store_id, require_supported

DATA = Path(__file__).parent / "data"
VERSIONS = ("4.4.48", "5.26.30", "2026.08.1")


def page(version: str) -> bytes:
    return (DATA / f"neostore-{version}").read_bytes()


def serialised(engine: str, family: str, major: int = 1, minor: int = 1) -> bytes:
    texts = b"".join(bytes([len(text)]) + text.encode() for text in (engine, family))
    return (struct.pack(">Bqq", 1, 7, -2) + texts + bytes([major, minor])).ljust(64, b"\0")


def database(directory: Path, content: bytes) -> Path:
    directory.mkdir()
    (directory / "neostore").write_bytes(content)
    return directory


def modern_page(blob: bytes) -> bytes:
    marker = bytes.fromhex("CF1BBCDCB7A56463")
    slots = [marker] + [blob[at : at + 8] for at in range(0, 64, 8)]
    return bytes(36) + b"".join(b"\1" + slot for slot in slots)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_real_store_of_each_version_is_aligned_and_accepted(version: str, tmp_path: Path) -> None:
    store_id = read_store_id(database(tmp_path / "neo4j", page(version)))
    assert store_id.store_format == "aligned"
    assert store_id.legacy == version.startswith("4.4")
    assert store_id.creation_time > 1_700_000_000_000


def test_the_text_form_names_format_version_and_both_numbers() -> None:
    assert str(StoreId.parse(serialised("record", "aligned"), "a log")) == (
        "record-aligned-1.1-0000000000000007fffffffffffffffe"
    )
    legacy = parse_neostore(page("4.4.48"), "neostore")
    assert str(legacy) == f"AF4.3.0-{legacy.creation_time:016x}{legacy.random & (2**64 - 1):016x}"


def test_the_blob_in_a_log_header_gives_the_same_id_as_neostore() -> None:
    blob = serialised("record", "standard")
    assert parse_neostore(modern_page(blob), "neostore") == StoreId.parse(blob, "a log header")


def test_the_legacy_blob_in_a_log_header_gives_the_same_id_as_neostore() -> None:
    legacy = parse_neostore(page("4.4.48"), "neostore")
    packed = int.from_bytes(bytes.fromhex("302e332e34464107"), "big")
    blob = struct.pack(">5q", legacy.creation_time, legacy.random, packed, 1, 2)
    assert StoreId.parse_legacy(blob, "a log header") == legacy


@pytest.mark.parametrize(
    ("engine", "family", "named"),
    [
        ("block", "block", "block-block-1.1"),
        ("record", "high_limit", "high_limit"),
        ("record", "multiversion", "multi"),
    ],
)
def test_formats_of_enterprise_edition_are_refused_by_name(
    engine: str, family: str, named: str, tmp_path: Path
) -> None:
    directory = database(tmp_path / "neo4j", modern_page(serialised(engine, family)))
    with pytest.raises(SourceError, match=named) as caught:
        read_store_id(directory)
    assert "aligned" in caught.value.remedy


def test_a_newer_major_format_version_is_refused() -> None:
    with pytest.raises(SourceError, match=r"record-aligned-2\.0"):
        require_supported(StoreId.parse(serialised("record", "aligned", 2, 0), "x"), "x")


def test_a_high_limit_store_of_4_4_is_refused_by_name() -> None:
    packed = int.from_bytes(b"HL4.3.0"[::-1] + b"\7", "big")
    store_id = StoreId.from_legacy(1, 2, packed, "neostore")
    assert store_id.store_format == "high_limit"
    with pytest.raises(SourceError, match="high_limit"):
        require_supported(store_id, "neostore")


def test_a_directory_of_a_block_store_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "block.x1.db").write_bytes(bytes(8192))
    assert looks_like_database(tmp_path)
    with pytest.raises(SourceError, match="format block"):
        read_store_id(tmp_path)


def test_a_directory_that_is_no_database_is_refused(tmp_path: Path) -> None:
    assert not looks_like_database(tmp_path)
    with pytest.raises(SourceError, match="no Neo4j database"):
        read_store_id(tmp_path)
    with pytest.raises(SourceError, match="no Neo4j database"):
        read_store_id(tmp_path / "absent")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_neostore_that_may_not_be_read_is_an_access_error(tmp_path: Path) -> None:
    directory = database(tmp_path / "neo4j", page("5.26.30"))
    (directory / "neostore").chmod(0)
    with pytest.raises(AccessError, match="neostore"):
        read_store_id(directory)


@given(st.sampled_from(VERSIONS), st.integers(0, 255), st.integers(0, 255), st.integers(0, 256))
def test_damaged_bytes_are_a_store_id_or_a_source_error(version: str, at: int, value: int, length: int) -> None:
    damaged = bytearray(page(version))
    damaged[at] = value
    with suppress(SourceError):
        assert str(parse_neostore(bytes(damaged[:length]), "neostore"))


@given(st.binary(max_size=80))
def test_any_blob_is_a_store_id_or_a_source_error(blob: bytes) -> None:
    for parse in (StoreId.parse, StoreId.parse_legacy):
        with suppress(SourceError):
            assert str(parse(blob, "a log"))
