"""Compiled: reading the numbers of a log, and writing those of the stores.

Whoever reads has looked before whether the bytes are there: nothing is checked here.
"""

from __future__ import annotations

import numpy as np

from neokeep.neo4j.recovery.compiled import Bytes, Output, compiled_part


@compiled_part
def byte(data: Bytes, at: int) -> int:
    """Read a byte as a number that arithmetic does not turn into something else."""
    return np.int64(data[at])


@compiled_part
def int4(data: Bytes, at: int, big: bool) -> int:
    """Read four bytes, signed."""
    value = np.int64(0)
    for step in range(4):
        value = value << 8 | np.int64(data[at + step if big else at + 3 - step])
    return value - (1 << 32) if value >= 1 << 31 else value


@compiled_part
def int8(data: Bytes, at: int, big: bool) -> int:
    """Read eight bytes, signed."""
    value = np.int64(0)
    for step in range(8):
        value = value << 8 | np.int64(data[at + step if big else at + 7 - step])
    return value


@compiled_part
def put(out: Output, at: int, value: int, size: int) -> None:
    """Write the low bytes of a number, big endian."""
    for step in range(size - 1, -1, -1):
        out[at + step] = np.uint8(value & 255)
        value >>= 8


@compiled_part
def high(reference: int, bits: int) -> int:
    """Give the bits of a reference above the low 32; none for 'no reference', whose low bits are all ones."""
    return 0 if reference < 0 else (reference >> 32) & ((1 << bits) - 1)


@compiled_part
def fits(data: Bytes, at: int, count: int, big: bool) -> bool:
    """Tell whether references of eight bytes, one behind the other, are none (-1) or of 35 bits."""
    for step in range(count):
        reference = int8(data, at + 8 * step, big)
        if reference < -1 or reference >> 35 > 0:
            return False
    return True


@compiled_part
def refers(reference: int) -> bool:
    """Tell whether a reference to a property or to a dynamic record is none (-1) or of 36 bits."""
    return reference >= -1 and reference >> 36 <= 0
