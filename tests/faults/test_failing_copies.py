"""Copying and healing that end or fail at any call of a storage cost no backup anything, and go on where they were."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from helpers.backups import SILENT, check, copied, new_repository
from helpers.calls import Killed
from helpers.copies import restores, two_chains
from helpers.database import make_database
from helpers.faulty import AFTER, BEFORE, Faulty, Nth
from helpers.storages import MemoryStorage, Wrapped
from helpers.victim import steps
from neokeep.copies.copy import copy_backups
from neokeep.copies.heal import heal
from neokeep.errors import NeokeepError
from neokeep.repository import pack as packing
from neokeep.repository.repository import Repository

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from helpers.copies import Content
    from neokeep.storage.base import Storage

    Scene = tuple[MemoryStorage, MemoryStorage, dict[str, Content]]
    Work = Callable[[Storage, Storage], None]

pytestmark = pytest.mark.faults


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """A repository of two chains in many packs, an empty one, and what each backup restores to."""
    monkeypatch.setattr(packing, "TARGET_SIZE", 100_000)
    (repository, storage), (_, empty) = new_repository(), new_repository()
    wanted = two_chains(make_database(tmp_path / "made"), repository)
    return storage, empty, wanted


def copy(source: Storage, target: Storage) -> None:
    copy_backups(Repository.open(source), Repository.open(target), jobs=1, progress=SILENT)


def heal_it(source: Storage, target: Storage) -> None:
    heal(Repository.open(target), Repository.open(source), jobs=1, progress=SILENT)


class Death:
    """Ends everything at a call of either storage, and at every later one."""

    def __init__(self, at: int | None) -> None:
        self.made = 0
        self._at = at

    def __call__(self, _operation: str, _name: str) -> None:
        if self._at is not None and self.made >= self._at:
            raise Killed
        self.made += 1


def killed(work: Work, source: Storage, target: Storage, at: int | None) -> int:
    """Do some work that ends at a call; return how many calls it made."""
    death = Death(at)
    try:
        work(Wrapped(source, death), Wrapped(target, death))
    except Killed:
        assert at is not None
    return death.made


def blocks_of(storage: MemoryStorage) -> Counter[bytes]:
    """How often each block is in a pack."""
    found: Counter[bytes] = Counter()
    for name in storage.names("packs/"):
        pack = packing.check_pack(bytes.fromhex(name.rsplit("/", 1)[1]), storage.objects[name])
        found.update(entry["id"].tobytes() for entry in pack.entries)
    return found


def packed_bytes(storage: MemoryStorage) -> int:
    return sum(len(storage.objects[name]) for name in storage.names("packs/"))


def has_all(storage: MemoryStorage, wanted: dict[str, Content]) -> None:
    report = check(Repository.open(storage))
    assert report.ok, report
    assert {one.label for one in report.backups} == set(wanted)


def test_a_copy_that_is_killed_goes_on_without_storing_a_block_twice(scene: Scene, tmp_path: Path) -> None:
    source, empty, wanted = scene
    whole = copied(empty)
    calls = killed(copy, source, whole, None)
    assert calls > 50
    target = whole
    for step in steps(calls, 120):
        target = copied(empty)
        killed(copy, source, target, step)
        assert check(Repository.open(target)).ok, step
        stored = packed_bytes(target)
        copy(source, target)
        has_all(target, wanted)
        assert set(blocks_of(target).values()) == {1}, step
        # More packs have more heads and footers; content is stored once.
        assert packed_bytes(target) - stored <= packed_bytes(whole) - stored + 10_000, step
    restores(Repository.open(target), wanted, tmp_path)


@pytest.mark.parametrize("fate", [BEFORE, AFTER])
@pytest.mark.parametrize("side", ["source", "target"])
def test_a_copy_whose_storage_fails_is_made_whole_by_the_next_one(scene: Scene, fate: str, side: str) -> None:
    source, empty, wanted = scene
    plan = Nth(0, fate)
    copy(Faulty(copied(source), plan), copied(empty))
    calls = plan.count if side == "source" else calls_to(empty, source)
    for step in steps(calls, 40):
        target = copied(empty)
        fails = Nth(step + 1, fate)
        with suppress(NeokeepError):
            if side == "source":
                copy(Faulty(source, fails), target)
            else:
                copy(source, Faulty(target, fails))
        assert check(Repository.open(target)).ok, step
        copy(source, target)
        has_all(target, wanted)


def calls_to(empty: MemoryStorage, source: MemoryStorage) -> int:
    plan = Nth(0, BEFORE)
    copy(source, Faulty(copied(empty), plan))
    return plan.count


def damaged_everywhere(storage: MemoryStorage) -> MemoryStorage:
    """Damage one object of each kind: packs and log that are cut, a manifest that is flipped, a lost index."""
    hurt = copied(storage)
    manifests = hurt.names("backups/")
    for name in [hurt.names("packs/")[0], hurt.names("segments/")[0], manifests[0], manifests[-1]]:
        data = hurt.objects[name]
        hurt.replace(name, data[: len(data) // 2])
    pack = hurt.names("packs/")[-1]
    hurt.replace(pack, hurt.objects[pack][:-200] + bytes(200))
    hurt.delete(hurt.names("index/")[0])
    return hurt


def test_a_healing_that_is_killed_is_finished_by_the_next_one(scene: Scene, tmp_path: Path) -> None:
    source, empty, wanted = scene
    copy(source, empty)
    hurt = damaged_everywhere(empty)
    whole = copied(hurt)
    calls = killed(heal_it, source, whole, None)
    has_all(whole, wanted)
    assert calls > 50
    target = whole
    for step in steps(calls, 120):
        target = copied(hurt)
        killed(heal_it, source, target, step)
        heal_it(source, target)
        has_all(target, wanted)
        assert not target.names("healing/"), step
    restores(Repository.open(target), wanted, tmp_path)


@pytest.mark.parametrize("fate", [BEFORE, AFTER])
def test_a_healing_whose_storage_fails_is_finished_by_the_next_one(scene: Scene, fate: str) -> None:
    source, empty, wanted = scene
    copy(source, empty)
    hurt = damaged_everywhere(empty)
    plan = Nth(0, fate)
    heal_it(source, Faulty(copied(hurt), plan))
    for step in steps(plan.count, 80):
        target = copied(hurt)
        with suppress(NeokeepError):
            heal_it(source, Faulty(target, Nth(step + 1, fate)))
        heal_it(source, target)
        has_all(target, wanted)
