"""Verify: whatever byte is damaged is found and named, and the next backup heals what it can."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from helpers.backups import check, content, copied, expected, new_repository, put_back, take
from helpers.chains import commit_more, run_backup
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
        # What writers say of themselves belongs to no backup: garbage collection waits for one that cannot be read.
        # A record of a verification that cannot be read tells nothing, and is replaced by the next one.
        for at in [] if name.startswith(("config", "writers/", "verified/")) else places(data):
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


class WithChain:
    """A full backup of noise, and two incremental ones behind it."""

    def __init__(self, home: Path) -> None:
        self.repository, self.storage = new_repository()
        self.made = noisy(home)
        self.labels = [take(self.made, self.repository).label]
        for count in (3, 2):
            commit_more(self.made, count)
            self.labels.append(run_backup(self.made, self.repository).backups[0].label)

    def state(self) -> list[bool]:
        """Which of the three are whole."""
        found = {item.label: item.ok for item in check(self.repository).backups}
        return [found[label] for label in self.labels]

    def damage_segment(self, number: int) -> str:
        name = self.storage.names("segments/")[number]
        self.storage.replace(name, flipped(self.storage.objects[name], 40))
        return name


@pytest.fixture
def chain(tmp_path: Path) -> WithChain:
    return WithChain(tmp_path / "home")


def test_a_whole_chain_is_whole(chain: WithChain) -> None:
    report = check(chain.repository)
    assert report.ok
    assert [item.label for item in report.backups] == chain.labels
    for label in chain.labels:
        assert check(chain.repository, label).ok


@pytest.mark.parametrize(("number", "whole"), [(0, [True, False, False]), (1, [True, True, False])])
@pytest.mark.parametrize("missing", [False, True])
def test_of_a_chain_exactly_the_backups_that_need_a_damaged_segment_are_not_whole(
    chain: WithChain, number: int, whole: list[bool], missing: bool
) -> None:
    name = chain.damage_segment(number)
    if missing:
        chain.storage.delete(name)
    assert chain.state() == whole
    report = check(chain.repository)
    assert not report.ok
    (problem,) = report.backups[2].problems
    assert problem.startswith(f"its chain is whole only up to transaction {9 if number == 0 else 12}; it needs 14")
    assert check(chain.repository, chain.labels[2]).ok is False
    assert any(text.startswith(name) for text in report.damaged_objects) is not missing


@pytest.mark.parametrize("by_label", [False, True])
def test_an_incremental_backup_is_not_whole_where_its_base_is_damaged(chain: WithChain, by_label: bool) -> None:
    damage(chain.storage, chain.made, "neostore.nodestore.db")
    if by_label:
        assert not check(chain.repository, chain.labels[1]).ok
    else:
        assert chain.state() == [False, False, False]


def test_an_incremental_backup_whose_base_is_gone_is_not_whole(chain: WithChain) -> None:
    chain.storage.delete(f"backups/{chain.labels[0]}")
    report = check(chain.repository)
    assert [item.ok for item in report.backups] == [False, False]
    assert all("its full backup: there is no backup" in item.problems[0] for item in report.backups)


def test_a_damaged_segment_is_remembered_and_the_next_incremental_backup_archives_its_log_anew(
    chain: WithChain, tmp_path: Path
) -> None:
    name = chain.damage_segment(1)
    assert not check(chain.repository).ok
    assert chain.storage.names("damaged/") == [f"damaged/{name.rsplit('-', 1)[1]}"]
    again = run_backup(chain.made, chain.repository).backups[0]
    assert again.last_tx == 14
    assert chain.state() == [True, True, True]
    for label in (chain.labels[2], again.label):
        put_back(chain.repository, tmp_path / label, label)
        assert content(tmp_path / label) == expected(chain.made)


def test_damage_that_is_known_and_touches_no_backup_does_not_fail_again(tmp_path: Path) -> None:
    repository, storage = new_repository()
    made = noisy(tmp_path / "home")
    take(made, repository)
    bad = damage(storage, made, "neostore.nodestore.db")
    assert not check(repository).ok
    assert not check(repository).ok
    take(made, repository)
    report = check(repository)
    assert report.ok
    assert [text.split(":")[0] for text in report.damaged_objects] == [bad]


@pytest.mark.parametrize("kind", ["packs", "index", "segments"])
def test_what_cannot_be_read_now_is_told_and_not_remembered_as_damaged(chain: WithChain, kind: str) -> None:
    broken = chain.storage.names(f"{kind}/")[0]
    reads: list[str] = []

    def fails(operation: str, name: str) -> None:
        if (operation, name) == ("read", broken):
            reads.append(name)
            raise RepositoryError("input/output error")

    report = check(Repository.open(Wrapped(chain.storage, fails)))
    assert reads
    assert not report.ok
    assert any(text.startswith(broken) for text in report.damaged_objects)
    assert chain.storage.names("damaged/") == []
    assert check(chain.repository).ok
