"""Logs of real servers: each transaction says what the driver says it did, and every command is understood."""

from __future__ import annotations

import importlib.util
import os
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from conftest import VERSIONS
from helpers.txlog import reader
from neo4j import GraphDatabase
from neokeep.lab.disturbances import bulk_load, schema_churn
from neokeep.lab.home import create_home
from neokeep.lab.workload import Workload
from neokeep.neo4j.log.checkpoint import LogPosition
from neokeep.neo4j.log.commands import Kind, commands
from neokeep.neo4j.log.header import LogHeader, parse_header
from neokeep.neo4j.log.names import log_name, log_versions
from neokeep.neo4j.log.scan import Scan, Tail, scan_log
from neokeep.neo4j.log.summary import Changes, TransactionSummary, summaries, summarize

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

    import neo4j
    from neokeep.neo4j.server import Server

pytestmark = [pytest.mark.real, pytest.mark.parametrize("version", VERSIONS, scope="module")]

ORACLE = Path(os.environ.get("NEOKEEP_LOG_ORACLE", "no-oracle"))
"""Another reader of logs, written apart from this one; without it only this one is asked."""

PARAMETERS = {"long": "long text " * 60, "longer": "longer text " * 90, "big": 1 << 60, "bytes": bytes(range(200))}
EVERY_TYPE = """CREATE (:Every {
    yes: true, small: 1, big: $big, negative: -5, float: 1.5, short: 'short', long: $long, empty: '', none: [],
    european: 'größer', booleans: [true, false], ints: [1, 2, 3], many: range(1, 500), floats: [1.5, -2.5],
    texts: ['a', $long], bytes: $bytes, flat: point({x: 1.0, y: 2.0}), high: point({x: 1.0, y: 2.0, z: 3.0}),
    globe: point({latitude: 1.0, longitude: 2.0}), points: [point({x: 1.0, y: 2.0})], date: date('2020-02-29'),
    dates: [date('2020-02-29')], clock: localtime('12:00:01.5'), time: time('12:00:01.5+01:00'),
    local: localdatetime('2020-02-29T12:00:01'), offset: datetime('2020-02-29T12:00:01+01:00'),
    zone: datetime('2020-02-29T12:00:01[Europe/Berlin]'), duration: duration('P1Y2M3DT4H5.6S')
})"""
MANY_LABELS = ":".join(f"Many{number}" for number in range(20))


@dataclass(frozen=True)
class Step:
    """A statement and what the driver cannot tell of it; where properties are None they are all created."""

    statement: str
    nodes_changed: int = 0
    properties: Changes | None = None
    tokens: int = 0
    schema: Changes = field(default_factory=Changes)


