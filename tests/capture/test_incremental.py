"""Full or incremental: the decision and its reason, whatever is broken."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from helpers.backups import take
from helpers.chains import NO_POLICY, checkpoint_in_the_last_file, commit_more, run_backup, span
from helpers.database import make_database, neostore_bytes, some_bytes
from helpers.storages import MemoryStorage
from helpers.txlog import KERNELS, build_log
from neokeep.capture import chain as chains
from neokeep.capture import policy as policies
from neokeep.capture.incremental import Decision, decide
from neokeep.capture.options import CaptureOptions
from neokeep.capture.policy import FullPolicy
from neokeep.errors import SourceError
from neokeep.neo4j.log.names import log_name
from neokeep.repository.repository import Repository

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from helpers.database import Synthetic
    from neokeep.reports import BackupInfo


@pytest.fixture(autouse=True)
def _soon_sure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chains, "_LIVE_TRIES", 2)
    monkeypatch.setattr(chains, "_LIVE_PAUSE_SECONDS", 0.001)


@pytest.fixture
def made(tmp_path: Path) -> Synthetic:
    return make_database(tmp_path / "home")


@pytest.fixture
def storage() -> MemoryStorage:
    return MemoryStorage()


@pytest.fixture
def repository(storage: MemoryStorage) -> Repository:
    return Repository.create(storage)


def decided(
    made: Synthetic,
    repository: Repository,
    kind: str = "auto",
    policy: FullPolicy = NO_POLICY,
    *,
    later: timedelta = timedelta(),
) -> Decision:
    options = CaptureOptions(type=kind, policy=policy)
    return decide(made.source, made.opened, repository, options, datetime.now(UTC) + later)


def backed_up(made: Synthetic, repository: Repository, kind: str = "incremental") -> BackupInfo:
    report = run_backup(made, repository, kind)
    assert report.failures == ()
    (info,) = report.backups
    return info


def test_a_full_backup_that_is_asked_for_needs_no_other_reason(made: Synthetic, repository: Repository) -> None:
    take(made, repository)
    assert decided(made, repository, "full") == Decision("full", "a full backup was asked for")


@pytest.mark.parametrize("kind", ["auto", "incremental"])
def test_the_first_backup_of_a_database_is_a_full_one(made: Synthetic, repository: Repository, kind: str) -> None:
    assert decided(made, repository, kind) == Decision("full", "there is no full backup of this database yet")


def test_the_full_backup_of_another_database_does_not_count(
    made: Synthetic, repository: Repository, tmp_path: Path
) -> None:
    take(make_database(tmp_path / "other", database="shop"), repository)
    assert decided(made, repository).reason == "there is no full backup of this database yet"


@pytest.mark.parametrize("kind", ["auto", "incremental"])
def test_a_chain_that_holds_is_continued(made: Synthetic, repository: Repository, kind: str) -> None:
    label = take(made, repository).label
    decision = decided(made, repository, kind)
    assert (decision.type, decision.reason) == ("incremental", f"the chain of {label} holds")
    assert decision.chain is not None
    assert decision.tail == span(made.logs[-1], 9)


def test_the_newest_full_backup_is_the_one_to_go_on_with(made: Synthetic, repository: Repository) -> None:
    take(made, repository)
    newest = take(made, repository).label
    assert decided(made, repository).reason == f"the chain of {newest} holds"


def test_a_full_backup_that_is_too_old_makes_the_next_one_due(made: Synthetic, repository: Repository) -> None:
    take(made, repository)
    policy = FullPolicy(every=7 * 86_400)
    assert decided(made, repository, "auto", policy, later=timedelta(days=6, hours=23)).type == "incremental"
    due = decided(made, repository, "auto", policy, later=timedelta(days=7, hours=2, seconds=5))
    assert (due.type, due.chain) == ("full", None)
    assert due.reason == "the newest full backup is 7 days and 2 hours old"
    assert decided(made, repository, "incremental", policy, later=timedelta(days=9)).type == "incremental"


def test_a_chain_of_so_many_incremental_backups_makes_a_full_one_due_that_begins_to_count_anew(
    made: Synthetic, repository: Repository
) -> None:
    policy = FullPolicy(after=2)
    taken = [run_backup(made, repository, "auto", policy).backups[0] for _ in range(5)]
    assert [info.type for info in taken] == ["full", "incremental", "incremental", "full", "incremental"]
    assert taken[3].reason == "the newest full backup has 2 incremental backups behind it"
    assert repository.manifest(taken[3].label).reason == taken[3].reason
    assert decided(made, repository, "incremental", FullPolicy(after=1)).type == "incremental"


def test_segments_that_are_no_backups_and_backups_of_other_chains_do_not_count(
    made: Synthetic, repository: Repository, storage: MemoryStorage
) -> None:
    for kind in ("full", "incremental", "full", "incremental"):
        commit_more(made)
        newest = backed_up(made, repository, kind)
    storage.delete(f"backups/{newest.label}")
    chain = decided(made, repository).chain
    assert chain is not None
    assert len(chain.segments) == 1
    assert decided(made, repository, "auto", FullPolicy(after=1)).type == "incremental"


def test_a_log_that_outgrew_the_full_backup_makes_the_next_one_due(
    made: Synthetic, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policies, "LITTLE_LOG", 0)
    full = take(made, repository)
    commit_more(made, 3, size=20_000)
    log = backed_up(made, repository).stored_bytes
    share = log / (full.compressed_bytes or 0)
    assert decided(made, repository, "auto", FullPolicy(at_log_share=share * 1.01)).type == "incremental"
    due = decided(made, repository, "auto", FullPolicy(at_log_share=share * 0.99))
    assert due.type == "full"
    assert due.reason == f"the archived log has grown to {share:.0%} of the full backup, both compressed"
    assert decided(made, repository, "incremental", FullPolicy(at_log_share=0.001)).type == "incremental"


def test_a_full_backup_that_stored_little_since_it_shares_blocks_is_not_taken_for_a_small_one(
    made: Synthetic, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policies, "LITTLE_LOG", 0)
    take(made, repository)
    commit_more(made, 1)
    second = take(made, repository)
    commit_more(made, 3, size=20_000)
    log = backed_up(made, repository).stored_bytes
    assert log > second.stored_bytes
    assert decided(made, repository, "auto", FullPolicy(at_log_share=1.0)).type == "incremental"


def test_damage_that_was_found_makes_a_full_backup_due(made: Synthetic, repository: Repository) -> None:
    take(made, repository)
    repository.mark_damaged(bytes(32))
    assert decided(made, repository).reason == "a verification found damage since the newest full backup"
    assert decided(made, repository, "incremental").type == "incremental"
    take(made, repository)
    assert decided(made, repository).type == "incremental"


def prune(made: Synthetic) -> None:
    last = made.logs[-1].next([b"newest"])
    for log in made.logs:
        (made.log_directory / log_name(log.version)).unlink()
    (made.log_directory / log_name(last.version)).write_bytes(last.data)


def set_back(made: Synthetic) -> None:
    (made.log_directory / log_name(made.logs[-1].version)).unlink()


def cut(made: Synthetic) -> None:
    os.truncate(made.log_directory / log_name(made.logs[-1].version), made.logs[-1].ends[-2])


def fork(made: Synthetic) -> None:
    log = made.logs[-1]
    other = build_log(
        made.kernel,
        [some_bytes(55 + at, 300 + 40 * at) for at in range(4)],
        version=log.version,
        last_before=log.last_before,
        previous_checksum=made.logs[-2].last_checksum,
    )
    assert len(other.data) == len(log.data)
    (made.log_directory / log_name(log.version)).write_bytes(other.data)


def replace_store(made: Synthetic) -> None:
    (made.store_directory / "neostore").write_bytes(neostore_bytes(made.kernel, random_id=-78))


BREAKS = [
    (prune, "was pruned"),
    (set_back, "the log went back"),
    (cut, "the log went back"),
    (fork, "history forked"),
    (replace_store, "the store is another one"),
]
BROKEN = pytest.mark.parametrize(("break_it", "reason"), BREAKS, ids=[one.__name__ for one, _ in BREAKS])


@BROKEN
@pytest.mark.parametrize("kernel", KERNELS)
def test_a_broken_chain_is_told_with_its_reason(
    tmp_path: Path, repository: Repository, kernel: int, break_it: Callable[[Synthetic], None], reason: str
) -> None:
    made = make_database(tmp_path / "home", kernel)
    take(made, repository)
    break_it(made)
    for kind in ("auto", "incremental"):
        decision = decided(made, repository, kind)
        assert (decision.type, decision.chain, decision.tail) == ("full", None, None)
        assert reason in decision.reason


@BROKEN
def test_an_incremental_backup_of_a_broken_chain_fails_with_the_reason_and_stores_nothing(
    made: Synthetic,
    repository: Repository,
    storage: MemoryStorage,
    break_it: Callable[[Synthetic], None],
    reason: str,
) -> None:
    take(made, repository)
    before = set(storage.objects)
    break_it(made)
    with pytest.raises(SourceError, match=f"neo4j cannot be backed up incrementally: .*{reason}") as failure:
        run_backup(made, repository)
    assert "--type full" in failure.value.remedy
    assert set(storage.objects) == before


@pytest.mark.parametrize(("break_it", "reason"), [(fork, "history forked"), (replace_store, "the store is another")])
def test_auto_takes_a_full_backup_of_a_broken_chain_and_says_why(
    made: Synthetic, repository: Repository, break_it: Callable[[Synthetic], None], reason: str
) -> None:
    take(made, repository)
    break_it(made)
    info = backed_up(made, repository, "auto")
    assert (info.type, info.base) == ("full", None)
    assert reason in info.reason
    assert repository.manifest(info.label).reason == info.reason
    assert backed_up(made, repository, "auto").base == info.label


def test_auto_takes_a_full_backup_where_the_last_segment_is_damaged(
    made: Synthetic, repository: Repository, storage: MemoryStorage
) -> None:
    take(made, repository)
    commit_more(made)
    backed_up(made, repository)
    (name,) = storage.names("segments/")
    storage.replace(name, bytes(len(storage.objects[name])))
    info = backed_up(made, repository, "auto")
    assert (info.type, info.reason) == ("full", f"the segment {name} is damaged")


def test_auto_takes_a_full_backup_where_the_log_has_a_gap_behind_what_was_archived(
    made: Synthetic, repository: Repository
) -> None:
    take(made, repository)
    for _ in range(2):
        commit_more(made, rotate=True)
    (made.log_directory / log_name(made.logs[-2].version)).unlink()
    made.logs = made.logs[-1:]
    for name in [name for name in made.log if name != log_name(made.logs[0].version)]:
        del made.log[name]
    with pytest.raises(SourceError):
        run_backup(made, repository)
    checkpoint_in_the_last_file(made)
    info = backed_up(made, repository, "auto")
    assert info.type == "full"
    assert "was pruned before it was archived" in info.reason
