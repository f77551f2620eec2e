"""`make bench`: neokeep and Neo4j's own tools side by side, on one store, in one run.

Commands run as whole processes, in turn, so that a machine that slows down slows both. Wall time and peak memory are
those of the operating system; medians are printed with all values behind them.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from neokeep import api
from neokeep.lab.big_store import big_store
from neokeep.lab.home import create_home
from neokeep.lab.workload import Workload
from neokeep.neo4j.admin import Admin
from neokeep.units import format_size

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from neokeep.neo4j.server import Server

VERSION = "5.26.30"
RUNS = 3
WINDOWS = 5
_WARM_UP_SECONDS = 20
_QUIET_SECONDS = 6


@dataclass(frozen=True, slots=True)
class Run:
    """One measured process: wall seconds, peak resident bytes."""

    seconds: float
    peak: int


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
        _writers(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


def measured(command: list[str], environment: Mapping[str, str] | None = None) -> Run:
    """Run a command to its end; its output is shown only when it fails."""
    with tempfile.TemporaryFile() as output:
        began = time.monotonic()
        process = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            output.seek(0)
            sys.exit(f"{command} failed:\n{output.read().decode(errors='replace')[-3000:]}")
    return Run(seconds, usage.ru_maxrss * 1024)


def neokeep(*arguments: str) -> Run:
    """Run a neokeep command."""
    return measured([sys.executable, "-m", "neokeep", *arguments, "--quiet"])


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
            full_size = _size(repository)
            agains.append(neokeep(*backup))
            again_size = _size(repository) - full_size
        finally:
            server.stop()
    dump_size = _size(folder / "dump-0")
    _table(
        "full backup",
        {
            "database dump (stopped)": (dumps, f"{format_size(dump_size)} on disk"),
            "neokeep backup (running)": (fulls, f"{format_size(full_size)} on disk"),
            "neokeep backup again": (agains, f"{format_size(again_size)} more, {again_size / full_size:.2%}"),
        },
    )
    _ratio("dump / backup", dumps, fulls)
    _ratio("backup / backup again", fulls, agains)


def _restore_against_load(folder: Path) -> None:
    loads, restores = [], []
    for number in range(RUNS):
        home = folder / f"load-{number}"
        target = create_home(home, VERSION, {}, _silent)
        loader = Admin(target.distribution, home)
        command = loader.command("database", "load", "neo4j", f"--from-path={folder / 'dump-0'}")
        loads.append(measured(command, loader.environment))
        shutil.rmtree(home)
        home = folder / f"restore-{number}"
        restores.append(neokeep("restore", "neo4j", "--home", str(home), "--repo", str(folder / "repository-0")))
        if number < RUNS - 1:
            shutil.rmtree(home)
    _table(
        "restore",
        {
            "database load": (loads, "not synced to disk"),
            "neokeep restore": (restores, "every block hashed, every file synced"),
        },
    )
    _ratio("load / restore", loads, restores)


def _writers(folder: Path) -> None:
    """Compare how much four writers commit with and without a backup, in alternate stretches of time."""
    home = folder / "writers"
    target = create_home(home, VERSION, {"server.memory.pagecache.size": "512m"}, _silent)
    api.restore(folder / "repository-0", home, "neo4j")
    target.start(timeout=600)
    try:
        load = Workload(target.bolt_uri)
        load.setup()
        load.start()
        time.sleep(_WARM_UP_SECONDS)
        quiet, busy = [], []
        for number in range(WINDOWS):
            quiet.append(_rate(load, partial(time.sleep, _QUIET_SECONDS)))
            repository = folder / f"writers-{number}"
            api.init(repository)
            command = ("backup", "neo4j", "--type", "full", "--home", str(home), "--repo", str(repository))
            busy.append(_rate(load, partial(neokeep, *command)))
            shutil.rmtree(repository)
        load.stop()
    finally:
        target.stop()
    print("four writers, transactions per second")
    print(f"  without a backup     {statistics.median(quiet):8.0f}   {_values(quiet)}")
    print(f"  during a full backup {statistics.median(busy):8.0f}   {_values(busy)}")
    print(f"  lost                 {1 - statistics.median(busy) / statistics.median(quiet):8.1%}\n")


def _rate(load: Workload, stretch: Callable[[], object]) -> float:
    before, began = load.throughput.transactions, time.monotonic()
    stretch()
    return (load.throughput.transactions - before) / (time.monotonic() - began)


def _size(directory: Path) -> int:
    return sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())


def _table(title: str, rows: Mapping[str, tuple[list[Run], str]]) -> None:
    print(f"{title:<28} {'seconds':>8} {'peak memory':>12}")
    for name, (runs, note) in rows.items():
        seconds = statistics.median(run.seconds for run in runs)
        peak = format_size(max(run.peak for run in runs))
        print(f"  {name:<26} {seconds:8.2f} {peak:>12}   {_values([run.seconds for run in runs])}  {note}")


def _ratio(name: str, first: list[Run], second: list[Run]) -> None:
    ratio = statistics.median(run.seconds for run in first) / statistics.median(run.seconds for run in second)
    print(f"  {name:<26} {ratio:7.1f}x\n", flush=True)


def _values(values: list[float]) -> str:
    return "[" + " ".join(f"{value:.2f}" if value < 100 else f"{value:.0f}" for value in values) + "]"


def _say(text: str) -> None:
    print(text, flush=True)


def _silent(_: str) -> None:
    """Say nothing."""


if __name__ == "__main__":
    sys.exit(main())
