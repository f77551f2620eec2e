"""Prove native recovery against Neo4j's own, on random workloads of a real server.

Each workload is backed up while it writes, so that checkpoints fall into the copy. The backup is restored twice, once
recovered by Neo4j and once natively; the stores have to be the same, record by record. On the native one Neo4j has to
start without anything to replay, count the same from its counts store as by looking, and check clean.
"""

from __future__ import annotations

import contextlib
import logging
import random
import shutil
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from neokeep.capture.backup import back_up
from neokeep.capture.checkpoint import choose_checkpoint
from neokeep.capture.options import CaptureOptions
from neokeep.lab.bolt import connected
from neokeep.lab.compare_stores import compare_stores
from neokeep.lab.home import create_home
from neokeep.lab.random_graph import RandomGraph
from neokeep.lab.recovery_report import ComparedWorkload, RecoveryComparison
from neokeep.neo4j.admin import Admin
from neokeep.neo4j.log.checkpoint import parse_checkpoints
from neokeep.neo4j.log.header import parse_header
from neokeep.neo4j.source import find_source
from neokeep.progress import Silent
from neokeep.repository.open import init_repository, open_repository
from neokeep.restore.recover import NATIVE, NEO4J, is_clean
from neokeep.restore.restore import restore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from neokeep.lab.bolt import Session
    from neokeep.neo4j.log.checkpoint import Checkpoint
    from neokeep.neo4j.server import Server
    from neokeep.reports import BackupInfo

SETTINGS = {
    "db.checkpoint.interval.time": "1s",
    "db.tx_log.rotation.size": "1m",
    "db.tx_log.rotation.retention_policy": "keep_none",
    "server.memory.pagecache.size": "8m",
}
"""Checkpoints fall into every copy, and the log takes several files."""

COPY_SECONDS = 4
"""How long a copy is made to take."""

_DATABASE = "neo4j"
_WRITERS = 2
_STEPS_BEFORE = 60
_SHOWN = 20

_COUNTS = {
    "nodes": ("MATCH (n) RETURN count(n) AS number", "MATCH (n) RETURN sum(1) AS number"),
    "relationships": ("MATCH ()-[r]->() RETURN count(r) AS number", "MATCH ()-[r]->() RETURN sum(1) AS number"),
}


def compare_recovery(
    version: str, workloads: int, say: Callable[[str], None], *, seed: int | None = None, directory: Path | None = None
) -> RecoveryComparison:
    """Run so many random workloads on a version, of seeds that follow on; what differs is left in the directory."""
    # The server remarks that a label is new or an index is there already: that is what random statements do.
    logging.getLogger("neo4j.notifications").setLevel(logging.ERROR)
    place = Path(tempfile.mkdtemp(prefix="neokeep-compare-")) if directory is None else directory
    first = random.randrange(1_000_000) if seed is None else seed  # noqa: S311 -- it is told, to be used again
    source = create_home(place / "source", version, SETTINGS, say)
    init_repository(str(place / "repository"))
    done: list[ComparedWorkload] = []
    source.start()
    try:
        for number in range(first, first + workloads):
            done.append(_compare_one(source, place, number))
            say(f"workload {number}: {len(done[-1].findings) or 'no'} findings, {done[-1].seconds:.0f} s")
    finally:
        source.kill()
    same = not any(workload.findings for workload in done)
    if same:
        shutil.rmtree(place)
    return RecoveryComparison(version=version, same=same, workloads=tuple(done), directory=None if same else str(place))