STEPS = (
    Step(EVERY_TYPE, tokens=29),
    Step("CREATE (:A:B:C {id: 1}), (), (:A)", tokens=4),
    Step(f"CREATE (:{MANY_LABELS} {{id: 2}})", tokens=20),
    Step("MATCH (n:Many0) SET n:Every", nodes_changed=1),
    Step("MATCH (n:Many0) CREATE (n)-[:R {weight: 1}]->(:A {id: 3})", tokens=2),
    Step("MATCH (n:Many0), (a:A {id: 3}) CREATE (n)<-[:S]-(a), (n)-[:S]->(n)", tokens=1),
    Step("MATCH (n:Many0) REMOVE n:Many3", nodes_changed=1),
    Step("MATCH (n:Many0) REMOVE n:" + ":".join(f"Many{number}" for number in range(4, 20)), nodes_changed=1),
    Step("MATCH (n:A) SET n:B", nodes_changed=2),
    Step("MATCH (n:Every {yes: true}) SET n.small = 2", properties=Changes(changed=1)),
    Step("MATCH (n:Every {yes: true}) SET n.small = 2, n.long = $long", properties=Changes()),
    Step("MATCH (n:Every {yes: true}) SET n.short = $long", properties=Changes(changed=1)),
    Step("MATCH (n:Every {yes: true}) SET n.long = $longer", properties=Changes(changed=1)),
    Step("MATCH (n:Every {yes: true}) SET n.short = 'x', n.long = 7", properties=Changes(changed=2)),
    Step("MATCH (n:Every {yes: true}) SET n.fresh = [1.5, 2.5, 3.5]", tokens=1),
    Step("MATCH (n:Every {yes: true}) REMOVE n.float, n.fresh, n.many", properties=Changes(deleted=3)),
    Step("MATCH (n:Every {yes: true}) REMOVE n.ints SET n.id = 9", properties=Changes(created=1, deleted=1)),
    Step(
        "MATCH (n:Every {yes: true}) SET n = {yes: true, id: 10, small: $long, weight: 1, date: date('2020-02-29')}",
        properties=Changes(created=1, changed=2, deleted=22),
    ),
    Step("MATCH (:A {id: 3})<-[r:R]-() SET r.weight = 2, r.id = 3", properties=Changes(created=1, changed=1)),
    Step("MATCH (:A {id: 3})<-[r:R]-() REMOVE r.weight SET r.id = $long", properties=Changes(changed=1, deleted=1)),
    Step("MATCH (n:Many0) DETACH DELETE n", properties=Changes(deleted=2)),
    Step(
        "CREATE (h:Hub {id: 1}) WITH h UNWIND range(1, 100) AS i CREATE (h)-[:SPOKE {id: i}]->(:Rim {id: i})", tokens=3
    ),
    Step("MATCH (h:Hub) CREATE (h)-[:SPOKE]->(:Rim), (h)<-[:R]-(:Rim), (h)-[:S]->(h)"),
    Step("MATCH (:Hub)-[r:SPOKE]->(n {id: 5}) DELETE r, n", properties=Changes(deleted=2)),
    Step("MATCH (n:Rim) WITH n LIMIT 10 SET n:B, n.weight = 1 CREATE (n)-[:R]->(:C {id: 1})", nodes_changed=10),
    Step("CREATE INDEX by_id FOR (n:A) ON (n.id)", schema=Changes(created=1)),
    Step("CREATE CONSTRAINT one_hub FOR (n:Hub) REQUIRE n.id IS UNIQUE", schema=Changes(created=2, changed=1)),
    Step("CREATE FULLTEXT INDEX words FOR (n:Rim) ON EACH [n.id]", schema=Changes(created=1)),
    Step("CREATE (:Hub {id: 2})-[:SPOKE]->(:Rim {id: 1000})"),
    Step("DROP INDEX by_id", schema=Changes(deleted=1)),
    Step("DROP CONSTRAINT one_hub", schema=Changes(deleted=2)),
    Step("MATCH (n:Hub) DETACH DELETE n", properties=Changes(deleted=101)),
)


class Log:
    """The log directory of a running server."""

    def __init__(self, home: Path) -> None:
        self.directory = home / "data" / "transactions" / "neo4j"

    def read(self, version: int) -> bytes:
        return (self.directory / log_name(version)).read_bytes()

    def files(self) -> Iterator[tuple[LogHeader, bytes, Scan]]:
        for version in log_versions(self.directory):
            data = self.read(version)
            header = parse_header(data[:128], log_name(version))
            assert header is not None
            yield header, data, scan_log(reader(data), header)

    def summaries(self, after: int) -> list[TransactionSummary]:
        found: list[TransactionSummary] = []
        for header, data, scan in self.files():
            found += summaries(reader(data), header, scan, after + 1)
        return found

    def last(self) -> int:
        return max(scan.last_transaction for _, _, scan in self.files())


