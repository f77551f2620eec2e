"""Users and their passwords come back with the system database, by a restore and by a dump."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from neo4j.exceptions import AuthError

from neo4j import GraphDatabase
from neokeep import api
from neokeep.lab.home import create_home

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import StartServer
    from neokeep.neo4j.server import Server

pytestmark = pytest.mark.real

FIRST, SECRET, LATER = "first-password", "correct-horse", "battery-staple"
WITH_USERS = {"dbms.security.auth_enabled": "true"}


def run(server: Server, user: str, password: str, statement: str) -> list[str]:
    """Run a statement in the system database; gives the first column."""
    with (
        GraphDatabase.driver(server.bolt_uri, auth=(user, password)) as driver,
        driver.session(database="system") as session,
    ):
        return [row[0] for row in session.run(statement)]


def may_log_in(server: Server, user: str, password: str) -> bool:
    try:
        return run(server, user, password, "SHOW CURRENT USER YIELD user") == [user]
    except AuthError:
        return False


@pytest.mark.parametrize("version", ["4.4.48", "2026.08.1"])
def test_users_survive_and_have_the_passwords_of_the_backup(
    start_server: StartServer, tmp_path: Path, version: str
) -> None:
    source = start_server(version, WITH_USERS)
    run(source, "neo4j", "neo4j", f"ALTER CURRENT USER SET PASSWORD FROM 'neo4j' TO '{FIRST}'")
    run(source, "neo4j", FIRST, f"CREATE USER alice SET PASSWORD '{SECRET}' CHANGE NOT REQUIRED")
    repository = tmp_path / "repository"
    api.init(repository)
    api.backup(source.home, repository)
    run(source, "neo4j", FIRST, f"ALTER USER alice SET PASSWORD '{LATER}'")
    api.dump("system", tmp_path, home=source.home)
    assert source.stop()
    other = create_home(tmp_path / "other", version, WITH_USERS)
    for put_back, right, wrong in ((restored, SECRET, LATER), (loaded, LATER, SECRET)):
        put_back(tmp_path, other)
        other.start()
        try:
            assert may_log_in(other, "alice", right)
            assert not may_log_in(other, "alice", wrong)
            assert not may_log_in(other, "neo4j", "neo4j")
        finally:
            assert other.stop()


def restored(directory: Path, target: Server) -> None:
    for database in ("neo4j", "system"):
        api.restore(directory / "repository", target.home, database)


def loaded(directory: Path, target: Server) -> None:
    api.load(directory / "system.dump", target.home, overwrite=True)
