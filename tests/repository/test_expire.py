"""Removing what a plan says: under a lease, chain by chain, telling what was refused."""

from __future__ import annotations

from datetime import timedelta

import pytest

from helpers.manifests import NOW, full_manifest
from helpers.storages import MemoryStorage, Wrapped
from neokeep.errors import AccessError, LockedError, RepositoryError, UsageError
from neokeep.repository.expire import expire
from neokeep.repository.expiry import Policy
from neokeep.repository.holds import LASTS, LEASE
from neokeep.repository.lease import take_lease
from neokeep.repository.repository import Repository

LAST = Policy(last=1)


def made(fulls: int = 3, each: int = 2, database: str = "neo4j") -> tuple[Repository, MemoryStorage]:
    storage = MemoryStorage()
    repository = Repository.create(storage)
    add(repository, fulls, each, database)
    return repository, storage


def add(repository: Repository, fulls: int, each: int, database: str) -> None:
    for day in range(1, fulls + 1):
        moment = NOW.replace(day=day)
        base = f"{database}-202611{day:02}-000000F"
        repository.commit(full_manifest(base, database=database, finished_at=moment))
        for hour in range(1, each + 1):
            label = f"{base}_202611{day:02}-{hour:02}0000I"
            later = moment + timedelta(hours=hour)
            repository.commit(full_manifest(label, type="incremental", base=base, database=database, finished_at=later))


def labels(repository: Repository) -> list[str]:
    return sorted(item.label for item in repository.manifests())


def chain(day: int, each: int = 2) -> list[str]:
    base = f"neo4j-202611{day:02}-000000F"
    return [base, *(f"{base}_202611{day:02}-{hour:02}0000I" for hour in range(1, each + 1))]


def test_whole_chains_expire() -> None:
    repository, storage = made()
    report = expire(repository, LAST)
    assert (report.removed_backups, report.refused_objects, report.dry_run) == (6, 0, False)
    assert labels(repository) == chain(3)
    assert [line.label for line in report.lines if line.keep] == chain(3)
    assert storage.names("leases/expire/")[-1].endswith(".released")


def test_a_dry_run_says_the_same_and_changes_nothing() -> None:
    repository, storage = made()
    before = dict(storage.objects)
    would = expire(repository, LAST, dry_run=True)
    assert (would.dry_run, would.removed_backups) == (True, 0)
    assert storage.objects == before
    assert expire(repository, LAST).lines == would.lines


def test_only_the_database_that_was_asked_for_expires() -> None:
    repository, _ = made()
    add(repository, 3, 0, "system")
    expire(repository, LAST, database="system")
    assert labels(repository) == sorted([*chain(1), *chain(2), *chain(3), "system-20261103-000000F"])


def test_without_a_rule_nothing_happens() -> None:
    repository, _ = made()
    for database in (None, "neo4j"):
        with pytest.raises(UsageError, match="it is not said what to keep"):
            expire(repository, Policy(), database=database)
    assert len(labels(repository)) == 9


def test_a_backup_and_rules_together_are_refused() -> None:
    repository, _ = made()
    with pytest.raises(UsageError, match="beside rules"):
        expire(repository, LAST, label=chain(1)[0])
    with pytest.raises(RepositoryError, match="there is no backup x"):
        expire(repository, Policy(), label="x")


def test_a_full_backup_that_is_named_goes_even_if_it_is_the_newest() -> None:
    repository, _ = made()
    expire(repository, Policy(), label=chain(3)[0])
    assert labels(repository) == [*chain(1), *chain(2)]


def test_an_incremental_backup_that_is_named_goes_alone() -> None:
    repository, _ = made(1)
    expire(repository, Policy(), label=chain(1)[1])
    assert labels(repository) == [chain(1)[0], chain(1)[2]]


def test_a_damaged_manifest_goes_when_it_is_named_and_never_else() -> None:
    repository, storage = made()
    storage.replace(f"backups/{chain(1)[0]}", b"damaged")
    expire(repository, LAST)
    assert labels(repository) == [*chain(1), *chain(3)]
    expire(repository, Policy(), label=chain(1)[0])
    assert labels(repository) == chain(3)


def test_of_a_chain_the_full_backup_goes_last() -> None:
    _, storage = made()
    gone: list[str] = []
    wrapped = Wrapped(storage, lambda operation, name: gone.append(name) if operation == "delete" else None)
    expire(Repository.open(wrapped), LAST)
    order = [name.removeprefix("backups/") for name in gone if name.startswith("backups/")]
    assert order == [*reversed(chain(1)), *reversed(chain(2))]


def test_what_was_committed_to_a_chain_while_it_expired_goes_with_it() -> None:
    repository, storage = made()
    base = chain(1)[0]
    late = full_manifest(f"{base}_20261130-000000I", type="incremental", base=base)
    done = False

    def before(operation: str, name: str) -> None:
        nonlocal done
        if (operation, name) == ("delete", f"backups/{base}") and not done:
            done = True
            repository.commit(late)

    expire(Repository.open(Wrapped(storage, before)), LAST)
    assert done
    assert labels(repository) == chain(3)


def test_a_backup_cannot_be_committed_to_a_chain_that_expired() -> None:
    repository, storage = made(2)
    base = chain(1)[0]
    late = full_manifest(f"{base}_20261130-000000I", type="incremental", base=base)
    expire(repository, LAST)
    with pytest.raises(RepositoryError, match="expired meanwhile"):
        repository.commit(late)

    def before(operation: str, name: str) -> None:
        if operation == "create" and name.startswith("backups/"):
            storage.delete(f"backups/{chain(2)[0]}")

    late = full_manifest(f"{chain(2)[0]}_20261130-000000I", type="incremental", base=chain(2)[0])
    with pytest.raises(RepositoryError, match="expired meanwhile"):
        Repository.open(Wrapped(storage, before)).commit(late)
    assert late.label not in labels(repository)


def test_a_storage_that_refuses_is_told_and_keeps_whole_chains() -> None:
    repository, storage = made()

    def refuse(operation: str, name: str) -> None:
        if operation == "delete" and name == f"backups/{chain(1)[1]}":
            raise AccessError("the object is locked until 2030")

    report = expire(Repository.open(Wrapped(storage, refuse)), LAST)
    assert (report.removed_backups, report.refused_objects) == (4, 1)
    assert report.refused_because == "the object is locked until 2030"
    assert labels(repository) == [chain(1)[0], chain(1)[1], *chain(3)]


def test_two_at_once_are_kept_apart() -> None:
    repository, storage = made()
    take_lease(storage, LEASE, LASTS)
    with pytest.raises(LockedError):
        expire(repository, LAST)
    assert len(labels(repository)) == 9


def test_a_holder_that_slept_in_the_middle_removes_nothing_more() -> None:
    repository, storage = made()
    offset = timedelta()
    storage.now = lambda: NOW + offset

    def before(operation: str, name: str) -> None:
        nonlocal offset
        if (operation, name) == ("delete", f"backups/{chain(1)[0]}"):
            offset = timedelta(days=1)

    with pytest.raises(LockedError, match="was not renewed"):
        expire(Repository.open(Wrapped(storage, before)), LAST)
    assert labels(repository) == [*chain(2), *chain(3)]
