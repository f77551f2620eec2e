"""Restores of real backups: under another name, into a newer server, never into a running or an older one."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from neokeep import api
from neokeep.errors import LockedError, SourceError, UsageError
from neokeep.lab.workload import verify_invariants
from neokeep.neo4j.locks import DATABASE_LOCK
from real.rig import DATABASES, require_right

if TYPE_CHECKING:
    from pathlib import Path

    from neokeep.neo4j.server import Server
    from real.conftest import Worlds
    from real.rig import Taken

pytestmark = pytest.mark.real

OLD, VERSION, NEW = "4.4.48", "5.26.30", "2026.08.1"


def state(server: Server, database: str = "neo4j") -> dict[Path, tuple[int, str]]:
    """Say which files a database consists of, locks aside, and what is in them."""
    roots = [server.home / "data" / area / database for area in ("databases", "transactions")]
    return {
        path: (path.stat().st_ino, hashlib.sha256(path.read_bytes()).hexdigest())
        for root in roots
        for path in root.rglob("*")
        if path.is_file() and path.name != DATABASE_LOCK
    }


def names(server: Server) -> set[str]:
    """List everything directly below the data directories, leftovers too."""
    return {
        f"{area}/{path.name}"
        for area in ("databases", "transactions")
        for path in (server.home / "data" / area).iterdir()
    }


def test_a_backup_restored_under_another_name_opens_and_is_never_replaced_while_it_is_open(worlds: Worlds) -> None:
    world = worlds.of(VERSION)
    taken = world.online
    target = world.target("renamed", settings={"initial.dbms.default_database": "other"})
    world.restore(taken, target, ["neo4j"], restored_as="other")
    target.start()
    try:
        require_invariants(target, taken, "other")
        before, listed = state(target, "other"), names(target)
        with pytest.raises(LockedError):
            world.restore(taken, target, ["neo4j"], restored_as="other", overwrite=True)
        with pytest.raises(LockedError):
            world.restore(taken, target, ["system"], overwrite=True)
        assert state(target, "other") == before
        assert names(target) == listed
        world.restore(taken, target, ["neo4j"], restored_as="beside")
        require_invariants(target, taken, "other")
    finally:
        target.stop()


def require_invariants(target: Server, taken: Taken, database: str) -> None:
    report = verify_invariants(
        target.bolt_uri, acknowledged=taken.acknowledged, attempted=taken.attempted, database=database
    )
    assert report.ok, report.findings


def test_a_backup_of_5_26_restores_into_a_home_of_2026(worlds: Worlds) -> None:
    world = worlds.of(VERSION)
    target = world.target("newer", NEW)
    world.restore(world.online, target)
    require_right(target, world.online, *DATABASES)


def test_a_backup_of_2026_is_refused_by_a_home_of_5_26(worlds: Worlds) -> None:
    taken = worlds.of(NEW).online
    target = worlds.of(NEW).target("older", VERSION)
    with pytest.raises(SourceError, match="cannot open it"):
        worlds.of(NEW).restore(taken, target)
    assert not any((target.home / "data").iterdir())


def test_a_backup_of_4_4_is_refused_by_a_home_of_5_26(worlds: Worlds) -> None:
    taken = worlds.of(OLD).online
    target = worlds.of(OLD).target("newer", VERSION)
    with pytest.raises(SourceError, match="neither recover nor open") as refused:
        worlds.of(OLD).restore(taken, target)
    assert "database migrate" in refused.value.remedy
    assert not any((target.home / "data").iterdir())


def test_a_database_that_exists_is_replaced_only_when_told_so(worlds: Worlds) -> None:
    world = worlds.of(VERSION)
    target = world.target("there")
    world.restore(world.online, target, ["neo4j"])
    before, listed = state(target), names(target)
    with pytest.raises(UsageError, match="exists already"):
        world.restore(world.online, target, ["neo4j"])
    assert state(target) == before
    assert names(target) == listed
    (report,) = world.restore(world.online, target, ["neo4j"], overwrite=True)
    assert report.replaced
    after = state(target)
    assert {path: content for path, (_, content) in after.items()} == {
        path: content for path, (_, content) in before.items()
    }
    assert all(after[path][0] != before[path][0] for path in before)
    assert names(target) == listed


def test_one_open_repository_backs_up_and_restores(worlds: Worlds, tmp_path: Path) -> None:
    world = worlds.of(VERSION)
    world.rest()
    repository = api.init(tmp_path / "repository")
    api.backup(world.server.home, repository, ["system"])
    report = api.restore(repository, tmp_path / "home", "system")
    assert report.file_count
    assert api.verify(repository).ok
