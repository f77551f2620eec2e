"""The newest commit of real Lucene directories of three versions, of built ones, and of damaged ones."""

from __future__ import annotations

import struct
import zlib
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from helpers.properties import examples
from neokeep.neo4j.store.lucene import LuceneChanged, LuceneCommit, base36, files_of_commit

if TYPE_CHECKING:
    from collections.abc import Callable

DATA = Path(__file__).parent / "data" / "lucene"
REAL = sorted(path for path in DATA.glob("*/*") if path.is_dir())
IDENTITY = bytes(range(16))


def contents(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def commit_of(files: dict[str, bytes]) -> LuceneCommit:
    return files_of_commit(reader(files), files)


def reader(files: dict[str, bytes]) -> Callable[[str], bytes]:
    def read(name: str) -> bytes:
        if name not in files:
            raise FileNotFoundError(name)
        return files[name]

    return read


def text(value: str) -> bytes:
    return bytes([len(value)]) + value.encode()


def texts(*values: str) -> bytes:
    return bytes([len(values)]) + b"".join(map(text, values))


def sealed(codec: str, version: int, suffix: str, body: bytes) -> bytes:
    head = struct.pack(">I", 0x3FD76C17) + text(codec) + struct.pack(">i", version) + IDENTITY + text(suffix)
    data = head + body + struct.pack(">II", 0xC02893E8, 0)
    return data + struct.pack(">Q", zlib.crc32(data))


def segment_info(*files: str, blocks: bytes = b"", identity: bytes = IDENTITY) -> bytes:
    body = bytes(12) + b"\0" + bytes(4) + b"\xff" + blocks + b"\0" + texts(*files) + b"\0" + b"\0"
    return sealed("Lucene90SegmentInfo", 0, "", body).replace(IDENTITY, identity)


def segments_file(version: int, generation: int, *segments: bytes) -> bytes:
    counter = b"\5" if version >= 10 else struct.pack(">i", 5)
    oldest = bytes([9, 1, 2]) if segments else b""
    body = bytes([9, 1, 2, 9]) + bytes(8) + counter + struct.pack(">i", len(segments)) + oldest
    return sealed("segments", version, base36(generation), body + b"".join(segments) + b"\0")


def segment(
    version: int, name: str, *, deletes: int = -1, infos: tuple[str, ...] = (), values: tuple[str, ...] = ()
) -> bytes:
    numbers = struct.pack(">qiqq", deletes, 1, -1, -1)
    soft = bytes(4) if version >= 9 else b""
    commit = b"\1" + IDENTITY if version >= 10 else b""
    updates = struct.pack(">ii", 1, 3) + texts(*values) if values else struct.pack(">i", 0)
    return text(name) + IDENTITY + text("Lucene99") + numbers + soft + commit + texts(*infos) + updates


@pytest.mark.parametrize("directory", REAL, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_a_real_commit_names_every_file_but_the_lock_and_what_a_crash_left(directory: Path) -> None:
    files = contents(directory)
    commit = commit_of(files)
    infos = {name.split(".")[0] for name in commit.files if name.endswith(".si")}
    leftover = {name for name in files if name.startswith("_") and _segment_of(name) not in infos}
    assert set(commit.files) == set(files) - {"write.lock"} - leftover
    assert bool(leftover) == (directory.name == "after-a-crash")
    assert commit.segments == f"segments_{base36(commit.generation)}"


def _segment_of(name: str) -> str:
    return "_" + name[1:].replace("_", ".").split(".")[0]


def test_the_newest_generation_is_chosen_by_number_not_by_name() -> None:
    files = {f"segments_{base36(number)}": segments_file(10, number) for number in (9, 35, 36)}
    files["pending_segments_20"] = b""
    assert commit_of(files) == LuceneCommit("segments_10", 36, ("segments_10",))


@pytest.mark.parametrize("version", [7, 8, 9, 10])
def test_deletes_field_infos_and_doc_values_updates_are_part_of_the_commit(version: int) -> None:
    entry = segment(version, "_3", deletes=37, infos=("_3_1.fnm",), values=("_3_1_Lucene90_0.dvd",))
    files = dict.fromkeys(("_3.cfs", "_3.cfe", "_3_11.liv", "_3_1.fnm", "_3_1_Lucene90_0.dvd", "_3_10.liv"), b"")
    files |= {"_3.si": segment_info("_3.cfs", "_3.cfe"), "segments_2": segments_file(version, 2, entry)}
    assert set(commit_of(files).files) == set(files) - {"_3_10.liv"}


@pytest.mark.parametrize("blocks", [b"", b"\1", b"\xff"])
def test_segment_infos_before_and_after_lucene_9_9_are_read(blocks: bytes) -> None:
    files = {"_0.cfs": b"", "_0.si": segment_info("_0.cfs", blocks=blocks)}
    files["segments_1"] = segments_file(10, 1, segment(10, "_0"))
    assert set(commit_of(files).files) == set(files)


def test_files_of_a_segment_taken_over_from_another_index_have_its_new_name() -> None:
    files = {"_9.cfs": b"", "_9_Lucene90_0.tim": b"", "_9.si": segment_info("_2.cfs", "_2_Lucene90_0.tim")}
    files["segments_1"] = segments_file(10, 1, segment(10, "_9"))
    assert set(commit_of(files).files) == set(files)


def test_a_directory_without_a_commit_is_changing() -> None:
    with pytest.raises(LuceneChanged, match="nothing is committed"):
        commit_of({"write.lock": b"", "_0.fdt": b"", "pending_segments_1": b""})


@pytest.mark.parametrize("directory", REAL, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_any_file_of_the_commit_that_vanished_is_noticed(directory: Path) -> None:
    files = contents(directory)
    for name in commit_of(files).files:
        with pytest.raises(LuceneChanged):
            commit_of({other: data for other, data in files.items() if other != name})


def test_a_file_that_vanishes_between_listing_and_reading_is_noticed() -> None:
    with pytest.raises(LuceneChanged, match="segments_1 is gone"):
        files_of_commit(reader({}), ["segments_1"])


def test_a_segment_info_of_another_commit_is_noticed() -> None:
    files = {"_0.cfs": b"", "_0.si": segment_info("_0.cfs", identity=bytes(16))}
    files["_0.si"] = files["_0.si"][:-8] + struct.pack(">Q", zlib.crc32(files["_0.si"][:-8]))
    files["segments_1"] = segments_file(10, 1, segment(10, "_0"))
    with pytest.raises(LuceneChanged, match="another commit"):
        commit_of(files)


def test_an_unknown_format_or_a_foreign_generation_is_not_guessed_at() -> None:
    with pytest.raises(LuceneChanged, match="format 11"):
        commit_of({"segments_1": segments_file(11, 1)})
    with pytest.raises(LuceneChanged, match="generation '2'"):
        commit_of({"segments_1": segments_file(10, 2)})


def test_names_that_point_out_of_the_directory_are_refused() -> None:
    files = {"_0.si": segment_info("_0/../../etc/passwd."), "segments_1": segments_file(10, 1, segment(10, "_0"))}
    with pytest.raises(LuceneChanged, match="file name"):
        commit_of(files)


@given(st.sampled_from(REAL), st.data())
@examples(300, HealthCheck.too_slow)
def test_one_changed_or_missing_byte_is_noticed(directory: Path, data: st.DataObject) -> None:
    files = contents(directory)
    name = data.draw(st.sampled_from([name for name in files if name.startswith("segments") or name.endswith(".si")]))
    at = data.draw(st.integers(0, len(files[name]) - 1))
    if data.draw(st.booleans()):
        files[name] = files[name][:at]
    else:
        files[name] = files[name][:at] + bytes([files[name][at] ^ 0x41]) + files[name][at + 1 :]
    if name in commit_of(contents(directory)).files:
        with pytest.raises(LuceneChanged):
            commit_of(files)


@given(st.sampled_from(REAL), st.integers(0, 400), st.binary(min_size=1, max_size=6))
@examples(300)
def test_damage_under_a_right_checksum_is_a_commit_or_noticed(directory: Path, at: int, patch: bytes) -> None:
    files = contents(directory)
    name = commit_of(files).segments
    body = bytearray(files[name][:-8])
    body[at : at + len(patch)] = patch
    files[name] = bytes(body) + struct.pack(">Q", zlib.crc32(body))
    with suppress(LuceneChanged):
        assert name in commit_of(files).files
