"""Reading archives that nobody trusts: what is whole is read, everything else is refused with its reason."""

from __future__ import annotations

import gzip
import io
import random
import struct
import tarfile
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from helpers.artifacts import (
    FILES,
    MAGICS,
    METADATA,
    Bytes,
    artifact,
    directory,
    packed,
    read_all,
    second_layout,
    tar_of,
)
from neokeep.errors import IntegrityError, NeokeepError, SourceError
from neokeep.neo4j.artifact import tar as tars
from neokeep.neo4j.artifact import write
from neokeep.neo4j.artifact.decode import PIECE, ZSTD_MAGIC, Buffered, gzip_pieces, zstd_pieces
from neokeep.neo4j.artifact.read import open_artifact
from neokeep.neo4j.artifact.write import ArtifactWriter

if TYPE_CHECKING:
    from neokeep.neo4j.artifact.metadata import BackupMetadata

WHOLE = {magic: artifact(magic) for magic in MAGICS}


@pytest.mark.parametrize("magic", MAGICS)
@pytest.mark.parametrize("step", [1 << 30, 7])
def test_every_kind_of_archive_is_read(magic: str, step: int) -> None:
    header, found = read_all(WHOLE[magic], step)
    assert found == FILES
    assert header.magic == (magic if magic.isupper() else "")
    assert header.kind == ("backup" if magic.startswith("B") else "dump")
    told = (len(FILES), sum(map(len, FILES.values())))
    claims = magic in {"DZV1", "zstd with counts"} or magic.startswith("BZ")
    assert (header.files, header.size) == (told if claims else (None, None))
    assert header.metadata == (METADATA if magic.startswith("B") else None)


@pytest.mark.parametrize("magic", MAGICS)
def test_an_archive_cut_off_anywhere_is_refused(magic: str) -> None:
    data = WHOLE[magic]
    # Behind the end of a plain tar stand only zeros that fill up its last record.
    content_end = len(data.rstrip(b"\0")) if magic.startswith("BT") else len(data)
    for end in [*range(1, 200), *range(200, min(len(data), 1500), 13), *range(max(1, content_end - 40), content_end)]:
        with pytest.raises((IntegrityError, SourceError)):
            read_all(data[:end])


@pytest.mark.parametrize("magic", MAGICS)
def test_what_follows_behind_the_end_is_refused(magic: str) -> None:
    for rubbish in (b"x", b"\0\0\0\1", b"rubbish" * 1000):
        with pytest.raises(IntegrityError):
            read_all(WHOLE[magic] + rubbish)


@given(magic=st.sampled_from(MAGICS), data=st.data())
def test_a_changed_byte_never_passes_for_another_content(magic: str, data: st.DataObject) -> None:
    whole = WHOLE[magic]
    at = data.draw(st.integers(0, len(whole) - 1))
    bits = data.draw(st.integers(1, 255))
    changed = whole[:at] + bytes([whole[at] ^ bits]) + whole[at + 1 :]
    try:
        _, found = read_all(changed)
    except NeokeepError:
        return
    # A plain tar has no checksum over the content of its files.
    assert found == FILES or magic.startswith("BT")


@given(st.binary(max_size=2000), st.sampled_from([b"", *(magic.encode() for magic in MAGICS[:7])]))
def test_bytes_that_are_no_archive_are_refused(data: bytes, magic: bytes) -> None:
    with pytest.raises((SourceError, IntegrityError)):
        read_all(magic + data)


@given(st.binary(max_size=3000))
def test_any_bytes_in_place_of_the_tar_are_read_or_refused(tar: bytes) -> None:
    with pytest.raises(IntegrityError):
        read_all(artifact("DZV1", tar=tar))


@pytest.mark.parametrize("magic", ["DZV2", "BZV9", "DXV1"])
def test_an_unknown_version_is_named(magic: str) -> None:
    with pytest.raises(SourceError, match=magic):
        open_artifact(Bytes(magic.encode() + WHOLE["DZV1"][4:]))


def test_an_empty_file_is_called_empty() -> None:
    with pytest.raises(SourceError, match="empty"):
        open_artifact(Bytes(b""))


@pytest.mark.parametrize("counts", [(1, 2, 28_193), (1, 4, 28_193), (1, 3, 28_192), (1, 3, 28_194)])
def test_an_archive_that_holds_other_files_or_bytes_than_it_claims_is_refused(counts: tuple[int, int, int]) -> None:
    with pytest.raises(IntegrityError, match="claims to hold"):
        read_all(artifact("DZV1", counts=counts))


@pytest.mark.parametrize("counts", [(1, -1, 5), (1, 5, -1)])
def test_claims_below_nothing_are_refused(counts: tuple[int, int, int]) -> None:
    with pytest.raises(IntegrityError, match="claims to hold"):
        read_all(artifact("DZV1", counts=counts))


def test_counts_of_an_unknown_version_are_refused() -> None:
    with pytest.raises(SourceError, match="version 2"):
        read_all(artifact("DZV1", counts=(2, 3, 28_193)))


