"""Expiry, garbage collection and the making of an index, killed at any call, cost no backup anything."""

from __future__ import annotations

import os
import random
import shutil
import time
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from helpers.backups import SILENT, check, content, expected, put_back, take
from helpers.chains import commit_more, run_backup
from helpers.database import Synthetic, make_database, write_tree
from helpers.victim import Victim, steps
from neokeep.repository import pack as packing
from neokeep.repository.collect import collect
from neokeep.repository.expire import expire
from neokeep.repository.expiry import Policy
from neokeep.repository.open import init_repository, open_repository

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.faults
Content = tuple[dict[str, bytes], dict[str, bytes]]
DAY = 86_400


@pytest.fixture
def victim() -> Iterator[Victim]:
    """A process that does what it is told, until it is killed."""
    process = Victim()
    yield process
    process.close()


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path, dict[str, Content]]:
    """A repository of two chains with log of their own: its place, a home, and what each backup has to restore to."""
    monkeypatch.setattr(packing, "TARGET_SIZE", 70_000)  # So that a pack seldom holds blocks of both backups.
    place, made = tmp_path / "base", make_database(tmp_path / "home")
    repository = init_repository(str(place))
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
    return place, made.home, wanted


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


def labels(place: Path) -> list[str]:
    return [item.label for item in open_repository(str(place)).manifests()]


def packs(place: Path) -> set[str]:
    return {path.name for path in (place / "packs").rglob("*") if path.is_file()}


@pytest.mark.parametrize("second", [False, True])
def test_whatever_call_rewriting_packs_is_killed_at(
    tmp_path: Path, victim: Victim, base: tuple[Path, Path, dict[str, Content]], second: bool
) -> None:
    """All packs are rewritten; with `second` another run, that condemned packs lie beside, is killed too."""
    begin, home, wanted = base
    if second:
        collect(open_repository(str(begin)), grace=timedelta(), repack_below=1, progress=SILENT)
        age(begin)
        take_one_more(begin, home, wanted)
    expire(open_repository(str(begin)), Policy(last=1))
    age(begin)
    whole = tmp_path / "whole"
    shutil.copytree(begin, whole)
    calls = victim.calls_of("collect", whole, home, repack_below=1, pack_size=70_000)
    assert calls > 30
    is_whole(whole, wanted, tmp_path / "restored", "whole")
    for step in steps(calls, 12):
        place = tmp_path / "killed"
        shutil.copytree(begin, place)
        answer = victim.order("collect", place, home, kill_at=step, repack_below=1, pack_size=70_000)
        assert answer == "killed" or answer.startswith("done"), answer
        is_whole(place, wanted, tmp_path / "restored", step)
        age(place)
        for _ in range(3):
            cleaned_up(place, repack_below=1)
        is_whole(place, wanted, tmp_path / "restored", step)
        assert sorted(labels(place)) == sorted(labels(whole))
        for kind in ("condemned", "writers"):
            assert not list((place / kind).iterdir())
        shutil.rmtree(place)


def take_one_more(place: Path, home: Path, wanted: dict[str, Content]) -> None:
    made = make_database(home)
    made.store |= {"neostore.nodestore.db": random.Random(0).randbytes(250_000)}
    made.write()
    wanted[take(made, open_repository(str(place))).label] = snapshot(made)
    age(place)


def is_whole(place: Path, wanted: dict[str, Content], home: Path, step: object) -> None:
    repository = open_repository(str(place))
    report = check(repository)
    assert report.ok, (step, report)
    for label in labels(place):
        put_back(repository, home, label)
        assert content(home) == wanted[label], (step, label)
        shutil.rmtree(home)


def cleaned_up(place: Path, repack_below: float = 0) -> None:
    """Expire and collect until nothing is left to do."""
    repository = open_repository(str(place))
    expire(repository, Policy(last=1))
    for _ in range(2):
        age(place)
        collect(repository, grace=timedelta(hours=1), repack_below=repack_below, progress=SILENT)


def nothing_is_left_over(place: Path, whole: Path) -> None:
    assert packs(place) == packs(whole)
    assert sorted(labels(place)) == sorted(labels(whole))
    for kind in ("condemned", "writers"):
        assert not list((place / kind).iterdir())
    assert {path.name for path in (place / "segments").rglob("*") if path.is_file()} == {
        path.name for path in (whole / "segments").rglob("*") if path.is_file()
    }


@pytest.mark.parametrize("what", ["expire", "condemn", "sweep", "rebuild-index"])
def test_whatever_call_it_is_killed_at(
    tmp_path: Path, victim: Victim, base: tuple[Path, Path, dict[str, Content]], what: str
) -> None:
    begin, home, wanted = base
    if what in ("condemn", "sweep"):
        expire(open_repository(str(begin)), Policy(last=1))
        age(begin)
    if what == "sweep":
        collect(open_repository(str(begin)), grace=timedelta(), repack_below=0, progress=SILENT)
        age(begin)
    command = "collect" if what in ("condemn", "sweep") else what
    whole = tmp_path / "whole"
    shutil.copytree(begin, whole)
    calls = victim.calls_of(command, whole, home)
    assert calls > 10
    cleaned_up(whole)
    is_whole(whole, wanted, tmp_path / "restored", "whole")
    assert packs(whole) < packs(begin)
    for step in steps(calls, 25):
        place = tmp_path / "killed"
        shutil.copytree(begin, place)
        answer = victim.order(command, place, home, kill_at=step)
        assert answer == "killed" or answer.startswith("done"), answer
        is_whole(place, wanted, tmp_path / "restored", step)
        age(place)
        cleaned_up(place)
        is_whole(place, wanted, tmp_path / "restored", step)
        nothing_is_left_over(place, whole)
        shutil.rmtree(place)
