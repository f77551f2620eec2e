"""Logs that try to mislead a reader: payloads that look like log, forged commit entries, damage of every kind."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from crc32c import crc32c
from hypothesis import strategies as st

from helpers import txlog
from helpers.txlog import BuiltLog, build_log, fake_commit, order

if TYPE_CHECKING:
    from collections.abc import Callable

    from neokeep.neo4j.log.scan import ReadAt

FAMILIES = (4, 16, 20, 22, 32)
"""A kernel version of each layout: big endian; chained; chained and numbered; numbered; with sequence numbers."""

ALL_KERNELS = st.integers(2, 32)
FORGED_TIME = 5


class CountingReader:
    """Hands out a file and counts how much of it, and how often."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.handed_out = self.calls = 0

    def __call__(self, offset: int, length: int) -> bytes:
        piece = self.data[offset : offset + length]
        self.handed_out += len(piece)
        self.calls += 1
        return piece


def growing(versions: list[bytes]) -> ReadAt:
    """A file that is another one at each look."""
    left = iter(versions)
    last = versions[-1]

    def read_at(offset: int, length: int) -> bytes:
        return next(left, last)[offset : offset + length]

    return read_at


def payloads(kernel: int, following: int) -> st.SearchStrategy[bytes]:
    """Bytes that look like pieces of a log."""
    pieces = [
        st.binary(max_size=12),
        st.builds(fake_commit, st.just(kernel), st.integers(following - 1, following + 2)),
        st.just(txlog.commit_prefix(kernel, following)),
        st.just(bytes([kernel, 1])),
        st.just(bytes([kernel, 5])),
        st.integers(0, 40).map(bytes),
    ]
    return st.lists(st.one_of(pieces), max_size=6).map(b"".join)


@st.composite
def hostile_logs(
    draw: st.DrawFn, kernels: st.SearchStrategy[int] = ALL_KERNELS, least: int = 0, most: int = 5
) -> BuiltLog:
    kernel = draw(kernels)
    built = build_log(kernel, version=draw(st.integers(0, 1 << 40)), last_before=draw(st.integers(1, 1 << 50)))
    for number in range(draw(st.integers(least, most))):
        extra = draw(st.binary(max_size=30)) if number == 1 else b""
        built.add(draw(payloads(kernel, built.last_transaction + 1)), extra)
    return built


def checksum(kernel: int, body: bytes) -> bytes:
    return struct.pack(order(kernel) + "I", crc32c(body))


def forged_end(kernel: int, transaction: int, before: bytes) -> bytes:
    """A commit entry inside of a transaction whose checksum holds for all that stands before it there."""
    entry = txlog.commit_prefix(kernel, transaction) + struct.pack(order(kernel) + "q", FORGED_TIME)
    return entry + checksum(kernel, before + entry)


def forged_transaction(built: BuiltLog, before: bytes, transaction: int) -> bytes:
    """A whole transaction that follows on a forged end, to be hidden inside of a real one."""
    previous = int(struct.unpack(order(built.kernel) + "I", before[-4:])[0])
    return txlog.transaction_bytes(built.kernel, transaction, b"forged", previous, transaction)


def add_forged(built: BuiltLog, inside: bytes, behind: Callable[[bytes], bytes]) -> None:
    """Add a transaction that seems to end after `inside`; `behind` makes the rest from what stands before it."""
    number = built.last_transaction + 1
    start = txlog.start_entry(built.kernel, number, built.last_checksum, number) + bytes([built.kernel, 3])
    forged = inside + forged_end(built.kernel, number, start + inside)
    built.add(forged + behind(start + forged))


def overwritten(data: bytes, at: int, damage: bytes) -> bytes:
    return (data[:at] + damage + data[at + len(damage) :])[: max(len(data), at)]


def intact(built: BuiltLog, damaged: bytes) -> list[int]:
    """The ends of the transactions before the first damaged byte."""
    return [end for end in built.ends if damaged[:end] == built.data[:end]]
