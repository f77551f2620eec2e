"""The values in `neostore` that recovery sets: those of metadata commands, and in 4.x where the log ends.

One page of slots of nine bytes, in-use byte and value, big endian. Since 5.0 the end of the log is in the checkpoint
record alone. Layout: docs/neo4j-formats.md.
"""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING

from neokeep.files import explained, write_all

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from neokeep.neo4j.log.checkpoint import CheckpointedTransaction, LogPosition

_SLOT = struct.Struct(">Bq")
_FIRST_WITHOUT_LOG_STATE = 5
_LOG_VERSION, _LAST_TRANSACTION, _LAST_CHECKSUM = 2, 3, 9
LAST_CONSTRAINT = 6
"""The slot with the transaction that made the newest constraint, in 4.x.

After undoing it is a transaction that is not later than the last one.
"""
_CLOSED_VERSION, _CLOSED_OFFSET, _COMMIT_TIME, _KERNEL_VERSION = 11, 12, 13, 19


def write_slots(
    path: Path, metadata: Mapping[int, int], position: LogPosition, transaction: CheckpointedTransaction
) -> None:
    """Set the values of metadata commands, and of the end of the log where the version keeps it here."""
    values = dict(metadata)
    if transaction.kernel_version < _FIRST_WITHOUT_LOG_STATE:
        values |= {
            _LOG_VERSION: position.version,
            _LAST_TRANSACTION: transaction.id,
            _LAST_CHECKSUM: transaction.checksum - (1 << 32) * (transaction.checksum >> 31),
            _CLOSED_VERSION: position.version,
            _CLOSED_OFFSET: position.offset,
            _COMMIT_TIME: transaction.commit_time,
            _KERNEL_VERSION: transaction.kernel_version,
        }
    if not values:
        return
    with explained("write", path):
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            if transaction.kernel_version < _FIRST_WITHOUT_LOG_STATE and LAST_CONSTRAINT not in metadata:
                # It may be of a transaction that was undone.
                used, last = _SLOT.unpack(os.pread(descriptor, _SLOT.size, LAST_CONSTRAINT * _SLOT.size))
                values |= {LAST_CONSTRAINT: min(last, transaction.id)} if used else {}
            for slot, value in values.items():
                write_all(descriptor, _SLOT.pack(1, value), slot * _SLOT.size)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
