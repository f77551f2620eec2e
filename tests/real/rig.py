"""What tests on real servers share: a source under load, backups of it, and the proof that a restored copy is right."""

from __future__ import annotations

import contextlib
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from neokeep.capture.backup import back_up
from neokeep.capture.options import CaptureOptions
from neokeep.lab.bolt import connected
from neokeep.lab.home import create_home
from neokeep.lab.workload import Workload, verify_invariants
from neokeep.neo4j.admin import Admin
from neokeep.neo4j.log.checkpoint import Checkpoint, parse_checkpoints
from neokeep.neo4j.log.header import parse_header
from neokeep.neo4j.log.names import checkpoint_name, checkpoint_versions
from neokeep.neo4j.source import find_source
from neokeep.progress import Silent
from neokeep.repository.open import init_repository, open_repository
from neokeep.restore.restore import restore

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from neokeep.lab.invariants import InvariantReport
    from neokeep.neo4j.admin import CheckResult
    from neokeep.neo4j.server import Server
    from neokeep.neo4j.source import Source
    from neokeep.progress import Progress
    from neokeep.reports import BackupInfo, RestoreReport
    from neokeep.repository.repository import Repository

HARSH = {
    "db.checkpoint.interval.time": "1s",
    "db.tx_log.rotation.size": "1m",
    "db.tx_log.rotation.retention_policy": "keep_none",
    "server.memory.pagecache.size": "8m",
}
"""Pages are evicted all the time, checkpoints fall into every copy, logs are pruned at once."""

SLOW = 10_000_000
"""Bytes per second, so that a copy takes several checkpoints."""

DATABASES = ("neo4j", "system")
BALLAST = """
UNWIND range($first, $first + 19999) AS n
CREATE (b:Ballast {
  number: n, text: 'ballast ' + n + ' makes the store large enough for a slow copy', more: [i IN range(0, 12) | i * n]
})-[:NEXT {number: n}]->(b)
"""
BALLAST_NODES = 80_000


@dataclass(frozen=True, slots=True)
class Taken:
    """Backups that were taken at once, and what every restore of them has to hold, at least and at most."""

    backups: Mapping[str, BackupInfo]
    acknowledged: Mapping[int, int]
    attempted: Mapping[int, int]
    checkpoints: tuple[Checkpoint, ...]
    """Those of neo4j that fell into the copy of neo4j."""

    @property
    def info(self) -> BackupInfo:
        """The backup of neo4j."""
        return self.backups["neo4j"]


class World:
    """A source of one version with a workload on it, and the repository that its backups go to."""

    def __init__(self, directory: Path, version: str, writers: int = 4, ballast: int = BALLAST_NODES) -> None:
        self.directory = directory
        self.version = version
        self.server = create_home(directory / "source", version, HARSH)
        init_repository(str(directory / "repository"))
        self._writers = writers
        self._ballast = ballast

    @cached_property
    def load(self) -> Workload:
        """The writers, on a server that runs and a store that has been filled."""
        self.server.start()
        load = Workload(self.server.bolt_uri, writers=self._writers)
        load.setup()
        with connected(self.server.bolt_uri) as session:
            for first in range(0, self._ballast, 20_000):
                session.run(BALLAST, first=first)
        return load

    @property
    def repository(self) -> Repository:
        """The repository, opened anew as each command does."""
        return open_repository(str(self.directory / "repository"))

    @property
    def source(self) -> Source:
        """The server as neokeep sees it."""
        return find_source(self.server.home)

    @contextlib.contextmanager
    def under_load(self) -> Iterator[None]:
        """Have the writers at work in the block, on a server that is started where need be."""
        load = self.load
        if not self.server.is_running:
            self.server.start()
        load.start()
        try:
            wait_for_writers(load)
            yield
        finally:
            load.stop()

    def rest(self) -> None:
        """Have the server run with nobody at work."""
        _ = self.load
        if not self.server.is_running:
            self.server.start()

    def back_up(
        self,
        *databases: str,
        rate: int | None = None,
        indexes: str = "copy",
        progress: Progress | None = None,
    ) -> Taken:
        """Back up and note what was acknowledged before, and what was attempted until after."""
        acknowledged = self.load.acknowledged
        report = back_up(
            self.source,
            self.repository,
            databases,
            options=CaptureOptions(type="full", indexes=indexes, rate_limit=rate, jobs=2),
            progress=progress or Silent(),
        )
        attempted = self.load.attempted
        assert not report.failures, report.failures
        backups = {info.database: info for info in report.backups}
        inside = self._checkpoints_inside(backups["neo4j"]) if "neo4j" in backups else ()
        return Taken(backups, acknowledged, attempted, inside)

    @cached_property
    def online(self) -> Taken:
        """A backup of everything, slowly, under load."""
        with self.under_load():
            return self.back_up(rate=SLOW)

    def target(self, name: str, version: str | None = None, settings: Mapping[str, str] | None = None) -> Server:
        """Make an empty home."""
        return create_home(self.directory / name, version or self.version, settings)

    def restore(
        self,
        taken: Taken,
        target: Server,
        databases: Sequence[str] = DATABASES,
        *,
        restored_as: str | None = None,
        overwrite: bool = False,
        recover: str | None = None,
    ) -> list[RestoreReport]:
        """Restore some of the databases that were taken."""
        return [
            restore(
                self.repository,
                target.home,
                database,
                label=taken.backups[database].label,
                restored_as=restored_as,
                overwrite=overwrite,
                recover=recover,
                jobs=2,
                progress=Silent(),
            )
            for database in databases
        ]

    def close(self) -> None:
        """End whatever still runs."""
        self.server.kill()

    def _checkpoints_inside(self, info: BackupInfo) -> tuple[Checkpoint, ...]:
        began, ended = (int(moment.timestamp() * 1000) for moment in (info.started_at, info.finished_at))
        written = checkpoints(self.source.database("neo4j").log_directory)
        return tuple(
            record
            for record in written
            if began < record.time < ended and str(record.position) != info.checkpoint_position
        )


