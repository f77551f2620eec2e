"""A server that is idle, killed, stopped, started or gone while it is backed up: ordinary events, each restorable.

The tests take one source through its life, in this order; each starts from what the one before left.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from neokeep.neo4j.log.header import LARGEST, parse_header
from neokeep.neo4j.log.names import log_name, log_versions
from neokeep.neo4j.log.scan import scan_log
from neokeep.neo4j.source import find_source
from neokeep.neo4j.store.layout import FileKind, list_database
from real.disturbance import InTheMiddle
from real.rig import DATABASES, checkpoints, require_right, wait_for_writers

if TYPE_CHECKING:
    from pathlib import Path

    from neokeep.neo4j.server import Server
    from real.conftest import Worlds
    from real.rig import Taken, World

pytestmark = pytest.mark.real

VERSION = "5.26.30"


@pytest.fixture(scope="module")
def world(worlds: Worlds) -> World:
    return worlds.of(VERSION)


@pytest.fixture(scope="module")
def target(world: World) -> Server:
    """A home with the system database of the source, that the tests restore neo4j into one after the other."""
    home = world.target("disturbed")
    world.restore(world.online, home, ["system"])
    return home


def require_restorable(world: World, target: Server, taken: Taken, allowed_loss: int = 0) -> None:
    world.restore(taken, target, ["neo4j"], overwrite=True)
    require_right(target, taken, allowed_loss=allowed_loss)


def test_an_idle_server_is_backed_up(world: World, target: Server) -> None:
    world.rest()
    taken = world.back_up()
    assert set(taken.backups) == set(DATABASES)
    assert taken.info.running
    assert taken.info.attempts == 1
    require_restorable(world, target, taken)


def test_a_server_killed_in_the_middle_of_a_backup_is_backed_up_all_the_same(world: World, target: Server) -> None:
    kill = InTheMiddle(lambda: kill_soon_after_a_checkpoint(world))
    with world.under_load():
        taken = world.back_up("neo4j", progress=kill)
    assert kill.acted
    assert not world.server.is_running
    assert any("stopped during the capture" in event for event in taken.info.events), taken.info.events
    require_restorable(world, target, taken)


def test_a_crashed_server_that_was_not_started_again_is_backed_up(world: World, target: Server) -> None:
    assert not world.server.is_running
    taken = world.back_up("neo4j")
    assert not taken.info.running
    assert taken.info.last_tx > (taken.info.checkpoint_tx or 0), "there is nothing to recover: this proves nothing"
    world.restore(taken, target, ["neo4j"], overwrite=True)
    require_same_bytes(world, target, "neo4j")


def test_a_log_that_ends_within_a_transaction_is_backed_up_to_the_one_before(world: World, target: Server) -> None:
    assert not world.server.is_running
    lost = tear_last_transaction(world.source.database("neo4j").log_directory)
    taken = world.back_up("neo4j")
    assert taken.info.last_tx == lost - 1
    assert any("part of another one" in event for event in taken.info.events), taken.info.events
    require_restorable(world, target, taken, allowed_loss=1)


def test_a_crashed_server_started_in_the_middle_of_a_backup_is_backed_up(world: World, target: Server) -> None:
    start = InTheMiddle(world.server.start)
    taken = world.back_up("neo4j", progress=start)
    assert start.acted
    assert world.server.is_running
    require_restorable(world, target, taken, allowed_loss=1)


def test_a_server_stopped_in_order_in_the_middle_of_a_backup_is_backed_up(world: World, target: Server) -> None:
    stop = InTheMiddle(world.server.stop)
    with world.under_load():
        taken = world.back_up("neo4j", progress=stop)
    assert stop.acted
    assert not world.server.is_running
    assert any("stopped during the capture" in event for event in taken.info.events), taken.info.events
    require_restorable(world, target, taken)


def test_a_stopped_server_is_backed_up(world: World, target: Server) -> None:
    assert not world.server.is_running
    taken = world.back_up()
    assert set(taken.backups) == set(DATABASES)
    assert not taken.info.running
    assert not taken.info.left_out
    world.restore(taken, target, DATABASES, overwrite=True)
    require_same_bytes(world, target, *DATABASES)


def test_a_stopped_server_started_in_the_middle_of_a_backup_is_backed_up(world: World, target: Server) -> None:
    start = InTheMiddle(world.server.start)
    taken = world.back_up("neo4j", progress=start)
    assert start.acted
    assert world.server.is_running
    assert any("started meanwhile" in event for event in taken.info.events), taken.info.events
    require_restorable(world, target, taken)


def require_same_bytes(world: World, target: Server, *databases: str) -> None:
    """Demand that restored databases equal those of the stopped source, which shows more than starting them."""
    for name in databases:
        mine, theirs = world.source.database(name), find_source(target.home).database(name)
        for file in list_database(mine.store_directory).files:
            restored = theirs.store_directory / file.path
            if restored.exists() or file.kind not in (FileKind.NEVER, FileKind.LUCENE):
                assert restored.read_bytes() == (mine.store_directory / file.path).read_bytes(), file.path
        for lucene in list_database(mine.store_directory).lucene:
            assert list((theirs.store_directory / lucene).glob("segments_*")), lucene
        for version in log_versions(theirs.log_directory):
            kept = (theirs.log_directory / log_name(version)).read_bytes()
            whole = (mine.log_directory / log_name(version)).read_bytes()
            assert whole.startswith(kept)
            assert not any(whole[len(kept) :])
        assert log_versions(theirs.log_directory)[-1] == log_versions(mine.log_directory)[-1]
        assert checkpoints(theirs.log_directory)[-1] == checkpoints(mine.log_directory)[-1]


def kill_soon_after_a_checkpoint(world: World) -> None:
    """Crash the server when a checkpoint was just written and some transactions after it."""
    directory = world.source.database("neo4j").log_directory
    newest = checkpoints(directory)[-1]
    while checkpoints(directory)[-1].end == newest.end:
        time.sleep(0.02)
    wait_for_writers(world.load, steps=1)
    world.server.kill()
    while world.source.lock().held:  # a process that ends shows no command line for a moment before it lets go of files
        time.sleep(0.01)


def tear_last_transaction(directory: Path) -> int:
    """Lose the second half of the last transaction, as a crash in the middle of a write does; the id of that one."""
    path = directory / log_name(log_versions(directory)[-1])
    data = path.read_bytes()
    header = parse_header(data[:LARGEST], str(path))
    assert header is not None
    scan = scan_log(lambda offset, length: data[offset : offset + length], header)
    assert len(scan.ends) > 1, "the last log file holds too few transactions"
    half = (scan.ends[-2] + scan.ends[-1]) // 2
    with path.open("r+b") as file:
        file.seek(half)
        file.write(bytes(scan.ends[-1] - half))
    return scan.last_transaction
