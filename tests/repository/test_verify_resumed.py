"""A verification that was interrupted counts for nothing, and the next one goes on with what it read."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from helpers.backups import SILENT
from helpers.kept import Died, Kept, interrupted, reads_of
from helpers.storages import Wrapped
from helpers.txlog import flipped
from neokeep.errors import RepositoryError
from neokeep.repository import pack as packing
from neokeep.repository import recording
from neokeep.repository.repository import Repository
from neokeep.repository.verified import read_records
from neokeep.repository.verify import verify

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kept:
    monkeypatch.setattr(packing, "TARGET_SIZE", 70_000)
    return Kept(tmp_path / "home")


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
