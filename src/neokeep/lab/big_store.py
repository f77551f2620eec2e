"""A store of some gigabytes for measurements, made once by Neo4j's own import and kept in the cache.

The graph is skewed as real ones are: names and texts repeat, numbers do not, a few nodes have many relationships.
"""

from __future__ import annotations

import random
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from neokeep.lab.home import configure, create_home, open_home
from neokeep.neo4j.admin import Admin
from neokeep.neo4j.cache import cache_directory, entry_locked

if TYPE_CHECKING:
    from collections.abc import Callable

    from neokeep.neo4j.server import Server

NODES = 3_000_000
RELATIONSHIPS = 12_000_000
_WORDS = 4_000
_READY = "ready"


def big_store(
    version: str, say: Callable[[str], None], nodes: int = NODES, relationships: int = RELATIONSHIPS
) -> Server:
    """Return a stopped server whose `neo4j` database holds the graph; made when it is not there yet."""
    entry = cache_directory() / "bench" / f"{version}-{nodes}-{relationships}"
    with entry_locked(entry):
        if not (entry / _READY).exists():
            shutil.rmtree(entry, ignore_errors=True)
            say(f"making a store of {nodes:,} nodes and {relationships:,} relationships; once, some minutes")
            _make(entry, version, nodes, relationships, say)
            (entry / _READY).touch()
    server = open_home(entry, say)
    if not server.is_running:
        configure(entry, version, {"server.memory.pagecache.size": "512m"})
    return server


def _make(entry: Path, version: str, nodes: int, relationships: int, say: Callable[[str], None]) -> None:
    server = create_home(entry, version, {}, say)
    with tempfile.TemporaryDirectory(prefix="neokeep-bench-") as folder:
        people, knows = Path(folder) / "people.csv", Path(folder) / "knows.csv"
        _write_people(people, nodes)
        _write_knows(knows, nodes, relationships)
        Admin(server.distribution, entry, heap="2g").import_full(
            "neo4j", [f"Person={people}"], [f"KNOWS={knows}"], "--id-type=integer"
        )
    # The first start makes the system database and the token indexes: what a user's server has too.
    server.start(timeout=1800)
    server.stop()


def _write_people(path: Path, nodes: int) -> None:
    chance = random.Random(1)  # noqa: S311 -- repeatable, not secret
    words = [f"{chance.choice('bdfgklmnprst')}{chance.choice('aeiou')}{number:x}" for number in range(_WORDS)]
    with path.open("w", encoding="ascii") as file:
        file.write("number:ID,name,mail,born:int,score:double,active:boolean,text\n")
        for number in range(nodes):
            first, second = words[int(chance.random() ** 2 * _WORDS)], words[chance.randrange(_WORDS)]
            text = (
                f"{first} {second} wrote {number * 7919 % 1_000_003} lines about {words[number % _WORDS]} in {second}"
            )
            born, score = 1930 + number % 90, chance.random()
            active = "true" if number % 3 else "false"
            file.write(f"{number},{first} {second},{first}.{number}@example.org,{born},{score},{active},{text}\n")


def _write_knows(path: Path, nodes: int, relationships: int) -> None:
    chance = random.Random(2)  # noqa: S311 -- repeatable, not secret
    with path.open("w", encoding="ascii") as file:
        file.write(":START_ID,:END_ID,since:int,weight:double\n")
        for number in range(relationships):
            start, end = int(chance.random() ** 3 * nodes), chance.randrange(nodes)
            file.write(f"{start},{end},{1990 + number % 35},{number * 31 % 1000 / 1000}\n")
