"""Checkpoint files: fixed-size records behind a log header, the newest complete one decides where recovery starts.

The size and layout of a record follow its own kernel version byte, so files are walked record by record. A record
counts only when its CRC-32C holds. Layouts: docs/neo4j-formats.md.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from crc32c import crc32c

from neokeep.errors import SourceError
from neokeep.neo4j.log import entries

if TYPE_CHECKING:
    from neokeep.neo4j.log.header import LogHeader


@dataclass(frozen=True, slots=True, order=True)
class LogPosition:
    """A place in the transaction log: file version and byte offset."""

    version: int
    offset: int

    def __str__(self) -> str:
        return f"{self.version}:{self.offset}"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """One complete checkpoint record.

    `position` is where recovery starts; `transaction` and `commit_time` are None in 4.x, whose records lack them;
    `time` is ms since the epoch; `end` is the offset behind the record in its file.
    """

    position: LogPosition
    transaction: int | None
    commit_time: int | None
    time: int
    reason: str
    kernel_version: int
    end: int


@dataclass(frozen=True, slots=True)
class CheckpointedTransaction:
    """The last transaction before a checkpoint; the commit time is in ms since the epoch."""

    id: int
    append_index: int
    kernel_version: int
    checksum: int
    commit_time: int


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where the fields of a record stand; offsets count from its first byte."""

    order: str
    entry_type: int
    size: int
    position: int
    time: int
    transaction: int | None
    commit_time: int | None
    reason: int


@cache
def _layout(kernel_version: int) -> _Layout:
    if kernel_version < 5:
        return _Layout(">", entries.CHECKPOINT_4, 192, 2, 18, None, None, 66)
    kind = entries.CHECKPOINT_5
    if kernel_version <= 16:
        # 5.0 to 5.19: position, time, store id, transaction, checksum, commit time [, consensus index from 5.7]
        return _Layout("<", kind, 232, 2, 18, 90, 102, 110 if kernel_version == 5 else 118)
    if kernel_version == 17:
        # 5.20, 5.21: the transaction carries its append index and kernel version
        return _Layout("<", kind, 232, 2, 18, 90, 111, 135)
    # From 5.22 on the oldest position that recovery needs stands before the time.
    return _Layout("<", kind, 486 if kernel_version >= 32 else 232, 18, 34, 106, 127, 151)


def parse_checkpoints(data: bytes, header: LogHeader, where: str) -> tuple[Checkpoint, ...]:
    """Read every complete record of a checkpoint file, oldest first; stop at zeros, at the end or at a torn record.

    Raises:
        SourceError: a record of a kernel version that is not known.
    """
    found: list[Checkpoint] = []
    at = header.size
    while at + 2 <= len(data) and data[at] != 0:
        kernel_version = data[at]
        if not entries.is_known(kernel_version):
            raise SourceError(
                f"{where} holds a checkpoint of kernel version {kernel_version} at {at}, which neokeep does not know",
                remedy="Use a neokeep that supports this Neo4j version; see docs/versions.md.",
            )
        record = _record(data, at, kernel_version)
        if record is None:
            break
        found.append(record)
        at = record.end
    return tuple(found)


def _record(data: bytes, at: int, kernel_version: int) -> Checkpoint | None:
    layout = _layout(kernel_version)
    raw = data[at : at + layout.size]
    if len(raw) < layout.size or raw[1] != layout.entry_type:
        return None
    (stored,) = struct.unpack_from(layout.order + "I", raw, layout.size - 4)
    if crc32c(raw[:-4]) != stored:
        return None

    def long(offset: int | None) -> int | None:
        return None if offset is None else int(struct.unpack_from(layout.order + "q", raw, offset)[0])

    version, offset = struct.unpack_from(layout.order + "qq", raw, layout.position)
    (length,) = struct.unpack_from(layout.order + "h", raw, layout.reason)
    reason = raw[layout.reason + 2 : layout.size - 4][: max(0, length)].decode("utf-8", "replace")
    return Checkpoint(
        position=LogPosition(version, offset),
        transaction=long(layout.transaction),
        commit_time=long(layout.commit_time),
        time=long(layout.time) or 0,
        reason=reason,
        kernel_version=kernel_version,
        end=at + layout.size,
    )


_NO_CONSENSUS_INDEX = -1


def encode_checkpoint(
    position: LogPosition, last: CheckpointedTransaction, store_id: bytes, time: int, reason: str
) -> bytes:
    """Make a checkpoint record in the layout of the last transaction's kernel version.

    `store_id` is that of the file's header, `time` is in ms since the epoch.
    """
    layout = _layout(last.kernel_version)
    place = struct.pack(layout.order + "qq", position.version, position.offset)
    parts = [bytes([last.kernel_version, layout.entry_type]), place]
    if last.kernel_version >= 18:
        parts.append(place)
    parts += [struct.pack(layout.order + "q", time), store_id]
    if last.kernel_version >= 5:
        parts.append(_transaction_fields(last))
    room = layout.size - 4 - layout.reason - 2
    text = reason.encode()[:room].decode(errors="ignore").encode()
    parts += [struct.pack(layout.order + "h", len(text)), text]
    record = b"".join(parts).ljust(layout.size - 4, b"\0")
    return record + struct.pack(layout.order + "I", crc32c(record))


def _transaction_fields(last: CheckpointedTransaction) -> bytes:
    """Lay out the last transaction: kernel versions 5, 6 to 16, and from 17 on."""
    if last.kernel_version <= 16:
        fields = struct.pack("<qIq", last.id, last.checksum, last.commit_time)
        return fields if last.kernel_version == 5 else fields + struct.pack("<q", _NO_CONSENSUS_INDEX)
    values = (last.id, last.append_index, last.kernel_version, last.checksum, last.commit_time)
    return struct.pack("<qqBIqqq", *values, _NO_CONSENSUS_INDEX, last.append_index)
