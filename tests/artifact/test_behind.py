"""What is written behind is in the file in the end; what cannot be written is told, and nothing is written later."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neokeep.artifact.behind import WriteBehind

if TYPE_CHECKING:
    from pathlib import Path

SIZE = 8192


@given(st.lists(st.binary(min_size=1, max_size=SIZE), max_size=8))
def test_all_pieces_are_where_they_belong(tmp_path_factory: pytest.TempPathFactory, pieces: list[bytes]) -> None:
    path = tmp_path_factory.mktemp("behind") / "file"
    descriptor, at = os.open(path, os.O_WRONLY | os.O_CREAT), 0
    with WriteBehind(SIZE) as behind:
        for piece in pieces:
            behind.room[: len(piece)] = piece
            behind.write(descriptor, len(piece), at)
            at += len(piece)
        behind.settle()
        os.close(descriptor)
    assert path.read_bytes() == b"".join(pieces)


def test_a_write_that_fails_is_told_at_the_next_one(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    descriptor = os.open(tmp_path / "file", os.O_RDONLY)
    with WriteBehind(SIZE) as behind:
        behind.write(descriptor, 10, 0)
        with pytest.raises(OSError, match="Bad file descriptor"):
            behind.write(descriptor, 10, 10)
        behind.settle()
    os.close(descriptor)


def test_the_last_write_that_fails_is_told_when_all_has_to_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    descriptor = os.open(tmp_path / "file", os.O_RDONLY)
    with WriteBehind(SIZE) as behind:
        behind.write(descriptor, 10, 0)
        with pytest.raises(OSError, match="Bad file descriptor"):
            behind.settle()
    os.close(descriptor)


def test_what_is_abandoned_is_over_and_hides_nothing_of_the_next_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    unwritable = os.open(tmp_path / "file", os.O_RDONLY)
    good = os.open(tmp_path / "good", os.O_WRONLY | os.O_CREAT)
    with WriteBehind(SIZE) as behind:
        behind.write(unwritable, 10, 0)
        behind.abandon()
        os.close(unwritable)
        behind.room[:4] = b"good"
        behind.write(good, 4, 0)
        behind.settle()
    os.close(good)
    assert (tmp_path / "good").read_bytes() == b"good"
