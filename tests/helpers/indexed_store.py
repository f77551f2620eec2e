"""Stores that real servers of three versions left after a clean stop: `tests/data/indexed_store-VERSION.zip`.

`python -m helpers.indexed_store` in `tests` makes them anew. Each has what small_store.py has, and indexes with every
type of value, over several pages, on two properties, of relationships, and with a key that has a page of its own.
"""

from __future__ import annotations

import tempfile
import zipfile
from pathlib import Path
from typing import Any

import pytest

from helpers.small_store import MANY_LABELS, PARAMETERS, STATEMENTS

VERSIONS = ("4.4.48", "5.26.30", "2026.08.1")
QUICK = [pytest.param(one, marks=[] if one == "5.26.30" else pytest.mark.slow) for one in VERSIONS]
"""The same as parameters of tests, of which the quick part takes one."""
FOLDER = Path(__file__).parent.parent / "data"
TYPES = 10
BULK = 1200
MORE: dict[str, Any] = PARAMETERS | {"huge": "much more than half a page " * 200}
VALUES = """[true, false, 1, -1, 0, 1.5, -0.0, 2147483648, -9223372036854775808, 9223372036854775807, 'a', '',
 'größer 😀', $long, $huge, 3.25, -2.75e300, date('2020-02-29'), localtime('12:00:01.5'), time('12:00:01.5+01:00'),
 localdatetime('2020-02-29T12:00:01'), datetime('2020-02-29T12:00:01+01:00'),
 datetime('2020-02-29T12:00:01[Europe/Berlin]'), duration('P1Y2M3DT4H5.6S'), point({x: 1.0, y: 2.0}), [1, 2, 3],
 ['a', 'bb'], [true], [1.5], [date('2020-02-29')], [], 16777217, 9007199254740993]"""
LOOPS = ", ".join(f"(m)-[:T{number}]->(m)" for number in range(TYPES))


def statements(version: str) -> tuple[str, ...]:
    """Give what makes the graph; 4.4 has its older kind of index."""
    index = f"CREATE {'' if version.startswith('4.') else 'RANGE '}INDEX"
    return (
        *STATEMENTS,
        f"{index} typed_value FOR (t:Typed) ON (t.value)",
        f"{index} typed_both FOR (t:Typed) ON (t.value, t.number)",
        f"{index} knows_since FOR ()-[r:KNOWS]-() ON (r.since)",
        f"{index} hub_i FOR (x:X) ON (x.i)",
        f"WITH {VALUES} AS held UNWIND range(0, size(held) - 1) AS i CREATE (:Typed {{value: held[i], number: i}})",
        f"MATCH (m:{MANY_LABELS[0]}) CREATE {LOOPS}",
        f"UNWIND range(1, {BULK}) AS i CREATE (:Bulk {{key: i * 7 % {BULK + 1}, text: 'text ' + (i % 50)}})",
        f"{index} bulk_key FOR (b:Bulk) ON (b.key)",
        f"{index} bulk_text FOR (b:Bulk) ON (b.text)",
        "MATCH (b:Bulk) WHERE b.key % 5 = 0 DELETE b",
        "MATCH (b:Bulk) WHERE b.key % 7 = 0 SET b.key = b.key + 10000",
        "CALL db.awaitIndexes()",
    )


def archive(version: str) -> Path:
    """Name the archive of a version."""
    return FOLDER / f"indexed_store-{version}.zip"


def unpack(version: str, directory: Path) -> Path:
    """Lay the store of a version out in a new directory, which is given back."""
    with zipfile.ZipFile(archive(version)) as packed:
        packed.extractall(directory)
    return directory


def make(version: str) -> None:
    """Make the archive of a version anew on a real server."""
    from neokeep.lab.bolt import connected
    from neokeep.lab.home import lab_server

    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        with lab_server(version, home) as server, connected(server.bolt_uri) as session:
            for statement in statements(version):
                session.run(statement, **MORE)
        store = home / "data" / "databases" / "neo4j"
        with zipfile.ZipFile(archive(version), "w", zipfile.ZIP_DEFLATED, compresslevel=9) as packed:
            for path in sorted(store.rglob("*")):
                if path.is_file() and path.name != "database_lock":
                    packed.write(path, path.relative_to(store))


if __name__ == "__main__":
    for one in VERSIONS:
        make(one)
