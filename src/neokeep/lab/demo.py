"""`make demo`: a real Neo4j under load is backed up, destroyed, restored and proven right; nothing is left behind.

Every line of the report is something that was looked at, not something that was meant to happen.
"""

from __future__ import annotations

import logging
import shutil
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from neokeep import api
from neokeep.errors import NeokeepError
from neokeep.lab.home import lab_server
from neokeep.lab.sample import load_sample
from neokeep.lab.workload import Workload, verify_invariants
from neokeep.neo4j.admin import Admin
from neokeep.units import format_size

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from neokeep.neo4j.server import Server
    from neokeep.reports import BackupInfo

VERSION = "5.26.30"
SETTINGS = {
    "server.memory.pagecache.size": "8m",
    "db.checkpoint.interval.time": "1s",
    "db.tx_log.rotation.retention_policy": "keep_none",
}
_WARM_UP_SECONDS = 5
_RATE_LIMIT = 4_000_000
"""Slow on purpose, so that checkpoints and pruned logs fall into the backup of so small a graph."""


@dataclass(slots=True)
class _Story:
    """What happened, a line at a time, and whether all of it was right."""

    began: float = field(default_factory=time.monotonic)
    failures: list[str] = field(default_factory=list)

    def step(self, text: str) -> None:
        print(f"[{time.monotonic() - self.began:5.1f} s] {text}", flush=True)

    def prove(self, what: str, problems: list[str]) -> None:
        """Tell one proof; problems make the demo fail."""
        self.failures += [f"{what}: {problem}" for problem in problems]
        print(f"    {'FAILED' if problems else 'ok    '}  {what}", flush=True)
        for problem in problems[:5]:
            print(f"            {problem}", flush=True)


def main() -> int:
    """Run the demo; 0 when everything was proven."""
    # The driver complains about the server that is killed on purpose.
    logging.getLogger("neo4j").setLevel(logging.CRITICAL)
    story = _Story()
    try:
        with _scratch() as scratch:
            _run(scratch, story)
    except NeokeepError as problem:
        print(f"\nThe demo failed: {problem.message}\nWhat to do: {problem.remedy}", file=sys.stderr)
        return problem.exit_status
    print("\nEverything was proven." if not story.failures else "\nThe demo FAILED.")
    return 1 if story.failures else 0


@contextmanager
def _scratch() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="neokeep-demo-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run(scratch: Path, story: _Story) -> None:
    home, repository = scratch / "home", scratch / "repository"
    story.step(f"starting Neo4j Community {VERSION}")
    with lab_server(VERSION, home, SETTINGS, story.step) as server:
        story.step("loading a graph; four writers move money, count, delete and rename from now on")
        load_sample(server.bolt_uri)
        load = Workload(server.bolt_uri)
        load.setup()
        load.start()
        time.sleep(_WARM_UP_SECONDS)
        api.init(repository)
        acknowledged, committed = load.acknowledged, load.throughput.transactions
        story.step("backing up the running server: no credentials, no plugin, no pause")
        report = api.backup(home, repository, rate_limit=_RATE_LIMIT)
        during = load.throughput.transactions - committed
        attempted = load.attempted
        _tell_backups(report.backups, during)
        story.step("destroying it: the server is killed, its data deleted")
        server.kill()
        load.stop()
        shutil.rmtree(home / "data")
        for database in ("neo4j", "system"):
            restored = api.restore(repository, home, database)
            story.step(f"restored {database} up to transaction {restored.last_tx} in {restored.seconds:.1f} s")
        story.step("starting Neo4j on what was restored")
        server.start()
        _prove(server, story, acknowledged, attempted)
    _prove_stopped(server, repository, story)


def _tell_backups(backups: tuple[BackupInfo, ...], during: int) -> None:
    for backup in backups:
        print(
            f"    {backup.label}: transactions up to {backup.last_tx}, recovery starts at {backup.checkpoint_tx}, "
            f"{format_size(backup.size_bytes)} stored as {format_size(backup.stored_bytes)} in {backup.seconds:.1f} s"
        )
    print(f"    meanwhile the writers committed {during} transactions", flush=True)


def _prove(server: Server, story: _Story, acknowledged: Mapping[int, int], attempted: Mapping[int, int]) -> None:
    story.step("proving it")
    found = verify_invariants(server.bolt_uri, acknowledged=acknowledged, attempted=attempted)
    story.prove(
        f"sum of {found.accounts} balances, {sum(found.sequences.values())} steps without a gap, "
        "indexes and counts equal to scans",
        list(found.findings),
    )


def _prove_stopped(server: Server, repository: Path, story: _Story) -> None:
    admin = Admin(server.distribution, server.home)
    for database in ("neo4j", "system"):
        checked = admin.check(database)
        problems = [] if checked.clean else [checked.output[-500:] or checked.report[-500:]]
        story.prove(f"neo4j-admin database check {database}", problems)
    verified = api.verify(repository)
    problems = [problem for backup in verified.backups for problem in backup.problems]
    story.prove(f"neokeep verify: {verified.blocks} blocks", problems + list(verified.damaged_objects))


if __name__ == "__main__":
    sys.exit(main())
