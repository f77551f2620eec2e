"""Restores to a moment: the whole graph is what the writers knew at that transaction, node by node, on every version.

Four writers commit a thousand transactions at the same time, between a full backup and ten incremental ones, all taken
while they work. Meanwhile logs are rotated and pruned behind what is archived, the server is killed, and upgraded to a
newer release. Twenty moments are restored to. Neo4j itself tells, by the bookmark of the restored database, that its
newest transaction is the wanted one; what the writers knew of that transaction (real/writers.py says how, and why that
is sound) decides what the graph has to be; and Neo4j's check has to find nothing.

A transaction that is rolled back, or that a constraint refuses, uses up no id on any version: ids are given out at the
commit. The writers do both all the time, and `Writers.require_possible` counts ids. So every id in the window is one to
restore to, and there is none in between that could be asked for in vain.
"""

from __future__ import annotations

import random
import re
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING

import pytest

from conftest import VERSIONS
from neokeep import api
from neokeep.cli.main import main
from neokeep.lab.bolt import connected
from neokeep.lab.fetch import fetch
from neokeep.lab.home import configure, create_home, open_home
from neokeep.neo4j.admin import Admin
from neokeep.neo4j.log.names import log_versions
from real.graph_model import read_graph
from real.writers import Done, Writers, transaction_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from neokeep.neo4j.admin import CheckResult
    from neokeep.neo4j.server import Server
    from neokeep.reports import BackupInfo, TransactionInfo

pytestmark = pytest.mark.real

UPGRADED_FROM = {"4.4.48": "4.4.30", "5.26.30": "5.26.20", "2026.08.1": "2025.06.2"}
SETTINGS = {
    "db.checkpoint.interval.time": "1s",
    "db.tx_log.rotation.size": "128k",
    # More than two rounds write, so that nothing is pruned that is not archived, and less than all of them do.
    "db.tx_log.rotation.retention_policy": "1m size",
    "server.memory.pagecache.size": "8m",
}
WRITERS = 4
WARMING_UP = 15
ROUNDS = 10
PER_ROUND = 25
CRASH, UPGRADE = 4, 7
TARGETS = 20


@dataclass(frozen=True)
class Target:
    """A moment as the command line takes it, the transaction it has to lead to, and what has to be done by then."""

    flags: tuple[str, ...]
    transaction: int
    done: Done | None = None


@dataclass(frozen=True)
class Rest:
    """A moment at which nobody wrote: what the clock said, what was done, and the newest transaction."""

    time: datetime
    done: Done
    transaction: int


