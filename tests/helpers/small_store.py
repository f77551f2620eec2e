"""A small store that a real server of 5.26.30 left behind, for tests that have none: `tests/data/small_store.zip`.

`python -m helpers.small_store` in `tests` makes it anew. It has a node with every type of value, a dense node, loops,
many labels, texts and arrays in dynamic records, an index, a constraint, and places that deleted records left.
"""

from __future__ import annotations

import tempfile
import zipfile
from pathlib import Path
from typing import Any

VERSION = "5.26.30"
ARCHIVE = Path(__file__).parent.parent / "data" / "small_store.zip"
MANY_LABELS = tuple(f"Many{number}" for number in range(20))
PEOPLE, SPOKES = 40, 60

PARAMETERS: dict[str, Any] = {"long": "long text " * 60, "big": 1 << 60, "bytes": bytes(range(200))}
EVERY_TYPE = """CREATE (:Every {
  yes: true, small: 1, big: $big, negative: -5, float: 1.5, short: 'short', long: $long, empty: '', none: [],
  european: 'größer', booleans: [true, false], ints: [1, 2, 3], many: range(1, 500), floats: [1.5, -2.5],
  texts: ['a', $long], bytes: $bytes, flat: point({x: 1.0, y: 2.0}), high: point({x: 1.0, y: 2.0, z: 3.0}),
  globe: point({latitude: 1.0, longitude: 2.0}), points: [point({x: 1.0, y: 2.0})], date: date('2020-02-29'),
  dates: [date('2020-02-29')], clock: localtime('12:00:01.5'), time: time('12:00:01.5+01:00'),
  local: localdatetime('2020-02-29T12:00:01'), offset: datetime('2020-02-29T12:00:01+01:00'),
  zone: datetime('2020-02-29T12:00:01[Europe/Berlin]'), duration: duration('P1Y2M3DT4H5.6S')
})"""
KNOWS = """
MATCH (a:Person), (b:Person) WHERE b.number IN [a.number + 1, a.number + 3] CREATE (a)-[:KNOWS {since: a.number}]->(b)
"""
SPOKE = "CREATE (h)-[:A]->(:X {i: i}), (h)<-[:B]-(:X), (h)-[:C]->(h)"
STATEMENTS = (
    "CREATE CONSTRAINT person_number FOR (p:Person) REQUIRE p.number IS UNIQUE",
    "CREATE INDEX person_name FOR (p:Person) ON (p.name)",
    EVERY_TYPE,
    f"UNWIND range(1, {PEOPLE}) AS i CREATE (:Person {{number: i, name: 'person ' + i, about: $long + i}})",
    KNOWS,
    "CREATE (h:Hub)-[:D]->(:X), (h)-[:D]->(:X), (h)-[:D]->(:X)",
    f"MATCH (h:Hub) WITH h UNWIND range(1, {SPOKES}) AS i {SPOKE}",
    f"CREATE (n:{':'.join(MANY_LABELS)} {{short: 'labels'}})",
    "MATCH (p:Person {number: 7}) CREATE (p)-[:LIKES]->(p)",
    "CREATE (:Gone {about: $long})-[:KNOWS]->(:Gone {many: range(1, 500)})",
    "MATCH (n:Gone) DETACH DELETE n",
)


def unpack(directory: Path) -> Path:
    """Lay the store out in a new directory, which is given back."""
    with zipfile.ZipFile(ARCHIVE) as archive:
        archive.extractall(directory)
    return directory


def make() -> None:
    """Make the archive anew on a real server."""
    from neokeep.lab.bolt import connected
    from neokeep.lab.home import lab_server

    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        with lab_server(VERSION, home) as server, connected(server.bolt_uri) as session:
            for statement in STATEMENTS:
                session.run(statement, **PARAMETERS)
        store = home / "data" / "databases" / "neo4j"
        ARCHIVE.parent.mkdir(exist_ok=True)
        with zipfile.ZipFile(ARCHIVE, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
            for path in sorted(store.rglob("*")):
                if path.is_file() and path.name != "database_lock":
                    archive.write(path, path.relative_to(store))


if __name__ == "__main__":
    make()
