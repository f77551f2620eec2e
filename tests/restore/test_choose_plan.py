"""From what the user asks for to a plan: labels, moments, and repositories in which something is damaged."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from helpers.backups import SILENT, new_repository, take
from helpers.chains import commit_more, moment_of, run_backup
from helpers.database import make_database
from helpers.txlog import flipped
from neokeep.errors import IntegrityError, RepositoryError, UsageError
from neokeep.restore.choose import choose_plan
from neokeep.restore.restore import restore
from neokeep.restore.targets import NEWEST, Moment, RestorePlan

if TYPE_CHECKING:
    from pathlib import Path


class Kept:
    """A full backup up to 9, incremental ones up to 12 and 15, and one that found nothing new."""

    def __init__(self, home: Path) -> None:
        self.made = make_database(home)
        self.repository, self.storage = new_repository()
        self.labels = [take(self.made, self.repository).label]
        for count in (3, 3, 0):
            commit_more(self.made, count)
            self.labels.append(run_backup(self.made, self.repository).backups[0].label)

    def plan(self, label: str | None = None, moment: Moment = NEWEST, from_source: str | None = None) -> RestorePlan:
        return choose_plan(
            self.repository, "neo4j", label=label, from_source=from_source, home="/elsewhere", moment=moment
        )

    def damage(self, name: str) -> None:
        self.storage.replace(name, flipped(self.storage.objects[name], 45))


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(tmp_path / "home")


@pytest.mark.parametrize(("number", "segments", "last"), [(0, 0, None), (1, 1, 12), (2, 2, 15), (3, 2, 15)])
def test_a_label_is_planned_as_its_base_and_the_log_up_to_its_end(
    kept: Kept, number: int, segments: int, last: int | None
) -> None:
    plan = kept.plan(kept.labels[number])
    assert (plan.base.label, len(plan.segments), plan.moment.transaction) == (kept.labels[0], segments, last)
    assert plan.kernel_version == kept.made.kernel


def test_without_anything_the_newest_archived_transaction_is_planned(kept: Kept) -> None:
    plan = kept.plan()
    assert (plan.base.label, len(plan.segments), plan.moment) == (kept.labels[0], 2, NEWEST)


def test_a_label_and_a_moment_together_stay_in_the_chain_of_that_backup(kept: Kept) -> None:
    plan = kept.plan(kept.labels[1], Moment(transaction=10))
    assert (plan.base.label, plan.moment) == (kept.labels[0], Moment(transaction=10))
    with pytest.raises(UsageError, match="lies outside every restore window"):
        kept.plan(kept.labels[1], Moment(transaction=1000))


def test_a_label_that_is_none_or_of_another_source_is_refused(kept: Kept) -> None:
    with pytest.raises(RepositoryError, match="there is no backup x"):
        kept.plan("x")
    with pytest.raises(RepositoryError, match="not of neo4j of other"):
        kept.plan(kept.labels[1], from_source="other")


def test_where_the_newest_manifest_is_damaged_no_older_one_is_taken_in_silence(kept: Kept) -> None:
    kept.damage(f"backups/{kept.labels[3]}")
    with pytest.raises(IntegrityError, match=f"the newest backup of neo4j, {kept.labels[3]}, is damaged") as failure:
        kept.plan()
    assert f"--backup {kept.labels[2]}" in failure.value.remedy
    assert kept.plan(kept.labels[2]).moment == Moment(transaction=15)


@pytest.mark.parametrize("by_time", [False, True])
def test_a_damaged_segment_does_not_stand_in_the_way_of_a_moment_before_it(
    kept: Kept, tmp_path: Path, by_time: bool
) -> None:
    kept.damage(kept.storage.names("segments/")[1])
    moment = Moment(time=moment_of(11)) if by_time else Moment(transaction=11)
    report = restore(kept.repository, tmp_path / "restored", "neo4j", moment=moment, jobs=1, progress=SILENT)
    assert report.last_tx == 11


def test_a_segment_that_is_marked_as_damaged_closes_the_window_before_it(kept: Kept) -> None:
    second = kept.storage.names("segments/")[1]
    kept.repository.mark_damaged(bytes.fromhex(second.rsplit("-", 1)[1]))
    assert kept.plan(moment=Moment(time=moment_of(12))).segments[-1].last == 12
    with pytest.raises(UsageError, match="transactions 2 to 12"):
        kept.plan(moment=Moment(transaction=13))
    with pytest.raises(UsageError, match="its chain is whole only up to 12"):
        kept.plan(kept.labels[2])