class Life:
    """The life of a server while it is backed up."""

    def __init__(self, directory: Path, version: str) -> None:
        self.directory = directory
        self.version = version
        self.place = str(directory / "repository")
        self.server = create_home(directory / "source", UPGRADED_FROM[version], SETTINGS)
        self.writers = Writers(WRITERS, version)
        self.incrementals: list[BackupInfo] = []
        self.rests: list[Rest] = []
        self.upgraded_at = self.crashed_at = 0

    def live(self) -> None:
        """Live through all of it."""
        api.init(self.place)
        self.server.start()
        self.writers.begin(self.server.bolt_uri)
        with self.writers.at_work(self.server.bolt_uri, WARMING_UP):
            self.wait_for(WRITERS * WARMING_UP // 2)
            self.base = self.back_up("full")
        for number in range(1, ROUNDS + 1):
            if number == UPGRADE:
                self.upgrade()
            self.rest()
            self.round(WARMING_UP + number * PER_ROUND, crash=number == CRASH)
        self.server.stop()

    def round(self, most: int, *, crash: bool) -> None:
        """Take an incremental backup while the writers work, or after a crash in the middle of it."""
        half = WRITERS * most - WRITERS * PER_ROUND // 2
        with self.writers.at_work(self.server.bolt_uri, most):
            self.wait_for(half)
            if crash:
                self.server.kill()
            else:
                self.incrementals.append(self.back_up("incremental"))
        if crash:
            self.incrementals.append(self.back_up("incremental"))
            self.server.start()
            self.writers.settle(self.server.bolt_uri)
            self.crashed_at = self.writers.newest_transaction(self.server.bolt_uri)
            with self.writers.at_work(self.server.bolt_uri, most):
                pass
        assert set(self.writers.done) == {most}

    def wait_for(self, transactions: int) -> None:
        """Let the writers get on; a writer that fails ends the wait as well."""
        while sum(self.writers.done) < transactions and self.writers.are_at_work:
            time.sleep(0.001)

    def rest(self) -> None:
        """Note a moment at which nobody writes; no commit before it or after it falls into the same millisecond."""
        reached = self.writers.newest_transaction(self.server.bolt_uri)
        self.writers.require_possible(self.writers.done, reached)
        time.sleep(0.01)
        self.rests.append(Rest(datetime.now(UTC), self.writers.done, reached))
        time.sleep(0.01)

    def upgrade(self) -> None:
        """Go on with a newer release of Neo4j on the same home."""
        self.server.stop()
        lib = self.server.home / "lib"
        lib.unlink()
        lib.symlink_to(fetch(self.version).lib, target_is_directory=True)
        configure(self.server.home, self.version, SETTINGS)
        self.server = open_home(self.server.home)
        self.server.start()
        self.upgraded_at = self.writers.newest_transaction(self.server.bolt_uri)
        self.writers.write_one(self.server.bolt_uri)
        if self.writers.newest_transaction(self.server.bolt_uri) > self.upgraded_at + 1:
            self.writers.others.append(self.upgraded_at + 1)  # the log of a newer kernel version begins with it

    def back_up(self, wanted: str) -> BackupInfo:
        (taken,) = api.backup(self.server.home, self.place, ["neo4j"], type=wanted).backups
        return taken

    def log(self) -> dict[int, TransactionInfo]:
        """List all archived transactions behind the full backup."""
        report = api.log(self.place, "neo4j", first=self.base.last_tx + 1, limit=100_000)
        assert [item.id for item in report.transactions] == list(range(self.base.last_tx + 1, report.window_last + 1))
        return {item.id: item for item in report.transactions}


@pytest.fixture(scope="module", params=VERSIONS)
def life(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, quick_java: None) -> Iterator[Life]:
    lived = Life(tmp_path_factory.mktemp("life"), str(request.param))
    try:
        lived.live()
        yield lived
    finally:
        lived.server.kill()


def test_the_chain_held_through_rotation_pruning_a_crash_and_an_upgrade(life: Life) -> None:
    assert len(life.incrementals) == ROUNDS
    reached = life.base.last_tx
    for taken in life.incrementals:
        assert (taken.type, taken.base, taken.first_tx) == ("incremental", life.base.label, reached + 1)
        reached = taken.last_tx
    assert life.incrementals[0].neo4j_version == UPGRADED_FROM[life.version]
    assert life.incrementals[-1].neo4j_version == life.version
    kept = log_versions(life.server.home / "data" / "transactions" / "neo4j")
    begun = int(life.log()[life.base.last_tx + 1].position.split(":")[0])
    assert kept[0] > begun, "nothing that the chain needs was pruned: this proves nothing"
    assert life.writers.came_to_nothing > 0


def test_every_target_shows_exactly_what_was_committed_then(life: Life) -> None:
    targets = targets_of(life)
    assert len(targets) == len({target.transaction for target in targets}) == TARGETS
    homes: SimpleQueue[Server] = SimpleQueue()
    servers = [create_home(life.directory / f"target-{number}", life.version) for number in range(2)]
    for server in servers:
        homes.put(server)

    def prove(target: Target) -> Done:
        server = homes.get()
        try:
            return restored_right(life, server, target)
        finally:
            homes.put(server)

    try:
        with ThreadPoolExecutor(len(servers)) as pool:
            found = list(pool.map(prove, targets))
    finally:
        for server in servers:
            server.kill()
    in_order = [done for _, done in sorted(zip((target.transaction for target in targets), found, strict=True))]
    for earlier, later in pairwise(in_order):
        assert all(a <= b for a, b in zip(earlier, later, strict=True))


def restored_right(life: Life, server: Server, target: Target) -> Done:
    """Restore to a target, prove that all is there and nothing else, and tell how much of each writer it is."""
    flags = [*target.flags, "--home", str(server.home), "--repo", life.place, "--overwrite", "--quiet"]
    assert main(["restore", "neo4j", *flags]) == 0
    server.start()
    with connected(server.bolt_uri) as session:
        graph = read_graph(session)
        newest = transaction_in(session.session.last_bookmarks().raw_values)
    assert server.stop()
    assert newest == target.transaction
    done = life.writers.done_in(graph)
    assert target.done in (None, done)
    life.writers.require_possible(done, target.transaction)
    assert graph == life.writers.graph_at(done)
    checked = Admin(server.distribution, server.home).check("neo4j")
    assert checked.clean or only_forgets_ids(checked), checked.output + checked.report
    return done


def only_forgets_ids(result: CheckResult) -> bool:
    """Tell whether all that a check says is a warning that some ids of unused records will not be used again.

    An id that was taken and given back without a commit is nowhere in the log. Neo4j 2026 tells so after a crash, too.
    """
    told = re.findall(r" (WARN|ERROR) +(.*)", result.report)
    forgotten = ("WARN", "The referenced record is not in use but the id is not up for reuse in the id file.")
    return (result.status, result.inconsistencies) == (0, 0) and set(told) == {forgotten}


def targets_of(life: Life) -> list[Target]:
    """Choose moments of all kinds, both ends of the window and both sides of every event in it, and more at random."""
    log, chance = life.log(), random.Random(life.version)
    first, last = life.base.last_tx, life.incrementals[-1].last_tx
    rests = [to_time(log, rest.time, rest.done) for rest in life.rests[1:]]
    assert [target.transaction for target in rests] == [rest.transaction for rest in life.rests[1:]]
    at_commits = [to_time(log, log[at].committed_at) for at in sorted(log)[50:]]
    between = [to_time(log, moment) for moment in moments_between_commits(log)]
    chosen = {last: Target(("--to", "latest"), last)}
    for kind in (rests, at_commits, between):
        fresh = {target.transaction: target for target in kind if target.transaction not in chosen}
        chosen |= {at: fresh[at] for at in chance.sample(sorted(fresh), 2)}
    events = (first, life.incrementals[2].last_tx, life.crashed_at, life.upgraded_at)
    wanted = {at + side for at in events for side in (0, 1)} - chosen.keys()
    others = sorted(log.keys() - chosen.keys() - wanted)
    wanted |= set(chance.sample(others, TARGETS - len(chosen) - len(wanted)))
    before = set(chance.sample(sorted(wanted), len(wanted) // 2))
    chosen |= {at: Target(("--before-tx", str(at + 1)) if at in before else ("--to-tx", str(at)), at) for at in wanted}
    return list(chosen.values())


def to_time(log: Mapping[int, TransactionInfo], moment: datetime, done: Done | None = None) -> Target:
    """Say by the listed commit times where a restore to a time has to stop: before the first that is later."""
    later = [at for at, transaction in log.items() if transaction.committed_at > moment]
    return Target(("--to-time", moment.isoformat()), min(later) - 1 if later else max(log), done)


def moments_between_commits(log: Mapping[int, TransactionInfo]) -> Iterator[datetime]:
    """Find pairs of commits with at least two milliseconds between them, and give the moment in the middle."""
    for earlier, later in pairwise(log.values()):
        gap = later.committed_at - earlier.committed_at
        if gap >= timedelta(milliseconds=2):
            yield earlier.committed_at + gap / 2


def test_what_the_log_lists_adds_up_to_what_the_writers_did(life: Life) -> None:
    log = life.log()
    for earlier, later in pairwise(life.rests):
        between = [log[at] for at in range(earlier.transaction + 1, later.transaction + 1)]
        before, after = life.writers.graph_at(earlier.done), life.writers.graph_at(later.done)
        assert sum(item.nodes.created - item.nodes.deleted for item in between) == len(after.nodes) - len(before.nodes)
        more = len(after.relationships) - len(before.relationships)
        assert sum(item.relationships.created - item.relationships.deleted for item in between) == more


def test_targets_outside_the_window_are_refused(life: Life, capsys: pytest.CaptureFixture[str]) -> None:
    (window,) = api.info(life.place, "neo4j").windows
    first, last = window.first_tx, life.incrementals[-1].last_tx
    assert first < life.base.last_tx
    day = timedelta(days=1)
    now = datetime.now(UTC)
    for flags, nearest in (
        (("--to-tx", str(last + 1)), f"the nearest before is {last}"),
        (("--before-tx", str(last + 2)), f"the nearest before is {last}"),
        (("--to-tx", str(first - 1)), f"the nearest after is {first}"),
        (("--before-tx", str(first)), f"the nearest after is {first}"),
        (("--to-time", (now + day).isoformat()), "the nearest before is 20"),
        (("--to-time", (now - day).isoformat()), "the nearest after is 20"),
    ):
        told = refusal(life, capsys, flags)
        assert "outside every restore window" in told
        assert f"transactions {first} to {last}, 20" in told
        assert nearest in told


def test_targets_that_say_nothing_clear_are_refused(life: Life, capsys: pytest.CaptureFixture[str]) -> None:
    inside = life.rests[-1].time
    assert "has no time zone" in refusal(life, capsys, ("--to-time", inside.replace(tzinfo=None).isoformat()))
    assert "is not a time" in refusal(life, capsys, ("--to-time", "yesterday"))
    assert "is not a transaction id" in refusal(life, capsys, ("--to-tx", "0"))
    assert "several targets" in refusal(life, capsys, ("--to-time", inside.isoformat(), "--to-tx", "100"))
    assert "--to latest and --to-tx" in refusal(life, capsys, ("--to", "latest", "--to-tx", "100"))


def refusal(life: Life, capsys: pytest.CaptureFixture[str], flags: Sequence[str]) -> str:
    """Ask for a restore, expecting to be refused with the documented status and nothing touched; what was said."""
    nowhere = life.directory / "nowhere"
    status = main(["restore", "neo4j", "--home", str(nowhere), "--repo", life.place, *flags])
    told = capsys.readouterr().err
    assert status == documented_status("usage"), told
    assert "What to do: " in told
    assert not nowhere.exists()
    return told


def documented_status(kind: str) -> int:
    table = (Path(__file__).parents[2] / "docs" / "exit-codes.md").read_text(encoding="utf-8")
    (status,) = re.findall(rf"^\| (\d+) \| `{kind}` \|", table, re.MULTILINE)
    return int(status)
