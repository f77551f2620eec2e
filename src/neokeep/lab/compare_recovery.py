"""Prove native recovery against Neo4j's own, on random workloads of a real server.

Each workload is backed up while it writes, so that checkpoints fall into the copy. The copy is recovered by Neo4j and
natively; the stores have to be the same, record by record. It is also taken back to a transaction inside the copy, and
has to be what an older backup becomes with the log up to there. On what was made natively Neo4j has to start without
anything to replay, count the same from its counts store as by looking, and check clean. It stops where it finds
something.
"""

from __future__ import annotations

import contextlib
import logging
import random
import shutil
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from neokeep.capture.backup import back_up
from neokeep.capture.checkpoint import choose_checkpoint
from neokeep.capture.options import CaptureOptions
from neokeep.lab.bolt import connected
from neokeep.lab.compare_stores import compare_stores
from neokeep.lab.embedded import EmbeddedNeo4j
from neokeep.lab.fetch import fetch
from neokeep.lab.home import create_home
from neokeep.lab.random_graph import RandomGraph
from neokeep.lab.recovery_report import ComparedWorkload, RecoveryComparison
from neokeep.neo4j.java import release_of
from neokeep.neo4j.log.checkpoint import parse_checkpoints
from neokeep.neo4j.log.header import parse_header
from neokeep.neo4j.recovery.neostore import LAST_CONSTRAINT
from neokeep.neo4j.source import find_source
from neokeep.neo4j.store.layout import NEOSTORE
from neokeep.progress import Silent
from neokeep.repository.open import init_repository, open_repository
from neokeep.restore.recover import NATIVE, is_clean, recover_natively
from neokeep.restore.restore import restore
from neokeep.restore.swap import Staging
from neokeep.restore.targets import NEWEST, Moment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from neokeep.neo4j.log.checkpoint import Checkpoint
    from neokeep.neo4j.server import Server
    from neokeep.neo4j.source import Database
    from neokeep.reports import BackupInfo
    from neokeep.repository.manifest import Manifest
    from neokeep.repository.repository import Repository

SETTINGS = {
    "db.checkpoint.interval.time": "1s",
    "db.tx_log.rotation.size": "1m",
    "db.tx_log.rotation.retention_policy": "256M size",
    "server.memory.pagecache.size": "8m",
}
"""Checkpoints fall into every copy, and the log takes several files."""

COPY_SECONDS = 2
"""How long a copy is made to take."""

ON_ONE_GRAPH = 15
"""Workloads that change one graph, one after the other; larger graphs prove no more."""

OPENED_EVERY = 5
"""Workloads of which one has what was undone opened and checked by Neo4j too."""

_DATABASE = "neo4j"
_WRITERS = 2
_STEPS_BEFORE = 40
_SHOWN = 20
_UNFINISHED = "The schema rule has a reference to another schema rule that is not online"


def compare_recovery(
    version: str,
    workloads: int,
    say: Callable[[str], None],
    *,
    seed: int | None = None,
    store_format: str = "aligned",
    directory: Path | None = None,
) -> RecoveryComparison:
    """Run so many random workloads on a version, of seeds that follow on; what differs is left in the directory."""
    # The server remarks that a label is new or an index is there already: that is what random statements do.
    logging.getLogger("neo4j.notifications").setLevel(logging.ERROR)
    place = Path(tempfile.mkdtemp(prefix="neokeep-compare-")) if directory is None else directory
    first = random.randrange(1_000_000) if seed is None else seed  # noqa: S311 -- it is told, to be used again
    done: list[ComparedWorkload] = []
    setting = "db.format" if release_of(version) >= (5,) else "dbms.record_format"
    settings = SETTINGS | {setting: store_format}
    with EmbeddedNeo4j(fetch(version, say)) as neo4j:
        for begin in range(first, first + workloads, ON_ONE_GRAPH):
            seeds = range(begin, min(begin + ON_ONE_GRAPH, first + workloads))
            for workload in _on_one_graph(place / str(begin), version, settings, neo4j, seeds, say):
                done.append(workload)
                say(f"workload {workload.seed}: {len(workload.findings) or 'no'} findings, {workload.seconds:.1f} s")
            if done[-1].findings:
                break
            shutil.rmtree(place / str(begin))
    same = not done[-1].findings
    if same:
        shutil.rmtree(place)
    return RecoveryComparison(version=version, same=same, workloads=tuple(done), directory=None if same else str(place))


