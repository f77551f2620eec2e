"""Small segments of log are made one large one, which holds what they held, and nothing else is touched."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from helpers.backups import SILENT, check, content, expected, new_repository, put_back, take
from helpers.chains import NOW, commit_more, header, moment_of, run_backup
from helpers.database import make_database
from helpers.storages import Wrapped
from helpers.txcommands import samples
from helpers.txlog import flipped
from neokeep.errors import IntegrityError, RepositoryError
from neokeep.repository import merging
from neokeep.repository.chains import chain_of
from neokeep.repository.history import history
from neokeep.repository.merging import (
    merge_segments,
)
from neokeep.repository.segment import (
    Piece,
    SegmentMissing,
    SegmentName,
    list_segments,
    read_segment,
    store_segment,
)
from neokeep.repository.transactions import TransactionFilter
from neokeep.restore.restore import restore
from neokeep.restore.targets import Moment

if TYPE_CHECKING:
    from pathlib import Path

    from helpers.database import Synthetic
    from helpers.storages import MemoryStorage
    from neokeep.repository.repository import Repository


class Archived:
    """A database whose log from transaction 10 on is in small segments, in three log files."""

    def __init__(self, home: Path, kernel: int = 20) -> None:
        self.made: Synthetic = make_database(home, kernel)
        found: tuple[Repository, MemoryStorage] = new_repository()
        self.repository, self.storage = found
        self.label = take(self.made, self.repository).label
        for number in range(12):
            payload = samples(kernel)[number].data
            if number in {4, 8}:
                self.made.logs.append(self.made.logs[-1].next([payload]))
            else:
                self.made.logs[-1].add(payload)
            commit_more(self.made, 0)
            run_backup(self.made, self.repository)

    @property
    def path(self) -> tuple[SegmentName, ...]:
        return chain_of(self.repository, self.repository.manifest(self.label)).segments

    def merge(self, first: int = 0, last: int | None = None) -> SegmentName:
        merged = merge_segments(self.storage, self.path[first:last])
        assert merged is not None
        return merged

    def restored(self, home: Path, transaction: int) -> tuple[dict[str, bytes], dict[str, bytes]]:
        moment = Moment(transaction=transaction)
        restore(self.repository, home, "neo4j", from_source="test", moment=moment, jobs=1, progress=SILENT)
        return content(home)


@pytest.fixture
def archived(tmp_path: Path) -> Archived:
    return Archived(tmp_path / "home")


@pytest.mark.parametrize("kernel", [4, 20, 32])
def test_a_merged_segment_holds_what_its_parts_hold_and_restores_to_the_last_bit(tmp_path: Path, kernel: int) -> None:
    archived = Archived(tmp_path / "home", kernel)
    parts = archived.path
    assert len(parts) == 12
    contents = [read_segment(archived.storage, part) for part in parts]
    merged = archived.merge()
    described, data = read_segment(archived.storage, merged)
    assert data == b"".join(content for _, content in contents)
    assert (described.first, described.last) == (parts[0].first, parts[-1].last)
    assert (described.follows, described.tail) == (contents[0][0].follows, contents[-1][0].tail)
    assert [(piece.version, piece.start == 0) for piece in described.pieces] == [(1, False), (2, True), (3, True)]
    assert archived.path == (merged,)
    for part in parts:
        archived.storage.delete(part.name)
    put_back(archived.repository, tmp_path / "restored")
    assert content(tmp_path / "restored") == expected(archived.made)
    assert check(archived.repository).ok


def test_log_verify_and_restores_to_a_moment_answer_the_same_before_and_after(
    archived: Archived, tmp_path: Path
) -> None:
    first, last = archived.path[0].first, archived.path[-1].last

    def answers(folder: Path) -> object:
        chain = chain_of(archived.repository, archived.repository.manifest(archived.label))
        listed = history(archived.repository, chain, TransactionFilter(first=first), 100)
        some = history(archived.repository, chain, TransactionFilter(first=first + 3, last=first + 5), 100)
        states = [archived.restored(folder / str(number), number) for number in (first, first + 5, last)]
        times = [
            restore(
                archived.repository, folder / f"time-{number}", "neo4j", from_source="test",
                moment=Moment(time=moment_of(number)), jobs=1, progress=SILENT,
            ).last_tx
            for number in (first + 1, last)
        ]  # fmt: skip
        return listed, some, states, times, check(archived.repository).ok

    before = answers(tmp_path / "before")
    parts = archived.path
    archived.merge(0, 5)
    archived.merge(1, 8)
    assert answers(tmp_path / "merged") == before
    for part in set(parts) - set(archived.path):
        archived.storage.delete(part.name)
    assert answers(tmp_path / "removed") == before


@pytest.mark.looks_at_names
def test_merging_the_same_parts_again_makes_the_same_segment(archived: Archived) -> None:
    parts = archived.path
    assert merge_segments(archived.storage, parts) == merge_segments(archived.storage, parts)
    assert len(list_segments(archived.storage, archived.label)) == len(parts) + 1


@pytest.mark.parametrize("number", [0, 3, 11])
def test_a_part_that_is_damaged_or_missing_is_refused_and_everything_stays(archived: Archived, number: int) -> None:
    parts = archived.path
    name = parts[number].name
    data = archived.storage.objects[name]
    archived.storage.replace(name, flipped(data, len(data) // 2))
    before = dict(archived.storage.objects)
    with pytest.raises(IntegrityError, match="is damaged"):
        merge_segments(archived.storage, parts)
    assert archived.storage.objects == before
    archived.storage.delete(name)
    with pytest.raises(SegmentMissing):
        merge_segments(archived.storage, parts)
    assert len(archived.storage.objects) == len(before) - 1


def put(storage: MemoryStorage, first: int, last: int, data: bytes = b"log", **fields: Any) -> SegmentName:
    pieces = [Piece(version=0, start=1000 * first, length=len(data))]
    return store_segment(storage, msgspec.structs.replace(header(first, last, pieces), **fields), data)


@pytest.mark.parametrize(("first", "fields"), [(4, {}), (2, {}), (3, {"follows": 8}), (3, {"store_id": "another"})])
def test_parts_that_do_not_follow_on_one_another_are_refused(first: int, fields: dict[str, Any]) -> None:
    _, storage = new_repository()
    parts = [put(storage, 1, 2), put(storage, first, 5, **fields)]
    with pytest.raises(IntegrityError, match="does not follow on the segment before it"):
        merge_segments(storage, parts)
    assert len(storage.names("segments/")) == 2


def test_pieces_are_joined_where_one_goes_on_behind_the_other_and_nowhere_else() -> None:
    _, storage = new_repository()
    places = [(0, 100, 5), (0, 105, 5), (1, 0, 9), (1, 9, 1), (2, 0, 3), (2, 4, 3)]
    parts = [
        store_segment(
            storage, header(at, at, [Piece(version=version, start=start, length=size)]), bytes([at]) * size
        )
        for at, (version, start, size) in enumerate(places, 1)
    ]  # fmt: skip
    merged = merge_segments(storage, parts)
    assert merged is not None
    described, data = read_segment(storage, merged)
    assert [(piece.version, piece.start, piece.length) for piece in described.pieces] == [
        (0, 100, 10), (1, 0, 10), (2, 0, 3), (2, 4, 3),
    ]  # fmt: skip
    assert data == b"".join(bytes([at]) * size for at, (_, _, size) in enumerate(places, 1))


def test_the_earliest_and_the_latest_commit_time_of_all_parts_count() -> None:
    _, storage = new_repository()
    times = [(3, 4), (1, 9), (5, 6)]
    parts = [
        put(
            storage, at, at,
            first_commit_time=NOW + timedelta(seconds=begin), last_commit_time=NOW + timedelta(seconds=end),
        )
        for at, (begin, end) in enumerate(times, 1)
    ]  # fmt: skip
    merged = merge_segments(storage, parts)
    assert merged is not None
    described, _ = read_segment(storage, merged)
    assert described.first_commit_time == NOW + timedelta(seconds=1)
    assert described.last_commit_time == NOW + timedelta(seconds=9)


@pytest.mark.parametrize(
    ("sizes", "held"),
    [([30, 30, 30, 30], 3), ([90, 30, 5], 0), ([101, 1], 0), ([1, 101], 0), ([60, 30, 11], 0), ([50, 50, 1], 2)],
)
def test_segments_that_hold_much_log_in_few_bytes_become_no_segment_that_holds_too_much(
    monkeypatch: pytest.MonkeyPatch, sizes: list[int], held: int
) -> None:
    monkeypatch.setattr(merging, "LARGEST_CONTENT", 100)
    _, storage = new_repository()
    parts = [put(storage, at, at, bytes(size)) for at, size in enumerate(sizes, 1)]
    merged = merge_segments(storage, parts)
    assert (merged.last if merged else 0) == held
    assert len(storage.names("segments/")) == len(sizes) + bool(held)


@pytest.mark.parametrize("failing", ["create", "read"])
def test_a_storage_that_fails_leaves_the_parts_and_the_chain_as_they_are(archived: Archived, failing: str) -> None:
    path = archived.path

    def fails(operation: str, name: str) -> None:
        if operation == failing and name.startswith("segments/"):
            raise RepositoryError("input/output error")

    with pytest.raises(RepositoryError):
        merge_segments(Wrapped(archived.storage, fails), path)
    assert archived.path == path
