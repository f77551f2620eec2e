"""Backups of a server at work, on every version: what was acknowledged before is there, and all of it fits together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from conftest import VERSIONS
from neokeep.lab.disturbances import bulk_load, schema_churn
from neokeep.neo4j.store.layout import rebuildable
from real.rig import DATABASES, SLOW, findings_of_check, look, require_right

if TYPE_CHECKING:
    from neokeep.neo4j.server import Server
    from real.conftest import Worlds
    from real.rig import World

pytestmark = [pytest.mark.real, pytest.mark.parametrize("version", VERSIONS, scope="module")]


@pytest.fixture(scope="module")
def world(worlds: Worlds, version: str) -> World:
    return worlds.of(version)


@pytest.fixture(scope="module")
def target(world: World) -> Server:
    """A home that the tests of one version restore into, one after the other."""
    return world.target("restored")


def test_a_backup_taken_under_load_restores_everything_that_was_acknowledged(world: World, target: Server) -> None:
    taken = world.online
    assert len(taken.checkpoints) >= 2, "too few checkpoints fell into the copy: this proves nothing"
    assert set(taken.backups) == set(DATABASES)
    assert taken.info.running
    assert not [item for item in taken.info.left_out if not item.rebuilt]
    world.restore(taken, target)
    require_right(target, taken, *DATABASES)


def test_a_backup_taken_amid_schema_changes_and_bulk_loads_is_recovered_by_the_restore(
    world: World, target: Server
) -> None:
    uri = world.server.bolt_uri
    with world.under_load(), schema_churn(uri), bulk_load(uri, nodes=5_000):
        taken = world.back_up("neo4j", rate=SLOW)
    assert len(taken.checkpoints) >= 2, "too few checkpoints fell into the copy: this proves nothing"
    (report,) = world.restore(taken, target, ["neo4j"], overwrite=True, recover="neo4j")
    assert report.replaced
    assert report.recovered
    assert not (found := findings_of_check(target, "neo4j")), found
    seen = look(target, taken)
    assert seen.ok, seen.findings


def test_a_backup_without_indexes_is_smaller_and_neo4j_rebuilds_them(world: World, target: Server) -> None:
    world.rest()
    whole = world.back_up("neo4j")
    taken = world.back_up("neo4j", indexes="rebuild")
    assert taken.info.size_bytes < whole.info.size_bytes
    left_out = {item.path for item in taken.info.left_out}
    assert any(path.startswith("schema/index/fulltext") for path in left_out)
    assert all(rebuildable(path) or path.startswith("schema/index/") for path in left_out)
    world.restore(taken, target, ["neo4j"], overwrite=True)
    seen = look(target, taken)
    assert seen.ok, seen.findings
