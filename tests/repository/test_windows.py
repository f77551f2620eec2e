"""Restore windows: where they open and close, what ends them early, and what `info` tells of them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.backups import new_repository
from helpers.chains import header, named
from helpers.manifests import NOW, full_manifest
from helpers.properties import examples
from helpers.storages import MemoryStorage, Wrapped
from neokeep.errors import RepositoryError
from neokeep.repository.chains import Chain
from neokeep.repository.info import describe
from neokeep.repository.manifest import LogPoint, Manifest, encode_manifest, manifest_name
from neokeep.repository.repository import Repository
from neokeep.repository.segment import SegmentName, store_segment
from neokeep.repository.windows import Window, problems_of, windows_of

BASE = "neo4j-20261122-173015F"
BAD = "the segment with transactions 13 to 16 is marked as damaged"


def at(transaction: int) -> datetime:
    return NOW + timedelta(seconds=transaction)


def full(label: str = BASE, last: int = 9, **fields: Any) -> Manifest:
    end = LogPoint(version=0, offset=0, transaction=last, commit_time=at(last))
    usual: dict[str, Any] = {"started_at": at(last - 5), "finished_at": at(last), "end": end}
    return full_manifest(label, **(usual | fields))


def incremental(last: int, started: int, base: str = BASE, **fields: Any) -> Manifest:
    label = f"{base}_20261122-18{started:04}I"
    usual: dict[str, Any] = {"type": "incremental", "base": base, "started_at": at(started)}
    return full(label, last, **(usual | {"finished_at": at(started + 1)} | fields))


class Kept:
    """A repository with backups and segments by hand; a segment's last commit is that of its last transaction."""

    def __init__(self, *backups: Manifest) -> None:
        found: tuple[Repository, MemoryStorage] = new_repository()
        self.repository, self.storage = found
        for backup in backups:
            self.repository.commit(backup)

    def segments(self, *ranges: tuple[int, int], base: str = BASE) -> list[SegmentName]:
        return [
            store_segment(
                self.storage,
                msgspec.structs.replace(header(first, last, chain=base), last_commit_time=at(last)),
                b"",
            )
            for first, last in ranges
        ]

    @property
    def window(self) -> Window:
        manifests = [item for item in self.repository.manifests() if isinstance(item, Manifest)]
        (window,) = windows_of(self.repository, manifests)
        return window


def test_a_window_opens_with_its_full_backup_and_closes_with_its_last_segment() -> None:
    kept = Kept(full())
    kept.segments((10, 12), (13, 40))
    window = kept.window
    assert (window.first, window.last) == (9, 40)
    assert (window.opens_at, window.closes_at) == (at(9), at(40))
    assert problems_of(window) == ()


def test_a_backup_that_found_nothing_new_holds_the_window_open_until_it_began() -> None:
    kept = Kept(full(), incremental(12, 15), incremental(12, 70))
    elsewhere = incremental(12, 80, "neo4j-20200101-000000F")
    kept.storage.create(manifest_name(elsewhere.label), encode_manifest(elsewhere))
    kept.segments((10, 12))
    assert kept.window.closes_at == at(70)


def test_a_window_without_segments_closes_where_it_opens() -> None:
    kept = Kept(full())
    assert (kept.window.first, kept.window.last) == (9, 9)
    assert (kept.window.opens_at, kept.window.closes_at) == (at(9), at(9))


def test_a_window_over_nothing_has_no_times() -> None:
    kept = Kept(full(end=LogPoint(version=0, offset=0), started_at=at(0)))
    kept.segments((1, 3))
    assert (kept.window.first, kept.window.last, kept.window.opens_at) == (0, 3, None)


@pytest.mark.parametrize(
    ("segments", "marked", "problem"),
    [
        (
            [(10, 12), (17, 20), (21, 24)],
            [],
            "transactions 13 to 16 are missing; 2 segments behind that, up to transaction 24, cannot be reached",
        ),
        (
            [(11, 12)],
            [],
            "transaction 10 is missing; 1 segment behind that, up to transaction 12, cannot be reached",
        ),
        ([(10, 12), (13, 16)], [1], BAD),
        (
            [(10, 12), (13, 16), (17, 20)],
            [1],
            f"{BAD}; 1 segment behind that, up to transaction 20, cannot be reached",
        ),
        ([(10, 12), (15, 16)], [1], "transactions 13 to 14 are missing"),
        (
            [(10, 14), (13, 16)],
            [],
            "no segment begins with transaction 15; 1 segment behind that, up to transaction 16, cannot be reached",
        ),
    ],
)
def test_why_a_window_closes_before_the_newest_segment_is_told(
    segments: list[tuple[int, int]], marked: list[int], problem: str
) -> None:
    kept = Kept(full())
    stored = kept.segments(*segments)
    for number in marked:
        kept.repository.mark_damaged(stored[number].hash)
    assert problems_of(kept.window) == (problem,)


