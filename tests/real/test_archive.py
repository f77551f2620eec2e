"""`neokeep archive` beside real servers: restarts, crashes, rotation, pruning, an outage, and log that is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from conftest import VERSIONS
from neokeep import api
from neokeep.lab.bolt import connected
from neokeep.lab.home import create_home
from neokeep.neo4j.admin import Admin
from neokeep.neo4j.log.names import log_versions
from neokeep.neo4j.source import find_source
from real.archiving import Archiving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


pytestmark = [pytest.mark.real, pytest.mark.parametrize("version", VERSIONS)]

SETTINGS = {
    "db.checkpoint.interval.time": "1s",
    "db.tx_log.rotation.size": "128k",
    "db.tx_log.rotation.retention_policy": "3 files",
    "server.memory.pagecache.size": "8m",
}
TEXT = "x" * 2_000


class Scene:
    """A server with one writer that leaves numbered marks, and an archiver beside it."""

    def __init__(self, directory: Path, version: str) -> None:
        self.server = create_home(directory / "source", version, SETTINGS)
        self.repository = directory / "repository"
        self.target = create_home(directory / "target", version, SETTINGS)
        self.output = directory / "events"
        self.marks = 0
        api.init(self.repository)
        self.server.start()
        self.write(1)
        self.archiving = Archiving(self.server.home, self.repository, self.output, "neo4j")
        self.archiving.wait_for("following")

    def write(self, count: int) -> None:
        with connected(self.server.bolt_uri) as session:
            for _ in range(count):
                self.marks += 1
                session.run("CREATE (:Mark {n: $n, text: $text})", n=self.marks, text=TEXT)

    @property
    def log_versions(self) -> list[int]:
        return log_versions(find_source(self.server.home).database("neo4j").log_directory)

    def last_transaction(self) -> int:
        """Ask the repository for the newest transaction that it holds."""
        return max(window.last_tx for window in api.info(self.repository, "neo4j").windows)

    def require_marks(self, transaction: int | None = None, overwrite: bool = True) -> list[int]:
        """Restore, start Neo4j on it and read the marks."""
        api.restore(
            self.repository, self.target.home, "neo4j", from_source="test", overwrite=overwrite,
            to_transaction=transaction,
        )  # fmt: skip
        self.target.start()
        try:
            with connected(self.target.bolt_uri) as session:
                return [row["n"] for row in session.run("MATCH (m:Mark) RETURN m.n AS n ORDER BY n")]
        finally:
            self.target.stop()

    def close(self) -> None:
        self.archiving.kill()
        for server in (self.server, self.target):
            server.kill()


@pytest.fixture
def scene(tmp_path: Path, version: str) -> Iterator[Scene]:
    made = Scene(tmp_path, version)
    yield made
    made.close()


def catch_up(scene: Scene) -> None:
    """Write a mark and wait until it is archived: what was committed before it is then archived too."""
    before = scene.last_transaction()
    scene.write(1)
    scene.archiving.wait(lambda: scene.last_transaction() > before, "nothing more is archived")


def test_it_survives_restarts_crashes_rotation_pruning_and_an_outage_of_the_repository(scene: Scene) -> None:
    archiving = scene.archiving
    first_file = scene.log_versions[0]
    for _ in range(6):
        scene.write(60)
        catch_up(scene)
    assert scene.log_versions[0] > first_file, "nothing was pruned: this proves nothing"
    logs = str(find_source(scene.server.home).database("neo4j").log_directory)
    assert [name for name in archiving.open_files() if name.startswith(logs)] == []
    scene.server.stop()
    scene.server.start()
    catch_up(scene)
    scene.server.kill()
    scene.server.start()
    catch_up(scene)
    away = scene.repository.with_name("away")
    scene.repository.rename(away)
    scene.write(20)
    trouble = archiving.wait_for("trouble")
    assert trouble["remedy"]
    away.rename(scene.repository)
    archiving.wait_for("recovered")
    catch_up(scene)
    archiving.stop()
    assert not archiving.events("broken", "gap")
    assert [event["chain"] for event in archiving.events("following")] == [archiving.events("following")[0]["chain"]]
    assert scene.require_marks(overwrite=False) == list(range(1, scene.marks + 1))
    checked = Admin(scene.target.distribution, scene.target.home).check("neo4j")
    assert checked.clean, checked.output + checked.report


def test_log_that_was_pruned_while_the_repository_was_away_is_told_as_a_gap(scene: Scene) -> None:
    archiving = scene.archiving
    scene.write(20)
    catch_up(scene)
    known, marks = scene.last_transaction(), scene.marks
    away = scene.repository.with_name("away")
    scene.repository.rename(away)
    oldest = scene.log_versions[-1]
    while scene.log_versions[0] <= oldest + 1:
        scene.write(100)
    away.rename(scene.repository)
    broken = archiving.wait_for("broken")
    assert "pruned" in broken["message"]
    assert broken["last_tx"] == known
    archiving.wait_for("full backup", 2)
    archiving.wait_for("following", 2)
    gap = archiving.wait_for("gap")
    assert gap["first_tx"] == known + 1
    catch_up(scene)
    archiving.stop()
    assert scene.require_marks(known, overwrite=False) == list(range(1, marks + 1))
    assert scene.require_marks() == list(range(1, scene.marks + 1))
    windows = api.info(scene.repository, "neo4j").windows
    assert gap["last_tx"] + 1 == max(window.first_tx for window in windows)
