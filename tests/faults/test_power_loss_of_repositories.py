"""The power fails at any moment of a backup or a clean-up: what was told to be durable is, and all of it is whole."""

from __future__ import annotations

import random
import shutil
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from helpers.backups import SILENT, check, content, expected, put_back, take
from helpers.chains import commit_more, run_backup
from helpers.database import make_database, write_tree
from helpers.power_loss import Disk
from neokeep.repository import pack as packing
from neokeep.repository.collect import collect
from neokeep.repository.expire import expire
from neokeep.repository.expiry import Policy
from neokeep.repository.open import init_repository, open_repository

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from helpers.database import Synthetic

pytestmark = pytest.mark.faults

WRITTEN_BACK: dict[str, Callable[[str], bool]] = {
    "no names": lambda _: False,
    "all names": lambda _: True,
    "names of manifests only": lambda folder: folder == "backups",
    "all names but those of manifests": lambda folder: folder != "backups",
}


class Failing:
    """Looks, before every call, at what would be left if the power failed now."""

    def __init__(self, place: Path, scratch: Path) -> None:
        self.disk = Disk(place)
        self.looked = 0
        self.seen: set[frozenset[str]] = set()
        self.promised: frozenset[str] = frozenset()
        self._scratch = scratch

    def look(self) -> None:
        for names, written_back in WRITTEN_BACK.items():
            left = self._scratch / "left"
            self.disk.materialise(left, written_back)
            repository = open_repository(str(left))
            labels = frozenset(item.label for item in repository.manifests())
            report = check(repository)
            assert report.ok, (names, self.looked, report)
            assert self.promised <= labels, (names, self.looked)
            self.seen.add(labels)
            shutil.rmtree(left)
        self.looked += 1


@pytest.fixture
def made(tmp_path: Path) -> Synthetic:
    return make_database(tmp_path / "home")


def change(made: Synthetic, seed: int) -> None:
    replaced = {"neostore.nodestore.db": random.Random(seed).randbytes(120_000)}
    made.store |= replaced
    write_tree(made.store_directory, replaced)


def test_a_backup_that_was_told_to_be_there_survives_and_none_is_ever_half_there(
    tmp_path: Path, made: Synthetic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packing, "TARGET_SIZE", 70_000)
    place = tmp_path / "repository"
    first = take(made, init_repository(str(place)), jobs=1).label
    change(made, 1)
    power = Failing(place, tmp_path)
    power.promised = frozenset({first})
    with power.disk.watched(power.look):
        second = take(made, open_repository(str(place)), jobs=1).label
        power.promised |= {second}
        commit_more(made, rotate=True)
        third = run_backup(made, open_repository(str(place))).backups[0].label
        power.promised |= {third}
    power.look()
    assert power.looked > 40
    assert {frozenset({first}), frozenset({first, second}), frozenset({first, second, third})} <= power.seen
    left = tmp_path / "after"
    power.disk.materialise(left, lambda _: False)
    put_back(open_repository(str(left)), tmp_path / "restored", third)
    assert content(tmp_path / "restored") == expected(made)


def test_what_expires_and_is_collected_takes_nothing_with_it_that_comes_back(
    tmp_path: Path, made: Synthetic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packing, "TARGET_SIZE", 70_000)
    place = tmp_path / "repository"
    repository = init_repository(str(place))
    first = take(made, repository, jobs=1).label
    change(made, 1)
    second = take(made, repository, jobs=1).label
    power = Failing(place, tmp_path)
    power.promised = frozenset({second})
    with power.disk.watched(power.look):
        expire(open_repository(str(place)), Policy(last=1))
        for _ in range(2):
            collect(open_repository(str(place)), grace=timedelta(), progress=SILENT)
    power.look()
    assert power.looked > 20
    assert power.seen == {frozenset({first, second}), frozenset({second})}
