"""Archives made by hand: every magic, and everything that an archive must not hold."""

from __future__ import annotations

import gzip
import io
import struct
import tarfile
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import UUID

import zstandard
from hypothesis import strategies as st

from helpers.backups import content
from neokeep.neo4j.artifact.metadata import BackupMetadata
from neokeep.neo4j.artifact.read import open_artifact
from neokeep.progress import Silent
from neokeep.restore.restore import restore

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from helpers.database import Synthetic
    from neokeep.neo4j.artifact.read import ArtifactHeader
    from neokeep.repository.repository import Repository

STORE_ID = b"\x01" + struct.pack(">qq", 1_700_000_000_000, -77) + b"\x06record\x07aligned\x01\x01"
METADATA = BackupMetadata(
    store_id=STORE_ID,
    database_id=UUID(int=7),
    database="neo4j",
    time=datetime(2026, 8, 1, 12, tzinfo=UTC),
    lowest=1,
    highest=81,
    recovered=True,
    compressed=True,
    full=True,
)
FILES = {
    "neostore": b"a" * 8192,
    "neostore.nodestore.db": bytes(20_000) + b"b",
    "schema/index/range-1.0/7/index-7": b"",
}
MAGICS = ("DZV1", "DGV1", "BZV1", "BZV2", "BZV3", "BTV1", "BTV2", "zstd", "zstd with counts", "gzip")


@dataclass
class Bytes:
    """A source in memory, which gives no more than `step` bytes at a time, as a pipe may."""

    data: bytes
    step: int = 1 << 30
    name: str = "archive"
    at: int = 0

    def read(self, size: int) -> bytes:
        taken = self.data[self.at : self.at + min(size, self.step)]
        self.at += len(taken)
        return taken


