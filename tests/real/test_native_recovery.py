"""Native recovery leaves what Neo4j's own leaves, on every version, and Neo4j opens it with nothing left to do."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from conftest import VERSIONS
from helpers.txlog import transaction_bytes
from neokeep.capture.backup import back_up
from neokeep.capture.checkpoint import choose_checkpoint
from neokeep.capture.options import CaptureOptions
from neokeep.lab.bolt import connected
from neokeep.lab.compare_recovery import check, compare_recovery, look_at
from neokeep.lab.compare_stores import compare_stores
from neokeep.lab.embedded import EmbeddedNeo4j
from neokeep.lab.home import create_home
from neokeep.lab.random_graph import RandomGraph
from neokeep.neo4j.log.checkpoint import LogPosition
from neokeep.neo4j.log.commands import UnknownCommand
from neokeep.neo4j.log.header import LARGEST, parse_header
from neokeep.neo4j.log.names import log_name, log_versions
from neokeep.neo4j.log.scan import scan_log
from neokeep.neo4j.source import find_source
from neokeep.progress import Silent
from neokeep.repository.open import init_repository, open_repository
from neokeep.restore.recover import is_clean
from neokeep.restore.restore import restore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from neokeep.neo4j.server import Server
    from neokeep.reports import RestoreReport
    from neokeep.repository.repository import Repository

pytestmark = pytest.mark.real

SELDOM = {"db.checkpoint.interval.time": "1h", "db.checkpoint.interval.tx": "1000000"}
UNKNOWN = 30


@pytest.mark.parametrize("version", VERSIONS)
def test_a_store_recovered_natively_is_the_one_that_neo4j_recovers(version: str, tmp_path: Path) -> None:
    report = compare_recovery(version, 3, print, directory=tmp_path / "compared")
    assert report.same, report.workloads
    assert report.directory is None
    assert sum(workload.checkpoints_inside for workload in report.workloads) > 0, "this proves too little"
    assert sum(workload.transactions_undone for workload in report.workloads) > 0, "nothing was undone"
    assert all(workload.records_in_use > 1000 for workload in report.workloads)


@pytest.mark.parametrize("version", VERSIONS[:2])
def test_stores_in_the_standard_format_are_recovered_alike(version: str, tmp_path: Path) -> None:
    report = compare_recovery(version, 1, print, store_format="standard", directory=tmp_path / "compared")
    assert report.same, report.workloads
    assert all(workload.records_in_use > 1000 for workload in report.workloads)


def change(server: Server, steps: int, seed: int) -> None:
    with connected(server.bolt_uri) as session:
        graph = RandomGraph(session, seed, prefix=f"s{seed}")
        for _ in range(steps):
            graph.step()


class Crashed:
    """A server that was killed between two checkpoints, and the repository with a backup of what it left."""

    def __init__(self, directory: Path, server: Server) -> None:
        self.directory = directory
        self.server = server
        self.place = str(directory / "repository")
        init_repository(self.place)

    @property
    def repository(self) -> Repository:
        return open_repository(self.place)

    @property
    def log(self) -> Path:
        return find_source(self.server.home).database("neo4j").log_directory

    def back_up(self) -> None:
        options = CaptureOptions(type="full", jobs=2)
        report = back_up(find_source(self.server.home), self.repository, ("neo4j",), options=options, progress=Silent())
        assert not report.failures

    def home(self, name: str) -> Server:
        return create_home(self.directory / name, self.server.distribution.version, SELDOM)

    def restore(self, home: Path, engine: str) -> RestoreReport:
        return restore(self.repository, home, "neo4j", recover=engine, jobs=2, progress=Silent())

    def require_alike(self) -> None:
        """Back it up, recover it by each engine, and demand stores that are the same and that Neo4j takes as clean."""
        self.back_up()
        homes = {engine: self.home(engine) for engine in ("neo4j", "native")}
        for engine, server in homes.items():
            assert self.restore(server.home, engine).recovered_by == engine
        stores = [find_source(server.home).database("neo4j").store_directory for server in homes.values()]
        compared = compare_stores(stores[0], stores[1], aligned=True)
        assert compared.same, [str(difference) for difference in compared.differences]
        with EmbeddedNeo4j(self.server.distribution) as neo4j:
            assert [*look_at(neo4j, homes["native"].home), *check(neo4j, homes["native"].home)] == []

    def add_unknown_command(self) -> LogPosition:
        """Put a whole transaction with a command that nobody knows behind the last one."""
        path = self.log / log_name(log_versions(self.log)[-1])
        data = path.read_bytes()
        header = parse_header(data[:LARGEST], str(path))
        assert header is not None
        scan = scan_log(lambda at, length: data[at : at + length], header)
        assert scan.kernel_version is not None
        assert scan.last_checksum is not None
        number = scan.last_transaction + 1
        body = bytes([UNKNOWN]) + bytes(40)
        added = transaction_bytes(scan.kernel_version, number, body, scan.last_checksum, number)
        path.write_bytes(data[: scan.end] + added)
        return LogPosition(header.version, scan.end)


@pytest.fixture(scope="module")
def crashed(tmp_path_factory: pytest.TempPathFactory, quick_java: None) -> Iterator[Crashed]:
    """A 5.26 server, killed with some work since its checkpoint."""
    directory = tmp_path_factory.mktemp("crashed")
    server = create_home(directory / "source", "5.26.30", SELDOM)
    try:
        server.start()
        change(server, 60, seed=1)
        server.kill()
        made = Crashed(directory, server)
        made.back_up()
        yield made
    finally:
        server.kill()


def neokeep(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "neokeep", *words, "--output", "json"]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_home_without_any_neo4j_gets_a_clean_store_from_the_command_line(crashed: Crashed, tmp_path: Path) -> None:
    home = tmp_path / "empty"
    ran = neokeep("restore", "neo4j", "--home", str(home), "--repo", crashed.place, "--recover", "native")
    assert ran.returncode == 0, ran.stderr
    report = json.loads(ran.stdout)
    assert (report["recovered"], report["recovered_by"]) == (True, "native")
    assert any("rebuilds all indexes" in step for step in report["next_steps"])
    database = find_source(home).database("neo4j")
    assert is_clean(database.log_directory)
    assert not (database.store_directory / "schema").exists()
    server = crashed.home("opened")
    shutil.rmtree(server.home / "data")
    shutil.copytree(home / "data", server.home / "data")
    with EmbeddedNeo4j(server.distribution) as neo4j:
        assert [*look_at(neo4j, server.home), *check(neo4j, server.home)] == []


def test_a_moment_before_the_end_of_a_full_backup_is_restored_by_going_back(crashed: Crashed) -> None:
    (window,) = json.loads(neokeep("info", "--repo", crashed.place).stdout)["windows"]
    assert window["first_tx"] < window["last_tx"] - 30
    target = (window["first_tx"] + window["last_tx"]) // 2
    server = crashed.home("back")
    words = ("restore", "neo4j", "--home", str(server.home), "--repo", crashed.place, "--to-tx", str(target))
    refused = neokeep(*words, "--recover", "neo4j")
    assert (refused.returncode, json.loads(refused.stdout)["error"]["kind"]) == (2, "usage")
    ran = neokeep(*words)
    assert ran.returncode == 0, ran.stderr
    report = json.loads(ran.stdout)
    assert (report["last_tx"], report["recovered_by"]) == (target, "native")
    assert any("rebuilds all indexes" in step for step in report["next_steps"])
    with EmbeddedNeo4j(server.distribution) as neo4j:
        assert [*look_at(neo4j, server.home), *check(neo4j, server.home)] == []
    too_early = neokeep(*words[:-1], str(window["first_tx"] - 1))
    assert too_early.returncode == 2


def test_what_is_not_understood_is_recovered_by_the_neo4j_of_the_home(
    crashed: Crashed, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise UnknownCommand(LogPosition(0, 4711), "a command that comes with the next version")

    monkeypatch.setattr("neokeep.neo4j.recovery.redo.require_understood", refuse)
    server = crashed.home("fallback")
    report = crashed.restore(server.home, "native")
    assert (report.recovered, report.recovered_by) == (True, "neo4j")
    assert is_clean(find_source(server.home).database("neo4j").log_directory)


def test_without_a_neo4j_what_is_not_understood_is_told_and_nothing_is_put_in_place(
    crashed: Crashed, tmp_path: Path
) -> None:
    shutil.copytree(crashed.server.home, tmp_path / "source", symlinks=True)
    other = Crashed(tmp_path, create_home_of(tmp_path / "source", crashed.server))
    position = other.add_unknown_command()
    other.back_up()
    home = tmp_path / "empty"
    ran = neokeep("restore", "neo4j", "--home", str(home), "--repo", other.place, "--recover", "native")
    assert ran.returncode == 11
    error = json.loads(ran.stdout)["error"]
    assert error["kind"] == "source"
    assert f"cannot be understood at {position.version}:" in error["message"]
    assert f"a command of type {UNKNOWN}" in error["message"]
    assert error["remedy"]
    assert not (home / "data" / "databases" / "neo4j").exists()
    assert not list(home.rglob("*.new"))


def create_home_of(home: Path, server: Server) -> Server:
    """A server at a copy of its home."""
    return type(server)(server.distribution, home)


def test_a_4_4_database_that_never_had_a_checkpoint_is_recovered_from_the_begin_of_its_log(tmp_path: Path) -> None:
    server = create_home(tmp_path / "source", "4.4.48", SELDOM)
    try:
        server.start()
        change(server, 40, seed=7)
    finally:
        server.kill()
    crashed = Crashed(tmp_path, server)
    assert choose_checkpoint(crashed.log).record is None, "it had a checkpoint: this proves nothing"
    crashed.require_alike()


def test_a_log_across_an_upgrade_of_neo4j_is_recovered_alike(tmp_path: Path) -> None:
    old = create_home(tmp_path / "old", "5.26.30", SELDOM)
    new = create_home(tmp_path / "new", "2026.08.1", SELDOM)
    try:
        old.start()
        change(old, 30, seed=5)
        assert old.stop()
        for folder in ("databases", "transactions"):
            shutil.copytree(old.home / "data" / folder, new.home / "data" / folder)
        new.start()
        change(new, 40, seed=6)
    finally:
        old.kill()
        new.kill()
    crashed = Crashed(tmp_path, new)
    assert log_versions(crashed.log)[-1] > 0, "the upgrade did not begin a new log file: this proves nothing"
    crashed.require_alike()
