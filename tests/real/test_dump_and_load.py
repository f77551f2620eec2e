"""Archives between neokeep and Neo4j's own tools, both ways, on every version.

All archives of a version are made once, of one small source, which then stays stopped.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from helpers.artifacts import read_all
from helpers.backups import content
from neokeep import api
from neokeep.neo4j.admin import Admin
from neokeep.neo4j.source import find_source
from neokeep.restore.recover import is_clean
from real.rig import Taken, World, look, require_right, wait_for_writers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from neokeep.artifact.reports import DumpReport
    from neokeep.neo4j.server import Server

pytestmark = pytest.mark.real

OLD, VERSION, NEW = "4.4.48", "5.26.30", "2026.08.1"


@dataclass(frozen=True)
class Shelf:
    """Archives of one source, and what each has to hold: of it while it ran, and when it was stopped for good."""

    world: World
    online: tuple[DumpReport, DumpReport]
    running: Taken
    backup: Taken
    middle: int
    stopped: Taken
    theirs: Path
    ours: DumpReport

    @property
    def folder(self) -> Path:
        """Where the archives of the running server are."""
        return self.world.directory / "online"


def fill(world: World) -> Shelf:
    """Dump a server under load, back it up, and dump it with both tools when it is stopped."""
    directory = world.directory
    for name in ("online", "theirs"):
        (directory / name).mkdir()
    with world.under_load():
        acknowledged = world.load.acknowledged
        neo4j = api.dump("neo4j", directory / "online", home=world.server.home)
        running = Taken({}, acknowledged, world.load.attempted, ())
        system = api.dump("system", directory / "online", home=world.server.home)
        backup = world.back_up("neo4j")
        wait_for_writers(world.load)
        api.backup(world.source, world.repository, ["neo4j"], type="incremental")
    last = api.info(world.repository, label=backup.info.label).windows[0].last_tx
    assert last > backup.info.last_tx + 1
    stopped = Taken({}, world.load.acknowledged, world.load.attempted, ())
    assert world.server.stop()
    theirs = Admin(world.server.distribution, world.server.home).dump("neo4j", directory / "theirs")
    ours = api.dump("neo4j", directory / "ours.dump", home=world.server.home)
    return Shelf(
        world=world,
        online=(neo4j, system),
        running=running,
        backup=backup,
        middle=(backup.info.last_tx + last) // 2,
        stopped=stopped,
        theirs=theirs,
        ours=ours,
    )


class Shelves:
    """The archives of each version, made when they are asked for the first time."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._worlds: list[World] = []
        self._made: dict[str, Shelf] = {}

    def of(self, version: str) -> Shelf:
        """Give the archives of a version."""
        if version not in self._made:
            self._worlds.append(World(self._directory / version, version, writers=2, ballast=0))
            self._made[version] = fill(self._worlds[-1])
        return self._made[version]

    def close(self) -> None:
        """End every server."""
        for world in self._worlds:
            world.close()


@pytest.fixture(scope="module")
def shelves(tmp_path_factory: pytest.TempPathFactory, quick_java: None) -> Iterator[Shelves]:
    """The archives."""
    made = Shelves(tmp_path_factory.mktemp("shelves"))
    yield made
    made.close()


def require_clean(server: Server, *databases: str) -> None:
    """Demand that nothing is left to recover."""
    source = find_source(server.home)
    for name in databases:
        assert is_clean(source.database(name).log_directory)


def without_zeros(files: dict[str, bytes]) -> dict[str, bytes]:
    """What a server made room for in advance is no content."""
    return {name: data.rstrip(b"\0") for name, data in files.items()}


def test_a_running_server_is_dumped_and_neo4j_loads_it(shelves: Shelves, version: str) -> None:
    shelf = shelves.of(version)
    neo4j, system = shelf.online
    assert (neo4j.running, neo4j.recovered_by, neo4j.indexes) == (True, "native", "rebuild")
    assert system.running
    target = shelf.world.target("admin-loads-online")
    admin = Admin(target.distribution, target.home)
    for name in ("neo4j", "system"):
        admin.load(name, shelf.folder)
    require_clean(target, "neo4j", "system")
    require_right(target, shelf.running, "neo4j", "system")


