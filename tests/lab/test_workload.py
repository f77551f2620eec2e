from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from neokeep import api
from neokeep.errors import UsageError
from neokeep.lab.bolt import connected
from neokeep.lab.disturbances import bulk_load, schema_churn
from neokeep.lab.sample import load_sample
from neokeep.lab.workload import Throughput, Workload, verify_invariants
from neokeep.neo4j.admin import Admin

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import StartServer

SECONDS = 5


def test_a_workload_needs_accounts_to_move_money_between() -> None:
    with pytest.raises(UsageError):
        Workload("bolt://127.0.0.1:1", accounts=1)


def test_no_time_is_no_throughput() -> None:
    assert Throughput(0, 0.0).per_second == 0
    assert Throughput(10, 4.0).per_second == 2.5


@pytest.mark.real
def test_a_server_under_load_restarts_with_every_invariant_and_checks_clean(
    start_server: StartServer, version: str
) -> None:
    server = start_server(version)
    assert load_sample(server.bolt_uri, people=300, companies=10).nodes > 600
    load = Workload(server.bolt_uri)
    load.setup()
    load.start()
    time.sleep(SECONDS)
    load.stop()
    assert load.throughput.transactions > 50
    assert server.stop()
    server.start()
    report = verify_invariants(server.bolt_uri, acknowledged=load.acknowledged, attempted=load.acknowledged)
    assert report.ok, report.findings
    assert report.total == 1_000_000
    assert server.stop()
    result = Admin(server.distribution, server.home).check("neo4j")
    assert result.clean, result.output + result.report


@pytest.mark.real
def test_a_killed_server_ends_the_writers_and_keeps_what_it_acknowledged(
    start_server: StartServer, version: str
) -> None:
    server = start_server(version, {"db.checkpoint.interval.time": "1s", "server.memory.pagecache.size": "8m"})
    load = Workload(server.bolt_uri, accounts=100)
    load.setup()
    load.start()
    with schema_churn(server.bolt_uri), bulk_load(server.bolt_uri, nodes=2_000):
        time.sleep(SECONDS)
        server.kill()
    load.stop()
    assert not load.is_running
    server.start()
    report = verify_invariants(server.bolt_uri, acknowledged=load.acknowledged, attempted=load.attempted)
    assert report.ok, report.findings


@pytest.mark.real
@pytest.mark.parametrize("version", ["4.4.48", "2026.08.1"])
def test_a_constraint_that_a_crash_left_half_made_is_neither_waited_for_nor_taken_for_damage(
    start_server: StartServer, tmp_path: Path, version: str
) -> None:
    server, repository = start_server(version), tmp_path / "repository"
    Workload(server.bolt_uri, accounts=100).setup()
    api.init(repository)
    (base,) = api.backup(server.home, repository, ["neo4j"]).backups
    with connected(server.bolt_uri) as session:
        session.run("CREATE CONSTRAINT unused IF NOT EXISTS FOR (u:Unused) REQUIRE u.key IS UNIQUE")
    api.backup(server.home, repository, ["neo4j"])
    assert server.stop()
    log = api.log(repository, "neo4j", first=base.last_tx + 1)
    index = next(one.id for one in log.transactions if one.schema.created)
    api.restore(repository, server.home, "neo4j", to_transaction=index, overwrite=True)
    server.start()
    with connected(server.bolt_uri) as session:
        assert not [row for row in session.run("SHOW CONSTRAINTS YIELD name") if row["name"] == "unused"]
        assert {"name": "unused", "state": "POPULATING"} in session.run("SHOW INDEXES YIELD name, state")
        report = verify_invariants(server.bolt_uri)
        assert report.ok, report.findings
        session.run("DROP INDEX unused")
        session.run("CREATE CONSTRAINT unused IF NOT EXISTS FOR (u:Unused) REQUIRE u.key IS UNIQUE")
        assert {"name": "unused", "state": "ONLINE"} in session.run("SHOW INDEXES YIELD name, state")


@pytest.mark.real
def test_damage_of_each_kind_is_found(start_server: StartServer) -> None:
    server = start_server("5.26.30")
    load = Workload(server.bolt_uri, accounts=20, writers=2)
    load.setup()
    load.start()
    time.sleep(3)
    load.stop()
    with connected(server.bolt_uri) as session:
        session.run("MATCH (a:Account {number: 3}) SET a.balance = a.balance + 1")
        session.run("MATCH (s:Step {writer: 0, number: 2}) DELETE s")
        session.run("MATCH (t:Token {number: 4}) DETACH DELETE t")
    report = verify_invariants(server.bolt_uri, acknowledged={1: 10_000}, attempted={0: 1})
    assert not report.ok
    for words in ("total: 20001", "sequence 0: ", "10000 was acknowledged", "only 1 was attempted", "without a token"):
        assert any(words in finding for finding in report.findings), words
    server.kill()
    store = server.home / "data" / "databases" / "neo4j" / "neostore.propertystore.db"
    store.write_bytes(bytes(range(256)) * 256)
    server.start()
    (finding,) = verify_invariants(server.bolt_uri, patience=5).findings
    assert finding.startswith("neo4j does not answer: ")
