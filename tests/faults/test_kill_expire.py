"""Expiry, garbage collection and the making of an index, killed at any call, cost no backup anything."""

from __future__ import annotations

import os
import random
import shutil
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from helpers.backups import SILENT, check, content, expected, labels, put_back, take
from helpers.chains import commit_more, run_backup
from helpers.database import Synthetic, make_database, write_tree
from helpers.doors import Door, door
from helpers.victim import Victim, steps
from neokeep.repository import pack as packing
from neokeep.repository.collect import collect
from neokeep.repository.expire import expire
from neokeep.repository.expiry import Policy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from neokeep.repository.repository import Repository

pytestmark = pytest.mark.faults
Content = tuple[dict[str, bytes], dict[str, bytes]]
DAY = 86_400


@dataclass(frozen=True, slots=True)
class Base:
    """A repository of two chains with log of their own, the home of the source, and what each backup restores to."""

    door: Door
    place: Path
    home: Path
    wanted: dict[str, Content]


@pytest.fixture
def victim() -> Iterator[Victim]:
    """A process that does what it is told, until it is killed."""
    process = Victim()
    yield process
    process.close()


@pytest.fixture
def kind() -> str:
    """Most are tried with a repository that is not encrypted."""
    return "plain"


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> Base:
    monkeypatch.setattr(packing, "TARGET_SIZE", 70_000)  # So that a pack seldom holds blocks of both backups.
    place, made, way = tmp_path / "base", make_database(tmp_path / "home"), door(kind, tmp_path)
    repository = way.create(place)
    wanted: dict[str, Content] = {}
    for number in range(2):
        replaced = {"neostore.nodestore.db": random.Random(number).randbytes(250_000)}
        made.store |= replaced
        write_tree(made.store_directory, replaced)
        wanted[take(made, repository).label] = snapshot(made)
        for _ in range(2):
            commit_more(made)
            (backup,) = run_backup(made, repository).backups
            wanted[backup.label] = (dict(wanted[backup.base or ""][0]), snapshot(made)[1])
        age(place)
    return Base(way, place, made.home, wanted)


def snapshot(made: Synthetic) -> Content:
    store, logs = expected(made)
    return dict(store), dict(logs)


def age(place: Path) -> None:
    """Let a day pass: every object is that much older, and leases run out."""
    then = time.time() - DAY
    for folder, _, names in os.walk(place):
        for name in names:
            path = os.path.join(folder, name)
            older = min(then, os.stat(path).st_mtime - DAY)
            os.utime(path, (older, older))


def names(repository: Repository, kind: str) -> set[str]:
    return {item.name for item in repository.storage.list(kind)}


@pytest.mark.parametrize(("kind", "second"), [("plain", False), ("plain", True), ("encrypted", False)])
def test_whatever_call_rewriting_packs_is_killed_at(tmp_path: Path, victim: Victim, base: Base, second: bool) -> None:
    """All packs are rewritten; with `second` another run, that condemned packs lie beside, is killed too."""
    order = {"repack_below": 1, "pack_size": 70_000, **base.door.order}
    if second:
        collect(base.door.open(base.place), grace=timedelta(), repack_below=1, progress=SILENT)
        age(base.place)
        take_one_more(base)
    expire(base.door.open(base.place), Policy(last=1))
    age(base.place)
    whole = tmp_path / "whole"
    shutil.copytree(base.place, whole)
    calls = victim.calls_of("collect", whole, base.home, **order)
    assert calls > 30
    is_whole(base, whole, tmp_path / "restored", "whole")
    for step in steps(calls, 12):
        place = tmp_path / "killed"
        shutil.copytree(base.place, place)
        answer = victim.order("collect", place, base.home, kill_at=step, **order)
        assert answer == "killed" or answer.startswith("done"), answer
        is_whole(base, place, tmp_path / "restored", step)
        age(place)
        for _ in range(3):
            cleaned_up(base.door.open(place), place, repack_below=1)
        is_whole(base, place, tmp_path / "restored", step)
        no_mark_is_left(base.door.open(place), base.door.open(whole))
        shutil.rmtree(place)


def take_one_more(base: Base) -> None:
    made = make_database(base.home)
    made.store |= {"neostore.nodestore.db": random.Random(0).randbytes(250_000)}
    made.write()
    base.wanted[take(made, base.door.open(base.place)).label] = snapshot(made)
    age(base.place)


def is_whole(base: Base, place: Path, home: Path, step: object) -> None:
    repository = base.door.open(place)
    report = check(repository)
    assert report.ok, (step, report)
    for label in labels(repository):
        put_back(repository, home, label)
        assert content(home) == base.wanted[label], (step, label)
        shutil.rmtree(home)


def cleaned_up(repository: Repository, place: Path, repack_below: float = 0) -> None:
    """Expire and collect until nothing is left to do."""
    expire(repository, Policy(last=1))
    for _ in range(2):
        age(place)
        collect(repository, grace=timedelta(hours=1), repack_below=repack_below, progress=SILENT)


def no_mark_is_left(repository: Repository, whole: Repository) -> None:
    assert sorted(labels(repository)) == sorted(labels(whole))
    for kind in ("condemned", "writers"):
        assert not names(repository, kind)


@pytest.mark.parametrize(
    ("kind", "what"),
    [
        ("plain", "expire"),
        ("plain", "condemn"),
        ("plain", "sweep"),
        ("plain", "rebuild-index"),
        ("encrypted", "expire"),
        ("encrypted", "condemn"),
        ("encrypted", "sweep"),
        ("encrypted", "rebuild-index"),
    ],
)
def test_whatever_call_it_is_killed_at(tmp_path: Path, victim: Victim, base: Base, kind: str, what: str) -> None:
    begin, opened = base.place, base.door.open
    if what in ("condemn", "sweep"):
        expire(opened(begin), Policy(last=1))
        age(begin)
    if what == "sweep":
        collect(opened(begin), grace=timedelta(), repack_below=0, progress=SILENT)
        age(begin)
    command = "collect" if what in ("condemn", "sweep") else what
    whole = tmp_path / "whole"
    shutil.copytree(begin, whole)
    calls = victim.calls_of(command, whole, base.home, **base.door.order)
    assert calls > 10
    cleaned_up(opened(whole), whole)
    is_whole(base, whole, tmp_path / "restored", "whole")
    assert names(opened(whole), "packs") < names(opened(begin), "packs")
    for step in steps(calls, 25 if kind == "plain" else 8):
        place = tmp_path / "killed"
        shutil.copytree(begin, place)
        answer = victim.order(command, place, base.home, kill_at=step, **base.door.order)
        assert answer == "killed" or answer.startswith("done"), answer
        is_whole(base, place, tmp_path / "restored", step)
        age(place)
        cleaned_up(opened(place), place)
        is_whole(base, place, tmp_path / "restored", step)
        no_mark_is_left(opened(place), opened(whole))
        for kept in ("packs", "segments"):
            assert names(opened(place), kept) == names(opened(whole), kept)
        shutil.rmtree(place)
