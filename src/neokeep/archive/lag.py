"""How far the archive is behind a server: what is committed there and not yet durable here."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from neokeep.capture.chain import ChainBroken, read_on
from neokeep.errors import NeokeepError
from neokeep.files import explained
from neokeep.neo4j.log.header import LARGEST, parse_header
from neokeep.neo4j.log.names import log_name, log_versions
from neokeep.neo4j.log.scan import Scan, scan_log

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from neokeep.capture.chain import Stretch
    from neokeep.repository.manifest import Span

_A_LITTLE = 64 * 1024
"""Bytes of log that are read to find the oldest transaction that waits."""


@dataclass(frozen=True, slots=True)
class Lag:
    """Transactions that wait, their bytes in the log, and since how many seconds the oldest of them is committed."""

    transactions: int = 0
    bytes: int = 0
    seconds: float = 0.0

    def and_behind(self, stretch: Stretch, now: datetime) -> Lag:
        """Add log that waits too, behind what is counted already."""
        age = max(0.0, (now - stretch.first_commit_time).total_seconds())
        return Lag(
            self.transactions + stretch.last - stretch.first + 1,
            self.bytes + len(stretch.data),
            max(self.seconds, age),
        )


NONE = Lag()


def lag_behind(directory: Path, tail: Span, now: datetime) -> Lag | None:
    """Find what waits behind a chain; None where the log does not tell.

    However much that is, only the oldest of it and the newest log file are read: complete files count by their size.
    """
    try:
        oldest = next(read_on(directory, tail, _A_LITTLE, patient=False), None)
        if oldest is None:
            return NONE
        transactions, size = _behind(directory, tail)
    except (ChainBroken, NeokeepError):
        return None
    return Lag(transactions, size, max(0.0, (now - oldest.first_commit_time).total_seconds()))


def _behind(directory: Path, tail: Span) -> tuple[int, int]:
    """Count transactions and bytes behind `tail`."""
    versions = [version for version in log_versions(directory) if version >= tail.version]
    for newest in reversed(versions):
        path = directory / log_name(newest)
        with explained("read", path), path.open("rb", buffering=0) as file:
            descriptor = file.fileno()

            def read_at(offset: int, length: int, descriptor: int = descriptor) -> bytes:
                return os.pread(descriptor, length, offset)

            header = parse_header(read_at(0, LARGEST), str(path))
            if header is None:
                continue  # The server has made it a moment ago.
            same = newest == tail.version
            scan = scan_log(
                read_at, header, resume=Scan(tail.end, tail.transaction + 1, tail.checksum) if same else None
            )
            complete = sum(os.stat(directory / log_name(version)).st_size for version in versions if version < newest)
        return scan.last_transaction - tail.transaction, complete + scan.end - tail.end
    return 0, 0
