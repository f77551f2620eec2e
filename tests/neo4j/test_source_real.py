"""Locks, trees and Lucene commits of real servers: running, killed in the middle of writing, and restarted.

One server per version is started, indexed, written to, watched and killed; the tests then look at what it left behind.
"""

from __future__ import annotations

import os
import shutil
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from neokeep.errors import SourceError
from neokeep.neo4j import locks
from neokeep.neo4j.source import Source, find_source
from neokeep.neo4j.store.gbptree import TreeState, read_state
from neokeep.neo4j.store.layout import FileKind, Listing, list_database
from neokeep.neo4j.store.lucene import LuceneChanged, LuceneCommit, files_of_commit
from neokeep.neo4j.versions import Neo4jVersion

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from neokeep.neo4j.server import Server

pytestmark = pytest.mark.real

VERSIONS = ("4.4.48", "5.26.30", "2026.08.1")
WORDS = "alpha OR beta OR gamma"
SETTINGS = {"db.checkpoint.interval.time": "1s", "server.memory.heap.max_size": "700m"}
FULL_TEXT = "CREATE FULLTEXT INDEX words FOR (n:Doc) ON EACH [n.text]"
TEXT = "CREATE TEXT INDEX titles FOR (n:Doc) ON (n.title)"
VECTOR = (
    "CREATE VECTOR INDEX vectors FOR (n:Doc) ON (n.v) OPTIONS "
    "{indexConfig: {`vector.dimensions`: 3, `vector.similarity_function`: 'cosine'}}"
)
WRITE = (
    "UNWIND range(1, 40) AS i CREATE (n:Doc {text: ['alpha', 'beta', 'gamma'][i % 3] + ' ' + i, title: 't' + i}) "
    "SET n.v = [1.0 * i, 2.0, 3.0]"
)
CHANGE = "MATCH (n:Doc) WITH n LIMIT 15 SET n.text = n.text + ' changed' WITH n LIMIT 5 DETACH DELETE n"
COUNT = "MATCH (n:Doc) RETURN count(n) AS n"
FOUND = f"CALL db.index.fulltext.queryNodes('words', '{WORDS}') YIELD node RETURN count(node) AS n"


@dataclass(slots=True)
class Observed:
    """What was seen of one server while it ran, and the server itself, killed by now."""

    version: str
    server: Server
    source: Source
    pid: int | None
    server_lock: locks.LockState
    database_locks: dict[str, locks.LockState]
    listing: Listing
    trees: dict[str, TreeState | None]
    commits: list[LuceneCommit] = field(default_factory=list)

    @property
    def store(self) -> Path:
        return self.source.database("neo4j").store_directory


@pytest.fixture(scope="module", params=VERSIONS)
def observed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Observed]:
    pytest.importorskip("neo4j")
    from neokeep.lab.home import create_home

    server = create_home(tmp_path_factory.mktemp("real") / "home", request.param, SETTINGS)
    server.start()
    try:
        yield observe(request.param, server)
    finally:
        server.kill()


def observe(version: str, server: Server) -> Observed:
    run(server, FULL_TEXT, TEXT, *([] if version.startswith("4") else [VECTOR]), "CALL db.awaitIndexes(60)", WRITE)
    time.sleep(3)  # some checkpoints: only a checkpoint commits a Lucene index
    source = find_source(server.home)
    store = source.database("neo4j").store_directory
    listing = list_database(store)
    seen = Observed(
        version,
        server,
        source,
        server.pid,
        source.lock(),
        {database.name: database.lock() for database in source.databases()},
        listing,
        {file.path: tree_state(store / file.path) for file in listing.of_kind(FileKind.TREE)},
    )
    writing = threading.Event()
    writer = threading.Thread(target=write_until_killed, args=(server, writing))
    writer.start()
    writing.wait(60)
    until = time.monotonic() + 5
    while time.monotonic() < until:
        seen.commits.extend(read_commits(store))
    server.kill()
    writer.join()
    return seen


def run(server: Server, *statements: str) -> int:
    """Run statements; the first number of the last one's answer."""
    from neo4j import GraphDatabase

    with GraphDatabase.driver(server.bolt_uri) as driver, driver.session(database="neo4j") as session:
        records = [session.run(statement).data() for statement in statements]
    last = records[-1]
    return int(last[0]["n"]) if last and "n" in last[0] else 0


