"""The power fails at any moment of a restore: a database is the old one or the new one, and that is durable."""

from __future__ import annotations

import random
import shutil
from typing import TYPE_CHECKING

import pytest

from helpers.artifacts import whole, write
from helpers.backups import SILENT, content, expected, put_back, take
from helpers.chains import commit_more, run_backup
from helpers.database import make_database, write_tree
from helpers.power_loss import Disk
from neokeep import api
from neokeep.repository.open import init_repository
from neokeep.restore.restore import restore
from neokeep.restore.swap import Place, settle
from neokeep.restore.targets import NEWEST, Moment

if TYPE_CHECKING:
    from pathlib import Path

    from helpers.database import Synthetic

pytestmark = pytest.mark.faults
Content = tuple[dict[str, bytes], dict[str, bytes]]


@pytest.fixture
def made(tmp_path: Path) -> Synthetic:
    return make_database(tmp_path / "home")


@pytest.mark.parametrize("cut", [False, True])
def test_a_database_that_was_restored_is_durable_to_its_last_byte(tmp_path: Path, made: Synthetic, cut: bool) -> None:
    repository = init_repository(str(tmp_path / "repository"))
    first = take(made, repository, jobs=1)
    for _ in range(3):
        commit_more(made, rotate=True)
    run_backup(made, repository)
    target = tmp_path / "target"
    (target / "home").mkdir(parents=True)
    disk = Disk(target)
    with disk.watched(lambda: None):
        restore(
            repository,
            target / "home",
            "neo4j",
            from_source="test",
            moment=Moment(transaction=first.last_tx + 4) if cut else NEWEST,
            jobs=1,
            progress=SILENT,
        )
    left = tmp_path / "left"
    disk.materialise(left, lambda _: False)
    restored = content(target / "home")
    assert restored[0] == made.store
    assert content(left / "home") == restored


def test_a_database_that_was_loaded_from_an_archive_is_durable_to_its_last_byte(
    tmp_path: Path, made: Synthetic
) -> None:
    archive = write(tmp_path / "neo4j.dump", whole(made))
    target, left = tmp_path / "target", tmp_path / "left"
    (target / "home").mkdir(parents=True)
    disk = Disk(target)
    with disk.watched(lambda: None):
        api.load(archive, target / "home")
    disk.materialise(left, lambda _: False)
    assert content(left / "home") == content(target / "home") == (made.store, made.log)


@pytest.mark.parametrize("written_back", ["nothing", "databases", "transactions", "everything"])
def test_whenever_the_power_fails_a_database_that_is_replaced_is_the_old_one_or_the_new_one(
    tmp_path: Path, made: Synthetic, written_back: str
) -> None:
    repository = init_repository(str(tmp_path / "repository"))
    first = take(made, repository, jobs=1).label
    changed = {"neostore.nodestore.db": random.Random(1).randbytes(120_000)}
    made.store |= changed
    write_tree(made.store_directory, changed)
    commit_more(made)
    second = take(made, repository, jobs=1).label
    target, left = tmp_path / "target", tmp_path / "left"
    (target / "home").mkdir(parents=True)
    put_back(repository, target / "home", first)
    old, new = content(target / "home"), expected(made)
    seen: list[Content] = []

    def survives(folder: str) -> bool:
        return written_back == "everything" or written_back in folder.split("/")

    def look() -> None:
        disk.materialise(left, survives)
        data = left / "home" / "data"
        settle(Place.at(data / "databases" / "neo4j", data / "transactions" / "neo4j"))
        seen.append(content(left / "home"))
        assert seen[-1] in (old, new), f"call {len(seen)}"
        shutil.rmtree(left)

    disk = Disk(target)
    with disk.watched(look):
        restore(
            repository, target / "home", "neo4j", label=second, from_source="test", overwrite=True, jobs=1,
            progress=SILENT,
        )  # fmt: skip
    look()
    assert (seen[0], seen[-1]) == (old, new)
    assert len(seen) > 30
