"""The archiver killed again and again under load: what it reported as archived is there, once, and restores."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

import pytest

from conftest import VERSIONS
from neokeep import api
from neokeep.lab.home import create_home
from neokeep.lab.workload import Workload, verify_invariants
from neokeep.repository.chains import chain_of
from neokeep.repository.open import open_repository
from real.archiving import Archiving
from real.rig import findings_of_check, wait_for_writers

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from neokeep.neo4j.server import Server
    from real.archiving import Event

pytestmark = pytest.mark.real

KILLS = dict.fromkeys(VERSIONS, 10) | {"5.26.30": 50}
SETTINGS = {
    "db.checkpoint.interval.time": "1s",
    "db.tx_log.rotation.size": "256k",
    "db.tx_log.rotation.retention_policy": "20 files",
    "server.memory.pagecache.size": "8m",
}
LONGEST_LIFE_SECONDS = 2.0


def archive_and_kill(server: Server, repository: Path, directory: Path, times: int) -> list[Archiving]:
    """Start the archiver and kill it at a random moment, so many times; the last one is left at work."""
    chance = random.Random(times)
    lives: list[Archiving] = []
    for number in range(times + 1):
        lives.append(Archiving(server.home, repository, directory / f"events-{number}"))
        if number < times:
            # A process takes a third of a second to begin: some die in their first steps, others in the midst of work.
            time.sleep(chance.uniform(0.3, LONGEST_LIFE_SECONDS))
            lives[-1].kill()
    return lives


@pytest.mark.parametrize("version", VERSIONS)
def test_what_was_reported_as_archived_is_never_missing(version: str, tmp_path: Path) -> None:
    server = create_home(tmp_path / "source", version, SETTINGS)
    repository = tmp_path / "repository"
    api.init(repository)
    server.start()
    load = Workload(server.bolt_uri)
    try:
        load.setup()
        load.start()
        wait_for_writers(load)
        lives = archive_and_kill(server, repository, tmp_path, KILLS[version])
        lives[-1].wait_for("following")
        load.stop()
        lives[-1].stop()
    finally:
        load.stop()
        server.kill()
    told = [event for life in lives for event in life.events()]
    assert not [event for event in told if event["event"] in {"broken", "gap"}], "the log was pruned too early"
    archived = [event for event in told if event["event"] == "archived"]
    require_archived(repository, archived)
    target = create_home(tmp_path / "target", version, SETTINGS)
    reported = sorted({event["last_tx"] for event in archived if event["database"] == "neo4j"})
    for transaction in (reported[len(reported) // 2], None):
        report = api.restore(
            repository, target.home, "neo4j", from_source="test", overwrite=True, to_transaction=transaction
        )
        assert report.last_tx == (transaction or reported[-1])
    target.start()
    try:
        seen = verify_invariants(target.bolt_uri, acknowledged=load.acknowledged, attempted=load.attempted)
    finally:
        target.stop()
    assert seen.ok, seen.findings
    assert not (found := findings_of_check(target, "neo4j")), found


def require_archived(repository: Path, archived: Sequence[Event]) -> None:
    """Demand that every chain holds each transaction that was reported, and that everything verifies."""
    opened = open_repository(str(repository))
    reached: dict[str, int] = {}
    for event in archived:
        reached[event["chain"]] = max(reached.get(event["chain"], 0), event["last_tx"])
    assert reached
    for label, transaction in reached.items():
        assert chain_of(opened, opened.manifest(label)).last_transaction >= transaction
    verified = api.verify(repository)
    assert verified.ok, (verified.damaged_objects, [item.problems for item in verified.backups])
