#!/usr/bin/env python3
"""Restore a backup from a neokeep repository without neokeep: this file, Python 3.11, blake3 and zstd are enough.

    restore_without_neokeep.py REPOSITORY                  lists the backups
    restore_without_neokeep.py REPOSITORY LABEL TARGET     writes TARGET/store and TARGET/log

TARGET must not exist or be empty. Put TARGET/store in the place of data/databases/NAME and TARGET/log in the place of
data/transactions/NAME of a stopped server, give both to the server's user, and start Neo4j: it recovers the database.
Before Python 3.14 zstd comes from the package backports.zstd. The bytes are those of docs/format.md, format 1.
Every hash on the way is checked; a damaged block is looked for in every pack. Exit status: 0 well, 1 not, 2 usage.
"""

from __future__ import annotations

import base64
import json
import os
import struct
import sys
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from blake3 import blake3

if TYPE_CHECKING:
    from collections.abc import Iterator

if sys.version_info >= (3, 14):
    from compression.zstd import ZstdError, decompress
else:
    from backports.zstd import ZstdError, decompress

PACK_HEAD = 24  # 8 bytes of magic, 16 bytes of salt
ENTRY = struct.Struct("<32sIII")  # id of the block, offset in the pack, stored bytes, content bytes
TRAILER = struct.Struct("<32sI4x8s")  # BLAKE3 of the entries, their number, magic
END_MAGIC = b"NKPEND1\n"
MANIFEST_MAGIC = b"NKBACK1\n"
ID = 32
MAP_BLOCK = 1024 * 1024  # content bytes of a block that holds ids
PAGE = 8192

Json = dict[str, Any]


class Damaged(Exception):
    """Something is missing, or is not what its hash says."""


def decoded(data: bytes) -> bytes:
    """Undo the codec of a stored block: raw, zstd, or zstd of pages of records that were turned by columns."""
    codec, payload = data[0], data[1:]
    if codec < 2:
        return decompress(payload) if codec else payload
    record, turned = payload[0], decompress(payload[1:])
    pages, whole = len(turned) // PAGE, PAGE // record * record
    records, count = bytearray(pages * whole), pages * whole // record
    for at in range(record):
        records[at::record] = turned[at * count : (at + 1) * count]
    rests, width = turned[len(records) :], PAGE - whole
    return b"".join(records[n * whole :][:whole] + rests[n * width :][:width] for n in range(pages))


def check_format(repository: Path) -> None:
    """Refuse a repository that these bytes do not describe; a lost config is no reason to give up."""
    try:
        config = json.loads((repository / "config").read_bytes())
    except (OSError, ValueError) as problem:
        print(f"warning: the config object cannot be read ({problem}); going on as for format 1", file=sys.stderr)
        return
    if config.get("format") != 1 or config.get("features"):
        raise Damaged(f"this is format {config.get('format')} with features {config.get('features')}, not format 1")