def _on_one_graph(
    directory: Path,
    version: str,
    settings: Mapping[str, str],
    neo4j: EmbeddedNeo4j,
    seeds: Iterable[int],
    say: Callable[[str], None],
) -> Iterator[ComparedWorkload]:
    """Run some workloads one after the other on one source, up to the first that differs."""
    source = create_home(directory / "source", version, settings, say)
    source.start()
    try:
        proof = _Proof(directory, source, neo4j)
        for seed in seeds:
            workload = proof.compare(seed)
            yield workload
            if workload.findings:
                break
    finally:
        source.kill()


@dataclass(frozen=True, slots=True)
class _Lab:
    """A home without a server, into which backups are restored."""

    home: Path

    @property
    def database(self) -> Database:
        return find_source(self.home).database(_DATABASE)

    @property
    def store(self) -> Path:
        return self.database.store_directory

    def restore(
        self, repository: Repository, label: str | None = None, moment: Moment = NEWEST, recover: str | None = None
    ) -> str | None:
        report = restore(
            repository,
            self.home,
            _DATABASE,
            label=label,
            moment=moment,
            recover=recover,
            overwrite=True,
            jobs=2,
            progress=Silent(),
        )
        return report.recovered_by


class _Proof:
    """The source, the copies of it that are taken while it writes, an older backup with its log, and homes."""

    def __init__(self, directory: Path, source: Server, neo4j: EmbeddedNeo4j) -> None:
        self._directory = directory
        self._source = source
        self._neo4j = neo4j
        self._copies, self._chain = (str(directory / name) for name in ("copies", "chain"))
        for place in (self._copies, self._chain):
            init_repository(place)
        version = source.distribution.version
        self._homes = {
            name: _Lab(create_home(directory / name, version, {}, _silent).home)
            for name in ("neo4j", "native", "undone", "older")
        }
        self._count = 0
        self._back_up(self._chain, "full")

    def compare(self, seed: int) -> ComparedWorkload:
        began = time.monotonic()
        with _at_work(self._source, seed):
            info = self._back_up(self._copies, "full", seconds=COPY_SECONDS)
            inside = _checkpoints_inside(self._source, info)
        manifest = open_repository(self._copies).manifest(info.label)
        self._back_up(self._chain, "incremental")
        target = _somewhere_inside(manifest, seed)
        findings = [*self._redo(manifest), *([] if target is None else self._undo(manifest, target))]
        native = self._homes["native"].store
        in_use = compare_stores(native, native, aligned=manifest.store_format == "aligned").in_use
        return ComparedWorkload(
            seed=seed,
            checkpoints_inside=inside,
            records_in_use=sum(in_use.values()),
            transactions_undone=0 if target is None else (manifest.end.transaction or 0) - target,
            findings=tuple(findings[:_SHOWN]),
            seconds=round(time.monotonic() - began, 3),
        )

    def _back_up(self, place: str, kind: str, *, seconds: int | None = None) -> BackupInfo:
        server = find_source(self._source.home)
        size = sum(path.stat().st_size for path in server.database(_DATABASE).store_directory.glob("neostore*"))
        limit = None if seconds is None else size // seconds
        options = CaptureOptions(type=kind, rate_limit=limit, jobs=2)
        report = back_up(server, open_repository(place), (_DATABASE,), options=options, progress=Silent())
        if report.failures:
            raise AssertionError(report.failures)
        return report.backups[0]

    def _redo(self, manifest: Manifest) -> Iterator[str]:
        """Recover a copy by Neo4j and natively, and compare."""
        theirs, ours = self._homes["neo4j"], self._homes["native"]
        copies = open_repository(self._copies)
        theirs.restore(copies, manifest.label)
        self._neo4j.run(theirs.home, _DATABASE)
        if not is_clean(theirs.database.log_directory):
            yield "Neo4j did not recover the copy"
        if ours.restore(copies, manifest.label, recover=NATIVE) != NATIVE:
            yield "it was not recovered natively"
        yield from _differences(theirs.store, ours.store, manifest)
        yield from look_at(self._neo4j, ours.home)
        yield from check(self._neo4j, ours.home)

    def _undo(self, manifest: Manifest, target: int) -> Iterator[str]:
        """Take a copy back, and compare it with an older backup to which the log was applied."""
        ours, older = self._homes["undone"], self._homes["older"]
        ours.restore(open_repository(self._copies), manifest.label)
        staging = Staging(ours.store, ours.database.log_directory)
        recover_natively(staging, _DATABASE, manifest.store_format, Silent(), last=target)
        older.restore(open_repository(self._chain), moment=Moment(transaction=target), recover=NATIVE)
        findings = _differences(older.store, ours.store, manifest, undone=True)
        if self._count % OPENED_EVERY == 0:
            # The records are those of a store that was recovered forward, which Neo4j opens each time.
            self._neo4j.run(ours.home, _DATABASE)
            findings += check(self._neo4j, ours.home)
        self._count += 1
        for finding in findings:
            yield f"at transaction {target}, undone: {finding}"


