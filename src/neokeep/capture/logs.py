"""Following the transaction log during a capture: nothing between checkpoint and end may be lost, whatever is pruned.

Every log file from the checkpoint's on is opened as soon as it appears; an open file survives pruning. Files that were
rotated away are stored and closed at once, so that no deleted file keeps disk space of the database. What is stored is
what was verified: the blocks are made from the very bytes in which every transaction was checked.
"""

from __future__ import annotations

import os
import threading
import time
from bisect import bisect_right
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from neokeep.capture.void import CaptureVoid
from neokeep.errors import IntegrityError, NeokeepError
from neokeep.files import explain, explained
from neokeep.neo4j.log.checkpoint import LogPosition
from neokeep.neo4j.log.header import LARGEST, LogHeader, expect_version, parse_header
from neokeep.neo4j.log.names import log_name, log_versions
from neokeep.neo4j.log.scan import Scan, Tail, has_commit, has_data, scan_log
from neokeep.repository.block import block_size
from neokeep.repository.manifest import FileEntry, LogPoint, Span

if TYPE_CHECKING:
    from pathlib import Path

    from neokeep.repository.writer import LendsWorkers, TakesBlocks

_POLL_SECONDS = 0.01
_LIVE_TRIES = 100
_LIVE_PAUSE_SECONDS = 0.02
LOG_MODE = 0o644


@dataclass(slots=True)
class _LogFile:
    """A log file that is held open until it is stored."""

    version: int
    descriptor: int

    def read_at(self, offset: int, length: int) -> bytes:
        with explained("read", log_name(self.version)):
            return os.pread(self.descriptor, length, offset)

    def has_data(self, offset: int) -> bool:
        with explained("read", log_name(self.version)):
            return has_data(self.descriptor, offset)


@dataclass(slots=True)
class FollowedLog:
    """The log from the checkpoint to the end: file entries in order, and what is known of begin and end.

    `torn` explains what stood behind the last complete transaction, where that was part of one.
    """

    entries: list[FileEntry] = field(default_factory=list)
    first_transaction: int = 0
    checkpoint_transaction: int = 0
    end: LogPosition = field(default_factory=lambda: LogPosition(0, 0))
    last_transaction: int = 0
    last_commit_time: int | None = None
    last_checksum: int | None = None
    kernel_version: int | None = None
    tail: Span | None = None
    opens: LogPoint | None = None
    torn: str = ""
    bytes_read: int = 0


