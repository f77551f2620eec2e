"""Whatever a repository lost is stored anew from another one, and what nobody has is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from helpers.backups import SILENT, check, copied, new_repository, take
from helpers.chains import commit_more, run_backup
from helpers.copies import SMALL_PACKS, OtherNames, Twins, copied_over, restores, two_chains
from helpers.database import make_database
from helpers.encrypted import encrypted_repository
from helpers.properties import one_of
from neokeep.copies.heal import heal
from neokeep.errors import UsageError
from neokeep.repository import pack as packing
from neokeep.repository.repository import Repository

if TYPE_CHECKING:
    from pathlib import Path

    from helpers.copies import Content
    from helpers.storages import MemoryStorage
    from neokeep.reports import HealReport

    Base = tuple[MemoryStorage, MemoryStorage, dict[str, Content]]


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> Twins:
    """Two repositories that hold the same two chains, in several packs each, and what each backup restores to."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(packing, "TARGET_SIZE", SMALL_PACKS)
        return Twins.make(tmp_path_factory.mktemp("originals") / "made")


@pytest.fixture
def base(originals: Twins, monkeypatch: pytest.MonkeyPatch) -> Base:
    """The same, for one test to damage."""
    monkeypatch.setattr(packing, "TARGET_SIZE", SMALL_PACKS)
    return originals.copied()


def healed(storage: MemoryStorage, other: MemoryStorage, *labels: str) -> HealReport:
    return heal(Repository.open(storage), Repository.open(other), labels, jobs=2, progress=SILENT)


