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

from neokeep.errors import IntegrityError, SourceError
from neokeep.files import explain, explained
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

_STEP = 1024 * 1024
_QUIET = bytes(512)
"""Zeros at the end of a step stand for the preallocated rest of the file; reading stops there to look."""

_LIVE_TRIES = 25
_LIVE_PAUSE_SECONDS = 0.02


class ChainBroken(Exception):
    """The chain cannot go on; the text says why. A new full backup begins a new one."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Some verified log: its pieces and bytes, its transactions, and where it ends.

    `follows` is the checksum of the transaction before it; `more` tells that something stood behind it, `full` that it
    was cut because the limit was reached.
    """

    pieces: tuple[Piece, ...]
    data: bytes
    first: int
    last: int
    first_commit_time: datetime
    last_commit_time: datetime
    kernel_version: int
    follows: int
    tail: Span
    more: bool
    full: bool


def require_unbroken(directory: Path, tail: Span, *, whole: bool = True) -> None:
    """Prove that the source's log still holds the last archived transaction, with the same content.

    The checksum in the commit entry stands for the content. Only a first look need compute it anew from the `whole`
    transaction.

    Raises:
        ChainBroken: the log was pruned, set back, replaced, or forked.
    """
    versions = log_versions(directory)
    if not versions and not os.path.isdir(directory):
        raise SourceError(
            f"there is no directory of transaction logs {directory}",
            remedy="If it is on a disk of its own, mount that again; check the log directory in neo4j.conf.",
        )
    if tail.version not in versions:
        if versions and versions[0] > tail.version:
            raise ChainBroken(f"{log_name(tail.version)}, in which the last archived transaction stands, was pruned")
        raise ChainBroken(f"the log went back: {log_name(tail.version)} is not there any more")
    start = tail.start if whole else tail.end - entries.COMMIT_SIZE
    with _opened(directory, tail.version) as descriptor:
        data = os.pread(descriptor, tail.end - start, start)
    if len(data) < tail.end - start or not any(data[-entries.COMMIT_SIZE :]):
        raise ChainBroken(f"the log went back before transaction {tail.transaction}")
    layout = entries.commit_layout(data[0]) if entries.is_known(data[0]) else None
    if layout is not None:
        found, _, checksum = layout.fields.unpack_from(data, len(data) - entries.COMMIT_SIZE + 2)
        same = (found, checksum) == (tail.transaction, tail.checksum)
        if same and (not whole or crc32c(data[: -entries.CHECKSUM_SIZE]) == checksum):
            return
    raise ChainBroken(f"history forked: transaction {tail.transaction} of the source is not the archived one")


def read_on(
    directory: Path, tail: Span, limit: int = SEGMENT_SIZE, *, patient: bool = True, stop: Span | None = None
) -> Iterator[Stretch]:
    """Read all complete transactions behind `tail`, in stretches of about `limit` bytes; none behind `stop`.

    Ends with what was complete when it began or a little later: a server that never rests does not keep it going.
    Behind the last complete transaction may stand half of one, or zeros and then data again. A `patient` reader waits
    a moment and tells a server at work from damage; one that comes back in a second need not.

    Raises:
        ChainBroken: a log file is missing or does not follow on the one before.
        IntegrityError: the log is damaged.
    """
    version, offset = tail.version, tail.end
    looked_again = False
    while stop is None or (version, offset) < (stop.version, stop.end):
        end = stop.end if stop is not None and stop.version == version else None
        stretch = _stretch(directory, version, offset, tail, limit, _LIVE_TRIES if patient else 0, end)
        if stretch is not None:
            yield stretch
            tail, looked_again = stretch.tail, False
            offset = tail.end
            if stretch.more or max(log_versions(directory), default=0) > version:
                continue
            return
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


def nothing_behind(directory: Path, version: int, offset: int) -> bool:
    """Tell whether the log still ends where it ended, which a chain without any transaction cannot tell by itself."""
    if max(log_versions(directory), default=-1) != version:
        return False
    with _opened(directory, version) as descriptor:
        return not has_data(descriptor, offset)


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


def _stretch(
    directory: Path, version: int, offset: int, tail: Span, limit: int, tries: int, stop: int | None
) -> Stretch | None:
    """Read complete transactions of one file from an offset on, none behind `stop`; None when there is none."""
    with _opened(directory, version) as descriptor:
        header = _header(directory, version, descriptor)
        if header is None:
            return None
        while True:
            scan, data = _read(descriptor, header, offset, tail, limit, stop)
            only_zeros = scan.tail is Tail.ZEROS and not (tries and has_data(descriptor, scan.end))
            more = scan.tail is not Tail.END_OF_FILE and not only_zeros
            if scan.ends:
                full = len(data) >= limit
                return _made(scan, data, version, offset, tail, more=more or full, full=full)
            if not (more and tries):
                return None
            # Half a transaction: the server may be writing it right now.
            time.sleep(_LIVE_PAUSE_SECONDS)
            tries -= 1
            if not tries:
                _require_torn(scan, data, version, offset)
                return None


def _read(
    descriptor: int, header: LogHeader, offset: int, tail: Span, limit: int, stop: int | None
) -> tuple[Scan, bytes]:
    """Read so much from an offset on that a transaction is complete, if there is one."""
    start = max(offset, header.size)
    data, size = bytearray(), min(_STEP, limit)
    while True:
        at = offset + len(data)
        step = os.pread(descriptor, size if stop is None else min(size, stop - at), at)
        data += step
        if len(step) == size and not step.endswith(_QUIET) and len(data) < limit:
            continue
        content = bytes(data)
        scan = _scan(content, offset, header, start, tail)
        # Nothing complete although more follows: one transaction larger than a segment, or zeros inside of one.
        if scan.ends or len(step) < size or scan.tail is not Tail.TORN:
            return scan, content
        if not has_data(descriptor, offset + len(data)) or offset + len(data) == stop:
            return scan, content
        limit = max(limit, 2 * len(data))


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


def _made(scan: Scan, data: bytes, version: int, offset: int, before: Span, *, more: bool, full: bool) -> Stretch:
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
        follows=before.checksum,
        more=more,
        full=full,
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
        with explained("read", path):
            yield descriptor
    finally:
        os.close(descriptor)


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