def test_backups_that_the_log_does_not_reach_any_more_are_told() -> None:
    kept = Kept(full(), incremental(12, 20), incremental(16, 30), incremental(16, 40))
    kept.segments((10, 12))
    assert problems_of(kept.window) == (f"2 incremental backups cannot be restored, from {BASE}_20261122-180030I on",)


def test_a_last_segment_that_cannot_be_read_is_told_and_its_time_is_not_guessed() -> None:
    kept = Kept(full())
    _, last = kept.segments((10, 12), (13, 16))
    kept.storage.replace(last.name, b"nonsense")
    assert (kept.window.last, kept.window.closes_at) == (16, None)
    assert problems_of(kept.window) == ("the last segment, up to transaction 16, cannot be read",)


SEGMENTS = st.lists(st.tuples(st.integers(2, 30), st.integers(0, 5)), max_size=8)


@examples(200)
@given(SEGMENTS, st.sets(st.integers(0, 7)))
def test_a_problem_is_told_exactly_when_a_segment_leads_beyond_the_window(
    drawn: list[tuple[int, int]], marked: set[int]
) -> None:
    kept = Kept(full(last=1))
    stored = kept.segments(*dict.fromkeys((first, first + more) for first, more in drawn))
    for number in marked & set(range(len(stored))):
        kept.repository.mark_damaged(stored[number].hash)
    window = kept.window
    assert bool(problems_of(window)) == any(segment.last > window.last for segment in stored)


def test_looking_for_windows_reads_the_last_segment_of_each_chain_and_no_other() -> None:
    other = "neo4j-20261123-000000F"
    kept = Kept(full(), full(other, last=60))
    names = [
        segments[-1].name
        for segments in (kept.segments((10, 12), (13, 16), (17, 30)), kept.segments((61, 61), base=other))
    ]
    read: list[str] = []
    watched = Wrapped(kept.storage, lambda what, name: read.append(name) if what == "read" else None)
    assert [window.last_tx for window in describe(Repository.open(watched)).windows] == [30, 61]
    assert [name for name in read if name.startswith("segments/")] == names


def test_all_that_info_tells_of_a_window() -> None:
    kept = Kept(full(), incremental(12, 20))
    first, *_ = kept.segments((10, 12), (17, 20))
    (window,) = describe(kept.repository).windows
    assert (window.base, window.database, window.source) == (BASE, "neo4j", "test")
    assert (window.first_tx, window.last_tx) == (9, 12)
    assert (window.first_time, window.last_time) == (at(9), at(20))
    assert (window.segments, window.log_bytes, window.unreachable_segments) == (1, first.size, 1)
    assert len(window.problems) == 1


@pytest.fixture
def several() -> Kept:
    newest = "neo4j-20261123-000000F"
    system = full("system-20261122-173015F", last=3, database="system")
    kept = Kept(full(), system, full(newest, last=60), incremental(12, 20), incremental(61, 70, newest))
    kept.segments((10, 12))
    kept.segments((61, 61), base=newest)
    return kept


def test_info_tells_the_windows_newest_last_and_of_one_database_where_that_is_asked_for(several: Kept) -> None:
    labels = ["system-20261122-173015F", BASE, "neo4j-20261123-000000F"]
    assert [window.base for window in describe(several.repository).windows] == labels
    assert [window.base for window in describe(several.repository, "neo4j").windows] == labels[1:]
    assert describe(several.repository, "none").windows == ()


@pytest.mark.parametrize("label", [BASE, f"{BASE}_20261122-180020I"])
def test_info_of_one_backup_tells_the_same_of_its_window_as_info_of_all(several: Kept, label: str) -> None:
    (wanted,) = [window for window in describe(several.repository).windows if window.base == BASE]
    report = describe(several.repository, label=label)
    assert [backup.label for backup in report.backups] == [label]
    assert report.windows == (wanted,)
    assert report.damaged == ()


def test_info_of_an_incremental_backup_tells_that_its_full_one_is_damaged(several: Kept) -> None:
    several.storage.replace(f"backups/{BASE}", b"nonsense")
    report = describe(several.repository, label=f"{BASE}_20261122-180020I")
    assert ([backup.type for backup in report.backups], report.windows) == (["incremental"], ())
    assert [failure.subject for failure in report.damaged] == [BASE]
    with pytest.raises(RepositoryError):
        describe(several.repository, label="none")


def test_a_chain_by_hand_is_a_window_without_problems() -> None:
    assert problems_of(Window(Chain(full(), (named(10, 12),)), None, None)) == ()
