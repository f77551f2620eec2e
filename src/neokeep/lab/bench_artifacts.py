"""Measuring archives: neokeep's dump and load against those of Neo4j, of one stopped store, in turn."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from neokeep.lab.home import create_home
from neokeep.lab.measure import Run, measured, neokeep, print_ratio, print_table, size_of
from neokeep.neo4j.admin import Admin
from neokeep.units import format_size

if TYPE_CHECKING:
    from pathlib import Path

    from neokeep.neo4j.server import Server

RUNS = 3


def dump_and_load(server: Server, folder: Path) -> None:
    """Dump a stopped store with both, then load the dump of Neo4j with both; the folder is new and removed again."""
    theirs, ours, their_loads, our_loads = [], [], [], []
    admin = Admin(server.distribution, server.home)
    their_folder, our_folder = folder / "theirs", folder / "ours"
    for _ in range(RUNS):
        shutil.rmtree(folder, ignore_errors=True)
        for place in (their_folder, our_folder):
            place.mkdir(parents=True)
        command = admin.command("database", "dump", "neo4j", f"--to-path={their_folder}")
        theirs.append(measured(command, admin.environment))
        ours.append(neokeep("dump", "neo4j", "--home", str(server.home), "--to-path", str(our_folder)))
        their_loads.append(_their_load(server.distribution.version, their_folder, folder / "their-home"))
        our_home = create_home(folder / "our-home", server.distribution.version, {}, _silent).home
        our_loads.append(neokeep("load", str(their_folder / "neo4j.dump"), "--home", str(our_home)))
    print_table(
        "archives of Neo4j",
        {
            "database dump": (theirs, f"{format_size(size_of(their_folder))} on disk"),
            "neokeep dump": (ours, f"{format_size(size_of(our_folder))} on disk, synced"),
            "database load": (their_loads, "not synced to disk"),
            "neokeep load": (our_loads, "log verified, every file synced"),
        },
    )
    print_ratio("database dump / dump", theirs, ours)
    print_ratio("database load / load", their_loads, our_loads)
    shutil.rmtree(folder)


def _their_load(version: str, dump: Path, home: Path) -> Run:
    target = create_home(home, version, {}, _silent)
    loader = Admin(target.distribution, home)
    return measured(loader.command("database", "load", "neo4j", f"--from-path={dump}"), loader.environment)


def _silent(_: str) -> None:
    """Say nothing."""
