from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

import neokeep.lab.bolt
import neokeep.lab.fetch
import neokeep.lab.home
import neokeep.lab.sample
import neokeep.lab.workload
import neokeep.neo4j.admin

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cli.conftest import Ran

    Run = Callable[..., Ran]


@dataclass(frozen=True)
class FakeDistribution:
    version: str = "5.26.30"
    lib: Path = Path("/cache/lib")


DISTRIBUTION = FakeDistribution()


@dataclass
class FakeServer:
    """A server that starts and stops by a field."""

    home: Path = Path("/tmp/lab")
    distribution: Any = DISTRIBUTION
    bolt_uri: str = "bolt://127.0.0.1:15000"
    pid: int | None = None
    stops_cleanly: bool = True

    def __str__(self) -> str:
        return "Neo4j 5.26.30 at /tmp/lab"

    @property
    def is_running(self) -> bool:
        return self.pid is not None

    def start(self) -> None:
        self.pid = 4711

    def stop(self) -> bool:
        self.pid = None
        return self.stops_cleanly


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> FakeServer:
    fake = FakeServer()
    monkeypatch.setattr(neokeep.lab.home, "open_home", lambda home, say: fake)
    return fake


def test_fetch_says_where_the_version_is(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neokeep.lab.fetch, "fetch", lambda version, say: DISTRIBUTION)
    assert run("lab fetch 5.26.30").out == "Neo4j 5.26.30 is in /cache/lib\n"


def test_versions_lists_whole_ones_only_the_oldest_first(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEOKEEP_CACHE", str(tmp_path / "cache"))
    assert "neokeep lab fetch" in run("lab versions").out
    for version, whole in (("2026.08.1", True), ("5.26.30", True), ("5.26.4", True), ("4.4.48", False)):
        lib = tmp_path / "cache" / "neo4j" / version / "lib"
        lib.mkdir(parents=True)
        (lib / "a.jar").write_bytes(b"jar")
        (lib.parent / "jars.txt").write_text(f"{3 if whole else 4} a.jar\n")
    listed = json.loads(run("lab versions --output json").out)["versions"]
    assert [entry["version"] for entry in listed] == ["5.26.4", "5.26.30", "2026.08.1"]


def test_create_hands_settings_on(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[Any, ...]] = []

    def create_home(home: Path, version: str, settings: dict[str, str], say: object) -> FakeServer:
        calls.append((home, version, settings))
        return FakeServer()

    monkeypatch.setattr(neokeep.lab.home, "create_home", create_home)
    ran = run("lab create /tmp/lab 5.26.30 db.checkpoint.interval.time=1s a=b=c")
    assert ran.out == "Neo4j 5.26.30 at /tmp/lab: stopped\n"
    assert calls == [(Path("/tmp/lab"), "5.26.30", {"db.checkpoint.interval.time": "1s", "a": "b=c"})]
    assert run("lab create /tmp/lab 5.26.30 nonsense").status == 2


def test_a_server_is_started_shown_and_stopped(run: Run, server: FakeServer) -> None:
    started = run("lab start /tmp/lab")
    assert "running (process 4711), bolt://127.0.0.1:15000" in started.out
    assert "starting Neo4j 5.26.30" in started.err
    status = json.loads(run("lab status /tmp/lab --output json").out)
    assert (status["running"], status["pid"], status["clean_stop"]) == (True, 4711, None)
    assert run("lab stop /tmp/lab").out == "Neo4j 5.26.30 at /tmp/lab: stopped\n"
    assert run("lab stop /tmp/lab").status == 0


def test_a_server_that_had_to_be_killed_is_told(run: Run, server: FakeServer) -> None:
    server.pid, server.stops_cleanly = 1, False
    assert "was killed" in run("lab stop /tmp/lab").out


def test_nothing_is_loaded_into_a_stopped_server(run: Run, server: FakeServer) -> None:
    ran = run("lab load /tmp/lab")
    assert ran.status == 11
    assert "What to do: Start it: neokeep lab start /tmp/lab" in ran.err


def test_load_writes_the_sample(run: Run, server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    server.pid = 1
    sample = neokeep.lab.sample.Sample(nodes=70, relationships=90)
    monkeypatch.setattr(neokeep.lab.sample, "load_sample", lambda uri, people: sample if people == 30 else None)
    assert run("lab load /tmp/lab --people 30").out == "The graph holds 70 nodes and 90 relationships.\n"


def test_load_during_a_time_runs_the_writers(run: Run, server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    server.pid = 1
    done: list[str] = []

    class FakeWorkload:
        is_running = False
        throughput = neokeep.lab.workload.Throughput(1200, 60.0)

        def __init__(self, uri: str, writers: int) -> None:
            self.writers = writers

        def setup(self) -> None:
            done.append("setup")

        def start(self) -> None:
            done.append(f"start {self.writers}")

        def stop(self) -> None:
            done.append("stop")

    @contextmanager
    def connected(uri: str) -> Iterator[Any]:
        yield SimpleNamespace(run=lambda statement: [])

    monkeypatch.setattr(neokeep.lab.workload, "Workload", FakeWorkload)
    monkeypatch.setattr(neokeep.lab.bolt, "connected", connected)
    assert run("lab load /tmp/lab --during 1m --writers 2").out == "1200 transactions in 1m\n"
    assert done == ["setup", "start 2", "stop"]


@pytest.mark.parametrize(("status", "exit_status"), [(0, 0), (1, 11)])
def test_admin_passes_every_word_on_and_tells_the_status(
    run: Run, server: FakeServer, monkeypatch: pytest.MonkeyPatch, status: int, exit_status: int
) -> None:
    words: list[str] = []

    class FakeAdmin:
        def __init__(self, distribution: object, home: Path) -> None: ...

        def run(self, *given: str) -> object:
            words.extend(given)
            return neokeep.neo4j.admin.AdminResult(status, "checked\n", 1.0)

    monkeypatch.setattr(neokeep.neo4j.admin, "Admin", FakeAdmin)
    ran = run("lab admin /tmp/lab database check neo4j --verbose --output json")
    assert (ran.status, ran.out) == (exit_status, "checked\n")
    assert words == ["database", "check", "neo4j", "--verbose", "--output", "json"]