class Blocks:
    """All blocks of a repository: which packs hold each, read from the packs' footers."""

    def __init__(self, repository: Path) -> None:
        self.places: dict[bytes, list[tuple[Path, int, int]]] = {}
        for path in sorted(repository.glob("packs/??/*")):
            try:
                self._read_footer(path)
            except (OSError, struct.error, Damaged) as problem:
                print(f"warning: {path} is left aside: {problem}", file=sys.stderr)

    def _read_footer(self, path: Path) -> None:
        size = path.stat().st_size
        with path.open("rb") as pack:
            pack.seek(max(0, size - TRAILER.size))
            digest, count, magic = TRAILER.unpack(pack.read(TRAILER.size))
            length = count * ENTRY.size
            if magic != END_MAGIC or PACK_HEAD + length + TRAILER.size > size:
                raise Damaged("it does not end as a pack must")
            pack.seek(size - TRAILER.size - length)
            footer = pack.read(length)
        if blake3(footer).digest() != digest:
            raise Damaged("its footer is damaged")
        for identity, offset, stored, _ in ENTRY.iter_unpack(footer):
            self.places.setdefault(identity, []).append((path, offset, stored))

    def read(self, identity: bytes, size: int) -> bytes:
        """Read one block from the first pack in which it is whole."""
        for path, offset, stored in self.places.get(identity, []):
            try:
                with path.open("rb") as pack:
                    pack.seek(offset)
                    data = pack.read(stored)
                content = decoded(data)
            except (OSError, ZstdError, ArithmeticError, LookupError, ValueError):
                continue
            if len(content) == size and blake3(content).digest() == identity:
                return content
        raise Damaged(f"block {identity.hex()} is missing or damaged")

    def ids(self, content: Json) -> list[bytes]:
        """Return the ids of all blocks of a content, whose list is proven."""
        ids = base64.b64decode(content["ids"])
        total = -(-content["size"] // content["block_size"]) * ID
        if content["depth"] == 1:
            maps = [ids[at : at + ID] for at in range(0, len(ids), ID)]
            ids = b"".join(self.read(one, min(MAP_BLOCK, total - at * MAP_BLOCK)) for at, one in enumerate(maps))
        if len(ids) != total or blake3(ids).digest() != base64.b64decode(content["hash"]):
            raise Damaged("a list of blocks does not match its hash")
        return [ids[at : at + ID] for at in range(0, total, ID)]

    def each(self, content: Json) -> Iterator[bytes]:
        """Yield the blocks of a content in order; all but the last are full."""
        step, size = content["block_size"], content["size"]
        yield from (self.read(one, min(step, size - at * step)) for at, one in enumerate(self.ids(content)))


def read_manifest(repository: Path, label: str) -> Json:
    """Read and prove a manifest."""
    data = (repository / "backups" / label).read_bytes()
    payload = data[len(MANIFEST_MAGIC) + 32 :]
    if data[:8] != MANIFEST_MAGIC or blake3(payload).digest() != data[8:40]:
        raise Damaged(f"the manifest {label} is damaged")
    return dict(json.loads(decompress(payload)))


def list_backups(repository: Path) -> None:
    """Print a line for each backup."""
    for path in sorted((repository / "backups").iterdir()):
        try:
            manifest = read_manifest(repository, path.name)
        except (OSError, ValueError, ZstdError, Damaged) as problem:
            print(f"{path.name}  cannot be read: {problem}")
            continue
        source, last = manifest["source"]["name"], manifest["end"]["transaction"]
        print(f"{path.name}  {manifest['database']} of {source}, to transaction {last}")


def write_file(path: Path, file: Json, blocks: Blocks) -> None:
    """Write one file of a backup and make it durable."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as out:
        for data in blocks.each(file["content"]):
            out.write(data)
        os.fchmod(out.fileno(), file["mode"])
        out.flush()
        os.fsync(out.fileno())


def restore(repository: Path, label: str, target: Path) -> None:
    """Write all files of a backup below TARGET/store and TARGET/log."""
    if target.exists() and any(target.iterdir()):
        raise Damaged(f"{target} is not empty")
    manifest = read_manifest(repository, label)
    if manifest["type"] != "full":
        raise Damaged(f"{label} is no full backup; restore {manifest.get('base')}")
    blocks = Blocks(repository)
    files: list[Json] = json.loads(b"".join(blocks.each(manifest["files"])))
    if len(files) != manifest["file_count"]:
        raise Damaged("the file list is not complete")
    for area in ("store", "log"):
        (target / area).mkdir(parents=True)
    for file in files:
        path = PurePosixPath(file["path"])
        if file["area"] not in {"store", "log"} or path.is_absolute() or ".." in path.parts:
            raise Damaged(f"the file list names a place outside the target: {file['path']}")
        write_file(target / file["area"] / path, file, blocks)
    print(f"{label}: {len(files)} files of {manifest['database']} restored to {target}")


def main(arguments: list[str]) -> int:
    """List or restore; the exit status."""
    if len(arguments) not in {1, 3}:
        print(__doc__, file=sys.stderr)
        return 2
    repository = Path(arguments[0])
    try:
        check_format(repository)
        restore(repository, arguments[1], Path(arguments[2])) if len(arguments) == 3 else list_backups(repository)
    except (OSError, ValueError, KeyError, ZstdError, Damaged) as problem:
        print(f"error: {problem}\nWhat was written so far is not complete: do not use it.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
