"""`make bench`: neokeep and Neo4j's own tools side by side, on one store, in one run.

Commands run as whole processes, in turn, so that a machine that slows down slows both. Wall time and peak memory are
those of the operating system; medians are printed with all values behind them.
"""

from __future__ import annotations

import os
import shutil
import statistics
import sys
import tempfile
import time
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from neokeep import api
from neokeep.lab.bench_archive import incremental, recovery_point
from neokeep.lab.bench_artifacts import dump_and_load
from neokeep.lab.bench_consistency import consistency
from neokeep.lab.bench_export import export
from neokeep.lab.bench_log import boundary_scan
from neokeep.lab.bench_recovery import recovery
from neokeep.lab.bench_repository import million_blocks, throughput
from neokeep.lab.bench_statistics import graph_statistics
from neokeep.lab.big_store import big_store
from neokeep.lab.home import create_home
from neokeep.lab.measure import listed, measured, neokeep, print_ratio, print_table, size_of
from neokeep.lab.workload import Workload
from neokeep.neo4j.admin import Admin
from neokeep.units import format_size

if TYPE_CHECKING:
    from collections.abc import Callable

    from neokeep.lab.measure import Run
    from neokeep.neo4j.server import Server

VERSION = "5.26.30"
RUNS = 3
WINDOWS = 7
_WARM_UP_SECONDS = 40
_QUIET_SECONDS = 15


def main() -> int:
    """Run every measurement and print it."""
    server = big_store(VERSION, _say)
    store = server.home / "data" / "databases" / "neo4j"
    size = sum(path.stat().st_size for path in store.rglob("*") if path.is_file())
    print(f"Neo4j {VERSION}, {format_size(size)} in {store.name}, {os.cpu_count()} cores, {RUNS} runs each\n")
    folder = Path(tempfile.mkdtemp(prefix="neokeep-bench-"))
    try:
        _backup_against_dump(server, folder)
        _restore_against_load(folder)
        throughput(server, folder)
        million_blocks(VERSION, folder)
        dump_and_load(server, folder / "archives")
        graph_statistics(server)
        consistency(server, folder / "consistency")
        export(server, folder / "export")
        restored = _writers(folder)
        incremental(restored, folder)
        recovery_point(VERSION, folder)
        boundary_scan(folder)
        recovery(VERSION, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


def _backup_against_dump(server: Server, folder: Path) -> None:
    """Dump wants the server stopped; the backup is taken from the running one."""
    admin = Admin(server.distribution, server.home)
    dumps, fulls, agains = [], [], []
    for number in range(RUNS):
        to = folder / f"dump-{number}"
        to.mkdir()
        dumps.append(measured(admin.command("database", "dump", "neo4j", f"--to-path={to}"), admin.environment))
        repository = folder / f"repository-{number}"
        api.init(repository)
        server.start(timeout=600)
        try:
            backup = ("backup", "neo4j", "--type", "full", "--home", str(server.home), "--repo", str(repository))
            fulls.append(neokeep(*backup))
            full_size = size_of(repository)
            agains.append(neokeep(*backup))
            again_size = size_of(repository) - full_size
        finally:
            server.stop()
    dump_size = size_of(folder / "dump-0")
    print_table(
        "full backup",
        {
            "database dump (stopped)": (dumps, f"{format_size(dump_size)} on disk"),
            "neokeep backup (running)": (fulls, f"{format_size(full_size)} on disk"),
            "neokeep backup again": (agains, f"{format_size(again_size)} more, {again_size / full_size:.2%}"),
        },
    )
    print_ratio("dump / backup", dumps, fulls)
    print_ratio("backup / backup again", fulls, agains)


def _restore_against_load(folder: Path) -> None:
    loads, durable_loads, restores = [], [], []
    for number in range(RUNS):
        loads.append(_load(folder, durable=False))
        durable_loads.append(_load(folder, durable=True))
        home = folder / f"restore-{number}"
        restores.append(neokeep("restore", "neo4j", "--home", str(home), "--repo", str(folder / "repository-0")))
        if number < RUNS - 1:
            shutil.rmtree(home)
    print_table(
        "restore",
        {
            "database load": (loads, "not synced to disk"),
            "database load, then sync": (durable_loads, "as durable as a restore"),
            "neokeep restore": (restores, "every block hashed, every file synced"),
        },
    )
    print_ratio("load / restore", loads, restores)
    print_ratio("durable load / restore", durable_loads, restores)


def _load(folder: Path, *, durable: bool) -> Run:
    home = folder / "load"
    target = create_home(home, VERSION, {}, _silent)
    loader = Admin(target.distribution, home)
    command = loader.command("database", "load", "neo4j", f"--from-path={folder / 'dump-0'}")
    run = measured(command, loader.environment, durable=durable)
    shutil.rmtree(home)
    return run


def _writers(folder: Path) -> Server:
    """Compare how much four writers commit during backups with the quiet stretches right before and after each.

    A server warms up and a shared machine drifts by more than what is measured; neighbours in time share both.
    """
    home = folder / "writers"
    target = create_home(home, VERSION, {"server.memory.pagecache.size": "512m"}, _silent)
    api.restore(folder / "repository-0", home, "neo4j")
    target.start(timeout=600)
    try:
        load = Workload(target.bolt_uri)
        load.setup()
        load.start()
        time.sleep(_WARM_UP_SECONDS)
        quiet, busy = [_rate(load, partial(time.sleep, _QUIET_SECONDS))], []
        for number in range(WINDOWS):
            repository = folder / f"writers-{number}"
            api.init(repository)
            command = ("backup", "neo4j", "--type", "full", "--home", str(home), "--repo", str(repository))
            busy.append(_rate(load, partial(neokeep, *command)))
            shutil.rmtree(repository)
            quiet.append(_rate(load, partial(time.sleep, _QUIET_SECONDS)))
        load.stop()
    finally:
        target.stop()
    lost = [1 - during / ((before + after) / 2) for (before, after), during in zip(pairwise(quiet), busy, strict=True)]
    print("four writers, transactions per second")
    print(f"  without a backup     {statistics.median(quiet):8.0f}   {listed(quiet)}")
    print(f"  during a full backup {statistics.median(busy):8.0f}   {listed(busy)}")
    print(f"  lost, each to its neighbours {statistics.median(lost):.1%}   {listed(lost)}\n", flush=True)
    return target


def _rate(load: Workload, stretch: Callable[[], object]) -> float:
    # Before each command that is measured all is synced, which stops the writers: that is no part of what it costs.
    os.sync()
    before, began = load.throughput.transactions, time.monotonic()
    stretch()
    return (load.throughput.transactions - before) / (time.monotonic() - began)


def _say(text: str) -> None:
    print(text, flush=True)


def _silent(_: str) -> None:
    """Say nothing."""


if __name__ == "__main__":
    sys.exit(main())
