"""Arrays: short ones that stand in property blocks, and those whose bytes are in dynamic records.

Numbers and flags become numpy arrays of the type that was stored, all else tuples. Bytes that are no array raise
NotAnArray. Layouts: docs/neo4j-formats.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from neokeep.neo4j.store.texts import bits_at
from neokeep.neo4j.store.values import (
    Date,
    DateTime,
    Duration,
    Kind,
    LocalDateTime,
    LocalTime,
    Point,
    Temporal,
    TemporalKind,
    Time,
)
from neokeep.neo4j.store.zones import zone_names

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from neokeep.neo4j.store.pages import Bytes
    from neokeep.neo4j.store.records import Longs

FIRST_BIT = 44
"""Where the elements of a short array begin."""

_AT_ONCE = 1 << 16
_NUMBERS_HEAD = 3
_POINT_HEAD = 6
_TYPES: dict[int, tuple[type[np.generic], type[np.generic]]] = {
    Kind.BOOLEAN: (np.uint8, np.bool_),
    Kind.BYTE: (np.uint8, np.int8),
    Kind.SHORT: (np.uint16, np.int16),
    Kind.CHARACTER: (np.uint16, np.uint16),
    Kind.INTEGER: (np.uint32, np.int32),
    Kind.LONG: (np.uint64, np.int64),
    Kind.FLOAT: (np.uint32, np.float32),
    Kind.DOUBLE: (np.uint64, np.float64),
}
"""Of each kind of number the type in which its bits stand, and what they mean."""


class NotAnArray(Exception):
    """Bytes that are no array; the message says why."""


def short_array(longs: Longs) -> NDArray[Any] | tuple[str, ...]:
    """Decode the block of a short array: uint64, its longs, zeros behind them."""
    head = int(longs[0])
    kind, length, width = head >> 28 & 15, head >> 32 & 63, head >> 38 & 63 or 64
    if FIRST_BIT + length * width > 64 * len(longs):
        raise NotAnArray(f"{length} elements of {width} bits do not fit into a record")
    return _meant(kind, bits_at(longs[None, :], FIRST_BIT, width, length)[0])


def stored_array(content: bytes) -> NDArray[Any] | tuple[Any, ...]:
    """Decode the bytes of a dynamic chain to an array."""
    kind = content[0] if content else 0
    if kind == Kind.STRING:
        return _strings(content)
    if kind == Kind.POINT:
        return _points(content)
    if kind == Kind.TEMPORAL:
        return _moments(content)
    return _numbers(content)


def _numbers(content: bytes) -> NDArray[Any] | tuple[str, ...]:
    if len(content) < _NUMBERS_HEAD:
        raise NotAnArray(f"it has {len(content)} bytes only")
    kind, last, width = content[:_NUMBERS_HEAD]
    data = np.frombuffer(content, np.uint8, offset=_NUMBERS_HEAD)
    if kind not in _TYPES or width > 64 or last > 8:
        raise NotAnArray(f"it begins with {content[:_NUMBERS_HEAD].hex()}")
    used = max(0, len(data) * 8 - (8 - last if last else 0))
    if not width:
        if used:
            raise NotAnArray("its elements have no bits")
        return _meant(kind, np.zeros(0, np.uint64))
    return _meant(kind, _unpacked(data, used // width, width))


def _unpacked(data: Bytes, count: int, width: int) -> Longs:
    """Take numbers of `width` bits, least significant first, out of bytes; so many at a time that memory is bounded."""
    numbers = np.empty(count, np.uint64)
    for first in range(0, count, _AT_ONCE):
        several = min(_AT_ONCE, count - first)
        # So many numbers begin at a whole byte.
        own = data[first * width // 8 :][: several * width // 8 + 1]
        wide = np.zeros((several, 64), np.uint8)
        bits = np.unpackbits(own, count=several * width, bitorder="little")
        wide[:, :width] = bits.reshape(several, width)
        numbers[first : first + several] = np.packbits(wide, axis=1, bitorder="little").view("<u8")[:, 0]
    return numbers


def _meant(kind: int, numbers: Longs) -> NDArray[Any] | tuple[str, ...]:
    """Turn bits into the numbers, flags or characters that they stand for."""
    if kind not in _TYPES:
        raise NotAnArray(f"there are no numbers of type {kind}")
    bits, meaning = _TYPES[kind]
    if kind == Kind.BOOLEAN:
        return np.not_equal(numbers, 0)
    if kind == Kind.CHARACTER:
        return tuple(chr(number & 0xFFFF) for number in numbers.tolist())
    found: NDArray[Any] = numbers.astype(bits).view(meaning)
    return found


def _strings(content: bytes) -> tuple[str, ...]:
    count, at = _int4(content, 1), 5
    # Each takes four bytes at least, which a wrong count is found by at once.
    if not 0 <= count <= (len(content) - at) // 4:
        raise NotAnArray(f"it does not hold {count} texts")
    texts = []
    for _ in range(count):
        length = _int4(content, at)
        at += 4
        if not 0 <= length <= len(content) - at:
            raise NotAnArray("a text in it is longer than the rest")
        try:
            texts.append(content[at : at + length].decode())
        except UnicodeDecodeError:
            raise NotAnArray("a text in it is not UTF-8") from None
        at += length
    return tuple(texts)


def _points(content: bytes) -> tuple[Point, ...]:
    if len(content) < _POINT_HEAD:
        raise NotAnArray(f"it has {len(content)} bytes only")
    dimension, system = content[2], int.from_bytes(content[4:6], "big")
    numbers = _numbers(content[_POINT_HEAD:])
    if isinstance(numbers, tuple) or numbers.dtype != np.float64 or dimension not in (2, 3):
        raise NotAnArray("its coordinates are no numbers")
    return tuple(Point(system, tuple(row)) for row in _rows(numbers, dimension).tolist())


def _moments(content: bytes) -> tuple[Temporal, ...]:
    kind = content[1] if len(content) > 1 else 0
    numbers = _numbers(content[2:])
    if kind not in _MOMENTS or isinstance(numbers, tuple) or numbers.dtype != np.int64:
        raise NotAnArray(f"there are no times of type {kind}")
    width, build = _MOMENTS[kind]
    return tuple(build(*row) for row in _rows(numbers, width).tolist())


def _rows(numbers: NDArray[Any], width: int) -> NDArray[Any]:
    if len(numbers) % width:
        raise NotAnArray("its last element is not whole")
    return numbers.reshape(-1, width)


def zoned(seconds: int, nanoseconds: int, zone: int) -> DateTime:
    """Build a time whose lowest bit of the zone tells an offset (1) from the number of a name (0)."""
    number = zone >> 1
    if zone & 1:
        return DateTime(seconds, nanoseconds, number)
    names = zone_names()
    if not 0 <= number < len(names):
        raise NotAnArray(f"there is no time zone {number}")
    return DateTime(seconds, nanoseconds, names[number])


_MOMENTS: dict[int, tuple[int, Callable[..., Temporal]]] = {
    TemporalKind.DATE: (1, Date),
    TemporalKind.LOCAL_TIME: (1, LocalTime),
    TemporalKind.LOCAL_DATE_TIME: (2, LocalDateTime),
    TemporalKind.TIME: (2, Time),
    TemporalKind.DATE_TIME: (3, zoned),
    TemporalKind.DURATION: (4, Duration),
}


def _int4(content: bytes, at: int) -> int:
    return int.from_bytes(content[at : at + 4], "big", signed=True)
