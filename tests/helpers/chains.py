"""Chains for tests: segments by hand, log files that grow, incremental backups of synthetic databases."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from helpers import txlog
from helpers.backups import SILENT
from helpers.database import log_files, some_bytes, write_tree
from neokeep.capture.backup import back_up
from neokeep.capture.options import CaptureOptions
from neokeep.capture.policy import FullPolicy
from neokeep.neo4j.log.names import log_name
from neokeep.repository.manifest import Span
from neokeep.repository.segment import Piece, SegmentHeader, SegmentName

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from helpers.database import Synthetic
    from helpers.txlog import BuiltLog
    from neokeep.reports import BackupReport
    from neokeep.repository.repository import Repository

NOW = datetime(2026, 11, 22, 17, 30, 15, tzinfo=UTC)
CHAIN = "neo4j-20261122-173015F"
NO_POLICY = FullPolicy()


def header(first: int, last: int, pieces: Sequence[Piece] = (), *, chain: str = CHAIN) -> SegmentHeader:
    return SegmentHeader(
        chain=chain,
        database="neo4j",
        store_id="a store",
        kernel_version=20,
        first=first,
        last=last,
        first_commit_time=NOW,
        last_commit_time=NOW,
        tail=Span(transaction=last, checksum=7, version=0, start=1, end=2),
        pieces=tuple(pieces),
        created_at=NOW,
    )


def named(first: int, last: int, *, chain: str = CHAIN, size: int = 1) -> SegmentName:
    return SegmentName(chain, first, last, size, bytes(32))


def span(log: BuiltLog, transaction: int) -> Span:
    """Where a transaction stands in a built log, with the checksum in its commit entry."""
    start, end = log.boundaries[(at := transaction - log.first_transaction)], log.ends[at]
    order = "little" if log.kernel >= 5 else "big"
    checksum = int.from_bytes(log.data[end - 4 : end], order)  # type: ignore[arg-type]
    return Span(transaction=transaction, checksum=checksum, version=log.version, start=start, end=end)


def put_logs(directory: Path, logs: Sequence[BuiltLog], zeros: int = 0) -> None:
    """Write log files; zeros stand behind the newest, as a server preallocates them."""
    directory.mkdir(parents=True, exist_ok=True)
    for log in logs:
        padding = bytes(zeros) if log is logs[-1] else b""
        (directory / log_name(log.version)).write_bytes(log.data + padding)


def moment_of(transaction: int) -> datetime:
    """When a built transaction was committed."""
    return datetime.fromtimestamp(txlog.commit_time(transaction) / 1000, UTC)


def commit_more(made: Synthetic, count: int = 3, *, rotate: bool = False, size: int = 300) -> None:
    """Let the database go on: some transactions more in its newest log file, or in a new one."""
    seed = made.logs[-1].last_transaction
    payloads = [some_bytes(1000 + seed + number, size + number) for number in range(count)]
    if rotate:
        made.logs.append(made.logs[-1].next(payloads))
    else:
        for payload in payloads:
            made.logs[-1].add(payload)
    checkpoint = made.log["checkpoint.0"]
    made.log = log_files(made.logs) | {"checkpoint.0": checkpoint}
    write_tree(made.log_directory, made.log)


def run_backup(
    made: Synthetic, repository: Repository, kind: str = "incremental", policy: FullPolicy = NO_POLICY
) -> BackupReport:
    options = CaptureOptions(type=kind, policy=policy, jobs=2, gentle=False)
    return back_up(made.source, repository, [made.database], options=options, progress=SILENT)


def checkpoint_in_the_last_file(made: Synthetic) -> None:
    """Write the log anew so that its newest checkpoint stands in its last file."""
    made.log = log_files(made.logs)
    made.write()
