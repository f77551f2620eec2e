"""Values as text, the way in which Cypher writes and reads them: for CSV and JSON, which have no types for them.

Times are of ISO 8601, as Neo4j's importer and the functions of Cypher take them. A named zone is written with the
offset that it has at that moment, as this machine knows zones.
"""

from __future__ import annotations

import datetime as dt
from functools import cache
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pyarrow as pa
import pyarrow.compute as pc

from neokeep.export.kinds import LIST, Type

if TYPE_CHECKING:
    from collections.abc import Callable

_DAY, _SECOND = 86_400, 10**9
_FROM_YEAR_ZERO = 719_468
_ERA, _ERA_YEARS = 146_097, 400
_FIRST, _LAST = -62_135_596_800, 253_402_300_799
"""The seconds of the years that Python's times know."""
_CRS = {4326: "wgs-84", 4979: "wgs-84-3d", 7203: "cartesian", 9157: "cartesian-3d"}


def words_of(kind: int, array: pa.Array) -> list[Any]:
    """Give values of a type: texts for times and durations, maps for points, lists of numbers for bytes.

    Numbers, flags and texts stay what they are, lists are lists of these, and what is missing is None.
    """
    if kind > LIST:
        return [None if one.values is None else words_of(kind - LIST, one.values) for one in array]
    if kind == Type.BYTES:
        return [
            None if one is None else [byte - 256 if byte > 127 else byte for byte in one] for one in array.to_pylist()
        ]
    if kind in _NUMBERS:
        numbers = array.cast(_NUMBERS[kind]).to_pylist()
        return [None if number is None else _OF_NUMBERS[kind](number) for number in numbers]
    if kind in _OF_PARTS:
        columns = {field.name: _plain(array.field(field.name)) for field in array.type}
        rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
        return [_OF_PARTS[kind](row) if valid else None for row, valid in zip(rows, pc.is_valid(array), strict=True)]
    return list(array.to_pylist())


def _plain(array: pa.Array) -> list[Any]:
    whole = pa.types.is_timestamp(array.type) or pa.types.is_time64(array.type)
    return list((array.cast(pa.int64()) if whole else array).to_pylist())


def date_text(days: int) -> str:
    """Write a date by the days since 1970; method: H. Hinnant, chrono-compatible low-level date algorithms."""
    era, day = divmod(days + _FROM_YEAR_ZERO, _ERA)
    year = (day - day // 1460 + day // 36_524 - day // 146_096) // 365
    day -= 365 * year + year // 4 - year // 100
    month = (5 * day + 2) // 153
    day -= (153 * month + 2) // 5
    month += 3 if month < 10 else -9
    year += era * _ERA_YEARS + (month <= 2)
    sign = "" if 0 <= year <= 9999 else "+" if year > 0 else "-"
    return f"{sign}{abs(year):04}-{month:02}-{day + 1:02}"


def clock_text(nanoseconds: int) -> str:
    """Write a time of day."""
    seconds, rest = divmod(nanoseconds, _SECOND)
    text = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return f"{text}.{rest:09}".rstrip("0") if rest else text


def moment_text(seconds: int, nanoseconds: int) -> str:
    """Write a date and time."""
    days, second = divmod(seconds, _DAY)
    return f"{date_text(days)}T{clock_text(second * _SECOND + nanoseconds)}"


def offset_text(offset: int) -> str:
    """Write how far a clock is ahead of UTC."""
    if not offset:
        return "Z"
    rest = abs(offset)
    text = f"{'-' if offset < 0 else '+'}{rest // 3600:02}:{rest // 60 % 60:02}"
    return f"{text}:{rest % 60:02}" if rest % 60 else text


def duration_text(months: int, days: int, seconds: int, nanoseconds: int) -> str:
    """Write a duration; its parts do not run into one another."""
    whole = seconds * _SECOND + nanoseconds
    sign, whole = ("-", -whole) if whole < 0 else ("", whole)
    second, rest = divmod(whole, _SECOND)
    fraction = f".{rest:09}".rstrip("0") if rest else ""
    return f"P{months}M{days}DT{sign}{second}{fraction}S"


@cache
def _zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def _zoned_text(seconds: int, nanoseconds: int, offset: int | None, zone: str | None) -> str:
    if zone is None:
        ahead, ending = offset or 0, offset_text(offset or 0)
    else:
        ahead = _offset_of(zone, seconds)
        ending = f"{offset_text(ahead)}[{zone}]"
    return f"{moment_text(seconds + ahead, nanoseconds)}{ending}"


def _offset_of(name: str, seconds: int) -> int:
    zone = _zone(name)
    if zone is None:
        return 0
    # Zones change by rules that repeat: what is out of Python's years is as its first and its last one.
    near = min(max(seconds, _FIRST + 2 * _DAY), _LAST - 2 * _DAY)
    moment = dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(seconds=near)
    return int((moment.astimezone(zone).utcoffset() or dt.timedelta()).total_seconds())


def _near_zoned(parts: dict[str, Any]) -> str:
    seconds, nanoseconds = divmod(parts["utc"], _SECOND)
    return _zoned_text(seconds, nanoseconds, parts["offset"], parts["zone"])


def _point(parts: dict[str, Any]) -> dict[str, Any]:
    crs = {"crs": _CRS.get(parts["srid"], str(parts["srid"]))}
    return {**crs, **{name: parts[name] for name in ("x", "y", "z") if parts[name] is not None}}


_NUMBERS: dict[int, pa.DataType] = {
    Type.DATE: pa.int32(),
    Type.FAR_DATE: pa.int64(),
    Type.LOCAL_TIME: pa.int64(),
    Type.LOCAL_DATETIME: pa.int64(),
}
_OF_NUMBERS: dict[int, Callable[[int], str]] = {
    Type.DATE: date_text,
    Type.FAR_DATE: date_text,
    Type.LOCAL_TIME: clock_text,
    Type.LOCAL_DATETIME: lambda number: moment_text(*divmod(number, _SECOND)),
}
_OF_PARTS: dict[int, Callable[[dict[str, Any]], Any]] = {
    Type.ZONED_TIME: lambda parts: clock_text(parts["time"]) + offset_text(parts["offset"]),
    Type.ZONED_DATETIME: _near_zoned,
    Type.FAR_ZONED_DATETIME: lambda parts: _zoned_text(**parts),
    Type.FAR_LOCAL_DATETIME: lambda parts: moment_text(**parts),
    Type.DURATION: lambda parts: duration_text(**parts),
    Type.POINT: _point,
}