class LogFollower:
    """Holds and stores the log files of one database from `position` on.

    `start` opens what is there and begins to watch; `finish` reads to the end, after the last store byte was read.
    """

    def __init__(self, directory: Path, position: LogPosition, writer: LendsWorkers) -> None:
        self._directory = directory
        self._position = position
        self._lent = ExitStack()
        self._worker = self._lent.enter_context(writer.worker())
        self._held: list[_LogFile] = []
        self._next_version = position.version
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="neokeep-log")
        self._failure: Exception | None = None
        self._log = FollowedLog()

    def start(self) -> None:
        """Open every log file from the checkpoint's on and begin to watch for new ones.

        Raises:
            CaptureVoid: the checkpoint's log file is gone: it was pruned a moment ago.
        """
        self._open_new()
        if not self._held:
            if max(log_versions(self._directory), default=-1) < self._position.version:
                raise IntegrityError(
                    f"the newest checkpoint points to {self._position}, a log file that never was there or was lost",
                    remedy="The server lost part of its transaction log; run Neo4j's own consistency check on it.",
                )
            raise CaptureVoid(f"{log_name(self._position.version)} was pruned")
        self._thread.start()

    def check(self) -> None:
        """Raise what went wrong in the watching thread, if anything did."""
        if self._failure is not None:
            raise self._failure

    def finish(self) -> FollowedLog:
        """Stop watching and take the rest of the log, up to its end at this moment.

        Raises:
            CaptureVoid: a log file was missed.
            IntegrityError: the log is damaged before its end.
        """
        self._stop()
        self.check()
        self._open_new()
        newest = max(log_versions(self._directory), default=0)
        if newest >= self._next_version:
            raise CaptureVoid(f"{log_name(self._next_version)} was pruned before it could be read")
        while len(self._held) > 1 and self._header(self._held[-1]) is None:
            os.close(self._held.pop().descriptor)  # made a moment ago, nothing in it yet
        while len(self._held) > 1:
            self._store_rotated()
        self._store_newest()
        return self._log

    def close(self) -> None:
        """Let go of everything."""
        self._stop()
        for file in self._held:
            os.close(file.descriptor)
        self._held = []
        self._lent.close()

    def _stop(self) -> None:
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _follow(self) -> None:
        try:
            while not self._stopping.wait(_POLL_SECONDS):
                self._open_new()
                # Two newer files: the rotation of this one is long complete.
                if len(self._held) > 2:
                    self._store_rotated()
        except (CaptureVoid, NeokeepError, OSError) as problem:
            self._failure = problem

    def _open_new(self) -> None:
        while True:
            path = self._directory / log_name(self._next_version)
            try:
                descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                self._expect_no_later(self._next_version)
                return
            except OSError as problem:
                raise explain(problem, "read", path) from problem
            self._held.append(_LogFile(self._next_version, descriptor))
            self._next_version += 1

    def _expect_no_later(self, missing: int) -> None:
        """A file after a missing one means that one was made and pruned between two looks."""
        later, expected = (self._directory / log_name(version) for version in (missing + 1, missing))
        with explained("look at", expected):
            skipped = later.exists() and not expected.exists()
        if skipped:
            raise CaptureVoid(f"{expected.name} was pruned before it could be read")

    def _header(self, file: _LogFile) -> LogHeader | None:
        where = str(self._directory / log_name(file.version))
        header = parse_header(file.read_at(0, LARGEST), where)
        if header is not None:
            expect_version(header, file.version, where)
        return header

    def _known_header(self, file: _LogFile) -> LogHeader:
        header = self._header(file)
        if header is None:
            raise CaptureVoid(f"{log_name(file.version)} has no header yet")
        if self._log.entries and header.last_transaction != self._log.last_transaction:
            raise IntegrityError(
                f"{log_name(file.version)} follows on transaction {header.last_transaction}, "
                f"the file before it ends with {self._log.last_transaction}",
                remedy="The transaction log has a gap: stop the server and run Neo4j's own consistency check.",
            )
        return header

    def _store_rotated(self) -> None:
        """Store the oldest held file, which has a successor, whole."""
        file = self._held[0]
        header = self._known_header(file)
        scan = scan_log(file.read_at, header, previous_checksum=self._log.last_checksum)
        if scan.tail in (Tail.TORN, Tail.DAMAGED):
            raise _damaged(file, scan)
        self._store(file, header, scan)

    def _store_newest(self) -> None:
        """Store the newest held file up to its last complete transaction at this moment."""
        file = self._held[0]
        header = self._known_header(file)
        scan = scan_log(file.read_at, header, previous_checksum=self._log.last_checksum)
        end = scan.end
        for _ in range(_LIVE_TRIES):
            # Progress tells a server at work from damage: behind damage nothing is ever found.
            if not self._doubtful(file, scan) or scan.end > end:
                break
            # The server may be writing right there: look again.
            time.sleep(_LIVE_PAUSE_SECONDS)
            scan = scan_log(file.read_at, header, resume=scan)
        else:
            self._require_torn(file, scan)
        self._store(file, header, scan)
        self._log.torn = scan.reason if scan.tail is Tail.TORN else ""

    def _doubtful(self, file: _LogFile, scan: Scan) -> bool:
        """Tell whether what stands behind the last transaction may be damage, or just be on its way."""
        if scan.tail is Tail.ZEROS:
            return file.has_data(scan.end)
        return scan.tail is not Tail.END_OF_FILE

    def _require_torn(self, file: _LogFile, scan: Scan) -> None:
        """Accept the half-written transaction of a crash; anything else behind the end is damage."""
        kernel_version = file.read_at(scan.end, 1)[:1] or b"\0"
        following = scan.last_transaction + 2
        if scan.tail is not Tail.TORN or has_commit(file.read_at, scan.end, kernel_version[0], following):
            raise _damaged(file, scan)

    def _store(self, file: _LogFile, header: LogHeader, found: Scan) -> None:
        """Store the first `found.end` bytes of a file, verifying the very bytes that are stored."""
        tee = _StoringReader(file, found.end, self._worker)
        scan = scan_log(tee.read_at, header, previous_checksum=self._log.last_checksum)
        ids = tee.finish()
        if scan.tail is not Tail.END_OF_FILE or scan.end != found.end:
            raise _damaged(file, scan)
        self._note(file, header, scan)
        content = self._worker.block_list(found.end, tee.block_size, ids)
        self._log.bytes_read += found.end
        self._log.entries.append(
            FileEntry(area="log", path=log_name(file.version), kind="log", mode=LOG_MODE, content=content)
        )
        os.close(file.descriptor)
        del self._held[0]

    def _note(self, file: _LogFile, header: LogHeader, scan: Scan) -> None:
        log = self._log
        if not log.entries:
            log.first_transaction = scan.first_transaction
            offset = max(self._position.offset, header.size)
            if not scan.is_boundary(offset):
                raise IntegrityError(
                    f"the newest checkpoint points to {self._position}, where no transaction ends; "
                    f"the log ends at {scan.end}",
                    remedy="The server lost part of its transaction log; run Neo4j's own consistency check on it.",
                )
            log.checkpoint_transaction = scan.first_transaction + bisect_right(scan.ends, offset) - 1
        if log.opens is None and scan.ends:
            log.opens = _opening(file.version, scan, max(log.checkpoint_transaction, scan.first_transaction))
        log.end = LogPosition(file.version, scan.end)
        log.last_transaction = scan.last_transaction
        log.last_checksum = scan.last_checksum
        if scan.ends and scan.last_checksum is not None:
            start = scan.ends[-2] if len(scan.ends) > 1 else scan.start
            log.tail = Span(
                transaction=scan.last_transaction,
                checksum=scan.last_checksum,
                version=file.version,
                start=start,
                end=scan.end,
            )
            log.last_commit_time = scan.commit_times[-1]
            log.kernel_version = scan.kernel_version


