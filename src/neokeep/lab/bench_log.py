"""How fast the boundaries of a transaction log are found, on one core.

The logs are made here, always the same: each kernel version writes its own entries, what is between them is noise,
zeros and -1 in about the shares that commands have. Real logs of the same sizes are read about as fast.
"""

from __future__ import annotations

import os
import random
import statistics
import time
from typing import TYPE_CHECKING

from crc32c import crc32c

from neokeep.lab.measure import listed
from neokeep.neo4j.log import entries
from neokeep.neo4j.log.header import BASE_CHECKSUM, LogHeader
from neokeep.neo4j.log.scan import Tail, scan_log

if TYPE_CHECKING:
    from pathlib import Path

RUNS = 5
SIZE = 64 * 1024 * 1024
KERNEL_VERSIONS = {4: "4.4", 20: "5.26", 32: "2026.08"}
TRANSACTION_SIZES = (180, 600, 5_000)
"""One node with a property; two nodes, a relationship and some properties; a batch of twenty-five nodes."""

_HEADER = LogHeader(format=9, version=0, last_transaction=1, last_append_index=1, store_id=b"", size=128)
_TIME = 1_750_000_000_000
_RECORD = 40
_LEAST_SECONDS = 1e-9


def boundary_scan(folder: Path, size: int = SIZE, runs: int = RUNS) -> None:
    """Make a log of each kind in a folder, find its boundaries some times, and print megabytes per second."""
    print(f"{'boundaries of a log':<28} {'MB/s':>8} {'transactions':>13}   one core, {size >> 20} MiB, CRC checked")
    for kernel_version, name in KERNEL_VERSIONS.items():
        for transaction_size in TRANSACTION_SIZES:
            path = folder / f"boundaries-{name}-{transaction_size}"
            count = write_log(path, kernel_version, transaction_size, size)
            values = [_megabytes_per_second(path, count) for _ in range(runs)]
            path.unlink()
            title = f"{name}, {transaction_size} bytes each"
            print(f"  {title:<26} {statistics.median(values):8.0f} {count:13}   {listed(values)}", flush=True)
    print()


def write_log(path: Path, kernel_version: int, transaction_size: int, size: int) -> int:
    """Write a log file of about a size, and zeros behind it; return how many transactions it holds."""
    chance = random.Random(1)  # noqa: S311 -- repeatable, not secret
    noise = b"".join(_record(chance) for _ in range(4096))
    start, commit = entries.start_layout(kernel_version), entries.commit_layout(kernel_version)
    between = max(0, transaction_size - start.size - entries.COMMIT_SIZE - 2)
    checksum, transaction, written = BASE_CHECKSUM, _HEADER.last_transaction, _HEADER.size
    with path.open("wb") as file:
        file.write(bytes(_HEADER.size))
        while written < size:
            transaction += 1
            at = chance.randrange(len(noise) - between)
            body = b"".join(
                (
                    _start_entry(kernel_version, start, transaction, checksum),
                    bytes((kernel_version, entries.COMMAND)),
                    noise[at : at + between],
                    commit.prefix,
                    commit.fields.pack(transaction, _TIME + transaction, 0)[: -entries.CHECKSUM_SIZE],
                )
            )
            checksum = crc32c(body)
            written += file.write(body + commit.fields.pack(0, 0, checksum)[-entries.CHECKSUM_SIZE :])
        file.write(bytes(1 << 20))
    return transaction - _HEADER.last_transaction


def _start_entry(kernel_version: int, layout: entries.StartLayout, transaction: int, checksum: int) -> bytes:
    values = [-1] * (len(layout.fields.format) - 1)
    values[0], values[1], values[-1] = _TIME + transaction, transaction - 1, 0
    if layout.previous_checksum is not None:
        values[layout.previous_checksum] = checksum
    if layout.append_index is not None:
        values[layout.append_index] = transaction
    return bytes((kernel_version, entries.START)) + layout.fields.pack(*values)


def _record(chance: random.Random) -> bytes:
    """Some bytes as a command has them: flags, ids with leading zeros, -1 for what is not there, a value."""
    value = chance.randbytes(chance.randrange(1, 12))
    return (bytes([chance.randrange(4)]) + bytes(5) + value + b"\xff" * 8).ljust(_RECORD, b"\0")


def _megabytes_per_second(path: Path, count: int) -> float:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        began = time.process_time()
        scan = scan_log(lambda offset, length: os.pread(descriptor, length, offset), _HEADER)
        # Of a log that is read in no time the clock may not have moved.
        seconds = max(time.process_time() - began, _LEAST_SECONDS)
    finally:
        os.close(descriptor)
    if (scan.tail, len(scan.ends)) != (Tail.ZEROS, count):
        raise AssertionError(f"{path} holds {count} transactions, {len(scan.ends)} were found: {scan.reason}")
    return scan.end / seconds / 1e6
