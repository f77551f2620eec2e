"""Manifests: what a backup is. Creating this object, last and only if absent, is what makes a backup exist.

A manifest is a few kilobytes however large the database: the list of files, and the list of blocks of each larger file,
are themselves stored as blocks. Field by field in docs/format.md. Fields may be added; readers ignore what they do not
know; a change that old readers must not ignore raises the repository's required features instead.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
from blake3 import blake3

from neokeep.compression import ZstdError, compress, decompress
from neokeep.errors import IntegrityError

MAGIC = b"NKBACK1\n"
PREFIX = "backups"
_MOMENT = "%Y%m%d-%H%M%S"


class BlockList(msgspec.Struct, frozen=True, kw_only=True):
    """The content of something as blocks.

    With `depth` 0, `ids` (32 bytes each, concatenated) name the blocks of the content in order; with `depth` 1 they
    name blocks whose concatenated content is the ids. All blocks but the last have `block_size` bytes.
    """

    size: int
    block_size: int
    depth: int
    ids: bytes
    hash: bytes
    """BLAKE3 over all block ids of the content, concatenated."""


NO_BLOCKS = BlockList(size=0, block_size=1, depth=0, ids=b"", hash=blake3(b"").digest())
"""The file list of a backup that has no files of its own."""


class FileEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One captured file. `area` is `store` (the database directory) or `log` (its transaction log directory)."""

    area: str
    path: str
    kind: str
    mode: int
    content: BlockList


class Plugin(msgspec.Struct, frozen=True, kw_only=True):
    """What a plugin's jar says of itself; empty where it says nothing."""

    name: str
    version: str


class ServerFile(msgspec.Struct, frozen=True, kw_only=True):
    """One of the server's other files.

    `area` is `conf`, `certificates`, `plugins` or `licenses`, `path` where a restore puts it below that, `origin` where
    it was, `link` what a symbolic link there led to. `state` is `whole`, `redacted` (values are left out of its
    content), `listed` (only told of) or `left_out` (why says `reason`). A `secret` one may stand in an encrypted
    repository only. `size` and `hash` (SHA-256, hex) are of the content as it is stored, of a listed one as it was.
    """

    area: str
    path: str
    origin: str
    link: str | None
    mode: int
    uid: int
    gid: int
    owner: str | None
    group: str | None
    modified: datetime
    state: str
    reason: str
    secret: bool
    redacted: tuple[str, ...]
    """The names of the values that are left out."""
    size: int | None
    hash: str | None
    plugin: Plugin | None
    content: BlockList | None


class LeftOut(msgspec.Struct, frozen=True, kw_only=True):
    """A file or index that is not in the backup, and why. Neo4j makes it again when `rebuilt`."""

    path: str
    reason: str
    rebuilt: bool


class ServerFiles(msgspec.Struct, frozen=True, kw_only=True):
    """The server's other files in a backup: configuration, certificates, plugins, licences of its host."""

    mode: str
    """How much was asked for: `config` or `all`."""
    files: BlockList
    """A JSON array of ServerFile."""
    count: int
    redacted: tuple[str, ...]
    """Files of which values are left out."""
    left_out: tuple[LeftOut, ...]


class SourceRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Where a backup came from."""

    name: str
    host: str
    home: str
    edition: str
    running: bool


class Ingested(msgspec.Struct, frozen=True, kw_only=True):
    """Of which archive of Neo4j's own a backup was made, and how its date was found.

    `archive` is a path or URL, `-` for standard input; `size_bytes` and `modified` are those of the file or object,
    None of a pipe. `dated_by` is `option`, `header`, `log`, `file` or `arrival`.
    """

    archive: str
    type: str
    format: str
    size_bytes: int | None
    modified: datetime | None
    ingested_at: datetime
    dated_by: str


class LogPoint(msgspec.Struct, frozen=True, kw_only=True):
    """A place in the transaction log: file version, byte offset, and the last transaction before it, where known."""

    version: int
    offset: int
    transaction: int | None = None
    commit_time: datetime | None = None
    checksum: int | None = None


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """A transaction in the log: its id, the CRC-32C in its commit entry, its file version, and its byte range there."""

    transaction: int
    checksum: int
    version: int
    start: int
    end: int


class Statistics(msgspec.Struct, frozen=True, kw_only=True):
    """What a backup cost. Bytes stored are after compression, and only what the repository did not have.

    `compressed_bytes` counts all blocks of a full backup, those too that the repository had; None: not told.
    """

    seconds: float
    bytes_read: int
    size_bytes: int
    stored_bytes: int
    blocks: int
    new_blocks: int
    attempts: int
    file_retries: int
    compressed_bytes: int | None = None


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """One backup of one database."""

    format: int
    label: str
    type: str
    neokeep_version: str
    source: SourceRecord
    database: str
    neo4j_version: str | None
    kernel_version: int
    store_id: str
    store_format: str
    started_at: datetime
    finished_at: datetime
    checkpoint: LogPoint
    """C0: where recovery starts (design: P0) and what the checkpoint record says of it."""
    end: LogPoint
    """E: the last transaction that the backup holds."""
    first_transaction: int
    """The oldest transaction in the captured log, or `end.transaction + 1` where it holds none."""
    files: BlockList
    """The file list: a JSON array of FileEntry."""
    file_count: int
    left_out: tuple[LeftOut, ...]
    events: tuple[str, ...]
    statistics: Statistics
    base: str | None = None
    """Of an incremental backup: the label of the full one that it goes on with."""
    reason: str = ""
    """Why it is of this type."""
    tail: Span | None = None
    """Where the chain goes on; None when the captured log holds no transaction at all."""
    opens: LogPoint | None = None
    """The oldest transaction that a full backup can be taken back to; None: none before `end`."""
    writer: str | None = None
    """Who stored its blocks; a manifest of a writer that had been given up is no backup. None: it has no blocks."""
    ingested: Ingested | None = None
    """The archive that it was made of; None: it was captured. No chain goes on with what was ingested."""
    server: ServerFiles | None = None
    """The server's other files; an incremental backup has them too."""


FORMAT = 1


def manifest_name(label: str) -> str:
    """Return the object name of a manifest."""
    return f"{PREFIX}/{label}"


def new_label(database: str, started_at: datetime, base: str | None = None) -> str:
    """Return a label: `neo4j-20261122-173015F` for a full backup, with `_20261122-180000I` for an incremental one."""
    moment = f"{started_at.astimezone(UTC):{_MOMENT}}"
    return f"{database}-{moment}F" if base is None else f"{base}_{moment}I"


def next_label(label: str) -> str:
    """Return the label of one second later, for a backup whose own is taken."""
    head, moment, letter = label[:-16], label[-16:-1], label[-1]
    later = datetime.strptime(moment, _MOMENT).replace(tzinfo=UTC) + timedelta(seconds=1)
    return f"{head}{later:{_MOMENT}}{letter}"


def encode_manifest(manifest: Manifest) -> bytes:
    """Serialise a manifest as a stored object: magic, BLAKE3 of the rest, zstd of JSON."""
    payload = compress(msgspec.json.encode(manifest), 3)
    return MAGIC + blake3(payload).digest() + payload


def decode_manifest(name: str, data: bytes) -> Manifest:
    """Undo `encode_manifest`.

    Raises:
        IntegrityError: the bytes are damaged.
    """
    head = len(MAGIC) + 32
    payload = data[head:]
    if data[: len(MAGIC)] != MAGIC or blake3(payload).digest() != data[len(MAGIC) : head]:
        raise _damaged(name)
    try:
        return msgspec.json.decode(decompress(payload), type=Manifest)
    except (msgspec.MsgspecError, ZstdError) as problem:
        raise _damaged(name) from problem


def _damaged(name: str) -> IntegrityError:
    return IntegrityError(f"the manifest {name} is damaged", remedy="Use another backup; 'neokeep info' lists them.")
