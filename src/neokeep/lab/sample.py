"""Load a small graph that has one of everything: every property type, every kind of schema, dense nodes, long values.

People work for companies and own deposits; one company employs a third of all, which makes its node dense. Texts and
arrays are long enough to need dynamic records. The content depends on the numbers alone, not on chance.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from neokeep.lab.bolt import connected

if TYPE_CHECKING:
    from neokeep.lab.bolt import Session

SCHEMA = (
    "CREATE CONSTRAINT person_id IF NOT EXISTS FOR (p:Person) REQUIRE p.id IS UNIQUE",
    "CREATE CONSTRAINT company_name IF NOT EXISTS FOR (c:Company) REQUIRE c.name IS UNIQUE",
    "CREATE INDEX person_name IF NOT EXISTS FOR (p:Person) ON (p.name)",
    "CREATE INDEX person_born_city IF NOT EXISTS FOR (p:Person) ON (p.born, p.city)",
    "CREATE INDEX works_since IF NOT EXISTS FOR ()-[w:WORKS_FOR]-() ON (w.since)",
    "CREATE TEXT INDEX person_motto IF NOT EXISTS FOR (p:Person) ON (p.motto)",
    "CREATE FULLTEXT INDEX person_words IF NOT EXISTS FOR (p:Person) ON EACH [p.bio, p.motto]",
    "CREATE FULLTEXT INDEX works_words IF NOT EXISTS FOR ()-[w:WORKS_FOR]-() ON EACH [w.role]",
)
SCHEMA_SINCE_5 = ("CREATE POINT INDEX person_place IF NOT EXISTS FOR (p:Person) ON (p.place)",)

PEOPLE = """
UNWIND range($first, $last) AS n
CREATE (p:Person {
  id: n, name: 'Person ' + n, city: 'City ' + n % 50, active: n % 2 = 0,
  weight: 50.5 + n % 40, big: 9007199254740993 + n,
  born: date('1950-01-01') + duration({days: n % 20000}),
  seen: datetime({epochSeconds: 1600000000 + n, timezone: 'Europe/Berlin'}),
  offset: datetime({epochSeconds: 1600000000 + n, timezone: '+05:30'}),
  wakes: localtime({hour: n % 24, minute: n % 60}), naps: time({hour: n % 24, timezone: '+01:00'}),
  noted: localdatetime({year: 2020, month: 1 + n % 12, day: 1 + n % 28, hour: n % 24}),
  rests: duration({months: n % 12, days: n % 31, seconds: n, nanoseconds: n % 1000}),
  place: point({longitude: n % 180, latitude: n % 90}), solid: point({longitude: 1.5, latitude: n % 90, height: n}),
  flat: point({x: n, y: -n}), space: point({x: n, y: 0.5, z: -n}),
  motto: 'Motto ' + n + ' \u00e4\u00f6\u00fc \u4e2d\u6587 \U0001f30d',
  initial: substring('ABCDEFGHIJKLMNOPQRSTUVWXYZ', n % 26, 1),
  bio: reduce(text = 'Biography of ' + n, i IN range(1, n % 40) | text + ' chapter ' + i * n + ' of a long life'),
  numbers: [i IN range(0, n % 60) | i * n], ratios: [i IN range(0, n % 20) | i / 7.0], flags: [n % 2 = 0, n % 3 = 0],
  names: [i IN range(0, n % 15) | 'alias ' + i + ' of ' + n], days: [date('2020-01-01'), date('2020-02-29')],
  places: [point({x: n, y: 1}), point({x: 2, y: n})], none: []
})
FOREACH (_ IN CASE WHEN n % 3 = 0 THEN [1] ELSE [] END | SET p:Customer)
FOREACH (_ IN CASE WHEN n % 7 = 0 THEN [1] ELSE [] END | SET p:Vip:Customer)
"""
COMPANIES = "UNWIND range(1, $companies) AS n CREATE (:Company {name: 'Company ' + n, founded: 1900 + n % 120})"
# A third of the people work for company 1: more than the fifty relationships from which a node is dense.
WORK = """
MATCH (p:Person) WHERE p.id >= $first AND p.id <= $last
MATCH (c:Company {name: 'Company ' + CASE WHEN p.id % 3 = 0 THEN 1 ELSE 1 + p.id % $companies END})
CREATE (p)-[:WORKS_FOR {since: 1990 + p.id % 30, role: 'role ' + p.id % 17, shares: [p.id, p.id + 1]}]->(c)
CREATE (p)-[:OWNS]->(:Deposit {iban: 'XX' + (1000000 + p.id), amount: p.id * 1.25})
WITH p WHERE p.id > 1 MATCH (other:Person {id: p.id / 2})
CREATE (p)-[:KNOWS {since: date('2000-01-01') + duration({days: p.id % 3000})}]->(other)
"""
LOOPS = "MATCH (c:Company) WHERE c.founded % 10 = 0 CREATE (c)-[:OWNS {share: 0.5}]->(c)"
FREED = "MATCH (p:Person) WHERE p.id % 97 = 0 DETACH DELETE p"
BATCH = 2_000


@dataclass(frozen=True, slots=True)
class Sample:
    """How much a loaded sample holds."""

    nodes: int
    relationships: int


def load_sample(uri: str, people: int = 5_000, companies: int = 40, database: str = "neo4j") -> Sample:
    """Create the sample graph; once per database."""
    with connected(uri, database) as session:
        _create_schema(session)
        session.run(COMPANIES, companies=companies)
        for first in range(1, people + 1, BATCH):
            batch = {"first": first, "last": min(first + BATCH - 1, people)}
            session.run(PEOPLE, **batch)
            session.run(WORK, **batch, companies=companies)
        session.run(LOOPS)
        session.run(FREED)
        nodes = session.run("MATCH (n) RETURN count(n) AS number")[0]["number"]
        relationships = session.run("MATCH ()-[r]->() RETURN count(r) AS number")[0]["number"]
    return Sample(nodes, relationships)


def _create_schema(session: Session) -> None:
    component = session.run("CALL dbms.components() YIELD versions RETURN versions[0] AS version")[0]
    since_5 = int(component["version"].split(".")[0]) >= 5
    for statement in SCHEMA + (SCHEMA_SINCE_5 if since_5 else ()):
        session.run(statement)
    session.run("CALL db.awaitIndexes(300)")
