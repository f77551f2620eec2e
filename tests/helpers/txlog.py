"""Builders of plain transaction logs and checkpoint files, by the layouts of docs/formats.md."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from crc32c import crc32c

from neokeep.neo4j.log.header import BASE_CHECKSUM, LogHeader, parse_header

if TYPE_CHECKING:
    from collections.abc import Sequence

    from neokeep.neo4j.log.scan import ReadAt

STORE_ID = (struct.pack(">Bqq", 1, 1_700_000_000_000, -77) + b"\x06record\x07aligned\x01\x01").ljust(64, b"\0")
LEGACY_VERSION = int.from_bytes(bytes.fromhex("302e332e34464107"), "big")
LEGACY_ID = struct.pack(">5q", 1_700_000_000_000, -77, LEGACY_VERSION, 1_700_000_000_000, 1)
FIRST_TIME = 1_750_000_000_000
KERNELS = (4, 20, 32)


def order(kernel: int) -> str:
    return "<" if kernel >= 5 else ">"


def header_format(kernel: int) -> int:
    return 7 if kernel < 5 else 8 if kernel < 17 else 9


def header_bytes(log_format: int, version: int, last_transaction: int, last_append_index: int | None = None) -> bytes:
    start = struct.pack(">Qq", log_format << 56 | version, last_transaction)
    if log_format == 6:
        return start
    if log_format == 7:
        return start + LEGACY_ID + bytes(8)
    if log_format == 8:
        return (start + STORE_ID).ljust(128, b"\0")
    index = last_transaction if last_append_index is None else last_append_index
    return (start + struct.pack(">q", index) + STORE_ID).ljust(128, b"\0")


def start_entry(kernel: int, transaction: int, previous_checksum: int, append_index: int, extra: bytes = b"") -> bytes:
    parts = [struct.pack(order(kernel) + "qq", FIRST_TIME + transaction, transaction - 1)]
    if kernel <= 21:
        parts.append(struct.pack(order(kernel) + "I", previous_checksum))
    if kernel >= 17:
        parts.append(struct.pack(order(kernel) + "q", append_index))
    if kernel >= 30:
        parts.append(struct.pack(order(kernel) + "q", -1))
    parts.append(struct.pack(order(kernel) + "i", len(extra)) + extra)
    return bytes([kernel, 1]) + b"".join(parts)


def commit_time(transaction: int) -> int:
    return FIRST_TIME + 10 * transaction


def commit_prefix(kernel: int, transaction: int) -> bytes:
    """A commit entry up to its time: what a search for boundaries looks for."""
    return bytes([kernel, 5]) + struct.pack(order(kernel) + "q", transaction)


def fake_commit(kernel: int, transaction: int) -> bytes:
    return commit_prefix(kernel, transaction) + struct.pack(order(kernel) + "qI", commit_time(transaction), 0x1234)


def transaction_bytes(
    kernel: int, transaction: int, payload: bytes, previous_checksum: int, append_index: int, extra: bytes = b""
) -> bytes:
    body = start_entry(kernel, transaction, previous_checksum, append_index, extra)
    body += bytes([kernel, 3]) + payload
    body += commit_prefix(kernel, transaction) + struct.pack(order(kernel) + "q", commit_time(transaction))
    return body + struct.pack(order(kernel) + "I", crc32c(body))


@dataclass
class BuiltLog:
    """One log file: its bytes, and the offset behind each of its transactions."""

    kernel: int
    version: int
    last_before: int
    data: bytes
    ends: list[int] = field(default_factory=list)
    last_checksum: int = BASE_CHECKSUM

    @property
    def first_transaction(self) -> int:
        return self.last_before + 1

    @property
    def last_transaction(self) -> int:
        return self.last_before + len(self.ends)

    @property
    def header_size(self) -> int:
        return {6: 16, 7: 64}.get(self.data[0], 128)

    @property
    def boundaries(self) -> list[int]:
        return [self.header_size, *self.ends]

    @property
    def header(self) -> LogHeader:
        header = parse_header(self.data[:128], "a built log")
        assert header is not None
        return header

    @property
    def commit_times(self) -> list[int]:
        return [commit_time(number) for number in range(self.first_transaction, self.last_transaction + 1)]

    def add(self, payload: bytes, extra: bytes = b"") -> None:
        self.extend([payload], extra)

    def extend(self, payloads: Sequence[bytes], extra: bytes = b"") -> None:
        # Thousands, one after the other put behind what is there, would copy it all thousands of times.
        data, checksum = bytearray(self.data), struct.Struct(order(self.kernel) + "I")
        for payload in payloads:
            number = self.last_transaction + 1
            data += transaction_bytes(self.kernel, number, payload, self.last_checksum, number, extra)
            (self.last_checksum,) = checksum.unpack_from(data, len(data) - checksum.size)
            self.ends.append(len(data))
        self.data = bytes(data)

    def next(self, payloads: Sequence[bytes], kernel: int | None = None) -> BuiltLog:
        """Rotate: the log file that follows on this one."""
        return build_log(
            kernel or self.kernel,
            payloads,
            version=self.version + 1,
            last_before=self.last_transaction,
            previous_checksum=self.last_checksum,
        )


def build_log(
    kernel: int,
    payloads: Sequence[bytes] = (),
    *,
    version: int = 0,
    last_before: int = 1,
    previous_checksum: int = BASE_CHECKSUM,
) -> BuiltLog:
    data = header_bytes(header_format(kernel), version, last_before)
    built = BuiltLog(kernel, version, last_before, data, last_checksum=previous_checksum)
    built.extend(payloads)
    return built


def reader(data: bytes) -> ReadAt:
    return lambda offset, length: data[offset : offset + length]


def flipped(data: bytes, at: int, mask: int = 0x41) -> bytes:
    return data[:at] + bytes([data[at] ^ mask]) + data[at + 1 :]


def checkpoint_size(kernel: int) -> int:
    return 192 if kernel < 5 else 486 if kernel >= 32 else 232


def checkpoint_record(kernel: int, version: int, offset: int, transaction: int, reason: str = "Scheduled") -> bytes:
    """One record. 4.x records do not hold the transaction."""
    o, time = order(kernel), FIRST_TIME + transaction
    head = bytes([kernel, 8 if kernel < 5 else 9])
    place = struct.pack(o + "qq", version, offset)
    short = [struct.pack(o + "q", transaction), struct.pack(o + "I", 0xCAFE)]
    indexed = [struct.pack(o + "qqBI", transaction, transaction, kernel, 0xCAFE)]
    when = struct.pack(o + "q", commit_time(transaction))
    if kernel < 5:
        parts = [place, struct.pack(o + "q", time), LEGACY_ID]
    elif kernel <= 16:
        index = [] if kernel == 5 else [struct.pack(o + "q", -1)]
        parts = [place, struct.pack(o + "q", time), STORE_ID, *short, when, *index]
    elif kernel == 17:
        parts = [place, struct.pack(o + "q", time), STORE_ID, *indexed, when, struct.pack(o + "qq", -1, transaction)]
    else:
        # The place itself comes first, then the oldest one that recovery needs.
        newest = struct.pack(o + "qq", version, offset + 1)
        parts = [newest, place, struct.pack(o + "q", time), STORE_ID, *indexed, when]
        parts.append(struct.pack(o + "qq", -1, transaction))
    text = reason.encode()
    body = head + b"".join(parts) + struct.pack(o + "h", len(text)) + text
    size = checkpoint_size(kernel)
    assert len(body) <= size - 4
    body = body.ljust(size - 4, b"\0")
    return body + struct.pack(o + "I", crc32c(body))


def checkpoint_file(kernel: int, records: Sequence[bytes], *, version: int = 0, zeros: int = 0) -> bytes:
    log_format = header_format(kernel)
    last = 1 if log_format == 7 else 0
    return header_bytes(log_format, version, last, 0) + b"".join(records) + bytes(zeros)
