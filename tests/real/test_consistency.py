"""A check finds nothing in what real servers leave behind, as Neo4j's own does not.

One server of each version runs once, under the workload of the backup tests and under random changes, and is backed up
meanwhile. What both make of broken stores is in test_agreement.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from conftest import VERSIONS
from helpers.small_store import PARAMETERS, STATEMENTS
from neokeep import api
from neokeep.consistency.derived import APPLIED
from neokeep.lab.bolt import connected
from neokeep.lab.embedded import EmbeddedNeo4j
from neokeep.lab.home import create_home
from neokeep.lab.random_graph import RandomGraph
from neokeep.lab.workload import Workload

if TYPE_CHECKING:
    from pathlib import Path

    from neokeep.neo4j.server import Server
    from neokeep.reports import ConsistencyReport

pytestmark = pytest.mark.real

STEPS = 40


@dataclass(frozen=True)
class Left:
    """What a server left behind: its home, a repository, and the label of a backup that was taken while it ran."""

    server: Server
    repository: Path
    running: str
    later: str
    crashed: ConsistencyReport


@pytest.fixture(scope="module", params=VERSIONS)
def left(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, quick_java: None) -> Left:
    directory = tmp_path_factory.mktemp("consistency")
    server, repository = create_home(directory / "home", str(request.param)), directory / "repository"
    api.init(str(repository))
    server.start()
    try:
        load = Workload(server.bolt_uri, accounts=200, writers=2)
        load.setup()
        with connected(server.bolt_uri) as session:
            # A node with every type of value, a dense one, and long lists of labels.
            for statement in STATEMENTS:
                session.run(statement, **PARAMETERS)
            random = RandomGraph(session, seed=5)
            load.start()
            labels = []
            for _ in range(2):
                for _ in range(STEPS // 2):
                    random.step()
                (backup,) = api.backup(server.home, str(repository), ["neo4j"], gentle=False).backups
                labels.append(backup.label)
            load.stop()
    finally:
        server.kill()
    crashed = api.check_consistency(api.subject("neo4j", home=server.home))
    with EmbeddedNeo4j(server.distribution) as neo4j:
        neo4j.run(server.home, "neo4j")
        assert neo4j.check(server.home, "neo4j") is None
    return Left(server, repository, labels[0], labels[1], crashed)


def test_a_killed_server_leaves_no_findings(left: Left) -> None:
    recovered = api.check_consistency(api.subject("neo4j", home=left.server.home))
    assert left.crashed.findings == ()
    assert [one.part for one in left.crashed.left_out] == [APPLIED[0].part]
    assert left.crashed.last_transaction
    assert recovered.last_transaction is None
    assert (left.crashed.nodes, left.crashed.relationships) == (recovered.nodes, recovered.relationships)


def test_a_stopped_database_has_no_findings(left: Left) -> None:
    for database in ("neo4j", "system"):
        report = api.check_consistency(api.subject(database, home=left.server.home))
        assert report.findings == ()
        assert all("FULLTEXT" in one.why for one in report.left_out)
        assert report.ok
        assert report.nodes


def test_backups_of_a_running_database_have_no_findings(left: Left, tmp_path: Path) -> None:
    reports = [
        api.check_consistency(api.subject("neo4j", repository=str(left.repository), label=label, scratch=tmp_path))
        for label in (left.running, None)
    ]
    for report in reports:
        assert report.findings == ()
        assert report.ok
    assert reports[1].last_transaction == api.info(str(left.repository), label=left.later).backups[0].last_tx
    assert (reports[0].last_transaction or 0) < (reports[1].last_transaction or 0)
    assert list(tmp_path.iterdir()) == []
