"""Going on with a chain: reading the log of a source from the last archived transaction on, segment by segment.

Before anything is taken, the last archived transaction must still be in the source's log with the same checksum: since
kernel version 2025.05 the log itself does not tell any more whether history forked. What is taken is verified
transaction by transaction in the very bytes that are stored.
"""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from crc32c import crc32c

from neokeep.errors import IntegrityError
from neokeep.files import explain
from neokeep.neo4j.log import entries
from neokeep.neo4j.log.header import LARGEST, LogHeader, expect_version, parse_header
from neokeep.neo4j.log.names import log_name, log_versions
from neokeep.neo4j.log.scan import Scan, Tail, has_commit, has_data, scan_log
from neokeep.repository.manifest import Span
from neokeep.repository.segment import Piece

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SEGMENT_SIZE = 32 * 1024 * 1024
"""Bytes of log in a segment, unless one transaction is larger."""

_LIVE_TRIES = 25
_LIVE_PAUSE_SECONDS = 0.02


class ChainBroken(Exception):
    """The chain cannot go on; the text says why. A new full backup begins a new one."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Some verified log: its pieces and bytes, its transactions, and where it ends."""

    pieces: tuple[Piece, ...]
    data: bytes
    first: int
    last: int
    first_commit_time: datetime
    last_commit_time: datetime
    kernel_version: int
    tail: Span


def require_unbroken(directory: Path, tail: Span) -> None:
    """Prove that the source's log still holds the last archived transaction, with the same content.

    Raises:
        ChainBroken: the log was pruned, set back, replaced, or forked.
    """
    versions = log_versions(directory)
    if tail.version not in versions:
        if versions and versions[0] > tail.version:
            raise ChainBroken(f"{log_name(tail.version)}, in which the last archived transaction stands, was pruned")
        raise ChainBroken(f"the log went back: {log_name(tail.version)} is not there any more")
    with _opened(directory, tail.version) as descriptor:
        data = os.pread(descriptor, tail.end - tail.start, tail.start)
    if len(data) < tail.end - tail.start or not any(data[-entries.COMMIT_SIZE :]):
        raise ChainBroken(f"the log went back before transaction {tail.transaction}")
    layout = entries.commit_layout(data[0]) if entries.is_known(data[0]) else None
    if layout is not None:
        found, _, checksum = layout.fields.unpack_from(data, len(data) - entries.COMMIT_SIZE + 2)
        if (found, checksum) == (tail.transaction, tail.checksum) and crc32c(data[:-4]) == tail.checksum:
            return
    raise ChainBroken(f"history forked: transaction {tail.transaction} of the source is not the archived one")


def read_on(directory: Path, tail: Span, limit: int = SEGMENT_SIZE) -> Iterator[Stretch]:
    """Read all complete transactions behind `tail`, in stretches of about `limit` bytes.

    Raises:
        ChainBroken: a log file is missing or does not follow on the one before.
        IntegrityError: the log is damaged.
    """
    version, offset = tail.version, tail.end
    looked_again = False
    while True:
        stretch = _stretch(directory, version, offset, tail, limit)
        if stretch is not None:
            yield stretch
            tail, looked_again = stretch.tail, False
            offset = tail.end
            continue
        following = _follows_on(directory, version + 1)
        if following is None:
            return
        if following == tail.transaction:
            version, offset = version + 1, 0
        elif following > tail.transaction and not looked_again:
            looked_again = True  # The file was finished and rotated between the two looks.
        else:
            raise ChainBroken(
                f"{log_name(version + 1)} follows on transaction {following}, "
                f"the one before it ends with {tail.transaction}"
            )


def _follows_on(directory: Path, version: int) -> int | None:
    """Return the last transaction before a log file, or None while there is no such file."""
    later = [found for found in log_versions(directory) if found >= version]
    if not later:
        return None
    if later[0] > version:
        raise ChainBroken(f"{log_name(version)} was pruned before it was archived")
    with _opened(directory, version) as descriptor:
        header = _header(directory, version, descriptor)
    return None if header is None else header.last_transaction


