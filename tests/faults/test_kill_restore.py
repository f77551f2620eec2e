"""A restore that is killed at any call leaves the old database or the new one, and the next restore works."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from helpers.backups import content, expected, put_back, take
from helpers.database import make_database
from helpers.doors import door
from helpers.victim import Victim, steps
from neokeep.neo4j.source import find_source

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.faults


@pytest.fixture
def victim() -> Iterator[Victim]:
    """A process that does what it is told, until it is killed."""
    process = Victim()
    yield process
    process.close()


@pytest.mark.parametrize(
    ("kind", "start"),
    [
        ("plain", "another database"),
        ("plain", "store without logs"),
        ("plain", "an empty home"),
        ("encrypted", "another database"),
    ],
)
def test_whatever_call_it_is_killed_at(tmp_path: Path, victim: Victim, kind: str, start: str) -> None:
    place, made, way = tmp_path / "repository", make_database(tmp_path / "home"), door(kind, tmp_path)
    label = take(made, way.create(place)).label
    base = tmp_path / "base"
    if start == "an empty home":
        (base / "conf").mkdir(parents=True)
        (base / "conf" / "neo4j.conf").write_text("")
    else:
        other = make_database(base, seed=50)
        if start == "store without logs":
            shutil.rmtree(other.log_directory)
    old, new = content(base), expected(made)
    assert old != new
    shutil.copytree(base, tmp_path / "whole")
    calls = victim.calls_of("restore", place, tmp_path / "whole", label=label, **way.order)
    assert content(tmp_path / "whole") == new
    became_new: list[bool] = []
    for step in steps(calls, most=26 if (kind, start) == ("plain", "another database") else 12):
        target = tmp_path / "target"
        shutil.copytree(base, target)
        answer = victim.order("restore", place, target, label=label, kill_at=step, **way.order)
        assert answer == "killed" or answer.startswith("done")
        found = content(target)
        assert found in (old, new), f"killed at {step}: neither the old database nor the new one"
        became_new.append(found == new)
        assert [database.name for database in find_source(target).databases()] in ([], ["neo4j"])
        put_back(way.open(place), target, label, overwrite=True)
        assert content(target) == new
        assert not list(target.rglob(".neokeep*"))
        shutil.rmtree(target)
    assert became_new[0] is False
    assert became_new[-1] is True
    assert became_new == sorted(became_new)


def test_a_backup_of_a_database_whose_restore_was_killed_is_whole(tmp_path: Path, victim: Victim) -> None:
    place, made, way = tmp_path / "repository", make_database(tmp_path / "home"), door("plain", tmp_path)
    label = take(made, way.create(place)).label
    other = make_database(tmp_path / "base", seed=50)
    old = expected(other)
    shutil.copytree(other.home, tmp_path / "whole")
    calls = victim.calls_of("restore", place, tmp_path / "whole", label=label)
    for step in range(calls - 30, calls, 4):
        target = tmp_path / "target"
        shutil.copytree(tmp_path / "base", target)
        victim.order("restore", place, target, label=label, kill_at=step)
        other.home = target
        again = take(other, way.open(place)).label
        put_back(way.open(place), tmp_path / "again", again)
        assert content(tmp_path / "again") in (old, expected(made))
        for path in (target, tmp_path / "again"):
            shutil.rmtree(path)