def write_until_killed(server: Server, writing: threading.Event) -> None:
    from neo4j.exceptions import DriverError, Neo4jError

    from neo4j import GraphDatabase

    try:
        with GraphDatabase.driver(server.bolt_uri, max_transaction_retry_time=0) as driver:
            while True:
                with driver.session(database="neo4j") as session:
                    session.run(WRITE).consume()
                    session.run(CHANGE).consume()
                writing.set()
    except (DriverError, Neo4jError, OSError):
        writing.set()


def tree_state(path: Path) -> TreeState | None:
    fd = os.open(path, os.O_RDONLY)
    try:
        return read_state(fd)
    finally:
        os.close(fd)


def commit_of(directory: Path) -> LuceneCommit:
    return files_of_commit(lambda name: (directory / name).read_bytes(), os.listdir(directory))


def read_commits(store: Path) -> list[LuceneCommit]:
    commits = []
    for directory in list_database(store).lucene:
        try:
            commits.append(commit_of(store / directory))
        except LuceneChanged:
            time.sleep(0.01)
    return commits


def copy_home(observed: Observed, target: Path) -> Server:
    """Copy a home, of each Lucene index only the files of its newest commit, and nothing that must never be copied."""
    from neokeep.lab.home import configure, open_home

    home = observed.server.home
    shutil.copytree(home, target, symlinks=True, ignore=shutil.ignore_patterns("run", "logs"))
    for folder in ("run", "logs"):
        (target / folder).mkdir()
    copy = find_source(target).database("neo4j").store_directory
    listing = list_database(copy)
    keep = {f"{directory}/{name}" for directory in listing.lucene for name in commit_of(copy / directory).files}
    for file in listing.files:
        if file.kind is FileKind.NEVER or (file.kind is FileKind.LUCENE and file.path not in keep):
            (copy / file.path).unlink()
    configure(target, observed.version, SETTINGS)
    return open_home(target)


def test_the_source_of_a_running_server_is_known(observed: Observed) -> None:
    assert observed.source.version == Neo4jVersion.parse(observed.version)
    assert observed.source.edition == "community"
    assert [database.name for database in observed.source.databases()] == ["neo4j", "system"]
    assert observed.source.database("neo4j").store_format() == "aligned"


def test_a_running_server_holds_its_lock_and_one_per_database(observed: Observed) -> None:
    for state in (observed.server_lock, *observed.database_locks.values()):
        assert (state.held, state.pid) == (True, observed.pid)


def test_a_killed_server_holds_no_lock(observed: Observed) -> None:
    assert not observed.source.lock().held
    assert not any(database.lock().held for database in observed.source.databases())


def test_every_file_of_a_running_database_is_known(observed: Observed) -> None:
    assert observed.listing.unknown == ()
    assert not observed.listing.migrating
    assert len(observed.listing.of_kind(FileKind.RECORD_STORE)) == 14
    assert len(observed.listing.lucene) == (2 if observed.version.startswith("4") else 3)


def test_every_tree_of_a_running_database_is_open(observed: Observed) -> None:
    assert observed.trees
    for path, state in observed.trees.items():
        assert state is not None, path
        assert not state.clean, path


def test_lucene_commits_are_read_while_they_change(observed: Observed) -> None:
    assert len({(commit.segments, commit.files) for commit in observed.commits}) > len(observed.listing.lucene)


def test_neo4j_opens_a_copy_with_only_the_committed_files_and_rebuilds_nothing(
    observed: Observed, tmp_path: Path
) -> None:
    from neokeep.neo4j.admin import Admin

    copy = copy_home(observed, tmp_path / "copy")
    copy.start()
    try:
        assert run(copy, FOUND) == run(copy, COUNT) > 0
    finally:
        copy.stop()
    assert "Index population started" not in (copy.home / "logs/debug.log").read_text()
    result = Admin(copy.distribution, copy.home).check("neo4j")
    assert result.clean, result.output + result.report
    source = find_source(copy.home)
    store = source.database("neo4j").store_directory
    for file in list_database(store).of_kind(FileKind.TREE):
        state = tree_state(store / file.path)
        assert state is not None
        assert state.clean, file.path


def test_neo4j_refuses_to_start_while_its_lock_is_held(observed: Observed, tmp_path: Path) -> None:
    copy = copy_home(observed, tmp_path / "copy")
    held = find_source(copy.home).databases_directory / locks.STORE_LOCK
    with locks.hold(held), pytest.raises(SourceError, match="stopped while it was starting"):
        copy.start()
    assert not copy.is_running
