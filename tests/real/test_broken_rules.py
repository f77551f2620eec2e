"""The rules of a capture, broken one at a time: each breach is noticed, and the same capture without it is right.

A rule whose breach nobody notices would be no rule, and these tests would prove nothing of the others.
"""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from neokeep.capture import attempt, opening
from neokeep.capture.checkpoint import choose_checkpoint
from neokeep.capture.logs import FollowedLog, LogFollower
from neokeep.errors import IntegrityError, NeokeepError
from neokeep.lab.bolt import connected
from neokeep.lab.disturbances import bulk_load
from neokeep.lab.workload import verify_invariants
from neokeep.neo4j.store.lucene import LuceneCommit, files_of_commit
from real.rig import SLOW, findings_of_check, look

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from neokeep.neo4j.server import Server
    from real.conftest import Worlds
    from real.rig import Taken, World

pytestmark = pytest.mark.real

VERSION = "5.26.30"
CAPTURES = 4
"""A breach that depends on what the server does meanwhile has to be seen in one of so many captures."""


@pytest.fixture(scope="module")
def world(worlds: Worlds) -> World:
    return worlds.of(VERSION)


@pytest.fixture(scope="module")
def control(world: World) -> Taken:
    """A capture as it should be, under the same load."""
    return world.online


@pytest.fixture(scope="module")
def target(world: World, control: Taken) -> Server:
    home = world.target("broken")
    world.restore(control, home, ["system"])
    return home


def capture(world: World) -> Taken:
    """Back up neo4j under load; the source rests while the copy is looked at."""
    with world.under_load():
        return world.back_up("neo4j", rate=SLOW)


def damage(world: World, target: Server, taken: Taken) -> list[str]:
    """Restore a backup and tell everything that neokeep or Neo4j finds wrong with it."""
    (target.home / "logs" / "debug.log").unlink(missing_ok=True)
    try:
        world.restore(taken, target, ["neo4j"], overwrite=True)
        seen = look(target, taken)
    except NeokeepError as refused:
        target.kill()
        return [refused.message]
    noticed = [*seen.findings, *indexes_made_again(target)]
    return noticed or [found for found in [findings_of_check(target, "neo4j")] if found]


def require_noticed(world: World, target: Server) -> None:
    """Demand that one of several captures is refused or found damaged."""
    for _ in range(CAPTURES):
        try:
            taken = capture(world)
        except IntegrityError:
            return
        if damage(world, target, taken):
            return
    pytest.fail(f"nobody noticed anything in {CAPTURES} captures")


def indexes_made_again(target: Server) -> list[str]:
    """Tell which indexes the server did not accept when it started, and made anew."""
    log = (target.home / "logs" / "debug.log").read_text(encoding="utf-8")
    return [line for line in log.splitlines() if "IndexingService.init" in line and "is POPULATING" in line]


def test_the_same_capture_with_every_rule_kept_is_right(world: World, target: Server, control: Taken) -> None:
    assert len(control.checkpoints) >= 2, "too few checkpoints fell into the copy: this proves nothing"
    assert not damage(world, target, control)


def test_an_account_that_lost_its_text_is_a_finding(world: World) -> None:
    world.rest()
    with connected(world.server.bolt_uri) as session:
        lost = session.run(
            "MATCH (a:Account {number: 7}) WITH a, a.holder AS holder, a.note AS note "
            "SET a.holder = null, a.note = null RETURN holder, note"
        )[0]
        try:
            assert not verify_invariants(world.server.bolt_uri).ok
        finally:
            session.run("MATCH (a:Account {number: 7}) SET a.holder = $holder, a.note = $note", **lost)


def test_a_checkpoint_read_after_the_store_is_noticed(
    world: World, target: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = world.source.database("neo4j").log_directory
    entry = attempt.checkpoint_entry
    monkeypatch.setattr(attempt, "checkpoint_entry", lambda _, writer: entry(choose_checkpoint(directory), writer))
    require_noticed(world, target)


class EndsEarly(LogFollower):
    """Takes the end of the log before the store is copied."""

    _early: FollowedLog

    def start(self) -> None:
        super().start()
        self._early = super().finish()

    def finish(self) -> FollowedLog:
        return self._early


def test_a_log_read_to_its_end_before_the_store_is_noticed(
    world: World, target: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempt, "LogFollower", EndsEarly)
    require_noticed(world, target)


class LosesOne(LogFollower):
    """Loses the second log file of a capture."""

    def _open_new(self) -> None:
        super()._open_new()
        for file in [file for file in self._held if file.version == self._position.version + 1]:
            os.close(file.descriptor)
            self._held.remove(file)


def test_a_log_file_lost_in_the_middle_is_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempt, "LogFollower", LosesOne)
    with (
        world.under_load(),
        bulk_load(world.server.bolt_uri, nodes=5_000),
        pytest.raises(IntegrityError, match="follows on transaction"),
    ):
        world.back_up("neo4j", rate=SLOW)


def without_one(read: Callable[[str], bytes], names: Iterable[str]) -> LuceneCommit:
    """Find the files of a commit and leave one of them out."""
    commit = files_of_commit(read, names)
    return LuceneCommit(
        commit.segments, commit.generation, tuple(name for name in commit.files if name != commit.files[0])
    )


def test_a_full_text_index_that_lacks_a_file_is_noticed(
    world: World, target: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "files_of_commit", without_one)
    taken = capture(world)
    assert any(
        "fulltext" in line or "account_note" in line or "Account {note}" in line
        for line in damage(world, target, taken)
    )


def test_a_full_text_index_of_an_earlier_commit_is_noticed(
    world: World, target: Server, control: Taken, tmp_path: Path
) -> None:
    index = target.home / "data" / "databases" / "neo4j" / "schema" / "index" / "fulltext-1.0"
    world.restore(control, target, ["neo4j"], overwrite=True)
    shutil.copytree(index, tmp_path / "earlier")
    taken = capture(world)
    world.restore(taken, target, ["neo4j"], overwrite=True)
    shutil.rmtree(index)
    shutil.copytree(tmp_path / "earlier", index)
    seen = look(target, taken)
    assert any("full-text" in finding for finding in seen.findings), seen.findings