def _stretch(directory: Path, version: int, offset: int, tail: Span, limit: int) -> Stretch | None:
    """Read complete transactions of one file from an offset on; None when there is none behind it."""
    with _opened(directory, version) as descriptor:
        header = _header(directory, version, descriptor)
        if header is None:
            return None
        for _ in range(_LIVE_TRIES):
            scan, data = _read(descriptor, header, offset, tail, limit)
            if scan.ends:
                return _made(scan, data, version, offset)
            if scan.tail is Tail.END_OF_FILE or (scan.tail is Tail.ZEROS and not has_data(descriptor, scan.end)):
                return None
            # Half a transaction: the server may be writing it right now.
            time.sleep(_LIVE_PAUSE_SECONDS)
    _require_torn(scan, data, version, offset)
    return None


def _read(descriptor: int, header: LogHeader, offset: int, tail: Span, limit: int) -> tuple[Scan, bytes]:
    """Read so much from an offset on that a transaction is complete, if there is one."""
    start = max(offset, header.size)
    while True:
        data = os.pread(descriptor, limit, offset)
        scan = _scan(data, offset, header, start, tail)
        # Nothing complete although the buffer is full: one transaction larger than a segment.
        if scan.ends or len(data) < limit or scan.tail is not Tail.TORN or not has_data(descriptor, offset + limit):
            return scan, data
        limit *= 2


def _require_torn(scan: Scan, data: bytes, version: int, offset: int) -> None:
    """Accept the half-written transaction of a crash; anything else behind the end is damage."""

    def read_at(position: int, length: int) -> bytes:
        return data[position - offset : position - offset + length]

    kernel_version = data[scan.end - offset]
    if scan.tail is not Tail.TORN or has_commit(read_at, scan.end, kernel_version, scan.last_transaction + 2):
        raise IntegrityError(
            f"{log_name(version)} of the source is damaged: {scan.reason or 'zeros, and then data again'}; "
            f"it is good up to transaction {scan.last_transaction}",
            remedy="Copy this server's files away before it is restarted; restore up to that transaction elsewhere.",
        )


def _scan(data: bytes, offset: int, header: LogHeader, start: int, tail: Span) -> Scan:
    """Scan bytes that were read at `offset` from `start` on."""

    def read_at(position: int, length: int) -> bytes:
        return data[position - offset : position - offset + length]

    return scan_log(read_at, header, resume=Scan(start, tail.transaction + 1, tail.checksum))


def _made(scan: Scan, data: bytes, version: int, offset: int) -> Stretch:
    end = scan.end
    last_start = scan.ends[-2] if len(scan.ends) > 1 else scan.start
    checksum, kernel_version = scan.last_checksum, scan.kernel_version
    if checksum is None or kernel_version is None:
        raise AssertionError("a scan that found a transaction knows its checksum and kernel version")
    return Stretch(
        pieces=(Piece(version=version, start=offset, length=end - offset),),
        data=data[: end - offset],
        first=scan.first_transaction,
        last=scan.last_transaction,
        first_commit_time=_moment(min(scan.commit_times)),
        last_commit_time=_moment(max(scan.commit_times)),
        kernel_version=kernel_version,
        tail=Span(transaction=scan.last_transaction, checksum=checksum, version=version, start=last_start, end=end),
    )


def _header(directory: Path, version: int, descriptor: int) -> LogHeader | None:
    where = str(directory / log_name(version))
    header = parse_header(os.pread(descriptor, LARGEST, 0), where)
    if header is not None:
        expect_version(header, version, where)
    return header


@contextmanager
def _opened(directory: Path, version: int) -> Iterator[int]:
    path = directory / log_name(version)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError as problem:
        raise ChainBroken(f"{path.name} was pruned before it was archived") from problem
    except OSError as problem:
        raise explain(problem, "read", path) from problem
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
