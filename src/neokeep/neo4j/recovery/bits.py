"""Compiled: reading the numbers of a log, and writing those of the stores.

Whoever reads has looked before whether the bytes are there: nothing is checked here.
"""

from __future__ import annotations

import numpy as np

from neokeep.neo4j.recovery.compiled import Bytes, Output, compiled_part


@compiled_part
def byte(data: Bytes, at: int) -> int:
    """Read a byte as a number that arithmetic does not turn into something else."""
    # An unsigned index is not looked at for being negative: that keeps the compiler from joining loads and stores.
    return np.int64(data[np.uint64(at)])


@compiled_part
def int4(data: Bytes, at: int, big: bool) -> int:
    """Read four bytes, signed."""
    # Written out, so that the compiler makes one load of it.
    first, second, third, fourth = byte(data, at), byte(data, at + 1), byte(data, at + 2), byte(data, at + 3)
    if big:
        value = first << 24 | second << 16 | third << 8 | fourth
    else:
        value = fourth << 24 | third << 16 | second << 8 | first
    return (value ^ 0x80000000) - 0x80000000


@compiled_part
def int8(data: Bytes, at: int, big: bool) -> int:
    """Read eight bytes, signed."""
    first, second = int4(data, at, big), int4(data, at + 4, big)
    if big:
        return first << 32 | second & 0xFFFFFFFF
    return second << 32 | first & 0xFFFFFFFF


@compiled_part
def put(out: Output, at: int, value: int, size: int) -> None:
    """Write the low bytes of a number, big endian."""
    for step in range(size - 1, -1, -1):
        out[np.uint64(at + step)] = np.uint8(value & 255)
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
