"""A backup into an encrypted repository by a host that cannot read it, killed at any call, harms nothing."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from helpers.backups import check, content, expected, labels, put_back, take
from helpers.chains import commit_more
from helpers.database import make_database, some_bytes, write_tree
from helpers.victim import Victim, steps
from neokeep import api
from neokeep.storage.place import KeySources, Place

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from neokeep.repository.repository import Repository

pytestmark = pytest.mark.faults
LABEL = "neo4j-20300101-000000F"
CHANGED = {"neostore.nodestore.db": some_bytes(77, 300_000)}


@pytest.fixture
def victim() -> Iterator[Victim]:
    process = Victim()
    yield process
    process.close()


@pytest.fixture
def base(tmp_path: Path) -> Path:
    for name in ("reader", "writer"):
        api.key_generate(tmp_path / name)
    api.init(tmp_path / "base", recipients=[tmp_path / "reader.pub"], writer_recipients=[tmp_path / "writer.pub"])
    return tmp_path / "base"


def opened(place: Path, role: str) -> Repository:
    return api.open_repository(Place(str(place), keys=KeySources(identity_file=place.parent / role)))


def restores_to(
    repository: Repository, label: str, home: Path, wanted: tuple[dict[str, bytes], dict[str, bytes]]
) -> None:
    put_back(repository, home, label)
    assert content(home) == wanted
    shutil.rmtree(home)


def test_a_full_backup_killed_at_whatever_call(tmp_path: Path, base: Path, victim: Victim) -> None:
    made = make_database(tmp_path / "home")
    first = take(made, opened(base, "writer")).label
    old = (dict(made.store), expected(made)[1])
    made.store |= CHANGED
    write_tree(made.store_directory, CHANGED)
    new = expected(made)
    identity = str(tmp_path / "writer")
    shutil.copytree(base, tmp_path / "whole")
    calls = victim.calls_of("backup", tmp_path / "whole", made.home, label=LABEL, pack_size=70_000, identity=identity)
    assert calls > 20
    existed = []
    for step in steps(calls, 16):
        place = tmp_path / "killed"
        shutil.copytree(base, place)
        answer = victim.order(
            "backup", place, made.home, label=LABEL, pack_size=70_000, identity=identity, kill_at=step
        )
        assert answer == "killed" or answer.startswith("done"), answer
        reader = opened(place, "reader")
        existed.append(LABEL in labels(reader))
        assert set(labels(reader)) <= {first, LABEL}
        assert check(reader).ok, step
        restores_to(reader, first, tmp_path / "restored", old)
        if existed[-1]:
            restores_to(reader, LABEL, tmp_path / "restored", new)
        following = take(made, opened(place, "writer"))
        restores_to(opened(place, "reader"), following.label, tmp_path / "restored", new)
        shutil.rmtree(place)
    assert existed[0] is False
    assert existed[-1] is True
    assert existed == sorted(existed)


def test_an_incremental_backup_killed_at_whatever_call(tmp_path: Path, base: Path, victim: Victim) -> None:
    made = make_database(tmp_path / "home")
    first = take(made, opened(base, "writer")).label
    old = expected(made)
    commit_more(made, 3)
    new = expected(made)
    identity = str(tmp_path / "writer")
    shutil.copytree(base, tmp_path / "whole")
    calls = victim.calls_of("backup", tmp_path / "whole", made.home, type="incremental", identity=identity)
    for step in range(calls):
        place = tmp_path / "killed"
        shutil.copytree(base, place)
        answer = victim.order("backup", place, made.home, type="incremental", identity=identity, kill_at=step)
        assert answer == "killed" or answer.startswith("done"), answer
        reader = opened(place, "reader")
        assert check(reader).ok, step
        restores_to(reader, first, tmp_path / "restored", old)
        for label in set(labels(reader)) - {first}:
            restores_to(reader, label, tmp_path / "restored", new)
        shutil.rmtree(place)