def checkpoints(log_directory: Path) -> tuple[Checkpoint, ...]:
    """Read every record of the newest checkpoint file."""
    path = log_directory / checkpoint_name(checkpoint_versions(log_directory)[-1])
    data = path.read_bytes()
    header = parse_header(data, str(path))
    assert header is not None
    return parse_checkpoints(data, header, str(path))


def wait_for_writers(load: Workload, steps: int = 3) -> None:
    """Wait until every writer has had some steps of its sequence acknowledged."""
    begun = load.acknowledged
    deadline = time.monotonic() + 60
    while any(number < begun[writer] + steps for writer, number in load.acknowledged.items()):
        assert time.monotonic() < deadline, "the writers do not get on"
        time.sleep(0.05)


def look(server: Server, taken: Taken, database: str = "neo4j", allowed_loss: int = 0) -> InvariantReport:
    """Start a restored server, look at the graph, and stop it again."""
    server.start()
    try:
        return verify_invariants(
            server.bolt_uri,
            acknowledged={writer: number - allowed_loss for writer, number in taken.acknowledged.items()},
            attempted=taken.attempted,
            database=database,
        )
    finally:
        assert server.stop()


def findings_of_check(server: Server, *databases: str) -> str:
    """Run Neo4j's own check over stopped databases, at the same time; nothing when all are clean."""
    with ThreadPoolExecutor() as pool:
        results = list(pool.map(Admin(server.distribution, server.home).check, databases))
    return "\n".join(
        f"{database}: {result.output[-2000:]}{result.report[:2000]}"
        for database, result in zip(databases, results, strict=True)
        if not result.clean and not _only_what_a_crash_leaves(result)
    )


LEFT_BY_CRASHES = (
    # The index of a uniqueness constraint is made in a transaction before that of the constraint.
    "reference to another schema rule that is not online",
    # Ids that a transaction had taken and not used yet: they are free again after the next start but one.
    "is not in use but the id is not up for reuse",
)


def _only_what_a_crash_leaves(result: CheckResult) -> bool:
    """Tell whether all that a check says are warnings that a crash of the server at that moment leaves as well."""
    warnings = [line for line in result.report.splitlines() if " WARN " in line]
    return (
        result.status == 0
        and result.inconsistencies == 0
        and " ERROR " not in result.report
        and bool(warnings)
        and all(any(known in line for known in LEFT_BY_CRASHES) for line in warnings)
    )


def require_right(server: Server, taken: Taken, *databases: str, allowed_loss: int = 0) -> None:
    """Demand that a restored server starts, holds every invariant, and that its databases check clean."""
    report = look(server, taken, allowed_loss=allowed_loss)
    assert report.ok, report.findings
    assert not (found := findings_of_check(server, *(databases or ("neo4j",)))), found
