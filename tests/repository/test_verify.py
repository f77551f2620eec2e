"""Verify: whatever byte is damaged is found and named, and the next backup heals what it can."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from helpers.backups import check, content, copied, expected, new_repository, put_back, take
from helpers.database import PAGE, Synthetic, make_database, store_files
from helpers.storages import MemoryStorage, Wrapped
from helpers.txlog import flipped
from neokeep.errors import RepositoryError
from neokeep.repository.repository import Repository

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def two_backups(tmp_path_factory: pytest.TempPathFactory) -> tuple[MemoryStorage, Synthetic, list[str]]:
    """A repository with a backup of one database twice, changed in between."""
    made = make_database(tmp_path_factory.mktemp("made") / "home")
    repository, storage = new_repository()
    first = take(made, repository, jobs=1).label
    made.store["neostore.nodestore.db"] = store_files(20, 55)["neostore.nodestore.db"]
    made.write()
    return storage, made, [first, take(made, repository, jobs=1).label]


def places(data: bytes) -> list[int]:
    return sorted(
        {0, 9, len(data) // 4, len(data) // 2, len(data) - 30, len(data) - 9, len(data) - 1} & set(range(len(data)))
    )


def test_a_whole_repository_is_whole(two_backups: tuple[MemoryStorage, Synthetic, list[str]]) -> None:
    storage, _, labels = two_backups
    report = check(Repository.open(storage))
    assert report.ok
    assert [item.label for item in report.backups] == labels
    assert all(item.ok and not item.problems and item.database == "neo4j" for item in report.backups)
    assert report.blocks > 20
    assert report.bytes_checked == sum(len(storage.objects[name]) for name in storage.names("packs/"))
    for label in labels:
        one = check(Repository.open(storage), label)
        assert (one.ok, [item.label for item in one.backups]) == (True, [label])


def test_a_flipped_byte_in_any_object_is_reported_and_the_next_backup_heals(
    two_backups: tuple[MemoryStorage, Synthetic, list[str]], tmp_path: Path
) -> None:
    original, made, labels = two_backups
    for name, data in list(original.objects.items()):
        for at in [] if name == "config" else places(data):
            storage = copied(original)
            storage.replace(name, flipped(data, at))
            repository = Repository.open(storage)
            report = check(repository)
            assert not report.ok, (name, at)
            kind = name.split("/")[0]
            if kind == "backups":
                (bad,) = [item for item in report.backups if not item.ok]
                assert bad.label == name.removeprefix("backups/")
                continue
            assert any(text.startswith(name) for text in report.damaged_objects)
            last, healed = repository, take(made, repository)
            assert check(repository, healed.label).ok
            assert check(repository, labels[1]).ok
    put_back(last, tmp_path / "restored", healed.label)
    assert content(tmp_path / "restored") == expected(made)


def damage(storage: MemoryStorage, made: Synthetic, path: str) -> str:
    """Damage a block of one file; return the name of the pack."""
    needle = made.store[path][:64]
    (name,) = [name for name in storage.names("packs/") if needle in storage.objects[name]]
    storage.replace(name, storage.objects[name].replace(needle, bytes(64), 1))
    return name


def noise(seed: int) -> bytes:
    """Two blocks that do not compress."""
    import random

    return random.Random(seed).randbytes(16 * PAGE)


def noisy(home: Path) -> Synthetic:
    made = make_database(home)
    made.store |= {"neostore.nodestore.db": noise(1), "neostore.propertystore.db": noise(2)}
    return made.write()


def test_the_touched_backups_and_files_are_named_and_no_others(tmp_path: Path) -> None:
    repository, storage = new_repository()
    made = noisy(tmp_path / "home")
    first = take(made, repository).label
    old = made.store["neostore.nodestore.db"]
    made.store["neostore.nodestore.db"] = noise(3)
    made.write()
    second = take(made, repository).label
    made.store["neostore.nodestore.db"] = old
    damage(storage, made, "neostore.nodestore.db")
    report = check(repository)
    assert {item.label: item.ok for item in report.backups} == {first: False, second: True}
    (problem,) = report.backups[0].problems
    assert problem.startswith("neostore.nodestore.db: 1 of 2 blocks")


def test_a_damaged_pack_is_remembered_and_healed_by_the_next_backup_that_has_its_blocks(tmp_path: Path) -> None:
    repository, storage = new_repository()
    made = noisy(tmp_path / "home")
    first = take(made, repository)
    bad = damage(storage, made, "neostore.nodestore.db")
    assert not check(repository).ok
    assert storage.names("damaged/") == [f"damaged/{bad.rsplit('/', 1)[1]}"]
    second = take(made, repository)
    assert second.stored_bytes > first.stored_bytes // 2
    for label in (first.label, second.label):
        assert check(repository, label).ok
        put_back(repository, tmp_path / label, label)
        assert content(tmp_path / label) == expected(made)
    assert all(item.ok for item in check(repository).backups)


@pytest.mark.parametrize("error", [RepositoryError("input/output error")])
def test_packs_that_cannot_be_read_are_reported_one_by_one(tmp_path: Path, error: RepositoryError) -> None:
    repository, storage = new_repository()
    made = noisy(tmp_path / "home")
    take(made, repository)
    made.store["neostore.nodestore.db"] = noise(3)
    made.write()
    take(made, repository)
    for broken in storage.names("packs/"):

        def fails(operation: str, name: str, broken: str = broken) -> None:
            if (operation, name) == ("read", broken):
                raise error

        report = check(Repository.open(Wrapped(copied(storage), fails)))
        assert not report.ok
        assert any(text.startswith(broken) for text in report.damaged_objects)
        assert not all(item.ok for item in report.backups)


def test_a_pack_that_vanishes_between_listing_and_reading_is_reported(tmp_path: Path) -> None:
    repository, storage = new_repository()
    take(noisy(tmp_path / "home"), repository)
    listings: list[str] = []

    def vanish(operation: str, name: str) -> None:
        if operation == "list" and name == "packs":
            listings.append(name)
        if operation == "read" and name.startswith("packs/") and len(listings) > 1:
            storage.delete(name)

    assert not check(Repository.open(Wrapped(storage, vanish))).ok


def test_a_backup_that_does_not_exist_is_told_as_such() -> None:
    repository, _ = new_repository()
    with pytest.raises(RepositoryError, match="there is no backup x"):
        check(repository, "x")
    assert check(repository).ok


def test_a_pack_that_no_backup_needs_is_checked_too(tmp_path: Path) -> None:
    repository, storage = new_repository()
    label = take(make_database(tmp_path / "home"), repository).label
    storage.delete(f"backups/{label}")
    name = storage.names("packs/")[0]
    storage.replace(name, flipped(storage.objects[name], 40))
    report = check(repository)
    assert (report.ok, report.backups, len(report.damaged_objects)) == (False, (), 1)
