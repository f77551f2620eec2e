"""How long recovery of the same crashed database takes, by Neo4j and natively: whole processes, from start to done.

Run as a script it recovers one home with one engine; that is what is measured.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from neokeep.lab.bolt import connected
from neokeep.lab.home import configure, create_home, open_home
from neokeep.lab.measure import measured, print_ratio, print_table
from neokeep.neo4j.source import find_source
from neokeep.progress import Silent
from neokeep.restore.recover import NATIVE, NEO4J, is_clean, memory_for_recovery, recover_natively
from neokeep.restore.swap import Staging
from neokeep.units import format_size

if TYPE_CHECKING:
    from neokeep.lab.measure import Run
    from neokeep.neo4j.server import Server

RUNS = 3
LOG_BYTES = 512 * 1024 * 1024
_BATCH = 2_000
_DATABASE = "neo4j"
_SETTINGS = {
    "db.checkpoint.interval.time": "10h",
    "db.checkpoint.interval.tx": "1000000000",
    "db.tx_log.rotation.size": "256m",
    "server.memory.heap.max_size": "2g",
    "server.memory.pagecache.size": "512m",
}
_STATEMENTS = (
    (
        "UNWIND range(1, $count) AS i "
        "CREATE (a:Person {number: $from + i, name: 'person ' + i, mail: 'p' + i + '@example.org', "
        "text: 'some words about this one that take more than a block of their record', born: 1900 + i % 120})"
        "-[:KNOWS {since: i}]->(:City {name: 'city ' + i % 500})"
    ),
    "MATCH (a:Person) WHERE a.number > $from AND a.number <= $from + $count SET a.seen = $from, a.name = a.name + '.'",
)


def recovery(version: str, folder: Path) -> None:
    """Kill a server with much log behind its checkpoint, and recover copies of what it left by each engine."""
    crashed = _crash(version, folder / "crashed")
    log = find_source(crashed.home).database(_DATABASE).log_directory
    size = sum(path.stat().st_blocks * 512 for path in log.iterdir())
    runs: dict[str, list[Run]] = {NEO4J: [], NATIVE: []}
    for _ in range(RUNS):
        for engine, measurements in runs.items():
            measurements.append(_measure(crashed, folder / engine, engine))
    rows = {
        f"{name} recovery": (runs[engine], note)
        for engine, name, note in (
            (NEO4J, "Neo4j's own", f"{format_size(size)} of log; memory is that of Java's parent"),
            (NATIVE, "native", "durable on disk"),
        )
    }
    print_table("recovery after a crash", rows)
    print_ratio("Neo4j / native", runs[NEO4J], runs[NATIVE])


def _crash(version: str, home: Path) -> Server:
    server = create_home(home, version, _SETTINGS, lambda _: None)
    server.start()
    log = find_source(home).database(_DATABASE).log_directory
    with connected(server.bolt_uri) as session:
        number = 0
        while sum(path.stat().st_blocks * 512 for path in log.glob("neostore.transaction.db.*")) < LOG_BYTES:
            for statement in _STATEMENTS:
                session.run(statement, **{"from": number, "count": _BATCH})
            number += _BATCH
    server.kill()
    return server


def _measure(crashed: Server, home: Path, engine: str) -> Run:
    shutil.copytree(crashed.home, home, symlinks=True)
    # What was copied is still on its way to the disk, which is none of the engine's business.
    os.sync()
    run = measured([sys.executable, "-m", "neokeep.lab.bench_recovery", engine, str(home)])
    if not is_clean(find_source(home).database(_DATABASE).log_directory):
        sys.exit(f"{engine} did not recover {home}")
    shutil.rmtree(home)
    return run


def _recover(engine: str, home: Path) -> None:
    if engine == NEO4J:
        server = open_home(home)
        configure(home, server.distribution.version, _SETTINGS | memory_for_recovery())
        server.start(timeout=1800)
        server.stop()
        return
    database = find_source(home).database(_DATABASE)
    staging = Staging(database.store_directory, database.log_directory)
    recover_natively(staging, _DATABASE, database.store_id().store_format, Silent())


if __name__ == "__main__":
    _recover(sys.argv[1], Path(sys.argv[2]))
