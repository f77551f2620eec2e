"""Values of properties as they are stored, without loss: Neo4j's years and nanoseconds do not fit Python's own types.

Numbers, flags and texts are Python's or numpy's. `Kind` is the type of a block; arrays have a kind of their elements.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class Kind(IntEnum):
    """The type of a property block, and of the elements of an array (1 to 9, 13, 14)."""

    BOOLEAN = 1
    BYTE = 2
    SHORT = 3
    CHARACTER = 4
    INTEGER = 5
    LONG = 6
    FLOAT = 7
    DOUBLE = 8
    STRING = 9
    ARRAY = 10
    SHORT_STRING = 11
    SHORT_ARRAY = 12
    POINT = 13
    TEMPORAL = 14


class TemporalKind(IntEnum):
    """What a temporal value is."""

    DATE = 1
    LOCAL_TIME = 2
    LOCAL_DATE_TIME = 3
    TIME = 4
    DATE_TIME = 5
    DURATION = 6


@dataclass(frozen=True, slots=True)
class Date:
    """Days since 1970-01-01, before it negative."""

    days: int


@dataclass(frozen=True, slots=True)
class LocalTime:
    """Nanoseconds since midnight."""

    nanoseconds: int


@dataclass(frozen=True, slots=True)
class Time:
    """Nanoseconds since midnight of the clock that is `offset` seconds ahead of UTC."""

    nanoseconds: int
    offset: int


@dataclass(frozen=True, slots=True)
class LocalDateTime:
    """Seconds since 1970-01-01T00:00:00 of the same clock, and nanoseconds."""

    seconds: int
    nanoseconds: int


@dataclass(frozen=True, slots=True)
class DateTime:
    """Seconds since 1970-01-01T00:00:00Z, nanoseconds, and the zone: seconds ahead of UTC, or a name of the IANA."""

    seconds: int
    nanoseconds: int
    zone: int | str


@dataclass(frozen=True, slots=True)
class Duration:
    """Four parts that do not convert into one another."""

    months: int
    days: int
    seconds: int
    nanoseconds: int


@dataclass(frozen=True, slots=True)
class Point:
    """A place in a coordinate reference system, by its code: 4326, 4979 (degrees), 7203, 9157 (Cartesian)."""

    system: int
    coordinates: tuple[float, ...]


Temporal = Date | LocalTime | Time | LocalDateTime | DateTime | Duration
