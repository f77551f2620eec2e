"""What verifications prove is kept: parts add up, what was interrupted goes on, and nothing is claimed that was not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from helpers.backups import SILENT, take
from helpers.chains import commit_more, run_backup
from helpers.database import make_database, some_bytes, write_tree
from helpers.storages import MemoryStorage, Wrapped
from helpers.txlog import flipped
from neokeep.errors import AccessError, RepositoryError, UsageError
from neokeep.repository import pack as packing
from neokeep.repository import recording
from neokeep.repository.coverage import Stretch, combined
from neokeep.repository.info import describe
from neokeep.repository.recording import Recorder
from neokeep.repository.repository import Repository
from neokeep.repository.verified import (
    ProvenBackup,
    Record,
    Run,
    decode_record,
    encode_record,
    merged,
    read_records,
)
from neokeep.repository.verify import verify
from neokeep.repository.verify_options import VerifyOptions

if TYPE_CHECKING:
    import random
    from pathlib import Path

    from neokeep.reports import BackupInfo, VerifyReport

NOON = datetime(2027, 1, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


class Kept:
    """A repository in memory with a clock of its own, small packs, a full backup and two that go on with it."""

    def __init__(self, home: Path) -> None:
        self.storage = MemoryStorage()
        self.time = NOON
        self.storage.now = self.tick
        self.repository = Repository.create(self.storage)
        self.made = make_database(home)
        self.made.store |= {"neostore.nodestore.db": some_bytes(7, 600_000)}
        self.made.write()
        self.labels = [take(self.made, self.repository).label]
        for _ in range(2):
            commit_more(self.made)
            self.labels.append(run_backup(self.made, self.repository).backups[0].label)
        self.time += DAY

    def tick(self) -> datetime:
        self.time += timedelta(milliseconds=1)
        return self.time

    def verify(self, label: str | None = None, repository: Repository | None = None, **options: Any) -> VerifyReport:
        report = verify(
            repository or self.repository,
            label,
            options=VerifyOptions(**options),
            jobs=2,
            progress=SILENT,
        )
        self.time += DAY
        return report

    def change(self, seed: int) -> str:
        changed = {"neostore.nodestore.db": some_bytes(seed, 300_000)}
        self.made.store |= changed
        write_tree(self.made.store_directory, changed)
        label = take(self.made, self.repository).label
        self.time += DAY
        return label

    def info(self) -> dict[str, BackupInfo]:
        return {backup.label: backup for backup in describe(self.repository).backups}

    def whole_objects(self) -> set[str]:
        return {*self.storage.names("packs/"), *self.storage.names("segments/")}


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kept:
    monkeypatch.setattr(packing, "TARGET_SIZE", 70_000)
    return Kept(tmp_path / "home")


def reads_of(kept: Kept, **options: Any) -> tuple[set[str], VerifyReport]:
    """Verify, and tell which packs and segments were read whole."""
    read: set[str] = set()

    class Watched(Wrapped):
        def read(self, name: str, offset: int = 0, length: int | None = None) -> bytes:
            if length is None:
                read.add(name)
            return self.inner.read(name, offset, length)

    report = kept.verify(repository=Repository.open(Watched(kept.storage, lambda *_: None)), **options)
    return {name for name in read if name.startswith(("packs/", "segments/"))}, report


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


class Died(BaseException):
    """Stands for the end of the process."""


def interrupted(kept: Kept, after: int) -> set[str]:
    """Verify on one thread and die when so many objects were read; tell which were."""
    read: list[str] = []

    class Dying(Wrapped):
        def read(self, name: str, offset: int = 0, length: int | None = None) -> bytes:
            if length is None and name.startswith(("packs/", "segments/")):
                if len(read) == after:
                    raise Died
                read.append(name)
            return self.inner.read(name, offset, length)

    with pytest.raises(Died):
        verify(Repository.open(Dying(kept.storage, lambda *_: None)), None, jobs=1, progress=SILENT)
    kept.time += DAY
    return set(read)


def test_a_verification_that_was_killed_counts_for_nothing_and_the_next_one_goes_on(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording, "PROGRESS_SECONDS", 0)
    total = len(kept.whole_objects())
    assert total > 8
    first = interrupted(kept, 3)
    assert all(backup.content_proven_at is None for backup in kept.info().values())
    second = interrupted(kept, 3)
    # What was being read when it was killed is read again.
    assert len(first & second) <= 1
    begun = read_records(kept.storage).going_on
    read, report = reads_of(kept)
    assert report.ok
    assert report.resumed_from == begun
    assert total - 6 <= len(read) <= total - 4
    assert first | second | read == kept.whole_objects()
    assert all(backup.content_proven_at is not None for backup in kept.info().values())
    assert min(b.content_proven_at for b in kept.info().values() if b.content_proven_at) >= begun  # type: ignore[operator]
    assert reads_of(kept)[0] == kept.whole_objects()
    assert len(kept.storage.names("verified/")) == 1


@pytest.mark.parametrize("options", [{"again": True}, {"resume_within": timedelta(hours=1)}])
def test_what_is_not_to_be_trusted_is_read_again(
    kept: Kept, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any]
) -> None:
    monkeypatch.setattr(recording, "PROGRESS_SECONDS", 0)
    interrupted(kept, 5)
    read, report = reads_of(kept, **options)
    assert (read, report.resumed_from) == (kept.whole_objects(), None)


def test_a_backup_that_came_while_a_verification_was_interrupted_is_read_when_it_goes_on(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording, "PROGRESS_SECONDS", 0)
    before = kept.whole_objects()
    interrupted(kept, len(before) - 1)
    newer = kept.change(31)
    read, report = reads_of(kept)
    assert kept.whole_objects() - before <= read
    assert report.resumed_from is not None
    assert kept.info()[newer].content_proven_at is not None


def test_damage_that_an_interrupted_verification_found_is_told_by_the_one_that_goes_on(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording, "PROGRESS_SECONDS", 0)
    (index,) = kept.storage.names("index/")[:1]
    assert index
    bad = min(kept.storage.names("packs/"))
    kept.storage.replace(bad, flipped(kept.storage.objects[bad], len(kept.storage.objects[bad]) - 1))
    interrupted(kept, 5)
    report = kept.verify()
    assert report.resumed_from is not None
    assert not report.ok
    assert any(text.startswith(bad) for text in report.damaged_objects)


@pytest.mark.faults
def test_killed_at_whatever_call_nothing_is_claimed_and_the_next_verification_is_whole(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording, "PROGRESS_SECONDS", 0)
    step = 0
    while True:
        calls = 0

        def before(_operation: str, _name: str) -> None:
            nonlocal calls
            calls += 1
            if calls > step:  # noqa: B023  it is called within this turn
                raise Died

        try:
            verify(Repository.open(Wrapped(kept.storage, before)), None, jobs=1, progress=SILENT)
        except Died:
            known = read_records(kept.storage)
            finished = any(run.of_everything for run in known.runs)
            assert finished or all(backup.content_proven_at is None for backup in kept.info().values())
        else:
            break
        step += 1
    assert step > 20
    assert kept.verify(again=True).ok
    assert len(kept.storage.names("verified/")) == 1


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


@pytest.mark.faults
@pytest.mark.parametrize("after", [False, True], ids=["before", "after the effect"])
def test_at_whatever_change_the_storage_fails_the_report_is_right_and_nothing_false_is_kept(
    kept: Kept, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    monkeypatch.setattr(recording, "PROGRESS_SECONDS", 0)
    bad = min(kept.storage.names("packs/"))
    kept.storage.replace(bad, flipped(kept.storage.objects[bad], 40))
    at, changes = 0, 1
    while at <= changes:
        at += 1
        count = 0

        class Failing(Wrapped):
            def create(self, name: str, data: Any) -> None:
                self._guarded(lambda: self.inner.create(name, data))

            def delete(self, name: str) -> None:
                self._guarded(lambda: self.inner.delete(name))

            def _guarded(self, change: Any) -> None:
                nonlocal count
                count += 1
                if count == at and not after:  # noqa: B023  it is called within this turn
                    raise RepositoryError("no answer")
                change()
                if count == at:  # noqa: B023
                    raise RepositoryError("no answer, but it was done")

        report = kept.verify(repository=Repository.open(Failing(kept.storage, lambda *_: None)), again=True)
        changes = max(changes, count)
        assert any(text.startswith(bad) for text in report.damaged_objects)
        whole = {item.label for item in report.backups if item.ok}
        assert {label for label, info in kept.info().items() if info.verified_whole} <= whole
    assert changes > 10
    kept.verify(again=True)
    assert len(kept.storage.names("verified/")) == 1


TIMES = st.integers(0, 9).map(lambda hours: NOON + timedelta(hours=hours))
MAYBE = st.none() | TIMES
PROVEN = st.builds(
    ProvenBackup, label=st.sampled_from("abc"), judged=TIMES, whole=st.booleans(), structure=MAYBE, content=MAYBE
)
RUNS = st.builds(
    Run,
    begun=TIMES,
    depth=st.sampled_from(["structure", "content"]),
    part=st.none() | st.just("1/3"),
    backup=st.none() | st.just("a"),
    ok=st.booleans(),
)


@st.composite
def records(draw: st.DrawFn) -> Record:
    stretches = draw(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 9), TIMES), max_size=4))
    return Record(
        coverage=combined(Stretch(first=at, last=at + more, proven=time) for at, more, time in stretches),
        unproven=draw(st.dictionaries(st.sampled_from(["packs/aa/1", "packs/bb/2"]), TIMES)),
        backups=tuple({one.label: one for one in draw(st.lists(PROVEN, max_size=3))}.values()),
        runs=tuple(draw(st.lists(RUNS, max_size=3))),
        going_on=draw(MAYBE),
    )


@given(st.lists(records(), max_size=4), st.randoms(use_true_random=False))
def test_records_joined_in_any_order_tell_the_same(some: list[Record], chance: random.Random) -> None:
    joined = merged(some)
    shuffled = list(some)
    chance.shuffle(shuffled)
    assert merged(shuffled) == joined
    assert merged([*some, joined]) == joined
    for record in some:
        for one in record.backups:
            known = joined.of_backup(one.label)
            assert known is not None
            assert known.judged >= one.judged
            assert one.content is None or (known.content is not None and known.content >= one.content)
    ended = [run.begun for record in some for run in record.runs if run.of_everything]
    assert joined.going_on is None or all(joined.going_on > begun for begun in ended)


@given(records())
def test_a_record_comes_back_as_it_was_and_no_other_bytes_do(record: Record) -> None:
    data = encode_record(record)
    name = f"verified/{blake3(data).hexdigest()}"
    assert decode_record(name, data) == record
    assert decode_record(name, data[:-1]) is None
    assert decode_record(name, flipped(data, len(data) // 2)) is None


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
