"""Writing aligned, exchanging names, and errors that say what was tried."""

from __future__ import annotations

import errno
import fcntl
import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neokeep import files
from neokeep.errors import AccessError, NeokeepError, RepositoryError, SpaceError
from neokeep.files import ALIGNMENT, DIRECT_FROM, AlignedBuffer, exchange, explained, rename_new, write_aligned

if TYPE_CHECKING:
    from pathlib import Path


def written(path: Path, content: bytes, offset: int) -> bytes:
    buffer = AlignedBuffer(len(content))
    buffer.view[: len(content)] = content
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        write_aligned(descriptor, buffer.view[: len(content)], offset)
        assert not fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_DIRECT
    finally:
        os.close(descriptor)
        buffer.close()
    return path.read_bytes()


@pytest.mark.parametrize("size", [1, ALIGNMENT, DIRECT_FROM - 1, DIRECT_FROM, DIRECT_FROM + 1, 2 * DIRECT_FROM + 4097])
@pytest.mark.parametrize("offset", [0, ALIGNMENT, 17])
def test_what_is_written_is_there_whatever_size_and_place(tmp_path: Path, size: int, offset: int) -> None:
    content = os.urandom(size)
    assert written(tmp_path / "f", content, offset) == bytes(offset) + content


@pytest.mark.parametrize("refused", ["fcntl", "pwrite"])
def test_a_file_system_that_refuses_direct_writes_gets_ordinary_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: str
) -> None:
    control, pwrite = fcntl.fcntl, os.pwrite

    def no_direct(descriptor: int, command: int, value: int = 0) -> int:
        if command == fcntl.F_SETFL and value & os.O_DIRECT:
            raise OSError(errno.EINVAL, "no direct")
        return control(descriptor, command, value)

    def picky(descriptor: int, data: memoryview, offset: int) -> int:
        if control(descriptor, fcntl.F_GETFL) & os.O_DIRECT:
            raise OSError(errno.EINVAL, "not aligned enough")
        return pwrite(descriptor, data, offset)

    if refused == "fcntl":
        monkeypatch.setattr(fcntl, "fcntl", no_direct)
    else:
        monkeypatch.setattr(os, "pwrite", picky)
    content = os.urandom(DIRECT_FROM + 5000)
    assert written(tmp_path / "f", content, 0) == content


def test_other_failures_of_direct_writes_are_raised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(OSError, match="full"):
        written(tmp_path / "f", bytes(DIRECT_FROM), 0)


@given(st.integers(1, 100_000))
def test_an_aligned_buffer_is_aligned_and_large_enough(size: int) -> None:
    buffer = AlignedBuffer(size)
    assert size <= buffer.size < size + ALIGNMENT
    assert buffer.size % ALIGNMENT == 0
    assert len(buffer.view) == buffer.size
    buffer.close()


def test_names_are_exchanged(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    (first / "in").touch()
    second.symlink_to("nowhere")
    exchange(first, second)
    assert first.is_symlink()
    assert (second / "in").exists()
    with pytest.raises(FileNotFoundError):
        exchange(first, tmp_path / "none")


def test_a_rename_never_replaces(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a")
    (tmp_path / "b").write_text("b")
    with pytest.raises(FileExistsError):
        rename_new(tmp_path / "a", tmp_path / "b")
    rename_new(tmp_path / "a", tmp_path / "c")
    assert sorted(path.read_text() for path in tmp_path.iterdir()) == ["a", "b"]


@pytest.mark.parametrize(
    ("number", "error"),
    [
        (errno.ENOSPC, SpaceError),
        (errno.EDQUOT, SpaceError),
        (errno.EACCES, AccessError),
        (errno.EPERM, AccessError),
        (errno.EROFS, AccessError),
        (errno.EIO, RepositoryError),
        (errno.ESTALE, RepositoryError),
    ],
)
def test_an_error_says_what_was_tried_and_where(number: int, error: type[NeokeepError]) -> None:
    with (
        pytest.raises(error, match=rf"cannot write /some/where: {os.strerror(number)}") as failure,
        explained("write", "/some/where"),
    ):
        raise OSError(number, os.strerror(number))
    assert type(failure.value) is error
    assert failure.value.remedy


def test_a_directory_is_made_durable_through_its_own_descriptor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(os.readlink(f"/proc/self/fd/{descriptor}")))
    files.fsync_directory(tmp_path)
    assert synced == [str(tmp_path)]
