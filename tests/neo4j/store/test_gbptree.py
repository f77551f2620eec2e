"""Tree states: what Neo4j would take for current, on real pages and on damaged ones."""

from __future__ import annotations

import json
import os
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neokeep.neo4j.store.gbptree import TreeState, current_state, page_size, parse_state, read_state

PAGES: dict[str, dict[str, dict[str, list[str]]]] = json.loads(
    (Path(__file__).parent / "data" / "trees.json").read_text()
)
REAL = [(version, how, path) for version, hows in PAGES.items() for how, files in hows.items() for path in files]


def state_page(stable: int, unstable: int, *, clean: bool) -> bytes:
    block = struct.pack(">IIqqqqqiib", stable, unstable, 3, 1, 9, -1, -1, 0, 0, int(clean))
    return block * 2


def tree_file(path: Path, meta: bytes, first: bytes, second: bytes, size: int = 8192) -> Path:
    path.write_bytes(meta.ljust(size, b"\0") + first.ljust(size, b"\0") + second.ljust(size, b"\0"))
    return path


def read(path: Path) -> TreeState | None:
    fd = os.open(path, os.O_RDONLY)
    try:
        return read_state(fd)
    finally:
        os.close(fd)


@pytest.mark.parametrize(("version", "how", "path"), REAL)
def test_a_real_tree_is_clean_exactly_when_the_server_has_stopped(
    version: str, how: str, path: str, tmp_path: Path
) -> None:
    meta, first, second = (bytes.fromhex(text) for text in PAGES[version][how][path])
    state = read(tree_file(tmp_path / "tree", meta, first, second))
    assert state is not None
    assert state.clean == (how == "stopped")
    assert state.unstable > state.stable > 0
    assert page_size(meta) == 8192


def test_the_larger_generation_is_current() -> None:
    old, new = state_page(4, 5, clean=True), state_page(4, 6, clean=False)
    assert current_state(old, new) == current_state(new, old) == TreeState(4, 6, clean=False)
    assert current_state(state_page(6, 7, clean=False), old) == TreeState(6, 7, clean=False)


def test_of_equal_generations_the_clean_one_is_current() -> None:
    dirty, clean = state_page(6, 7, clean=False), state_page(6, 7, clean=True)
    assert current_state(dirty, clean) == current_state(clean, dirty) == TreeState(6, 7, clean=True)


def test_a_torn_page_is_not_valid_and_the_other_one_counts() -> None:
    torn = bytearray(state_page(9, 10, clean=False))
    torn[60] ^= 1
    assert parse_state(bytes(torn)) is None
    assert current_state(bytes(torn), state_page(7, 8, clean=False)) == TreeState(7, 8, clean=False)


def test_a_file_fresh_from_creation_has_one_state(tmp_path: Path) -> None:
    path = tree_file(tmp_path / "tree", b"", state_page(2, 3, clean=False), b"")
    assert read(path) == TreeState(2, 3, clean=False)


def test_a_file_without_state_pages_has_no_state(tmp_path: Path) -> None:
    assert read(tree_file(tmp_path / "zeros", b"", b"", b"")) is None
    (tmp_path / "empty").write_bytes(b"")
    assert read(tmp_path / "empty") is None


def test_the_page_size_comes_from_the_meta_page(tmp_path: Path) -> None:
    meta = struct.pack(">ii", 2, 16384)
    path = tree_file(tmp_path / "tree", meta, state_page(2, 3, clean=True), b"", size=16384)
    assert read(path) == TreeState(2, 3, clean=True)


@given(st.binary(max_size=16))
def test_an_implausible_page_size_is_taken_for_the_default(meta: bytes) -> None:
    size = page_size(meta)
    assert size & (size - 1) == 0
    assert 1024 <= size <= 1 << 20


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), st.booleans(), st.integers(0, 113), st.integers(1, 255))
def test_one_changed_byte_makes_a_state_invalid(stable: int, unstable: int, clean: bool, at: int, flip: int) -> None:
    page = bytearray(state_page(stable, unstable, clean=clean))
    assert parse_state(bytes(page)) == TreeState(stable, unstable, clean)
    page[at] ^= flip
    assert parse_state(bytes(page)) is None


@given(st.binary(max_size=130), st.binary(max_size=130))
def test_any_two_pages_have_a_state_or_none(first: bytes, second: bytes) -> None:
    assert current_state(first, second) in {parse_state(first), parse_state(second)}