def tar_with(info: tarfile.TarInfo, content: bytes = b"") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        info.size = len(content)
        tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


def of_type(kind: bytes, name: str = "entry") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, "/etc/passwd"
    return info


@pytest.mark.parametrize(
    "name", ["../outside", "/etc/cron.d/evil", "schema/../../outside", "./../outside", "a\nb", "a/\x1b[2J", "x" * 5000]
)
def test_a_path_that_leads_elsewhere_is_refused(name: str) -> None:
    with pytest.raises(IntegrityError, match="the path"):
        read_all(artifact("gzip", tar=tar_with(tarfile.TarInfo(name))))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_what_is_neither_file_nor_directory_is_refused(kind: bytes) -> None:
    with pytest.raises(IntegrityError, match="neither a file nor a directory"):
        read_all(artifact("gzip", tar=tar_with(of_type(kind))))


def test_a_file_that_comes_twice_is_refused() -> None:
    twice = tar_of({"neostore": b"1"})[: 3 * 512 + 512] + tar_of({"./neostore": b"2"})
    with pytest.raises(IntegrityError, match="twice"):
        read_all(artifact("gzip", tar=twice))


def test_a_sparse_file_is_refused() -> None:
    info = tarfile.TarInfo("sparse")
    info.pax_headers = {"GNU.sparse.realsize": "1000000000000"}
    with pytest.raises(IntegrityError, match="sparse"):
        read_all(artifact("gzip", tar=tar_with(info)))


def test_an_extended_header_without_end_is_refused() -> None:
    info = tarfile.TarInfo("x")
    info.pax_headers = {"comment": "c" * 100_000}
    with pytest.raises(IntegrityError, match="a header of"):
        read_all(artifact("gzip", tar=tar_with(info)))


@pytest.mark.parametrize("records", [b"5 a=b\n", b"x a=b\n", b"999 path=b\n", b"11 path=b", b"9 path=b\n9 pat"])
def test_an_extended_header_that_is_none_is_refused(records: bytes) -> None:
    info = tarfile.TarInfo("x")
    info.type = tarfile.XHDTYPE
    tar = tar_with(info, records) + bytes(1024)
    with pytest.raises(IntegrityError):
        read_all(artifact("gzip", tar=tar))


def test_the_entries_of_the_root_and_of_directories_are_no_files() -> None:
    dotted = tar_of(FILES, dotted=True)
    assert read_all(artifact("DZV1", tar=dotted))[1] == FILES


def test_long_paths_are_read_in_both_ways_of_writing_them() -> None:
    name = "schema/" + "x" * 150 + "/index-1"
    for form in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT):
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w", format=form) as tar:
            info = tarfile.TarInfo(name)
            info.size = 3
            tar.addfile(info, io.BytesIO(b"abc"))
        assert read_all(artifact("gzip", tar=out.getvalue()))[1] == {name: b"abc"}


def test_too_many_entries_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tars, "MOST_ENTRIES", 10)
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for number in range(11):
            tar.addfile(directory(f"d{number}"))
    with pytest.raises(IntegrityError, match="more than 10 entries"):
        read_all(artifact("gzip", tar=out.getvalue()))


@pytest.mark.parametrize("pack", [packed, gzip.compress])
def test_however_much_a_bomb_unpacks_to_no_piece_is_large(pack: type[bytes]) -> None:
    bomb = Buffered(Bytes(pack(bytes(64 << 20))))
    pieces = zstd_pieces(bomb) if pack is packed else gzip_pieces(bomb)
    sizes = [len(piece) for piece in pieces]
    assert sum(sizes) == 64 << 20
    assert max(sizes) <= PIECE


@pytest.mark.parametrize("size", [PIECE - 1, PIECE, PIECE + 1, 2 * PIECE])
def test_a_frame_may_end_where_a_piece_ends(size: int) -> None:
    content = random.Random(size).randbytes(size)
    pieces = zstd_pieces(Buffered(Bytes(packed(content) + packed(b"more"))))
    assert b"".join(pieces) == content + b"more"


def test_a_bomb_is_refused_as_soon_as_it_holds_more_than_it_claims() -> None:
    bomb = artifact("DZV1", {"neostore": bytes(64 << 20)}, counts=(1, 1, 8192))
    source = Bytes(bomb)
    opened = open_artifact(source)
    with opened.entries() as (entries, _), pytest.raises(IntegrityError, match="claims to hold"):
        next(entries)


def test_a_frame_that_wants_too_much_memory_is_refused() -> None:
    parameters = zstandard.ZstdCompressionParameters(window_log=28, write_content_size=False, write_checksum=True)
    packing = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    huge = packing.compress(b"zstd" + bytes(1000)) + packing.flush()
    with pytest.raises(IntegrityError, match="damaged"):
        read_all(b"DZV1" + huge)


