"""What `neokeep stats` takes for a stopped store: whole processes, with one thread and with as many as it chooses."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from neokeep.lab.measure import neokeep, print_ratio, print_table

if TYPE_CHECKING:
    from neokeep.lab.measure import Run
    from neokeep.neo4j.server import Server

RUNS = 3


def graph_statistics(server: Server) -> None:
    """Read the statistics of the database of a stopped server; a page is made each time too."""
    alone: list[Run] = []
    together: list[Run] = []
    with tempfile.TemporaryDirectory(prefix="neokeep-bench-") as folder:
        page = str(Path(folder) / "stats.html")
        for _ in range(RUNS):
            command = ("stats", "neo4j", "--home", str(server.home), "--html", page)
            alone.append(neokeep(*command, "--jobs", "1"))
            together.append(neokeep(*command))
    print_table("statistics", {"neokeep stats, one thread": (alone, ""), "neokeep stats": (together, "")})
    print_ratio("one thread / more", alone, together)