@pytest.fixture(scope="module")
def server(version: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = create_home(tmp_path_factory.mktemp("commands") / "home", version)
    server.start()
    yield server
    server.kill()


@pytest.fixture(scope="module")
def log(server: Server) -> Log:
    return Log(server.home)


@pytest.fixture(scope="module")
def session(server: Server) -> Iterator[neo4j.Session]:
    with GraphDatabase.driver(server.bolt_uri) as driver, driver.session(database="neo4j") as session:
        session.run("CALL db.awaitIndexes(60)").consume()
        yield session


def run(session: neo4j.Session, statement: str) -> Any:
    with session.begin_transaction() as transaction:
        counters = transaction.run(statement, PARAMETERS).consume().counters
        transaction.commit()
    return counters


def total(found: list[TransactionSummary], what: str) -> Changes:
    each: list[Changes] = [getattr(one, what) for one in found]
    return Changes(*(sum(getattr(one, field) for one in each) for field in ("created", "changed", "deleted")))


def test_each_transaction_says_what_the_driver_says(session: neo4j.Session, log: Log) -> None:
    for step in STEPS:
        before = log.last()
        started = time.time()
        counters = run(session, step.statement)
        found = log.summaries(before)
        assert [one.id for one in found] == list(range(before + 1, log.last() + 1))
        assert all(started - 5 <= one.committed.timestamp() <= time.time() + 5 for one in found)
        assert all(one.started <= one.committed for one in found)
        data = [one for one in found if any(map(_total, (one.nodes, one.relationships, one.properties)))]
        assert len(data) <= 1, step
        assert total(data, "nodes") == Changes(counters.nodes_created, step.nodes_changed, counters.nodes_deleted), step
        made = Changes(counters.relationships_created, 0, counters.relationships_deleted)
        assert total(data, "relationships") == made, step
        properties = Changes(counters.properties_set) if step.properties is None else step.properties
        assert total(data, "properties") == properties, step
        assert total(found, "tokens") == Changes(step.tokens), step
        assert total(found, "schema") == step.schema, step
        assert not any(one.additional_header for one in found)


def _total(changes: Changes) -> int:
    return changes.total


def oracle() -> ModuleType | None:
    if not ORACLE.exists():
        return None
    spec = importlib.util.spec_from_file_location("log_oracle", ORACLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


ORACLE_NAMES = {
    Kind.NODE: ("node", "+node", "-node"),
    Kind.RELATIONSHIP: ("rel", "+rel", "-rel"),
    Kind.PROPERTY: ("prop", "+prop", "-prop"),
    Kind.GROUP: ("group", "groupext"),
    Kind.LABEL: ("label",),
    Kind.TYPE: ("reltype",),
    Kind.PROPERTY_KEY: ("propkey",),
    Kind.SCHEMA: ("schema",),
    Kind.NODE_COUNTS: ("nodecounts",),
    Kind.RELATIONSHIP_COUNTS: ("relcounts",),
    Kind.DEGREES: ("degree",),
    Kind.METADATA: ("meta",),
}


def test_every_command_of_a_busy_server_is_understood(server: Server, session: neo4j.Session, log: Log) -> None:
    run(session, "CREATE (:Centre)")
    for _ in range(5):
        run(session, "MATCH (c:Centre) UNWIND range(1, 60) AS number CREATE (c)-[:ROUND {number: number}]->()")
    load = Workload(server.bolt_uri, accounts=200)
    load.setup()
    load.start()
    with schema_churn(server.bolt_uri), bulk_load(server.bolt_uri, nodes=2_000):
        time.sleep(10)
    load.stop()
    assert load.throughput.transactions > 100
    other = oracle()
    kinds: Counter[Kind] = Counter()
    seen = 0
    for header, data, scan in log.files():
        assert scan.tail in {Tail.END_OF_FILE, Tail.ZEROS}, scan.reason
        of_file: Counter[Kind] = Counter()
        start = scan.start
        for number, end in enumerate(scan.ends):
            position = LogPosition(header.version, start)
            whole = data[start:end]
            found = list(commands(whole, position))
            assert found[-1].end == len(whole) - 22
            of_file.update(command.kind for command in found)
            assert summarize(whole, position).id == scan.first_transaction + number
            start = end
        seen += len(scan.ends)
        kinds += of_file
        if other is not None:
            other.CNT.clear()
            _, walked, at = other.walk(data[: scan.end], check=False)
            assert (len(walked), at) == (len(scan.ends), scan.end)
            assert {
                kind: sum(other.CNT[name] for name in ORACLE_NAMES[kind]) for kind in Kind if of_file[kind]
            } == of_file
            assert sum(other.CNT.values()) == of_file.total()
    assert seen > load.throughput.transactions
    assert set(kinds) == set(Kind) - {Kind.METADATA}, "metadata is written when a newer server takes a store over"
