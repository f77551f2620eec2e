"""Fixtures that several rooms share: versions of Neo4j, and servers that never outlive their test."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Protocol

import pytest
from hypothesis import settings

from neokeep.lab.home import create_home
from neokeep.neo4j.cache import cache_directory
from neokeep.neo4j.distribution import ARCHIVES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from neokeep.neo4j.server import Server

# How long an example takes says how busy the machine is, and nothing about the code.
settings.register_profile("neokeep", deadline=None)
settings.register_profile("quick", deadline=None, max_examples=10)
settings.load_profile(os.environ.get("NEOKEEP_TEST_PROFILE", "neokeep"))

STORAGE_SERVERS = {"s3", "ssh", "azurite"}

BOTH_KINDS = {
    "test_archived_log", "test_chains", "test_collect", "test_collect_beside_writers", "test_expire", "test_holds",
    "test_lease", "test_merge_segments", "test_windows", "test_incremental_backups", "test_windows_meet",
    "test_choose_plan", "test_cut_log", "test_farthest", "test_broken_chains", "test_lost_segments",
    "test_following", "test_following_beside_others", "test_upkeep",
}  # fmt: skip
"""Modules whose tests run with repositories that are not encrypted and with encrypted ones."""

LONGEST = (
    "test_point_in_time", "test_dump_and_load", "test_chain_breaks", "test_native_recovery", "test_online",
    "test_agreement", "test_workload", "test_archive_killed", "test_archive", "test_broken_rules", "test_disturbed",
)  # fmt: skip
"""Modules that take minutes, the longest first."""

VERSIONS = ("4.4.48", "5.26.30", "2026.08.1")


class StartServer(Protocol):
    """Makes a home in the test's directory and starts a server in it."""

    def __call__(self, version: str, settings: Mapping[str, str] | None = None, name: str = "home") -> Server: ...


@pytest.fixture(scope="session", autouse=True)
def quick_java(request: pytest.FixtureRequest) -> Iterator[None]:
    """Have Java compile little, and start from archives: servers and checks that run for seconds take half the work."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAVA_TOOL_OPTIONS", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC")
        patch.setenv(ARCHIVES, "1")
        if any(item.get_closest_marker("real") for item in request.session.items):
            from neokeep.lab.class_archive import make_class_archive  # It imports the driver, which takes a while.

            for version in VERSIONS:
                make_class_archive(version)
        yield


@pytest.fixture(scope="session")
def lab_cache() -> Path:
    """The machine's cache of distributions, which tests share."""
    return cache_directory()


@pytest.fixture(params=VERSIONS)
def version(request: pytest.FixtureRequest) -> str:
    """Each of the versions that everything is proven on."""
    return str(request.param)


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[StartServer]:
    """A factory of running servers; all are stopped at the end, whatever the test did."""
    servers: list[Server] = []

    def start(version: str, settings: Mapping[str, str] | None = None, name: str = "home") -> Server:
        server = create_home(tmp_path / name, version, settings)
        servers.append(server)
        server.start()
        return server

    yield start
    for server in servers:
        server.kill()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run the tests of some modules with both kinds of repositories, but for those that look at stored names."""
    if metafunc.module.__name__.rpartition(".")[2] in BOTH_KINDS:
        kinds = ["plain"] if metafunc.definition.get_closest_marker("looks_at_names") else ["plain", "encrypted"]
        metafunc.fixturenames.append("kind_of_repository")
        metafunc.parametrize("kind_of_repository", kinds, indirect=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark as slow what talks to a storage server, and what runs a second time with encrypted repositories.

    Long modules come first, then the others with servers: at the end two workers share short ones, and none is idle.
    """
    real = {item.path for item in items if item.get_closest_marker("real")}

    def place(item: pytest.Item) -> int:
        name = item.path.stem
        return LONGEST.index(name) if name in LONGEST else len(LONGEST) + (item.path not in real)

    items.sort(key=place)
    for item in items:
        used = getattr(item, "fixturenames", ())
        chosen = getattr(getattr(item, "callspec", None), "params", {})
        if STORAGE_SERVERS.intersection(used) or chosen.get("kind_of_repository") == "encrypted":
            item.add_marker(pytest.mark.slow)


@pytest.fixture
def kind_of_repository(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """What kind of repositories a test makes: `plain` or `encrypted`."""
    if request.param == "encrypted":
        from helpers import backups, following
        from helpers.both_kinds import encrypt_all

        encrypt_all(monkeypatch, [request.module, backups, following])
    return str(request.param)
