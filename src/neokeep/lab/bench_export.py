"""Measuring exports of one stopped store: relationships and nodes a second, memory, and a question in SQL."""

from __future__ import annotations

import shutil
import statistics
from typing import TYPE_CHECKING

from neokeep.lab.big_store import NODES, RELATIONSHIPS
from neokeep.lab.measure import Run, neokeep, print_table, size_of
from neokeep.units import format_size

if TYPE_CHECKING:
    from pathlib import Path

    from neokeep.neo4j.server import Server

RUNS = 3
QUESTION = 'SELECT avg(weight), count(*) FROM "KNOWS" WHERE since > 2000'


def export(server: Server, folder: Path) -> None:
    """Export a stopped store to Parquet, and ask it; the folder is new and removed again."""
    exports, answers = [], []
    out = folder / "graph"
    for _ in range(RUNS):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        exports.append(neokeep("export", "neo4j", "--home", str(server.home), "--to-path", str(out)))
        answers.append(neokeep("sql", "neo4j", "--home", str(server.home), "--query", QUESTION))
    print_table(
        "export",
        {
            "neokeep export to Parquet": (exports, f"{format_size(size_of(out))} on disk, synced"),
            "neokeep sql, one question": (answers, QUESTION),
        },
    )
    print(
        f"  {_per_second(exports, RELATIONSHIPS):,.0f} relationships a second, with {NODES:,} nodes beside them\n",
        flush=True,
    )
    shutil.rmtree(folder)


def _per_second(runs: list[Run], number: int) -> float:
    return number / statistics.median(run.seconds for run in runs)
