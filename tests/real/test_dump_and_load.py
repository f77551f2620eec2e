"""Archives between neokeep and Neo4j's own tools, both ways, on every version."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from helpers.artifacts import read_all
from neokeep import api
from neokeep.neo4j.admin import Admin
from neokeep.neo4j.source import find_source
from neokeep.restore.recover import is_clean
from real.rig import SLOW, Taken, require_right

if TYPE_CHECKING:
    from pathlib import Path

    from neokeep.neo4j.server import Server
    from real.conftest import Worlds
    from real.rig import World

pytestmark = pytest.mark.real

OLD, VERSION, NEW = "4.4.48", "5.26.30", "2026.08.1"


def require_clean(server: Server, *databases: str) -> None:
    """Demand that nothing is left to recover."""
    source = find_source(server.home)
    for name in databases:
        assert is_clean(source.database(name).log_directory)


def stopped(world: World) -> Taken:
    """Let the source stop, and say what it has to hold for good."""
    world.rest()
    acknowledged, attempted = world.load.acknowledged, world.load.attempted
    assert world.server.stop()
    return Taken({}, acknowledged, attempted, ())


def test_a_running_server_is_dumped_and_neo4j_loads_it(worlds: Worlds, version: str, tmp_path: Path) -> None:
    world = worlds.of(version)
    with world.under_load():
        before = world.load.acknowledged
        report = api.dump("neo4j", tmp_path, home=world.server.home)
        taken = Taken({}, before, world.load.attempted, ())
        users = api.dump("system", tmp_path, home=world.server.home)
    assert (report.running, report.recovered_by, report.indexes) == (True, "native", "rebuild")
    assert users.running
    target = world.target("admin-loads-online")
    admin = Admin(target.distribution, target.home)
    for name in ("neo4j", "system"):
        admin.load(name, tmp_path)
    require_clean(target, "neo4j", "system")
    require_right(target, taken, "neo4j", "system")


def test_a_stopped_database_gives_the_dump_that_neo4j_makes(worlds: Worlds, version: str, tmp_path: Path) -> None:
    world = worlds.of(version)
    stopped(world)
    theirs = Admin(world.server.distribution, world.server.home).dump("neo4j", tmp_path / "theirs")
    report = api.dump("neo4j", tmp_path / "ours.dump", home=world.server.home)
    assert (report.running, report.recovered_by, report.indexes) == (False, None, "copy")
    ours, expected = read_all((tmp_path / "ours.dump").read_bytes())[1], read_all(theirs.read_bytes())[1]
    # Lucene makes its lock again; nothing is in it.
    assert {name: data for name, data in expected.items() if not name.endswith("/write.lock")} == ours


def test_a_dump_of_neo4j_is_loaded(worlds: Worlds, version: str, tmp_path: Path) -> None:
    world = worlds.of(version)
    taken = stopped(world)
    path = Admin(world.server.distribution, world.server.home).dump("neo4j", tmp_path)
    target = world.target("loads-theirs")
    report = api.load(path, target.home)
    assert report.clean
    require_right(target, taken)


@pytest.mark.parametrize("version", [VERSION, NEW])
def test_a_backup_artifact_out_of_the_repository_is_loaded_by_neo4j(
    worlds: Worlds, version: str, tmp_path: Path
) -> None:
    world = worlds.of(version)
    taken = world.online
    label = taken.info.label
    report = api.dump("neo4j", tmp_path / "any.backup", repository=world.repository, label=label, format="backup")
    (header,) = api.inspect(tmp_path / "any.backup").artifacts
    assert (header.database, header.type, header.recovered) == ("neo4j", "full", True)
    assert (header.lowest_tx, header.store_id) == (1, taken.info.store_id)
    assert header.highest_tx == report.last_tx == taken.info.last_tx
    target = world.target("admin-loads-artifact")
    Admin(target.distribution, target.home).load("neo4j", tmp_path / "any.backup")
    require_clean(target, "neo4j")
    require_right(target, taken)


def test_a_dump_of_a_moment_holds_that_moment(worlds: Worlds, tmp_path: Path) -> None:
    world = worlds.of(VERSION)
    with world.under_load():
        taken = world.back_up("neo4j", rate=SLOW)
        api.backup(world.source, world.repository, ["neo4j"], type="incremental")
    first, last = taken.info.last_tx, api.info(world.repository, label=taken.info.label).windows[0].last_tx
    assert last > first
    middle = (first + last) // 2
    report = api.dump(
        "neo4j", tmp_path / "moment.dump", repository=world.repository, label=taken.info.label, to_transaction=middle
    )
    assert report.last_tx == middle
    assert report.segments
    target = world.target("moment")
    Admin(target.distribution, target.home).load("neo4j", tmp_path / "moment.dump")
    require_right(target, Taken({}, taken.acknowledged, world.load.attempted, ()))


def test_a_dump_of_4_4_goes_into_5_26_and_one_of_5_26_into_2026(worlds: Worlds, tmp_path: Path) -> None:
    old = worlds.of(OLD)
    taken = stopped(old)
    api.dump("neo4j", tmp_path / "old.dump", home=old.server.home)
    middle = old.target("in-5", VERSION)
    report = api.load(tmp_path / "old.dump", middle.home, loaded_as="neo4j")
    assert any("database migrate" in step for step in report.next_steps)
    admin = Admin(middle.distribution, middle.home)
    migrated = admin.run("database", "migrate", "neo4j", "--force-btree-indexes-to-range")
    assert migrated.status == 0, migrated.output
    require_right(middle, taken)
    api.dump("neo4j", tmp_path / "middle.dump", home=middle.home)
    new = old.target("in-2026", NEW)
    api.load(tmp_path / "middle.dump", new.home, loaded_as="neo4j")
    require_right(new, taken)