def _compare_one(source: Server, directory: Path, seed: int) -> ComparedWorkload:
    began = time.monotonic()
    with _at_work(source, seed):
        info = _back_up(source, directory)
        inside = _checkpoints_inside(source, info)
    place = directory / str(seed)
    homes = {
        engine: create_home(place / engine, source.distribution.version, {}, _silent) for engine in (NEO4J, NATIVE)
    }
    with ThreadPoolExecutor() as pool:
        tasks = [pool.submit(_restore, directory, home, info.label, engine) for engine, home in homes.items()]
        recovered = [task.result() for task in tasks]
    findings = [
        f"{engine} recovery was left to {by}" for engine, by in zip(homes, recovered, strict=True) if by != engine
    ]
    stores = [find_source(home.home).database(_DATABASE).store_directory for home in homes.values()]
    compared = compare_stores(stores[0], stores[1], aligned=info.store_format == "aligned")
    findings += [str(difference) for difference in compared.differences]
    findings += look_at(homes[NATIVE])
    if not findings:
        shutil.rmtree(place)
    return ComparedWorkload(
        seed=seed,
        checkpoints_inside=inside,
        records_in_use=sum(compared.in_use.values()),
        findings=tuple(findings[:_SHOWN]),
        seconds=round(time.monotonic() - began, 3),
    )


def look_at(server: Server) -> list[str]:
    """Start Neo4j on a store that was recovered natively: nothing may be replayed, and all of it has to fit."""
    log = find_source(server.home).database(_DATABASE).log_directory
    before, findings = choose_checkpoint(log), list[str]()
    if not is_clean(log):
        findings.append("the newest checkpoint is not at the end of the log")
    server.start()
    try:
        with connected(server.bolt_uri) as session:
            session.run("CALL db.awaitIndexes(600)")
            findings += _counts(session)
    finally:
        server.stop()
    # It writes a checkpoint too when it only makes missing files anew; but where the log ends is known by then.
    if any(record.position != before.position for record in _records(log)[-2:]):
        findings.append("Neo4j went on from elsewhere than the newest checkpoint")
    checked = Admin(server.distribution, server.home).check(_DATABASE)
    if not checked.clean:
        findings.append(f"Neo4j's check: {checked.report[:2000] or checked.output[-2000:]}")
    return findings


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


def _back_up(source: Server, directory: Path) -> BackupInfo:
    server = find_source(source.home)
    store = server.database(_DATABASE).store_directory
    size = sum(path.stat().st_size for path in store.glob("neostore*"))
    options = CaptureOptions(type="full", rate_limit=size // COPY_SECONDS, jobs=2)
    repository = open_repository(str(directory / "repository"))
    report = back_up(server, repository, (_DATABASE,), options=options, progress=Silent())
    if report.failures:
        raise AssertionError(report.failures)
    return report.backups[0]


def _restore(directory: Path, home: Server, label: str, engine: str) -> str | None:
    repository = open_repository(str(directory / "repository"))
    report = restore(repository, home.home, _DATABASE, label=label, recover=engine, jobs=2, progress=Silent())
    return report.recovered_by


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


def _counts(session: Session) -> Iterator[str]:
    """Compare what the counts store says with what a scan finds: for everything, and by label and type."""
    pairs = dict(_COUNTS)
    for row in session.run("CALL db.labels() YIELD label RETURN label AS name"):
        pattern = f"MATCH (n:`{row['name']}`) RETURN"
        pairs[f"label {row['name']}"] = (f"{pattern} count(n) AS number", f"{pattern} sum(1) AS number")
    for row in session.run("CALL db.relationshipTypes() YIELD relationshipType AS name RETURN name"):
        pattern = f"MATCH ()-[r:`{row['name']}`]->() RETURN"
        pairs[f"type {row['name']}"] = (f"{pattern} count(r) AS number", f"{pattern} sum(1) AS number")
    for name, (stored, scanned) in pairs.items():
        told, seen = session.run(stored)[0]["number"], session.run(scanned)[0]["number"]
        if told != seen:
            yield f"{name}: the counts store says {told}, a scan finds {seen}"
    # Reading every property shows that each chain of records holds together.
    session.run("MATCH (n) RETURN sum(size(keys(n))) AS number, count(properties(n)) AS read")
    session.run("MATCH ()-[r]->() RETURN sum(size(keys(r))) AS number, count(properties(r)) AS read")


def _silent(_: str) -> None:
    """Say nothing."""
