"""Reading gently: the page cache as it was, and not faster than allowed."""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import threading
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neokeep.capture import page_cache, reading
from neokeep.capture.reading import GentleReader, RateLimit, open_for_reading

if TYPE_CHECKING:
    from pathlib import Path

PAGE = mmap.PAGESIZE
PART = 64 * 1024
SIZE = 12 * PART


def cached_pages(path: Path) -> list[bool]:
    """Ask the kernel which pages of a file are in the page cache."""
    size = path.stat().st_size
    with path.open("r+b") as file, mmap.mmap(file.fileno(), size) as view:
        answer = (ctypes.c_ubyte * (-(-size // PAGE)))()
        start = (ctypes.c_char * size).from_buffer(view)
        libc = ctypes.CDLL(None, use_errno=True)
        assert libc.mincore(ctypes.byref(start), ctypes.c_size_t(size), answer) == 0
        del start
        return [bool(page & 1) for page in answer]


@pytest.fixture
def cold(tmp_path: Path) -> Path:
    """A file of which nothing is in the page cache."""
    path = tmp_path / "store"
    path.write_bytes(os.urandom(SIZE))
    descriptor = os.open(path, os.O_RDWR)
    os.fsync(descriptor)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(descriptor)
    if any(cached_pages(path)):
        pytest.skip("the file system of the test directory keeps everything in memory")
    return path


def warm(path: Path, start: int, length: int) -> None:
    descriptor = open_for_reading(path)
    os.pread(descriptor, length, start)
    os.close(descriptor)


def read_all(path: Path, piece: int = SIZE) -> bytes:
    descriptor, reader = open_for_reading(path), GentleReader(RateLimit(None))
    data = bytearray(piece)
    found = b""
    while done := reader.read_into(descriptor, memoryview(data), len(found)):
        found += data[:done]
    os.close(descriptor)
    assert reader.bytes_read == len(found)
    return found


@pytest.fixture(params=["counted", "not counted"])
def counting(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel that counts cached pages, as far as this one does, and one that does not."""
    if request.param == "not counted":
        monkeypatch.setattr(page_cache, "_count_cached", lambda *_: None)


@pytest.mark.usefixtures("counting")
@pytest.mark.parametrize("piece", [SIZE, SIZE // 3, 65536])
def test_what_was_cold_is_cold_again(cold: Path, piece: int) -> None:
    read_all(cold, piece)
    assert not any(cached_pages(cold))


@pytest.mark.usefixtures("counting")
def test_what_was_hot_stays_hot(cold: Path) -> None:
    warm(cold, 0, SIZE)
    read_all(cold)
    assert all(cached_pages(cold))


@pytest.mark.usefixtures("counting")
@pytest.mark.parametrize("hot", [[(0, 2)], [(2, 2)], [(4, 3), (9, 2)], [(11, 1)], [(0, 1), (2, 1), (4, 1), (6, 1)]])
def test_hot_parts_among_cold_ones_stay_and_nothing_is_added(cold: Path, hot: list[tuple[int, int]]) -> None:
    for first, count in hot:
        warm(cold, first * PART, count * PART)
    before = cached_pages(cold)
    data = read_all(cold)
    assert cached_pages(cold) == before
    assert data == cold.read_bytes()


def test_all_that_is_cached_is_counted(cold: Path) -> None:
    for hot in ((0, 0), (2, 3), (0, 12)):
        warm(cold, hot[0] * PART, hot[1] * PART)
        with cold.open("rb") as file:
            counted = page_cache._count_cached(file.fileno(), 0, SIZE)
        if counted is None:
            pytest.skip("this kernel does not count")
        assert counted == sum(cached_pages(cold))


@settings(deadline=None)
@given(st.integers(0, 3 * PAGE), st.integers(0, 4).map(lambda page: page * PAGE), st.integers(0, 9000))
def test_any_range_is_read_and_is_shorter_only_at_the_end(
    tmp_path_factory: pytest.TempPathFactory, size: int, offset: int, length: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "any"
    content = bytes(number % 251 for number in range(size))
    path.write_bytes(content)
    descriptor, data = open_for_reading(path), bytearray(length)
    done = GentleReader(RateLimit(None)).read_into(descriptor, memoryview(data), offset)
    os.close(descriptor)
    assert bytes(data[:done]) == content[offset : offset + length]


def not_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Be a user to whom the kernel does not tell what is cached."""
    monkeypatch.setattr(page_cache, "_may_ask", lambda _descriptor: False)


@pytest.mark.parametrize("piece", [SIZE, SIZE // 3])
def test_a_user_who_may_not_ask_leaves_nothing_behind_either(
    cold: Path, monkeypatch: pytest.MonkeyPatch, piece: int
) -> None:
    not_allowed(monkeypatch)
    data = read_all(cold, piece)
    assert not any(cached_pages(cold))
    assert data == cold.read_bytes()
    read_all(cold, piece)
    assert all(cached_pages(cold))


@pytest.mark.parametrize("number", [errno.EOPNOTSUPP, errno.EINVAL])
def test_where_the_kernel_cannot_tell_what_is_cached_everything_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    preadv = os.preadv

    def without(descriptor: int, buffers: list[memoryview], offset: int, flags: int = 0) -> int:
        if flags:
            raise OSError(number, "no such flag")
        return preadv(descriptor, [buffers[0][:5000]], offset)

    not_allowed(monkeypatch)
    monkeypatch.setattr(os, "preadv", without)
    (tmp_path / "store").write_bytes(content := os.urandom(100_000))
    assert read_all(tmp_path / "store", 8 * PAGE) == content


def test_a_file_that_shrinks_at_that_moment_is_read_as_far_as_it_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "store"
    path.write_bytes(os.urandom(20 * PAGE))
    fstat = os.fstat

    def shrinking(descriptor: int) -> os.stat_result:
        status = fstat(descriptor)
        os.truncate(path, 3 * PAGE)
        return status

    descriptor, data = open_for_reading(path), bytearray(20 * PAGE)
    monkeypatch.setattr(os, "fstat", shrinking)
    assert GentleReader(RateLimit(None)).read_into(descriptor, memoryview(data), 0) == 3 * PAGE
    os.close(descriptor)


def test_an_error_of_the_disk_is_not_taken_for_a_cold_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> int:
        raise OSError(errno.EIO, "broken disk")

    (tmp_path / "store").write_bytes(b"x")
    monkeypatch.setattr(os, "preadv", broken)
    with pytest.raises(OSError, match="broken disk"):
        read_all(tmp_path / "store")


class Clock:
    """Time that passes only by waiting."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


class Waits(threading.Event):
    """An event whose waiting moves the clock."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.clock = clock

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        assert timeout > 0
        self.clock.now += timeout
        return False


@settings(deadline=None)
@given(st.integers(1, 10**9), st.lists(st.tuples(st.integers(0, 10**7), st.floats(0, 5)), max_size=20))
def test_reading_is_never_faster_than_the_rate_on_average(rate: int, steps: list[tuple[int, float]]) -> None:
    clock = Clock()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "time", clock)
        limit, waits = RateLimit(rate), Waits(clock)
        spent = idle = 0.0
        for count, pause in steps:
            limit.spend(count)
            limit.wait(waits)
            spent += count
            assert clock.now - 1000 >= spent / rate * (1 - 1e-9) - 1e-6
            assert clock.now - 1000 <= spent / rate + idle + 1e-6 * (1 + spent / rate)
            clock.now += pause
            idle += pause


def test_time_that_was_not_used_is_not_saved_up(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(reading, "time", clock)
    limit, waits = RateLimit(100), Waits(clock)
    clock.now += 3600
    begin = clock.now
    limit.spend(500)
    limit.wait(waits)
    assert clock.now - begin == pytest.approx(5)


def test_without_a_limit_nothing_waits_and_a_stop_ends_the_waiting() -> None:
    limit = RateLimit(None)
    limit.spend(10**15)
    limit.wait(threading.Event())
    slow, stopping = RateLimit(1), threading.Event()
    slow.spend(10**9)
    stopping.set()
    slow.wait(stopping)
