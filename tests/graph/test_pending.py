"""A store that recovery is due for reads as it will be once it is recovered, and stays as it is."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.fuzzy import Fuzzy
from neokeep.capture.checkpoint import choose_checkpoint
from neokeep.errors import IntegrityError
from neokeep.graph.pending import BLOCK, OverlaidPages, pending_log, recovered_pages
from neokeep.neo4j.recovery.layout import FILES, Store
from neokeep.neo4j.recovery.redo import redo
from neokeep.neo4j.store.pages import DirectoryPages

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("kernel", [4, 20, 32])
def test_it_reads_as_it_will_be_once_it_is_recovered(tmp_path: Path, kernel: int) -> None:
    fuzzy, scratch = Fuzzy(tmp_path / "fuzzy", kernel), tmp_path / "scratch"
    scratch.mkdir()
    before = fuzzy.content()
    shutil.copytree(fuzzy.store, tmp_path / "recovered")
    redo(tmp_path / "recovered", fuzzy.log, choose_checkpoint(fuzzy.log).position, aligned=True)
    with recovered_pages(fuzzy.store, fuzzy.log, aligned=True, scratch=scratch) as (pages, last):
        for name in FILES.values():
            expected = (tmp_path / "recovered" / name).read_bytes()
            assert pages.size(name) == len(expected)
            assert pages.read(name, 0, len(expected) + 5).tobytes() == expected
        assert last == fuzzy.logs[1].last_before + 3
    assert fuzzy.content() == before
    assert list(scratch.iterdir()) == []


def test_a_pending_log_tells_how_much_is_not_in_the_store(tmp_path: Path) -> None:
    fuzzy = Fuzzy(tmp_path / "fuzzy", 20)
    before, scratch = fuzzy.content(), tmp_path / "scratch"
    scratch.mkdir()
    pending = pending_log(fuzzy.store, fuzzy.log, aligned=True, scratch=scratch)
    assert pending.transactions == 2 + 3
    with pending.applied() as pages:
        name = FILES[Store.GROUP]
        assert pages.read(name, 0, pages.size(name) or 0).tobytes() != before[name]
    assert fuzzy.content() == before
    assert list(scratch.iterdir()) == []
    fuzzy.recover()
    assert pending_log(fuzzy.store, fuzzy.log, aligned=True, scratch=scratch).transactions == 0


def test_a_missing_store_file_is_named(tmp_path: Path) -> None:
    fuzzy = Fuzzy(tmp_path / "fuzzy", 20)
    (fuzzy.store / FILES[Store.GROUP]).unlink()
    with (
        pytest.raises(IntegrityError, match="relationshipgroupstore"),
        recovered_pages(fuzzy.store, fuzzy.log, aligned=True, scratch=tmp_path),
    ):
        pass


@given(
    blocks=st.sets(st.integers(0, 6), max_size=5),
    grown=st.integers(0, 3 * BLOCK),
    reads=st.lists(st.tuples(st.integers(0, 9 * BLOCK), st.integers(0, 3 * BLOCK)), min_size=1, max_size=8),
)
def test_any_range_is_what_lies_below_with_changed_blocks_over_it(
    tmp_path_factory: pytest.TempPathFactory, blocks: set[int], grown: int, reads: list[tuple[int, int]]
) -> None:
    directory = tmp_path_factory.mktemp("overlaid")
    below, scratch = directory / "below", directory / "scratch"
    for folder in (below, scratch):
        folder.mkdir()
    for name in FILES.values():
        (below / name).write_bytes(b"")
    name = FILES[Store.NODE]
    content = bytearray(np.random.default_rng(1).integers(0, 256, 5 * BLOCK + 8192, np.uint8).tobytes())
    (below / name).write_bytes(content)
    with DirectoryPages(below) as under:
        pages = OverlaidPages(under, scratch)
        pages.bring(name, np.array(sorted(blocks), np.int64) * (BLOCK // 8192), 8192)
        content += bytes(grown)
        with (scratch / name).open("r+b") as file:
            file.truncate(len(content))
            for block in sorted(blocks):
                if block * BLOCK < len(content):
                    file.seek(block * BLOCK)
                    file.write(b"changed")
                    content[block * BLOCK : block * BLOCK + 7] = b"changed"
        for offset, length in reads:
            assert pages.read(name, offset, length).tobytes() == bytes(content[offset : offset + length])
        pages.close()
