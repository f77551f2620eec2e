"""One capture into several repositories: the source is read once, and one that fails takes nothing from the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from helpers.backups import SILENT, check, content, expected, new_repository, put_back
from helpers.chains import NO_POLICY, commit_more
from helpers.copies import copied_over
from helpers.database import Watcher, make_database, some_bytes, write_tree
from helpers.encrypted import encrypted_repository
from helpers.storages import Wrapped
from neokeep.capture import reading
from neokeep.capture.options import CaptureOptions
from neokeep.capture.policy import FullPolicy
from neokeep.capture.several import Destination, back_up_to_several
from neokeep.copies.same import same_backup
from neokeep.errors import SpaceError, UnreachableError
from neokeep.repository.repository import Repository

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from helpers.database import Synthetic
    from neokeep.progress import Progress
    from neokeep.reports import BackupReport

AUTO = CaptureOptions(type="auto", policy=NO_POLICY, jobs=2, gentle=False)


def into(
    made: Synthetic,
    repositories: Sequence[Repository | None],
    options: CaptureOptions = AUTO,
    progress: Progress = SILENT,
) -> list[BackupReport]:
    """Back up into several repositories; None stands for one that is away."""
    destinations = [
        Destination(f"r{number}", lambda one=one: one or away())  # type: ignore[misc]
        for number, one in enumerate(repositories)
    ]
    first = back_up_to_several(made.source, destinations, [made.database], options=options, progress=progress)
    return [first, *first.others]


def away() -> Repository:
    raise UnreachableError("it does not answer")


def same_everywhere(repositories: Sequence[Repository], label: str) -> bool:
    first, *others = (repository.manifest(label) for repository in repositories)
    return all(same_backup(first, other) for other in others)


def test_a_full_backup_is_the_same_in_all_and_restores_from_each(tmp_path: Path) -> None:
    made = make_database(tmp_path / "home")
    repositories = [new_repository()[0] for _ in range(3)]
    labels = {report.backups[0].label for report in into(made, repositories)}
    assert len(labels) == 1
    assert same_everywhere(repositories, *labels)
    for number, repository in enumerate(repositories):
        assert check(repository).ok
        put_back(repository, tmp_path / f"restored-{number}")
        assert content(tmp_path / f"restored-{number}") == expected(made)


def test_the_source_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = make_database(tmp_path / "home")
    read: list[int] = []
    inner = reading.GentleReader.read_into

    def counted(self: reading.GentleReader, descriptor: int, view: memoryview, offset: int) -> int:
        done = inner(self, descriptor, view, offset)
        read.append(done)
        return done

    monkeypatch.setattr(reading.GentleReader, "read_into", counted)
    into(made, [new_repository()[0]])
    alone = sum(read)
    read.clear()
    into(made, [new_repository()[0] for _ in range(3)])
    assert sum(read) == alone > 0


def test_an_encrypted_repository_and_a_plain_one_share_a_capture(tmp_path: Path) -> None:
    made = make_database(tmp_path / "home")
    repositories = [encrypted_repository()[0], new_repository()[0], encrypted_repository()[0]]
    into(made, repositories)
    assert same_everywhere(repositories, next(iter(repositories[0].manifests())).label)
    for number, repository in enumerate(repositories):
        put_back(repository, tmp_path / f"restored-{number}")
        assert content(tmp_path / f"restored-{number}") == expected(made)


def test_each_repository_gets_the_type_that_its_own_chain_needs(tmp_path: Path) -> None:
    made = make_database(tmp_path / "home")
    old, new = new_repository()[0], new_repository()[0]
    into(made, [old])
    commit_more(made)
    first, second = into(made, [old, new])
    assert [first.backups[0].type, second.backups[0].type] == ["incremental", "full"]
    for number, repository in enumerate((old, new)):
        put_back(repository, tmp_path / f"restored-{number}")
        assert content(tmp_path / f"restored-{number}")[0] == made.store


def test_an_incremental_backup_is_the_same_in_all_also_where_one_missed_the_one_before(tmp_path: Path) -> None:
    made = make_database(tmp_path / "home")
    repositories = [new_repository()[0], new_repository()[0]]
    into(made, repositories)
    commit_more(made)
    into(made, [repositories[0], None])
    commit_more(made, rotate=True)
    labels = {report.backups[0].label for report in into(made, repositories)}
    assert len(labels) == 1
    assert same_everywhere(repositories, *labels)
    for number, repository in enumerate(repositories):
        put_back(repository, tmp_path / f"restored-{number}", *labels)
        assert content(tmp_path / f"restored-{number}") == expected(made)
    assert not copied_over(repositories[0], repositories[1]).failures


def test_what_is_committed_between_two_repositories_waits_for_the_next_backup(tmp_path: Path) -> None:
    made = make_database(tmp_path / "home")
    repositories = [new_repository()[0], new_repository()[0]]
    into(made, repositories)
    commit_more(made)
    late: list[str] = []

    class Busy(Watcher):
        def say(self, message: str) -> None:
            if "incremental" in message and not late:
                late.append(message)
                commit_more(made)

    ends = {report.backups[0].last_tx for report in into(made, repositories, progress=Busy(lambda _: None))}
    assert late
    assert len(ends) == 1
    assert ends != {made.logs[-1].last_transaction}
    assert same_everywhere(repositories, list(repositories[0].manifests())[-1].label)
    assert {report.backups[0].last_tx for report in into(made, repositories)} == {made.logs[-1].last_transaction}


def test_a_repository_that_is_away_is_told_and_the_others_get_their_backup(tmp_path: Path) -> None:
    made = make_database(tmp_path / "home")
    here = new_repository()[0]
    first, second = into(made, [None, here])
    assert [failure.kind for failure in first.failures] == ["unreachable"]
    assert not first.backups
    assert not second.failures
    put_back(here, tmp_path / "restored", second.backups[0].label)
    assert content(tmp_path / "restored") == expected(made)


@pytest.mark.parametrize("operation", ["create", "list", "read", "stat"])
def test_a_repository_that_fails_at_any_call_leaves_the_other_whole(tmp_path: Path, operation: str) -> None:
    made = make_database(tmp_path / "home")
    at, calls = 0, 1
    while at < min(calls, 30):
        at += 1
        made_calls = [0]

        def fail(done: str, name: str, at: int = at, made_calls: list[int] = made_calls) -> None:
            if done == operation and not name.startswith("config"):
                made_calls[0] += 1
                if made_calls[0] >= at:
                    raise SpaceError("the disk is full")

        good, broken = new_repository()[0], new_repository()[1]
        first, second = into(made, [Repository.open(Wrapped(broken, fail)), good])
        calls = max(calls, made_calls[0])
        assert not second.failures, at
        assert check(good).ok
        assert good.manifest(second.backups[0].label).label == second.backups[0].label
        assert check(Repository.open(broken)).ok
        assert bool(first.failures) != bool(first.backups) or first.backups
    assert calls >= at > 0
    put_back(good, tmp_path / "restored")
    assert content(tmp_path / "restored") == expected(made)


def test_a_source_that_fails_is_told_for_every_repository(tmp_path: Path) -> None:
    made = make_database(tmp_path / "home")
    log = made.log_directory / "neostore.transaction.db.0"
    log.write_bytes(log.read_bytes()[:200] + b"\xff" * 50 + log.read_bytes()[250:])
    for report in into(made, [new_repository()[0], new_repository()[0]]):
        assert [failure.kind for failure in report.failures] == ["integrity"]


def test_a_label_that_one_repository_has_already_is_given_to_none(tmp_path: Path) -> None:
    made = make_database(tmp_path / "home")
    repositories = [new_repository()[0], new_repository()[0]]
    into(made, repositories[:1], CaptureOptions(type="full", jobs=1, gentle=False))
    changed = {"neostore.nodestore.db": some_bytes(9, 70_000)}
    made.store |= changed
    write_tree(made.store_directory, changed)
    reports = into(made, repositories, CaptureOptions(type="full", jobs=1, gentle=False))
    assert len({report.backups[0].label for report in reports}) == 1


def test_only_incremental_backups_are_refused_to_the_repository_without_a_chain(tmp_path: Path) -> None:
    made = make_database(tmp_path / "home")
    old, new = new_repository()[0], new_repository()[0]
    into(made, [old])
    commit_more(made)
    incremental = CaptureOptions(type="incremental", policy=FullPolicy(), jobs=1, gentle=False)
    first, second = into(made, [old, new], incremental)
    assert first.backups[0].type == "incremental"
    assert "cannot be backed up incrementally" in second.failures[0].message
