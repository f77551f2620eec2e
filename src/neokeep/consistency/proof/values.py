"""Compiled: whether the blocks of property records hold values that can be read.

What is said here of each type is what neo4j/store/blocks.py decodes; a test compares the two.
"""

from __future__ import annotations

from neokeep.consistency.proof.bits import BAD, character, long
from neokeep.neo4j.recovery.compiled import Bytes, compiled_part
from neokeep.neo4j.store.values import Kind, TemporalKind

LONGS = 4
STRING, ARRAY = int(Kind.STRING), int(Kind.ARRAY)
_LONG, _DOUBLE = int(Kind.LONG), int(Kind.DOUBLE)
_SHORT_STRING, _SHORT_ARRAY = int(Kind.SHORT_STRING), int(Kind.SHORT_ARRAY)
_POINT, _TEMPORAL = int(Kind.POINT), int(Kind.TEMPORAL)
_LOCAL_TIME, _TIME = int(TemporalKind.LOCAL_TIME), int(TemporalKind.TIME)
_DATE_TIME, _DURATION = int(TemporalKind.DATE_TIME), int(TemporalKind.DURATION)
_TEXT_BIT, _ARRAY_BIT = 39, 44
_UTF_8, _LATIN_1, _LOWER_WITH_GAP, _ENCODINGS = 0, 10, 6, 13
_SIXES, _EACH_SIX = 10, 0x0041_0410_4104_1041
"""So many characters of six bits are taken together, of which these are the lowest bits."""
_LAST_NUMBER = int(Kind.DOUBLE)


@compiled_part
def _bits(data: Bytes, at: int, first: int, width: int) -> int:
    """Take a number of some bits out of longs, the least significant first; it may lie in two of them.

    Bits behind the fourth long are zeros.
    """
    place, shift = at + 8 * (first >> 6), first & 63
    value = long(data, place) >> shift
    if shift != 0:
        value &= (1 << (64 - shift)) - 1
    if shift + width > 64 and first < 64 * (LONGS - 1):
        value |= long(data, place + 8) << (64 - shift)
    return value & (1 << width) - 1


@compiled_part
def _has_no_gap(data: Bytes, at: int, length: int) -> bool:
    """Tell whether no character of six bits is one of 27 to 31, ten at a time."""
    for begin in range(0, length, _SIXES):
        some = _bits(data, at, _TEXT_BIT + 6 * begin, 6 * _SIXES)
        if length - begin < _SIXES:
            some &= (1 << 6 * (length - begin)) - 1
        low = (some & some >> 1 | some >> 2) & some >> 3 & some >> 4 & ~(some >> 5)
        if low & _EACH_SIX != 0:
            return False
    return True


@compiled_part
def _short_string(data: Bytes, at: int, room: int, head: int) -> int:
    encoding, length = head >> 28 & 31, head >> 33 & 63
    if encoding >= _ENCODINGS:
        return BAD
    width = 6
    if encoding == _UTF_8 or encoding == _LATIN_1:
        width = 8
    elif encoding <= 2 or encoding >= 11:
        width = 4
    elif encoding <= 5:
        width = 5
    elif encoding == 9:
        width = 7
    count = (_TEXT_BIT + length * width + 63) // 64
    if count > room:
        return BAD
    if encoding == _LOWER_WITH_GAP:
        return count if _has_no_gap(data, at, length) else BAD
    if encoding == _UTF_8:
        state = 0
        for step in range(length):
            state = character(state, _bits(data, at, _TEXT_BIT + step * width, width))
            if state == BAD:
                return BAD
        if state != 0:
            return BAD
    return count


@compiled_part
def _moment(data: Bytes, at: int, room: int, head: int, zones: int) -> int:
    which = head >> 28 & 15
    if which < 1 or which > _DURATION:
        return BAD
    if which <= _LOCAL_TIME:
        return 1 if head >> 32 & 1 != 0 else 2
    if which <= _TIME:
        return 2
    if which == _DURATION:
        return 4
    if room < 3:
        return BAD
    zone = long(data, at + 16)
    if head >> 32 & 1 == 0 and (zone < 0 or zone >= zones):
        return BAD
    return 3


@compiled_part
def block_longs(data: Bytes, at: int, room: int, zones: int) -> int:
    """Look at the block that begins at an offset, of `room` longs at most: how many it takes, or BAD."""
    head = long(data, at)
    kind = head >> 24 & 15
    count = 1
    if kind == _LONG:
        count = 1 if head >> 28 & 1 != 0 else 2
    elif kind == _DOUBLE:
        count = 2
    elif kind == _SHORT_STRING:
        count = _short_string(data, at, room, head)
    elif kind == _SHORT_ARRAY:
        width = head >> 38 & 63
        count = (_ARRAY_BIT + (head >> 32 & 63) * (width if width != 0 else 64) + 63) // 64
        if not 1 <= head >> 28 & 15 <= _LAST_NUMBER:
            return BAD
    elif kind == _POINT:
        dimension = head >> 32 & 15
        count = 1 + dimension
        if head >> 28 & 15 != 1 or dimension < 2 or dimension > 3:
            return BAD
    elif kind == _TEMPORAL:
        count = _moment(data, at, room, head, zones)
    elif kind > _TEMPORAL:
        return BAD
    return count if count <= room else BAD