class _StoringReader:
    """Hands a file to a scan piece by piece and stores every byte of it on the way."""

    def __init__(self, file: _LogFile, end: int, worker: TakesBlocks) -> None:
        self.block_size = block_size(end)
        self._file = file
        self._end = end
        self._worker = worker
        self._position = 0
        self._pending = b""
        self._ids = bytearray()

    def read_at(self, offset: int, length: int) -> bytes:
        """Read on; the scan reads strictly forward, from behind the header."""
        start = self._position
        data = self._file.read_at(start, max(0, min(offset + length, self._end) - start))
        self._position += len(data)
        self._put(data)
        return data[offset - start :]

    def finish(self) -> bytes:
        """Store what is left and return all block ids."""
        while self._position < self._end and self.read_at(self._position, 1 << 20):
            continue
        if self._pending:
            self._ids += self._worker.put([memoryview(self._pending)])
            self._pending = b""
        return bytes(self._ids)

    def _put(self, data: bytes) -> None:
        view = memoryview(self._pending + data)
        whole = len(view) // self.block_size * self.block_size
        if whole:
            self._ids += self._worker.put([view[at : at + self.block_size] for at in range(0, whole, self.block_size)])
        self._pending = bytes(view[whole:])


def _opening(version: int, scan: Scan, transaction: int) -> LogPoint:
    """Describe the oldest transaction whose state can be had: the one before recovery starts, if the log has it."""
    at = transaction - scan.first_transaction
    moment = datetime.fromtimestamp(scan.commit_times[at] / 1000, UTC)
    return LogPoint(version=version, offset=scan.ends[at], transaction=transaction, commit_time=moment)


def _damaged(file: _LogFile, scan: Scan) -> IntegrityError:
    what = scan.reason or f"after {scan.end} come {scan.tail.value} and then data again"
    return IntegrityError(
        f"{log_name(file.version)} of the source is damaged: {what}; "
        f"it is good up to transaction {scan.last_transaction}",
        remedy="Do not restart this server before its files are copied away; restore the newest good backup elsewhere.",
    )