def tar_of(files: Mapping[str, bytes], *, dotted: bool = False) -> bytes:
    """A tar as Neo4j writes it; `dotted` as before 2026, with an entry for the root and for each directory."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        if dotted:
            tar.addfile(directory("."))
            tar.addfile(directory("./schema"))
        for name, content in files.items():
            info = tarfile.TarInfo(f"./{name}" if dotted else name)
            info.size = len(content)
            info.pax_headers = {"mtime": "946727935.816"}
            tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


def directory(name: str) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.mode = tarfile.DIRTYPE, 0o755
    return info


def first_layout(metadata: BackupMetadata) -> bytes:
    flags = metadata.recovered | metadata.compressed << 1 | metadata.full << 2
    name = metadata.database.encode()
    return b"".join(
        (
            metadata.store_id,
            b"\x10" + metadata.database_id.bytes,
            bytes([len(name)]) + name,
            struct.pack(">qqq", int(metadata.time.timestamp()), metadata.lowest, metadata.highest),
            bytes([1, flags]) if flags else b"\0",
        )
    )


def second_layout(metadata: BackupMetadata, entries: Mapping[bytes, bytes] | None = None) -> bytes:
    found = b"\2" + first_layout(metadata) + struct.pack(">i", len(entries or {}))
    for key, value in (entries or {}).items():
        found += struct.pack(">i", len(key)) + key + struct.pack(">i", len(value)) + value
    return found


def packed(content: bytes) -> bytes:
    """A frame without the size of its content, as a stream has it."""
    packing = zstandard.ZstdCompressor(3, write_checksum=True).compressobj()
    return packing.compress(content) + packing.flush()


def artifact(
    magic: str,
    files: Mapping[str, bytes] = FILES,
    *,
    metadata: BackupMetadata = METADATA,
    counts: tuple[int, int, int] | None = None,
    tar: bytes | None = None,
    entries: Mapping[bytes, bytes] | None = None,
) -> bytes:
    """An archive of one of MAGICS."""
    content = tar_of(files) if tar is None else tar
    told = counts or (1, len(files), sum(map(len, files.values())))
    count = struct.pack(">iqq", *told)
    first, second = first_layout(metadata), second_layout(metadata, entries)
    made: dict[str, Callable[[], bytes]] = {
        "DZV1": lambda: b"DZV1" + packed(b"zstd" + count + content),
        "DGV1": lambda: b"DGV1" + gzip.compress(content),
        "BZV1": lambda: b"BZV1" + packed(b"zstd" + first + count + content),
        "BZV2": lambda: b"BZV2" + packed(b"zstd" + second + count + content),
        "BZV3": lambda: b"BZV3" + second + packed(b"zstd" + count + content),
        "BTV1": lambda: b"BTV1" + first + content,
        "BTV2": lambda: b"BTV2" + second + content,
        "zstd": lambda: packed(content),
        "zstd with counts": lambda: packed(b"zstd" + count + content),
        "gzip": lambda: gzip.compress(content),
    }
    return made[magic]()


def differential(lowest: int, highest: int, hour: int = 13) -> BackupMetadata:
    return replace(METADATA, lowest=lowest, highest=highest, full=False, time=METADATA.time.replace(hour=hour))


def read_all(data: bytes, step: int = 1 << 30) -> tuple[ArtifactHeader, dict[str, bytes]]:
    """Read an archive to its end."""
    opened = open_artifact(Bytes(data, step))
    found: dict[str, bytes] = {}
    room = memoryview(bytearray(4096))
    with opened.entries() as (entries, read_into):
        for entry in entries:
            if not entry.is_directory:
                parts = []
                while taken := read_into(room):
                    parts.append(bytes(room[:taken]))
                found[entry.path] = b"".join(parts)
    return opened.header, found


def files_of(made: Synthetic) -> dict[str, bytes]:
    """All files of a database, as they lie in an archive."""
    return made.store | made.log


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def whole(made: Synthetic, magic: str = "DZV1") -> bytes:
    """A good archive of a database."""
    return artifact(magic, files_of(made))


def bad_archives(made: Synthetic) -> dict[str, bytes]:
    """Archives of a database that nobody may take for good ones, by what is wrong."""
    files = files_of(made)
    damaged_log = files | {
        "neostore.transaction.db.1": files["neostore.transaction.db.1"].replace(b"record", b"RECORD")
    }
    return {
        "cut off": whole(made)[:-30],
        "cut off in a pipe's way": whole(made, "gzip")[:-9],
        "rubbish": whole(made) + b"rubbish",
        "less than claimed": artifact("DZV1", files, counts=(1, len(files) + 1, sum(map(len, files.values())))),
        "more than claimed": artifact("DZV1", files, counts=(1, len(files), sum(map(len, files.values())) - 1)),
        "outside": artifact("gzip", files | {"../../evil": b"x"}),
        "absolute": artifact("gzip", files | {"/tmp/evil": b"x"}),
        "our link": artifact("gzip", files | {".neokeep-log": b"x"}),
        "no store": artifact("gzip", made.log),
        "no logs": artifact("gzip", made.store),
        "another format": artifact("gzip", files | {"neostore": b"\0" * 8192}),
        "damaged log": artifact("gzip", damaged_log),
        "a lone checkpoint": artifact("gzip", made.store | {"checkpoint.0": made.log["checkpoint.0"]}),
        "a file where a directory is": artifact("gzip", files | {"schema/index": b"x"}),
    }


BAD = (
    "cut off", "cut off in a pipe's way", "rubbish", "less than claimed", "more than claimed", "outside", "absolute",
    "our link", "no store", "no logs", "another format", "damaged log", "a lone checkpoint",
    "a file where a directory is",
)  # fmt: skip


def restored(repository: Repository, label: str, home: Path) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """Store and logs of a database that was ingested, as they come back."""
    restore(repository, home, "neo4j", label=label, from_source=None, overwrite=False, jobs=2, progress=Silent())
    return content(home)


def spoiled(data: st.DataObject, archive: bytes) -> bytes:
    """Draw an archive with some bytes changed and up to half of it cut off."""
    spoilt = bytearray(archive)
    for _ in range(data.draw(st.integers(1, 3))):
        spoilt[data.draw(st.integers(0, len(spoilt) - 1))] ^= data.draw(st.integers(1, 255))
    del spoilt[data.draw(st.integers(len(spoilt) // 2, len(spoilt))) :]
    return bytes(spoilt)
