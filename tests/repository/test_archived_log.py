"""Archived log that is read while others merge it and remove the parts: nothing is missed and nothing told twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.backups import check, content, expected, new_repository, put_back, take
from helpers.chains import commit_more, header, named, run_backup
from helpers.database import make_database
from helpers.manifests import full_manifest
from helpers.properties import examples
from helpers.storages import MemoryStorage, Wrapped
from helpers.txcommands import samples
from helpers.txlog import flipped
from neokeep.errors import IntegrityError
from neokeep.repository.archived import archived_log
from neokeep.repository.chains import chain_of
from neokeep.repository.history import history
from neokeep.repository.manifest import LogPoint
from neokeep.repository.merging import merge_segments
from neokeep.repository.repository import Repository
from neokeep.repository.segment import Piece, SegmentMissing, SegmentName, contiguous, list_segments, store_segment
from neokeep.repository.transactions import TransactionFilter

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

BASE = full_manifest(end=LogPoint(version=0, offset=0, transaction=1))
LAST = 13


def put(storage: MemoryStorage, first: int, last: int) -> SegmentName:
    """A segment of made-up transactions of one byte each, which are their ids."""
    data = bytes(range(first, last + 1))
    return store_segment(storage, header(first, last, [Piece(version=0, start=first, length=len(data))]), data)


def written(storage: MemoryStorage, planned: Sequence[SegmentName], removed: Sequence[Sequence[SegmentName]]) -> bytes:
    """Read a plan as a restore does, while segments are removed before each step; what stands in the log then."""
    log = bytearray(LAST + 1)
    steps = iter(removed)

    def remove() -> None:
        for segment in next(steps, ()):
            storage.delete(segment.name)

    remove()
    for _, described, data in archived_log(storage, BASE, planned):
        (piece,) = described.pieces
        log[piece.start : piece.start + piece.length] = data
        remove()
    return bytes(log[2:])


CUTS = st.sets(st.integers(2, LAST - 1), max_size=8)


@examples(200)
@given(st.lists(CUTS, min_size=2, max_size=4), st.data())
def test_however_segments_are_cut_and_removed_all_is_read_as_long_as_one_way_is_left(
    ways: list[set[int]], data: st.DataObject
) -> None:
    storage = MemoryStorage()
    kept = [put(storage, begin, end) for begin, end in stretches(ways[0])]
    for way in ways[1:]:
        for begin, end in stretches(way):
            put(storage, begin, end)
    segments = list_segments(storage, kept[0].chain)
    planned = contiguous(segments, 1)
    others = [segment for segment in segments if segment not in kept]
    removed = data.draw(st.lists(st.lists(st.sampled_from(others), max_size=3), max_size=6)) if others else []
    assert written(storage, planned, removed) == bytes(range(2, LAST + 1))


def stretches(cuts: set[int]) -> list[tuple[int, int]]:
    """Cut the transactions 2 to LAST behind some of them."""
    ends = [*sorted(cuts), LAST]
    return list(zip([2, *(end + 1 for end in ends[:-1])], ends, strict=True))


def test_of_a_plan_for_a_part_of_the_log_only_that_part_is_read() -> None:
    storage = MemoryStorage()
    small = [put(storage, number, number) for number in range(2, LAST + 1)]
    merged, last = put(storage, 2, 8), put(storage, 9, LAST)
    for segment in small:
        storage.delete(segment.name)
    assert [segment for segment, _, _ in archived_log(storage, BASE, small[2:5])] == [merged]
    assert [segment for segment, _, _ in archived_log(storage, BASE, small[5:9])] == [merged, last]
    assert list(archived_log(storage, BASE, ())) == []


def test_a_damaged_segment_is_passed_by_where_another_one_holds_the_same() -> None:
    storage = MemoryStorage()
    parts = [put(storage, 2, 7), put(storage, 8, LAST)]
    merged = put(storage, 2, LAST)
    storage.replace(merged.name, flipped(storage.objects[merged.name], 70))
    assert [segment for segment, _, _ in archived_log(storage, BASE, [merged])] == parts


def test_a_segment_that_is_marked_as_damaged_takes_the_place_of_no_other() -> None:
    storage = MemoryStorage()
    small = [put(storage, number, number) for number in range(2, LAST + 1)]
    merged = put(storage, 2, LAST)
    Repository.create(storage).mark_damaged(merged.hash)
    storage.delete(small[3].name)
    with pytest.raises(SegmentMissing):
        list(archived_log(storage, BASE, small))


@pytest.mark.parametrize("at", [0, 1, 2])
def test_where_nothing_leads_on_the_reason_is_told(at: int) -> None:
    storage = MemoryStorage()
    segments = [put(storage, 2, 5), put(storage, 6, 9), put(storage, 10, LAST)]
    data = storage.objects[segments[at].name]
    storage.replace(segments[at].name, flipped(data, 70))
    with pytest.raises(IntegrityError, match="is damaged"):
        list(archived_log(storage, BASE, segments))
    storage.delete(segments[at].name)
    read: list[SegmentName] = []
    with pytest.raises(SegmentMissing, match="is missing"):
        read.extend(segment for segment, _, _ in archived_log(storage, BASE, segments))
    assert read == segments[:at]
    put(storage, segments[at].first, segments[at].last - 1)
    with pytest.raises(SegmentMissing):
        list(archived_log(storage, BASE, segments))


def test_a_segment_that_is_listed_but_never_there_does_not_keep_a_reader_going() -> None:
    class Lying(MemoryStorage):
        def read(self, name: str, offset: int = 0, length: int | None = None) -> bytes:
            return super().read(name + ("-gone" if "segments/" in name else ""), offset, length)

    storage = Lying()
    planned = [put(storage, 2, 5), put(storage, 6, LAST)]
    put(storage, 2, LAST)
    with pytest.raises(SegmentMissing):
        list(archived_log(storage, BASE, planned))


class Merging:
    """A repository whose small segments are merged and removed in the moment in which the third of them is read."""

    def __init__(self, home: Path) -> None:
        self.made = make_database(home)
        made_repository, self.storage = new_repository()
        self.label = take(self.made, made_repository).label
        self.first = self.made.logs[-1].last_transaction + 1
        for number in range(6):
            self.made.logs[-1].add(samples(20)[number].data)
            commit_more(self.made, 0)
            run_backup(self.made, made_repository)
        self.parts = chain_of(made_repository, made_repository.manifest(self.label)).segments
        self.repository = Repository.open(Wrapped(self.storage, self._before))
        self.reads = 0

    def _before(self, operation: str, name: str) -> None:
        if operation == "read" and name.startswith("segments/"):
            self.reads += 1
            if self.reads == 4:
                assert merge_segments(self.storage, self.parts[:5]) is not None
                for part in self.parts[:5]:
                    self.storage.delete(part.name)


@pytest.fixture
def merging(tmp_path: Path) -> Merging:
    return Merging(tmp_path / "home")


def test_a_restore_whose_segments_are_merged_and_removed_meanwhile_ends_well(merging: Merging, tmp_path: Path) -> None:
    put_back(merging.repository, tmp_path / "restored")
    assert merging.reads > 4
    assert content(tmp_path / "restored") == expected(merging.made)


def test_the_log_command_lists_each_transaction_once_although_segments_are_merged_meanwhile(merging: Merging) -> None:
    chain = chain_of(merging.repository, merging.repository.manifest(merging.label))
    report = history(merging.repository, chain, TransactionFilter(first=merging.first), 100)
    assert [transaction.id for transaction in report.transactions] == list(range(merging.first, merging.first + 6))


def test_a_verification_does_not_take_segments_that_were_merged_meanwhile_for_damaged(merging: Merging) -> None:
    report = check(merging.repository)
    assert merging.reads >= 4
    assert report.damaged_objects == ()
    assert merging.storage.names("damaged/") == []
    assert check(merging.repository).ok


def test_a_verification_tells_of_a_segment_that_is_listed_and_cannot_be_had(merging: Merging) -> None:
    name = merging.parts[2].name

    class Lying(Wrapped):
        def read(self, asked: str, offset: int = 0, length: int | None = None) -> bytes:
            return super().read(asked + ("-gone" if asked == name else ""), offset, length)

    report = check(Repository.open(Lying(merging.storage, lambda *_: None)))
    assert not report.ok
    assert [text.split(":")[0] for text in report.damaged_objects] == [name]


def test_names_alone_are_no_segments() -> None:
    with pytest.raises(SegmentMissing):
        list(archived_log(MemoryStorage(), BASE, [named(2, 3)]))
