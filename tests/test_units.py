from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neokeep import units
from neokeep.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

SIZES = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0), ("64KiB", 65536), ("64 kib", 65536), ("50MB", 50_000_000), ("1.5GiB", 1_610_612_736), ("7b", 7),
    ],
)  # fmt: skip
def test_sizes_are_read_in_decimal_and_binary_units(text: str, size: int) -> None:
    assert units.parse_size(text) == size


@pytest.mark.parametrize(
    "text", ["", "MB", "-1MB", "1e3", "1,5MB", "64K", "1g", "3 parsecs", "1 0 MB", "٣MB", "9999PiB"]
)
def test_a_size_that_is_nonsense_or_unclear_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        units.parse_size(text)
    assert "64KiB" in caught.value.remedy


def test_a_letter_alone_is_answered_with_both_meanings() -> None:
    with pytest.raises(UsageError, match=r"kB \(1000\) or KiB \(1024\)"):
        units.parse_size("64k")


@given(st.integers(0, 10**6), st.sampled_from(sorted(SIZES)))
def test_a_number_and_a_unit_multiply(number: int, unit: str) -> None:
    assert units.parse_size(f"{number}{unit}") == number * SIZES[unit]


@given(st.integers(0, 2**60))
def test_a_printed_size_can_be_read_again_and_is_near(size: int) -> None:
    again = units.parse_size(units.format_size(size))
    assert abs(again - size) <= size * 0.051


@given(st.integers(0, 2**62), st.integers(0, 2**40))
def test_a_larger_size_never_prints_as_a_smaller_one(size: int, more: int) -> None:
    assert units.parse_size(units.format_size(size + more)) >= units.parse_size(units.format_size(size))


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (2**30 - 1, "1.0 GiB"),
        (150 * 2**20, "150 MiB"),
        (-2048, "-2.0 KiB"),
    ],
)
def test_sizes_are_printed_in_the_unit_that_reads_best(size: int, text: str) -> None:
    assert units.format_size(size) == text


@pytest.mark.parametrize(("text", "share"), [("50%", 0.5), ("150 %", 1.5), (" 0.5%", 0.005), ("100%", 1.0)])
def test_a_share_is_a_percentage(text: str, share: float) -> None:
    assert units.parse_share(text) == share


@given(st.integers(1, 10**9 - 1))
def test_any_whole_percentage_is_read_exactly(percent: int) -> None:
    assert round(units.parse_share(f"{percent}%") * 100, 3) == percent


@pytest.mark.parametrize("text", ["", "%", "50", "0.5", "0%", "0.0%", "-5%", "1e2%", "half", "٣%", "50%%", "1,5%"])
def test_what_is_no_percentage_or_nothing_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        units.parse_share(text)
    assert "50%" in caught.value.remedy


@pytest.mark.parametrize(("number", "text"), [(0, "0 backups"), (1, "1 backup"), (2, "2 backups")])
def test_a_number_of_things_is_printed_with_its_noun(number: int, text: str) -> None:
    assert units.format_count(number, "backup") == text


@pytest.mark.parametrize("text", ["50MB/s", "50MB", "50 MB /s", "50mb/S"])
def test_a_rate_is_a_size_for_each_second(text: str) -> None:
    assert units.parse_rate(text) == 50_000_000


@pytest.mark.parametrize("text", ["", "/s", "0", "0MB/s", "fast", "50MB/h"])
def test_a_rate_that_is_nonsense_or_zero_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"rate|unit"):
        units.parse_rate(text)


def test_a_rate_is_printed_for_people() -> None:
    assert units.format_rate(114 * 2**20 + 0.4) == "114 MiB/s"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("1h30m", 5400), ("1h 30m", 5400), ("7d", 604_800), ("1w", 604_800), ("2D", 172_800)],
)
def test_durations_are_read(text: str, seconds: int) -> None:
    assert units.parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", " ", "7", "0s", "30m1h", "1h1h", "-1d", "1.5h", "soon", f"{10**20}w"])
def test_a_duration_that_is_nonsense_or_nothing_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        units.parse_duration(text)
    assert "1h30m" in caught.value.remedy


@given(st.integers(10, 10**9))
def test_a_printed_duration_is_read_back_exactly(seconds: int) -> None:
    assert units.parse_duration(units.format_duration(seconds)) == seconds


@pytest.mark.parametrize(
    ("seconds", "text"), [(-1, "0.0s"), (0.44, "0.4s"), (9.96, "10s"), (59.6, "1m"), (5400, "1h30m")]
)
def test_durations_are_printed_for_people(seconds: float, text: str) -> None:
    assert units.format_duration(seconds) == text


@given(st.datetimes(min_value=datetime(1900, 1, 1), max_value=datetime(2200, 1, 1)), st.integers(-14 * 60, 14 * 60))  # noqa: DTZ001
def test_a_printed_time_is_read_back_to_the_second_in_utc(moment: datetime, offset: int) -> None:
    zoned = moment.replace(microsecond=0, tzinfo=timezone(timedelta(minutes=offset)))
    again = units.parse_time(units.format_time(zoned))
    assert again == zoned
    assert again.tzinfo is UTC


@pytest.mark.parametrize("text", ["2026-08-01T03:00:00Z", "2026-08-01 05:00:00+02:00", " 2026-08-01T03:00Z "])
def test_a_time_with_a_zone_is_given_in_utc(text: str) -> None:
    assert units.parse_time(text) == datetime(2026, 8, 1, 3, tzinfo=UTC)


@pytest.mark.parametrize("text", ["2026-08-01T03:00:00", "2026-08-01"])
def test_a_time_without_a_zone_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="no time zone"):
        units.parse_time(text)


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01T00:00:00Z", "25:00Z"])
def test_a_time_that_is_nonsense_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not a time"):
        units.parse_time(text)


def test_a_time_that_leaves_the_calendar_is_refused() -> None:
    with pytest.raises(UsageError, match="calendar"):
        units.parse_time("0001-01-01T00:00:00+14:00")


@given(st.text(max_size=12) | st.from_regex(r"[0-9]{1,5000}[wdhmsKMGiB]{0,3}", fullmatch=True))
@pytest.mark.parametrize("parse", [units.parse_size, units.parse_rate, units.parse_duration, units.parse_time])
def test_any_text_is_a_value_or_a_usage_error(parse: Callable[[str], object], text: str) -> None:
    with contextlib.suppress(UsageError):
        parse(text)
