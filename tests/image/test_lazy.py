"""Files of a backup come when they are needed, whole blocks at a time, and nothing else of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.backups import new_repository, take
from helpers.database import Synthetic, make_database, some_bytes, write_tree
from helpers.properties import examples
from neokeep.errors import IntegrityError
from neokeep.image.lazy import LazyFiles
from neokeep.repository.contents import file_list
from neokeep.repository.reader import BlockReader

if TYPE_CHECKING:
    from pathlib import Path

    from helpers.storages import MemoryStorage
    from neokeep.repository.manifest import FileEntry

NAME = "neostore.nodestore.db"
SIZE = 1_000_000


class Kept:
    """A backup with one file of several blocks."""

    def __init__(self, directory: Path) -> None:
        self.made: Synthetic = make_database(directory / "home")
        self.content = some_bytes(5, SIZE)
        write_tree(self.made.store_directory, {NAME: self.content})
        self.repository, self.storage = new_repository()
        manifest = self.repository.manifest(take(self.made, self.repository).label)
        self.reader = BlockReader.of(self.repository)
        self.files = [file for file in file_list(self.reader, manifest) if file.area == "store"]
        self.entry: FileEntry = next(file for file in self.files if file.path == NAME)
        self._directory = directory
        self._count = 0

    def lay_out(self) -> LazyFiles:
        self._count += 1
        place = self._directory / str(self._count)
        place.mkdir()
        return LazyFiles(self.reader, self.files, place, jobs=2)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    return Kept(tmp_path_factory.mktemp("kept"))


def test_all_files_have_their_sizes_and_nothing_in_them_before_they_are_needed(kept: Kept) -> None:
    lazy = kept.lay_out()
    for path, entry in lazy.entries.items():
        status = (lazy.directory / path).stat()
        assert (status.st_size, status.st_blocks) == (entry.content.size, 0)


@examples(20)
@given(ranges=st.lists(st.tuples(st.integers(0, SIZE + 10), st.integers(0, SIZE)), max_size=5))
def test_a_range_that_was_brought_is_that_of_the_backup_and_other_blocks_are_not_fetched(
    kept: Kept, ranges: list[tuple[int, int]]
) -> None:
    lazy, size = kept.lay_out(), kept.entry.content.block_size
    wanted: set[int] = set()
    for offset, length in ranges:
        lazy.bring(NAME, offset, length)
        end = min(offset + length, SIZE)
        assert (lazy.directory / NAME).read_bytes()[offset:end] == kept.content[offset:end]
        wanted |= set(range(offset // size, -(-end // size))) if offset < end else set()
    assert lazy.brought(NAME).tolist() == sorted(wanted)


@examples(20)
@given(pages=st.sets(st.integers(0, 200), max_size=8).map(sorted), page_bytes=st.sampled_from([8192, 8190, 8160]))
def test_pages_are_brought_whole_and_those_behind_the_end_are_nobody_s(
    kept: Kept, pages: list[int], page_bytes: int
) -> None:
    lazy = kept.lay_out()
    lazy.bring_pages(NAME, np.array(pages, np.int64), page_bytes)
    there = (lazy.directory / NAME).read_bytes()
    for page in pages:
        at = slice(page * page_bytes, (page + 1) * page_bytes)
        assert there[at] == kept.content[at]


def test_what_was_changed_since_it_came_is_not_fetched_again(kept: Kept) -> None:
    lazy = kept.lay_out()
    lazy.bring(NAME, 0, 10)
    with (lazy.directory / NAME).open("r+b") as file:
        file.write(b"changed")
    lazy.bring(NAME)
    assert (lazy.directory / NAME).read_bytes() == b"changed" + kept.content[7:]


def test_a_damaged_block_is_told_with_its_place(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    storage: MemoryStorage = kept.storage
    for name in storage.names("packs/"):
        storage.replace(name, bytes(len(storage.objects[name])))
    with pytest.raises(IntegrityError, match=rf"{NAME}, bytes \d+ to \d+: "):
        kept.lay_out().bring(NAME)


def test_a_file_that_is_not_in_the_backup_is_told(kept: Kept) -> None:
    lazy, missing = kept.lay_out(), "neostore.nodestore.db.labels"
    with pytest.raises(IntegrityError, match=f"there is no {missing} in the backup"):
        lazy.bring(missing)
    with pytest.raises(IntegrityError, match="there is no"):
        lazy.bring_pages(missing, np.array([0]), 8192)
    with pytest.raises(IntegrityError, match="there is no"):
        lazy.ids(missing)