def _differences(first: Path, second: Path, manifest: Manifest, *, undone: bool = False) -> list[str]:
    compared = compare_stores(first, second, aligned=manifest.store_format == "aligned")
    # No log tells which transaction made the newest constraint before the one that was undone.
    untold = {(NEOSTORE, LAST_CONSTRAINT)} if undone else set()
    return [str(found) for found in compared.differences if (found.store, found.id) not in untold]


def _somewhere_inside(manifest: Manifest, seed: int) -> int | None:
    """Choose a transaction between the begin and the end of a copy; None where there is none."""
    first = max(manifest.checkpoint.transaction or 0, manifest.first_transaction)
    last = manifest.end.transaction or 0
    return random.Random(seed).randrange(first, last) if first < last else None  # noqa: S311 -- repeatable


def look_at(neo4j: EmbeddedNeo4j, home: Path) -> list[str]:
    """Open a database that was recovered natively: nothing may be replayed, and all of it has to fit."""
    database = find_source(home).database(_DATABASE)
    before, findings = choose_checkpoint(database.log_directory), list[str]()
    if not is_clean(database.log_directory):
        findings.append("the newest checkpoint is not at the end of the log")
    findings += _counts(neo4j, home)
    # It writes a checkpoint too when it only makes missing files anew; but where the log ends is known by then.
    if any(record.position != before.position for record in _records(database.log_directory)[-2:]):
        findings.append("Neo4j went on from elsewhere than the newest checkpoint")
    return findings


def check(neo4j: EmbeddedNeo4j, home: Path) -> list[str]:
    """Run Neo4j's check. A log that ends in the middle of making a constraint leaves what a crash would: a warning."""
    told = neo4j.check(home, _DATABASE)
    if told is None or all(_UNFINISHED in line for line in told.splitlines() if not line.startswith("\t")):
        return []
    return [f"Neo4j's check: {told[:2000]}"]


def _counts(neo4j: EmbeddedNeo4j, home: Path) -> Iterator[str]:
    """Compare what the counts store says with what a scan finds; Neo4j's check does it for each label and type.

    Reading every property shows that each chain of records holds together.
    """
    statements = (
        "MATCH (n) RETURN count(n) AS number",
        "MATCH (n) RETURN sum(1) AS number, sum(size(keys(n))) AS keys, count(properties(n)) AS read",
        "MATCH ()-[r]->() RETURN count(r) AS number",
        "MATCH ()-[r]->() RETURN sum(1) AS number, sum(size(keys(r))) AS keys, count(properties(r)) AS read",
    )
    nodes, seen_nodes, relationships, seen_relationships = (
        rows[0]["number"] for rows in neo4j.run(home, _DATABASE, statements)
    )
    if nodes != seen_nodes:
        yield f"the counts store says {nodes} nodes, a scan finds {seen_nodes}"
    if relationships != seen_relationships:
        yield f"the counts store says {relationships} relationships, a scan finds {seen_relationships}"


@contextlib.contextmanager
def _at_work(source: Server, seed: int) -> Iterator[None]:
    """Have writers change the graph; they have begun when the block does."""
    stop, failures, steps = threading.Event(), list[Exception](), [0] * _WRITERS

    def write(writer: int) -> None:
        try:
            with connected(source.bolt_uri) as session:
                graph = RandomGraph(session, seed * _WRITERS + writer, prefix=f"s{seed}w{writer}_")
                while not stop.is_set():
                    graph.step()
                    steps[writer] += 1
        except Exception as failure:  # noqa: BLE001 -- it is raised where it is waited for
            failures.append(failure)

    threads = [threading.Thread(target=write, args=(writer,), daemon=True) for writer in range(_WRITERS)]
    for thread in threads:
        thread.start()
    try:
        while min(steps) < _STEPS_BEFORE and not failures:
            time.sleep(0.05)
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    if failures:
        raise failures[0]


def _checkpoints_inside(source: Server, info: BackupInfo) -> int:
    """Count the checkpoints that fell into a copy."""
    began, ended = (int(moment.timestamp() * 1000) for moment in (info.started_at, info.finished_at))
    log = find_source(source.home).database(_DATABASE).log_directory
    return sum(began < record.time < ended for record in _records(log))


def _records(log_directory: Path) -> tuple[Checkpoint, ...]:
    """Read the records of the newest checkpoint file."""
    path = log_directory / choose_checkpoint(log_directory).name
    data = path.read_bytes()
    header = parse_header(data, str(path))
    return () if header is None else parse_checkpoints(data, header, str(path))


def _silent(_: str) -> None:
    """Say nothing."""
