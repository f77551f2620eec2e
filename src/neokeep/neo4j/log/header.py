"""The header of a transaction log or checkpoint file.

Headers are big endian in every version. Formats 6 to 9 are plain files; 10 and 11 are enveloped (segmented) files,
which Community writes only under an internal setting and which are refused by name. Layouts: docs/neo4j-formats.md.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from neokeep.errors import IntegrityError, SourceError

_SIZES = {6: 16, 7: 64, 8: 128, 9: 128}
_ENVELOPED = {10, 11}
LARGEST = 128
"""Bytes to read so that every supported header is complete."""

BASE_CHECKSUM = 0xDEAD5EED
"""What the first transaction of a database names as the checksum of the one before it."""


@dataclass(frozen=True, slots=True)
class LogHeader:
    """What a log file says of itself.

    `size` is the offset of the first entry; `last_transaction` is the id of the last transaction of the file before.
    """

    format: int
    version: int
    last_transaction: int
    last_append_index: int | None
    store_id: bytes
    size: int


def parse_header(data: bytes, where: str) -> LogHeader | None:
    """Read a header from the first bytes of a file.

    Returns None while the file is too short or still zero: a server creates it before it writes the header.

    Raises:
        SourceError: the format is enveloped or not known.
    """
    if len(data) < 16 or not any(data[:16]):
        return None
    (word,) = struct.unpack_from(">Q", data, 0)
    log_format, version = word >> 56, word & 0x00FF_FFFF_FFFF_FFFF
    if log_format in _ENVELOPED:
        raise SourceError(
            f"{where} is an enveloped transaction log (header format {log_format}), which neokeep cannot read yet",
            remedy="Turn internal.dbms.allow_new_log_format_on_upgrade_or_create off, or use a newer neokeep.",
        )
    if log_format not in _SIZES:
        raise SourceError(
            f"{where} has log header format {log_format}, which neokeep does not know",
            remedy="This Neo4j version is too old, too new, or the file is damaged; see docs/versions.md.",
        )
    size = _SIZES[log_format]
    if len(data) < size:
        return None
    (last_transaction,) = struct.unpack_from(">q", data, 8)
    append_index: int | None = None
    store_id = b""
    if log_format == 7:
        store_id = data[16:56]
    elif log_format == 8:
        store_id = data[16:80]
    elif log_format == 9:
        (append_index,) = struct.unpack_from(">q", data, 16)
        store_id = data[24:88]
    return LogHeader(log_format, version, last_transaction, append_index, bytes(store_id), size)


def expect_version(header: LogHeader, version: int, where: str) -> None:
    """Check that the file holds the log version that its name says."""
    if header.version != version:
        raise IntegrityError(
            f"{where} says inside that it is log version {header.version}",
            remedy="A log file was renamed or damaged; take the database offline and check its transaction logs.",
        )
