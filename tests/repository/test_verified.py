"""What verifications prove is kept: parts add up, and nothing is claimed that was not read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from helpers.kept import DAY, NOON, Kept, reads_of
from helpers.storages import Wrapped
from helpers.txlog import flipped
from neokeep.errors import AccessError, UsageError
from neokeep.repository import pack as packing
from neokeep.repository.info import describe
from neokeep.repository.recording import Recorder
from neokeep.repository.repository import Repository
from neokeep.repository.verified import read_records

if TYPE_CHECKING:
    from pathlib import Path

    from neokeep.reports import VerifyReport


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kept:
    monkeypatch.setattr(packing, "TARGET_SIZE", 70_000)
    return Kept(tmp_path / "home")


def test_before_anything_was_verified_every_backup_says_never(kept: Kept) -> None:
    for backup in kept.info().values():
        assert (backup.content_proven_at, backup.structure_proven_at, backup.verified_whole) == (None, None, None)


def test_a_verification_of_everything_proves_every_backup_at_its_begin(kept: Kept) -> None:
    before = kept.time
    report = kept.verify()
    assert report.ok
    assert report.recorded
    for backup in kept.info().values():
        assert before <= backup.content_proven_at < kept.time - DAY  # type: ignore[operator]
        assert backup.verified_whole
    assert all(item.content_proven_at for item in report.backups)


def test_the_structure_reads_no_pack_whole_and_proves_no_content(kept: Kept) -> None:
    read, report = reads_of(kept, depth="structure")
    assert (read, report.ok, report.bytes_checked) == (set(), True, 0)
    for backup in kept.info().values():
        assert (backup.content_proven_at, backup.verified_whole) == (None, True)
        assert backup.structure_proven_at is not None


@pytest.mark.parametrize("of", [1, 3, 7])
def test_all_parts_together_read_every_object_once_and_prove_what_everything_proves(kept: Kept, of: int) -> None:
    seen: list[str] = []
    begun = kept.time
    for number in range(1, of + 1):
        assert all(backup.content_proven_at is None for backup in kept.info().values()) or number > 1
        read, report = reads_of(kept, part=f"{number}/{of}")
        assert (report.ok, report.part) == (True, f"{number}/{of}")
        seen += read
    assert sorted(seen) == sorted(kept.whole_objects())
    for backup in kept.info().values():
        assert begun <= backup.content_proven_at < kept.time  # type: ignore[operator]


def test_parts_by_turns_cover_everything_and_begin_again_with_the_oldest(kept: Kept) -> None:
    parts = [kept.verify(part="auto/4").part for _ in range(6)]
    assert parts == ["1/4", "2/4", "3/4", "4/4", "1/4", "2/4"]
    oldest = min(backup.content_proven_at for backup in kept.info().values() if backup.content_proven_at)
    assert oldest >= NOON + 3 * DAY


def test_what_came_after_a_part_was_read_is_not_proven_by_it(kept: Kept) -> None:
    kept.verify()
    newer = kept.change(23)
    kept.verify(depth="structure")
    info = kept.info()
    assert info[newer].content_proven_at is None
    assert info[kept.labels[0]].content_proven_at is not None
    for _ in range(3):
        kept.verify(part="auto/3")
    assert kept.info()[newer].content_proven_at is not None


def test_one_backup_alone_is_proven_by_itself(kept: Kept) -> None:
    newer = kept.change(23)
    kept.verify(kept.labels[1])
    info = kept.info()
    assert info[kept.labels[1]].content_proven_at is not None
    assert (info[newer].content_proven_at, info[kept.labels[2]].content_proven_at) == (None, None)


def test_damage_is_found_by_the_part_that_has_it_and_stays_told_by_all_others(kept: Kept) -> None:
    bad = max(kept.storage.names("packs/"), key=lambda name: len(kept.storage.objects[name]))
    good = kept.storage.objects[bad]
    kept.storage.replace(bad, flipped(good, 1000))
    reports = [kept.verify(part=f"{number}/3") for number in (1, 2, 3, 1, 2, 3)]
    first = next(number for number, report in enumerate(reports) if not report.ok)
    assert first < 3
    assert all(report.ok for report in reports[:first])
    assert not any(report.ok for report in reports[first:])
    assert bad in reports[first].damaged_objects[0]
    assert all("blocks are missing or damaged" in report.backups[0].problems[0] for report in reports[first:])
    assert all(backup.verified_whole is False for backup in kept.info().values())
    assert not kept.verify(depth="structure").ok
    kept.storage.replace(bad, good)
    assert kept.verify().ok
    assert all(backup.verified_whole for backup in kept.info().values())


def test_a_pack_of_another_size_and_a_missing_one_are_found_without_reading_them(kept: Kept) -> None:
    one, other = kept.storage.names("packs/")[:2]
    kept.storage.replace(one, kept.storage.objects[one][:-1])
    report = kept.verify(depth="structure")
    assert (report.ok, report.damaged_objects[0].split(":")[0]) == (False, one)
    kept.storage.delete(other)
    assert not all(item.ok for item in kept.verify(depth="structure").backups)


def test_a_segment_that_is_gone_is_found_without_reading_others(kept: Kept) -> None:
    kept.storage.delete(kept.storage.names("segments/")[1])
    report = kept.verify(depth="structure")
    assert [item.ok for item in report.backups] == [True, True, False]


def test_three_years_of_daily_parts_leave_one_small_record(kept: Kept) -> None:
    for _ in range(60):
        kept.verify(part="auto/30")
    (name,) = kept.storage.names("verified/")
    assert len(kept.storage.objects[name]) < 8192
    record = read_records(kept.storage)
    assert (len(record.runs), len(record.coverage)) == (60, 30)


def test_two_verifications_at_the_same_time_both_count(kept: Kept) -> None:
    inside: list[VerifyReport] = []

    def before(operation: str, name: str) -> None:
        if operation == "create" and name.startswith("verified/") and not inside:
            inside.append(kept.verify(part="2/2"))

    kept.verify(repository=Repository.open(Wrapped(kept.storage, before)), part="1/2")
    assert len(kept.storage.names("verified/")) == 2
    kept.verify(depth="structure")
    assert len(kept.storage.names("verified/")) == 1
    assert all(backup.content_proven_at is not None for backup in kept.info().values())


def test_a_place_that_takes_nothing_is_verified_all_the_same_and_told(kept: Kept) -> None:
    def before(operation: str, name: str) -> None:
        if operation in {"create", "delete"}:
            raise AccessError(f"{name}: read-only")

    report = kept.verify(repository=Repository.open(Wrapped(kept.storage, before)))
    assert (report.ok, report.recorded, report.resumed_from) == (True, False, None)
    assert "read-only" in report.not_recorded_because
    assert kept.storage.names("verified/") == []


def test_where_nothing_can_be_deleted_info_still_reads_one_record(kept: Kept) -> None:
    def before(operation: str, name: str) -> None:
        if operation == "delete":
            raise AccessError(f"{name}: append-only")

    for _ in range(5):
        kept.verify(repository=Repository.open(Wrapped(kept.storage, before)), part="auto/5")
    assert len(kept.storage.names("verified/")) == 5
    read: list[str] = []
    describe(Repository.open(Wrapped(kept.storage, lambda operation, name: read.append(f"{operation} {name}"))))
    assert sum(text.startswith("read verified/") for text in read) == 1
    assert all(backup.content_proven_at is not None for backup in kept.info().values())


def test_a_record_that_is_damaged_tells_nothing(kept: Kept) -> None:
    kept.verify()
    (name,) = kept.storage.names("verified/")
    kept.storage.replace(name, flipped(kept.storage.objects[name], 12))
    assert all(backup.content_proven_at is None for backup in kept.info().values())
    kept.verify()
    assert len(kept.storage.names("verified/")) == 1


@pytest.mark.parametrize(
    "options", [{"depth": "deep"}, {"part": "1/2", "depth": "structure"}, {"part": "1/2", "recover": True}]
)
def test_what_does_not_fit_together_is_refused(kept: Kept, options: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        kept.verify(**options)
    with pytest.raises(UsageError):
        kept.verify(kept.labels[0], part="1/2")


def test_log_that_did_not_fit_stays_told_until_it_was_applied_again(kept: Kept) -> None:
    kept.verify()
    Recorder.begin(kept.storage).note_recovered({kept.labels[0]: True, kept.labels[1]: False})
    kept.time += DAY
    kept.verify()
    assert [kept.info()[label].verified_whole for label in kept.labels] == [True, False, True]
    assert [kept.info()[label].recovered_at is None for label in kept.labels] == [False, False, True]
    Recorder.begin(kept.storage).note_recovered({kept.labels[1]: True})
    assert kept.info()[kept.labels[1]].verified_whole


def test_info_looks_again_when_the_record_that_it_read_was_replaced(kept: Kept) -> None:
    kept.verify()
    done: list[VerifyReport] = []

    def before(operation: str, name: str) -> None:
        if operation == "read" and name.startswith("verified/") and not done:
            done.append(kept.verify())

    report = describe(Repository.open(Wrapped(kept.storage, before)))
    assert done
    assert all(backup.content_proven_at is not None for backup in report.backups)


def test_what_a_later_verification_knows_outlives_an_earlier_one_that_ends_after_it(
    kept: Kept,
) -> None:
    newer: list[str] = []

    def before(operation: str, name: str) -> None:
        if operation == "read" and name.startswith("packs/") and not newer:
            newer.append(kept.change(41))
            kept.verify()

    kept.verify(repository=Repository.open(Wrapped(kept.storage, before)))
    assert kept.info()[newer[0]].content_proven_at is not None
    assert len(kept.storage.names("verified/")) == 1
