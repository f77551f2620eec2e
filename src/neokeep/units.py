"""Sizes, rates, durations, shares and times as people write them: '1GiB', '50MB/s', '1h30m', '50%', '2026-08-01T03Z'.

Parsing is strict: what could be meant in two ways ('64K', '7', a time without a zone) is refused with a UsageError
that shows how to write it. What the `format` functions print can be parsed again.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from fractions import Fraction

from neokeep.errors import UsageError

_DECIMAL = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12, "pb": 10**15}
_BINARY = {"kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40, "pib": 2**50}
_SIZES = _DECIMAL | _BINARY
_SECONDS = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1}
_NUMBER_AND_UNIT = re.compile(r"(\d{1,19}(?:\.\d{1,19})?)\s*([a-z]*)", re.ASCII | re.IGNORECASE)
_DURATION = re.compile(
    r"(?:(\d{1,19})w)?(?:(\d{1,19})d)?(?:(\d{1,19})h)?(?:(\d{1,19})m)?(?:(\d{1,19})s)?", re.ASCII | re.IGNORECASE
)

_SHARE = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)\s*%", re.ASCII)

_SIZE_REMEDY = "Write a number and a unit, such as 64KiB, 500MB or 1.5GiB (kB is 1000 bytes, KiB is 1024)."
_RATE_REMEDY = "Write bytes per second, such as 50MB/s or 100MiB/s."
_DURATION_REMEDY = "Write numbers with w, d, h, m or s, largest first, such as 7d, 12h or 1h30m."
_SHARE_REMEDY = "Write a number and a percent sign, such as 50% or 150%."
_TIME_REMEDY = "Write date, time and zone, such as 2026-08-01T03:00:00Z or '2026-08-01 05:00:00+02:00'."

MAXIMUM = 2**63 - 1
"""No size, rate or duration is larger: the counters of file systems end here."""


def parse_size(text: str) -> int:
    """Read a size in bytes; a number without a unit is bytes."""
    return _bytes(text, text, "size", _SIZE_REMEDY)


def parse_rate(text: str) -> int:
    """Read a rate in bytes per second; '/s' may be left out, zero is refused."""
    amount = text.strip()
    if amount.lower().endswith("/s"):
        amount = amount[:-2]
    rate = _bytes(amount, text, "rate", _RATE_REMEDY)
    if rate == 0:
        raise UsageError("a rate of zero would never end", remedy=f"{_RATE_REMEDY} For no limit, leave it out.")
    return rate


def parse_duration(text: str) -> int:
    """Read a duration in seconds; zero is refused."""
    compact = "".join(text.split())
    match = _DURATION.fullmatch(compact)
    if match is None or not compact:
        raise UsageError(f"{text!r} is not a duration", remedy=_DURATION_REMEDY)
    amounts = zip(match.groups(), _SECONDS.values(), strict=True)
    seconds = sum(int(amount) * unit for amount, unit in amounts if amount is not None)
    if not 0 < seconds <= MAXIMUM:
        raise UsageError(f"{text!r} is {'no time at all' if seconds == 0 else 'too long'}", remedy=_DURATION_REMEDY)
    return seconds


def parse_share(text: str) -> float:
    """Read a percentage as a fraction: '50%' is 0.5; zero is refused."""
    match = _SHARE.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"{text!r} is not a percentage", remedy=_SHARE_REMEDY)
    share = float(Fraction(match[1]) / 100)
    if share == 0:
        raise UsageError(f"{text!r} is nothing at all", remedy=_SHARE_REMEDY)
    return share


def parse_time(text: str) -> datetime:
    """Read a point in time and give it in UTC; the zone must be there."""
    try:
        time = datetime.fromisoformat(text.strip())
    except ValueError:
        raise UsageError(f"{text!r} is not a time", remedy=_TIME_REMEDY) from None
    if time.tzinfo is None:
        raise UsageError(f"{text!r} has no time zone", remedy=_TIME_REMEDY)
    try:
        return time.astimezone(UTC)
    except OverflowError:
        raise UsageError(f"{text!r} is out of the calendar", remedy=_TIME_REMEDY) from None


def format_size(size: int) -> str:
    """Write a size for people, in binary units: '512 B', '1.9 GiB'."""
    if abs(size) < 1024:
        return f"{size} B"
    amount = float(size)
    for unit in ("KiB", "MiB", "GiB", "TiB", "PiB"):
        amount /= 1024
        # Below the point where rounding would show 1024 of the smaller unit.
        if abs(amount) < 1023.5 or unit == "PiB":
            break
    return f"{amount:.1f} {unit}" if abs(amount) < 99.95 else f"{amount:.0f} {unit}"


def format_rate(bytes_per_second: float) -> str:
    """Write a rate for people: '114 MiB/s'."""
    return f"{format_size(round(bytes_per_second))}/s"


def format_duration(seconds: float) -> str:
    """Write a duration for people: '0.4s', '12s', '1h30m'. From ten seconds on, whole seconds are written exactly."""
    if seconds < 9.95:
        return f"{max(seconds, 0):.1f}s"
    rest = round(seconds)
    parts = []
    for unit, length in _SECONDS.items():
        amount, rest = divmod(rest, length)
        if amount:
            parts.append(f"{amount}{unit}")
    return "".join(parts)


def format_count(number: int, noun: str) -> str:
    """Write a number of things: '1 backup', '3 backups'."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def format_time(time: datetime) -> str:
    """Write a time in UTC to the second: '2026-08-01 03:00:00Z'."""
    return time.astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ", timespec="seconds") + "Z"


def _bytes(amount: str, given: str, what: str, remedy: str) -> int:
    match = _NUMBER_AND_UNIT.fullmatch(amount.strip())
    if match is None:
        raise UsageError(f"{given!r} is not a {what}", remedy=remedy)
    unit = match[2].lower()
    if unit in {"k", "m", "g", "t", "p"}:
        letter = unit.upper()
        raise UsageError(
            f"{given!r} is not clear: {letter}B (1000) or {letter}iB (1024)?".replace("KB", "kB"), remedy=remedy
        )
    if unit not in _SIZES:
        raise UsageError(f"{match[2]!r} in {given!r} is no unit of size", remedy=remedy)
    size = int(Fraction(match[1]) * _SIZES[unit])
    if size > MAXIMUM:
        raise UsageError(f"{given!r} is too large", remedy=remedy)
    return size