def test_a_stopped_database_gives_the_dump_that_neo4j_makes(shelves: Shelves, version: str) -> None:
    shelf = shelves.of(version)
    report = shelf.ours
    assert report.path is not None
    assert (report.running, report.recovered_by, report.indexes) == (False, None, "copy")
    with open(report.path, "rb") as file:
        ours = read_all(file.read())[1]
    expected = read_all(shelf.theirs.read_bytes())[1]
    # Lucene makes its lock again; nothing is in it.
    assert {name: data for name, data in expected.items() if not name.endswith("/write.lock")} == ours


def test_a_dump_of_neo4j_is_loaded_and_ingested_to_the_same(shelves: Shelves, version: str) -> None:
    shelf = shelves.of(version)
    loaded, ingested = shelf.world.target("loads-theirs"), shelf.world.target("ingested")
    assert api.load(shelf.theirs, loaded.home).clean
    (backup,) = api.ingest(shelf.theirs, shelf.world.repository).backups
    assert backup.ingested is not None
    assert (backup.ingested.dated_by, backup.finished_at) == ("log", backup.last_commit_time)
    assert (backup.store_id, backup.last_tx) == (shelf.ours.store_id, shelf.ours.last_tx)
    assert not backup.left_out
    api.restore(shelf.world.repository, ingested.home, "neo4j", label=backup.label)
    (store, log), (expected, expected_log) = content(ingested.home), content(loaded.home)
    assert store == {name: data for name, data in expected.items() if not name.endswith("/write.lock")}
    assert without_zeros(log).items() <= without_zeros(expected_log).items()
    # They hold the same, so that one of them opens says it of both.
    require_right(ingested if version == VERSION else loaded, shelf.stopped)


@pytest.mark.parametrize("version", [VERSION, NEW])
def test_a_backup_artifact_out_of_the_repository_is_loaded_by_neo4j(
    shelves: Shelves, version: str, tmp_path: Path
) -> None:
    shelf = shelves.of(version)
    info = shelf.backup.info
    report = api.dump(
        "neo4j", tmp_path / "any.backup", repository=shelf.world.repository, label=info.label, format="backup"
    )
    (header,) = api.inspect(tmp_path / "any.backup").artifacts
    assert (header.database, header.type, header.recovered) == ("neo4j", "full", True)
    assert (header.lowest_tx, header.store_id) == (1, info.store_id)
    assert header.highest_tx == report.last_tx == info.last_tx
    target = shelf.world.target("admin-loads-artifact")
    Admin(target.distribution, target.home).load("neo4j", tmp_path / "any.backup")
    require_clean(target, "neo4j")
    require_right(target, shelf.backup)


def test_a_dump_of_a_moment_holds_that_moment(shelves: Shelves, tmp_path: Path) -> None:
    shelf = shelves.of(VERSION)
    report = api.dump(
        "neo4j",
        tmp_path / "moment.dump",
        repository=shelf.world.repository,
        label=shelf.backup.info.label,
        to_transaction=shelf.middle,
    )
    assert report.last_tx == shelf.middle
    assert report.segments
    target = shelf.world.target("moment")
    admin = Admin(target.distribution, target.home)
    admin.load("neo4j", tmp_path / "moment.dump")
    require_clean(target, "neo4j")
    # As docs/operations.md says: what is missing, and only made at a start, is what Neo4j's check asks for.
    refused = admin.check("neo4j")
    assert not refused.clean
    assert "Active logical log detected" in refused.output
    require_right(target, Taken({}, shelf.backup.acknowledged, shelf.stopped.attempted, ()))


def test_a_dump_of_4_4_goes_into_5_26_and_one_of_5_26_into_2026(shelves: Shelves, tmp_path: Path) -> None:
    old = shelves.of(OLD)
    assert old.ours.path is not None
    middle = old.world.target("in-5", VERSION)
    loaded = api.load(old.ours.path, middle.home, loaded_as="neo4j")
    assert any("database migrate" in step for step in loaded.next_steps)
    admin = Admin(middle.distribution, middle.home)
    migrated = admin.run("database", "migrate", "neo4j", "--force-btree-indexes-to-range")
    assert migrated.status == 0, migrated.output
    report = look(middle, old.stopped)
    assert report.ok, report.findings
    api.dump("neo4j", tmp_path / "middle.dump", home=middle.home)
    new = old.world.target("in-2026", NEW)
    api.load(tmp_path / "middle.dump", new.home, loaded_as="neo4j")
    require_right(new, old.stopped)
