"""Measuring the check of a store: Neo4j's `database check` and neokeep's, of one stopped store, in turn.

Neo4j's takes its memory as it is given: a heap of a gigabyte, as the lab has it.
Then neokeep's alone of the same graph many times over, which shows whether its memory stays bounded.
"""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

from neokeep.lab.copied_store import copy_home
from neokeep.lab.measure import measured, neokeep, print_ratio, print_table, size_of
from neokeep.neo4j.admin import Admin
from neokeep.units import format_size

if TYPE_CHECKING:
    from pathlib import Path

    from neokeep.lab.measure import Run
    from neokeep.neo4j.server import Server

RUNS = 3
COPIES = int(os.environ.get("NEOKEEP_BENCH_COPIES", "10"))
"""How many times the graph is in the large store; below two there is none."""


def consistency(server: Server, folder: Path) -> None:
    """Check a stopped store with both; the folder is new and removed again."""
    admin = Admin(server.distribution, server.home)
    theirs, ours = [], []
    for number in range(RUNS):
        reports = folder / f"reports-{number}"
        reports.mkdir(parents=True)
        command = admin.command("database", "check", "neo4j", f"--report-path={reports}")
        theirs.append(measured(command, admin.environment))
        ours.append(_check(server.home))
    print_table(
        "consistency check",
        {
            "database check": (theirs, "heap of 1 GiB"),
            "neokeep check-consistency": (ours, f"default threads on {os.cpu_count()} cores"),
        },
    )
    print_ratio("database check / neokeep", theirs, ours)
    _many_times_over(server.home, folder / "copies")
    shutil.rmtree(folder)


def _many_times_over(home: Path, target: Path) -> None:
    store = home / "data" / "databases" / "neo4j"
    needed, free = COPIES * size_of(store), shutil.disk_usage(target.parent).free
    if COPIES < 2:
        return
    if free < 1.25 * needed:
        print(f"  {COPIES} times the graph: left out, {format_size(needed)} are needed and {format_size(free)} free\n")
        return
    copy_home(home, target, COPIES)
    size = size_of(target / "data" / "databases")
    note = f"{format_size(size)}: pages copied by neokeep, no indexes, so not given to Neo4j"
    print_table(f"{COPIES} times the graph", {"neokeep check-consistency": ([_check(target)], note)})
    print(flush=True)


def _check(home: Path) -> Run:
    return neokeep("check-consistency", "neo4j", "--home", str(home))