def test_frames_behind_each_other_are_one_content() -> None:
    content = b"zstd" + struct.pack(">iqq", 1, 3, 28_193) + tar_of(FILES)
    assert read_all(b"DZV1" + packed(content[:5000]) + packed(content[5000:]))[1] == FILES


def test_the_map_of_the_metadata_is_told_by_name_and_size() -> None:
    header, _ = read_all(artifact("BZV3", entries={b"metadataScript": b"CREATE USER x", b"topology_version": b"1"}))
    assert header.metadata is not None
    assert header.metadata.entries == {"metadataScript": 13, "topology_version": 1}


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"database": "a\x1b[2J"}, "control characters"),
        ({"store_id": b"\2" + METADATA.store_id[1:]}, "no store id"),
    ],
)
def test_metadata_that_makes_no_sense_is_refused(change: dict[str, object], what: str) -> None:
    with pytest.raises(IntegrityError, match=what):
        read_all(artifact("BTV1", metadata=replace(METADATA, **change)))  # type: ignore[arg-type]


def test_metadata_of_an_unknown_layout_is_refused() -> None:
    with pytest.raises(SourceError, match="layout 3"):
        read_all(b"BTV2\3" + second_layout(METADATA)[1:] + tar_of(FILES))


@given(st.binary(max_size=400))
def test_any_bytes_are_metadata_or_refused(data: bytes) -> None:
    with pytest.raises((SourceError, IntegrityError)):
        read_all(b"BTV2\2" + data)


FILE_SETS = st.dictionaries(
    st.lists(st.text("abcdefghij.-_0123456789", min_size=1, max_size=60), min_size=1, max_size=4)
    .map("/".join)
    .filter(lambda path: not {"", ".", ".."} & set(path.split("/"))),
    st.binary(max_size=3000),
    max_size=6,
).filter(lambda files: not any(other.startswith(f"{path}/") for path in files for other in files))


@given(files=FILE_SETS, metadata=st.none() | st.just(METADATA), threads=st.integers(1, 3))
def test_what_is_written_is_read_again(files: dict[str, bytes], metadata: BackupMetadata | None, threads: int) -> None:
    out = bytearray()
    writer = ArtifactWriter(out.__iadd__, len(files), sum(map(len, files.values())), metadata=metadata, threads=threads)
    for path, content in files.items():
        writer.begin_file(path, len(content), 0o644)
        writer.write(content[: len(content) // 2])
        writer.write(content[len(content) // 2 :])
    writer.finish()
    header, found = read_all(bytes(out))
    assert found == files
    assert header.metadata == metadata


def test_directories_have_entries_before_their_files_since_neo4j_4_makes_no_others() -> None:
    out = bytearray()
    writer = ArtifactWriter(out.__iadd__, 2, 0, threads=1)
    for path in ("schema/index/7/index-7", "schema/index/8/index-8"):
        writer.begin_file(path, 0, 0o644)
    writer.finish()
    with open_artifact(Bytes(bytes(out))).entries() as (entries, _):
        listed = [entry.path for entry in entries]
    assert listed == [
        "schema", "schema/index", "schema/index/7", "schema/index/7/index-7", "schema/index/8",
        "schema/index/8/index-8",
    ]  # fmt: skip


def test_an_archive_is_the_same_bytes_whatever_the_number_of_threads() -> None:
    made = []
    for threads in (1, 2, 4):
        out = bytearray()
        writer = ArtifactWriter(out.__iadd__, 1, 9_000_000, threads=threads)
        writer.begin_file("neostore", 9_000_000, 0o644)
        writer.write(bytes(range(250)) * 36_000)
        writer.finish()
        made.append(bytes(out))
    assert made[0] == made[1] == made[2]


@pytest.mark.slow
def test_large_stores_have_frames_of_their_own_and_are_read_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write, "OWN_FRAME_FROM", 1000)
    files = {
        "neostore": b"a" * 100,
        "neostore.propertystore.db": b"p" * 5000,
        "neostore.relationshipgroupstore.db": b"g" * 100,
        "neostore.relationshipstore.db": b"r" * 5000,
        "neostore.schemastore.db": b"s" * 5000,
    }
    out = bytearray()
    writer = ArtifactWriter(out.__iadd__, len(files), sum(map(len, files.values())), threads=2)
    for path, content in files.items():
        writer.begin_file(path, len(content), 0o644)
        writer.write(content)
    writer.finish()
    assert out.count(ZSTD_MAGIC) == 4
    assert read_all(bytes(out), 50)[1] == files
    for end in range(len(out)):
        with pytest.raises((IntegrityError, SourceError)):
            read_all(bytes(out[:end]))


def test_a_writer_that_was_given_less_than_was_said_does_not_finish() -> None:
    for files, size, given_bytes in ((2, 5, 5), (1, 6, 6), (1, 5, 4)):
        writer = ArtifactWriter(bytearray().__iadd__, files, size, threads=1)
        writer.begin_file("neostore", 5, 0o644)
        writer.write(bytes(given_bytes)[:5])
        with pytest.raises(ValueError, match="missing"):
            writer.finish()
