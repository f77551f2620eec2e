"""Restores to a moment, on every version: what one writer had done at a transaction is there, and nothing after it."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from conftest import VERSIONS
from neokeep.capture.backup import back_up
from neokeep.capture.options import CaptureOptions
from neokeep.errors import UsageError
from neokeep.lab.bolt import connected
from neokeep.lab.home import create_home
from neokeep.neo4j.admin import Admin
from neokeep.neo4j.source import find_source
from neokeep.progress import Silent
from neokeep.repository.open import init_repository, open_repository
from neokeep.restore.restore import restore
from neokeep.restore.targets import Moment

if TYPE_CHECKING:
    from pathlib import Path

    from neokeep.neo4j.server import Server
    from neokeep.reports import BackupInfo

pytestmark = [pytest.mark.real, pytest.mark.parametrize("version", VERSIONS)]

SETTINGS = {
    "db.checkpoint.interval.time": "1s",
    "db.tx_log.rotation.size": "128k",
    "db.tx_log.rotation.retention_policy": "1 hours",
    "server.memory.pagecache.size": "8m",
}
ROUNDS = 4
MARKS = 60
TARGETS = 2


class Source:
    """A server with one writer whose every transaction leaves a numbered mark and moves one value along."""

    def __init__(self, directory: Path, version: str) -> None:
        self.server = create_home(directory / "source", version, SETTINGS)
        self.place = str(directory / "repository")
        init_repository(self.place)
        self.marks = 0

    def write(self, count: int) -> None:
        with connected(self.server.bolt_uri) as session:
            for _ in range(count):
                self.marks += 1
                session.run(
                    "MERGE (c:Counter {id: 1}) SET c.value = $n, c.text = $text CREATE (:Mark {n: $n, text: $text})",
                    n=self.marks,
                    text=f"mark {self.marks} " * 20,
                )

    def back_up(self, wanted: str) -> BackupInfo:
        options = CaptureOptions(type=wanted, full_at_log_share=None, jobs=2)
        repository = open_repository(self.place)
        report = back_up(find_source(self.server.home), repository, ["neo4j"], options=options, progress=Silent())
        return report.backups[0]


def state_of(server: Server) -> tuple[list[int], int]:
    """Read all marks in order, and the value that moved along."""
    with connected(server.bolt_uri) as session:
        marks = [row["n"] for row in session.run("MATCH (m:Mark) RETURN m.n AS n ORDER BY n")]
        value = session.run("MATCH (c:Counter) RETURN c.value AS value")[0]["value"]
    return marks, value


def test_every_target_in_the_window_shows_what_was_committed_then(version: str, tmp_path: Path) -> None:
    source = Source(tmp_path, version)
    known: dict[int, int] = {}
    source.server.start()
    source.write(MARKS)  # every token exists from here on: one transaction, one mark
    base = source.back_up("auto")
    assert base.type == "full"
    reached = base.last_tx
    known[reached] = source.marks
    for number in range(ROUNDS):
        if number == ROUNDS - 1:
            source.server.kill()
            source.server.start()
        elif number == ROUNDS - 2:
            source.server.stop()
            source.server.start()
        before = source.marks
        source.write(MARKS)
        taken = source.back_up("incremental")
        assert (taken.type, taken.base, taken.first_tx) == ("incremental", base.label, reached + 1)
        assert taken.last_tx - reached == source.marks - before, "a mark is more than one transaction"
        known |= {reached + step: before + step for step in range(1, source.marks - before + 1)}
        reached = taken.last_tx
    source.server.stop()
    window = sorted(known)
    targets = [window[0], *random.Random(version).sample(window[1:-1], TARGETS), window[-1]]
    target = create_home(tmp_path / "target", version, SETTINGS)
    for transaction in targets:
        report = restore(
            open_repository(source.place),
            target.home,
            "neo4j",
            overwrite=True,
            moment=Moment(transaction=transaction),
            jobs=2,
            progress=Silent(),
        )
        assert report.last_tx == transaction
        target.start()
        marks, value = state_of(target)
        target.stop()
        assert marks == list(range(1, known[transaction] + 1))
        assert value == known[transaction]
    checked = Admin(target.distribution, target.home).check("neo4j")
    assert checked.clean, checked.output + checked.report
    for outside in (window[0] - 1, window[-1] + 1):
        with pytest.raises(UsageError, match="outside every restore window"):
            restore(
                open_repository(source.place),
                target.home,
                "neo4j",
                overwrite=True,
                moment=Moment(transaction=outside),
                jobs=2,
                progress=Silent(),
            )