def damage(storage: MemoryStorage, name: str, how: str) -> None:
    data = storage.objects[name]
    if how == "removed":
        storage.delete(name)
    elif how == "cut":
        storage.replace(name, data[: len(data) // 2])
    else:
        middle = len(data) // 2
        storage.replace(name, data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :])


def is_verified(storage: MemoryStorage, wanted: dict[str, Content]) -> None:
    report = check(Repository.open(storage))
    assert report.ok, report
    assert {one.label for one in report.backups} == set(wanted)


def is_whole(storage: MemoryStorage, wanted: dict[str, Content], directory: Path) -> None:
    is_verified(storage, wanted)
    restores(Repository.open(storage), wanted, directory)


@pytest.mark.parametrize("how", one_of(3, ["removed", "flipped", "cut"]))
@pytest.mark.parametrize("kind", ["packs", "segments", "index", "backups"])
def test_every_kind_of_object_is_healed(base: Base, tmp_path: Path, kind: str, how: str) -> None:
    begin, other, wanted = base
    for name in begin.names(f"{kind}/"):
        storage = copied(begin)
        damage(storage, name, how)
        # A backup that is gone and with which none goes on may as well have expired: it has to be named.
        report = healed(storage, other, *([name.removeprefix("backups/")] if kind == "backups" else []))
        assert report.ok, report
        is_verified(storage, wanted)
    # A verification proves all of it; restoring is slow.
    restores(Repository.open(storage), wanted, tmp_path)


@pytest.mark.parametrize("how", ["flipped", "cut", "removed"])
def test_a_repository_that_lost_everything_but_its_config_is_healed_by_naming_what_it_held(
    base: Base, tmp_path: Path, how: str
) -> None:
    storage, other, wanted = base
    for name in [name for name in storage.objects if name.startswith(("packs/", "segments/", "index/", "backups/"))]:
        damage(storage, name, how)
    assert healed(storage, other, *wanted).ok
    is_whole(storage, wanted, tmp_path)


def test_what_is_whole_is_left_as_it_is(base: Base) -> None:
    storage, other, _ = base
    before = dict(storage.objects)
    report = healed(storage, other)
    assert (report.ok, report.blocks, report.segments, report.bytes_read) == (True, 0, 0, 0)
    # That all of it was proven is new.
    assert {name: data for name, data in storage.objects.items() if not name.startswith("verified/")} == before


def test_one_flipped_byte_costs_one_block_of_the_other_repository(base: Base) -> None:
    storage, other, _ = base
    name = max(storage.names("packs/"), key=lambda name: len(storage.objects[name]))
    damage(storage, name, "flipped")
    report = healed(storage, other)
    assert report.blocks == report.own_blocks + 1
    assert 0 < report.bytes_read < len(storage.objects[name])


def test_an_expired_backup_does_not_come_back_by_itself(base: Base, tmp_path: Path) -> None:
    storage, other, wanted = base
    newest = list(wanted)[-1]
    storage.delete(f"backups/{newest}")
    assert healed(storage, other).ok
    rest = {label: files for label, files in wanted.items() if label != newest}
    is_whole(storage, rest, tmp_path / "a")
    assert healed(storage, other, newest).manifests == (newest,)
    is_whole(storage, wanted, tmp_path / "b")


def test_a_full_backup_that_others_go_on_with_is_missed(base: Base, tmp_path: Path) -> None:
    storage, other, wanted = base
    label = next(iter(wanted))
    storage.delete(f"backups/{label}")
    assert healed(storage, other).manifests == (label,)
    is_whole(storage, wanted, tmp_path)


@pytest.mark.parametrize("how", one_of(3, ["flipped", "cut", "removed"]))
@pytest.mark.parametrize("kind", ["packs", "segments", "backups"])
def test_a_repository_of_other_names_is_healed_by_place(base: Base, tmp_path: Path, kind: str, how: str) -> None:
    begin, other, wanted = base
    for name in begin.names(f"{kind}/"):
        storage = copied(begin)
        damage(storage, name, how)
        labels = [name.removeprefix("backups/")] if kind == "backups" else []
        repository = OtherNames.open(storage)
        report = heal(repository, Repository.open(other), labels, jobs=2, progress=SILENT)
        assert report.ok, report
        is_verified(storage, wanted)
    # A verification proves all of it; restoring is slow.
    restores(Repository.open(storage), wanted, tmp_path)


def test_an_encrypted_repository_and_a_plain_one_heal_each_other(tmp_path: Path) -> None:
    (plain, storage), (encrypted, sealed) = new_repository(), encrypted_repository()
    wanted = two_chains(make_database(tmp_path / "made"), plain)
    assert not copied_over(plain, encrypted).failures
    for own, other, place in ((encrypted, plain, sealed), (plain, encrypted, storage)):
        for name in [name for name in place.objects if name.startswith(("packs/", "segments/"))]:
            damage(place, name, "flipped")
        assert heal(own, other, jobs=2, progress=SILENT).ok
        assert check(own).ok
        restores(own, wanted, tmp_path)


def test_what_the_other_repository_lost_too_is_told_by_backup(base: Base, tmp_path: Path) -> None:
    storage, other, wanted = base
    for name in storage.names("packs/"):
        damage(storage, name, "removed")
    for name in other.names("packs/"):
        damage(other, name, "removed")
    report = healed(storage, other)
    assert not report.ok
    assert {failure.subject for failure in report.failures} == {label for label in wanted if "_" not in label}


def test_log_that_the_other_repository_does_not_have_is_told_with_how_far_the_chain_goes(tmp_path: Path) -> None:
    (here, storage), (there, other) = new_repository(), new_repository()
    made = make_database(tmp_path / "home")
    label = take(made, here).label
    copied_over(here, there)
    for _ in range(2):
        commit_more(made)
        run_backup(made, here)
    damage(storage, storage.names("segments/")[0], "flipped")
    (failure,) = healed(storage, other).failures
    assert failure.subject == label
    assert "whole only up to transaction" in failure.message


def test_a_repository_cannot_heal_itself(base: Base) -> None:
    storage, _, _ = base
    with pytest.raises(UsageError, match="cannot heal itself"):
        healed(storage, storage)
