"""Layouts of the log entries that frame a transaction, by kernel version.

An entry is: kernel version byte, type byte, body. Bodies are big endian below kernel version 5 (Neo4j 4.x) and little
endian from it on. Only the start and commit entries are needed to find boundaries. Layouts: docs/neo4j-formats.md.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import cache

START, COMMAND, COMMIT = 1, 3, 5
LEGACY_CHECKPOINT, CHECKPOINT_4, CHECKPOINT_5 = 7, 8, 9
CHUNK_START, CHUNK_END, ROLLBACK, EMPTY = 10, 11, 12, 13

ENTRY_NAMES = {
    START: "start",
    COMMAND: "command",
    COMMIT: "commit",
    LEGACY_CHECKPOINT: "legacy checkpoint",
    CHECKPOINT_4: "checkpoint",
    CHECKPOINT_5: "checkpoint",
    CHUNK_START: "chunk start",
    CHUNK_END: "chunk end",
    ROLLBACK: "rollback",
    EMPTY: "empty transaction",
}

OLDEST_KERNEL, NEWEST_KERNEL = 2, 32
"""Kernel versions whose entries are known: 4.2 to 2026.08."""

MAX_ADDITIONAL_HEADER = 1 << 20
"""No server writes more than 8 bytes here since 2025.05; a larger length means damage."""


@dataclass(frozen=True, slots=True)
class StartLayout:
    """How to read a start entry: one unpack, then which fields are where.

    `fields` covers the fixed part after the two framing bytes; the last field is the length of the additional header.
    """

    fields: struct.Struct
    size: int
    previous_checksum: int | None
    append_index: int | None


@dataclass(frozen=True, slots=True)
class CommitLayout:
    """A commit entry: framing, transaction id, commit time in ms since the epoch, CRC-32C."""

    transaction: struct.Struct
    fields: struct.Struct
    prefix: bytes


COMMIT_SIZE = 22
CHECKSUM_SIZE = 4


def is_known(kernel_version: int) -> bool:
    """Tell whether the entries of this kernel version can be read."""
    return OLDEST_KERNEL <= kernel_version <= NEWEST_KERNEL


@cache
def start_layout(kernel_version: int) -> StartLayout:
    """Return the layout of a start entry of a known kernel version."""
    order = "<" if kernel_version >= 5 else ">"
    codes = "qq"
    previous_checksum = append_index = None
    if kernel_version <= 21:
        previous_checksum = len(codes)
        codes += "I"
    if kernel_version >= 17:
        append_index = len(codes)
        codes += "q"
    if kernel_version >= 30:
        codes += "q"
    fields = struct.Struct(order + codes + "i")
    return StartLayout(fields, 2 + fields.size, previous_checksum, append_index)


@cache
def commit_layout(kernel_version: int) -> CommitLayout:
    """Return the layout of a commit entry of a known kernel version."""
    order = "<" if kernel_version >= 5 else ">"
    return CommitLayout(struct.Struct(order + "q"), struct.Struct(order + "qqI"), bytes([kernel_version, COMMIT]))
