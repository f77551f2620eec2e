"""Compiled: numbers in records, sets of ids, fingerprints of claims, and characters of UTF-8.

Numbers are int64 throughout: products wrap around, and what is shifted right is masked.
"""

from __future__ import annotations

from neokeep.consistency import claims
from neokeep.neo4j.recovery.bits import byte
from neokeep.neo4j.recovery.compiled import Bytes, compiled_part


def _signed(number: int) -> int:
    return number - (1 << 64) if number >> 63 else number


NONE = -1
BAD = -1
_NO_REFERENCE = 0xFFFFFFFF
_ONE, _TWO, _THREE, _FOUR = (_signed(number) for number in claims.MULTIPLIERS)
_START, _FIRST, _SECOND = (_signed(number) for number in (claims.START, claims.FIRST, claims.SECOND))
_BEHIND_30, _BEHIND_27, _BEHIND_31 = (1 << 34) - 1, (1 << 37) - 1, (1 << 33) - 1


@compiled_part
def number4(data: Bytes, at: int) -> int:
    """Read four bytes, without sign."""
    return byte(data, at) << 24 | byte(data, at + 1) << 16 | byte(data, at + 2) << 8 | byte(data, at + 3)


@compiled_part
def long(data: Bytes, at: int) -> int:
    """Read eight bytes: all bits, of which the highest is the sign."""
    return number4(data, at) << 32 | number4(data, at + 4)


@compiled_part
def reference(data: Bytes, at: int, high: int) -> int:
    """Put a reference together of four bytes and its high bits; NONE where it is none."""
    whole = number4(data, at) | high << 32
    return NONE if whole == _NO_REFERENCE else whole


@compiled_part
def holds(bits: Bytes, number: int) -> bool:
    """Tell whether an id that is not too large is in a set (see Marks)."""
    return byte(bits, number >> 3) >> (number & 7) & 1 != 0


@compiled_part
def mixed(first: int, second: int, third: int, fourth: int) -> int:
    """Give the fingerprint of a claim: see claims.fingerprints; what has fewer columns has zeros."""
    value = _START + first * _ONE + second * _TWO + third * _THREE + fourth * _FOUR
    value = (value ^ (value >> 30 & _BEHIND_30)) * _FIRST
    value = (value ^ (value >> 27 & _BEHIND_27)) * _SECOND
    return value ^ (value >> 31 & _BEHIND_31)


@compiled_part
def character(state: int, value: int) -> int:
    """Take a byte of a text: 0 between characters, BAD where it is no UTF-8, else what has to come.

    That is how many bytes, and the lowest and the highest value of the next (Unicode 15, table 3-7).
    """
    if state == 0:
        if value < 0x80:
            return 0
        if value < 0xC2 or value > 0xF4:
            return BAD
        low, high = 0x80, 0xBF
        if value == 0xE0:
            low = 0xA0
        if value == 0xED:
            high = 0x9F
        if value == 0xF0:
            low = 0x90
        if value == 0xF4:
            high = 0x8F
        more = 1 if value < 0xE0 else 2 if value < 0xF0 else 3
        return more | low << 8 | high << 16
    if value < (state >> 8 & 255) or value > state >> 16:
        return BAD
    more = (state & 255) - 1
    return 0 if more == 0 else more | 0x80 << 8 | 0xBF << 16
