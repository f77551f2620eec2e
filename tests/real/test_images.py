"""Chains become new full backups inside the repository, and logs are proven to fit what they are applied to."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from conftest import VERSIONS
from helpers.storages import MemoryStorage, Wrapped
from helpers.victim import steps
from neokeep import api
from neokeep.lab.bolt import connected
from neokeep.lab.compare_recovery import check, look_at
from neokeep.lab.compare_stores import compare_stores
from neokeep.lab.embedded import EmbeddedNeo4j
from neokeep.lab.home import create_home
from neokeep.lab.random_graph import RandomGraph
from neokeep.neo4j.source import find_source
from neokeep.repository.contents import file_list
from neokeep.repository.manifest import Manifest
from neokeep.repository.reader import BlockReader
from neokeep.repository.repository import Repository

if TYPE_CHECKING:
    from collections.abc import Iterator

    from neokeep.neo4j.server import Server
    from neokeep.reports import ConsolidateReport

pytestmark = pytest.mark.real

PROPERTIES = "neostore.propertystore.db"


class Chained:
    """A server, its repository with a full backup and log behind it, and homes to restore into."""

    def __init__(self, directory: Path, version: str) -> None:
        self.directory = directory
        self.server = create_home(directory / "source", version)
        self.place = str(directory / "repository")
        api.init(self.place)
        self.server.start()
        self.change(1)
        self.full = api.backup(self.server.home, self.place, ["neo4j"], type="full").backups[0]
        for seed in (2, 3):
            self.change(seed)
            api.backup(self.server.home, self.place, ["neo4j"], type="incremental")

    def change(self, seed: int) -> None:
        with connected(self.server.bolt_uri) as session:
            graph = RandomGraph(session, seed, prefix=f"s{seed}")
            for _ in range(40):
                graph.step()

    def touch(self, value: int) -> None:
        with connected(self.server.bolt_uri) as session:
            session.run("MATCH (n) SET n.touched = $value", value=value)

    def home(self, name: str) -> Server:
        return create_home(self.directory / name, self.server.distribution.version)

    def restored(self, name: str, **choice: object) -> Path:
        """Restore natively into a home of its own; the store directory."""
        home = self.home(name).home
        api.restore(self.place, home, "neo4j", recover="native", **choice)  # type: ignore[arg-type]
        return find_source(home).database("neo4j").store_directory


@pytest.fixture(scope="module", params=VERSIONS)
def chained(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, quick_java: None
) -> Iterator[Chained]:
    made = Chained(tmp_path_factory.mktemp("chained"), str(request.param))
    try:
        yield made
    finally:
        made.server.kill()


class Gone(BaseException):
    """Stands for the end of the process."""


class Ending:
    """Lets so many calls of a storage through, and ends everything at the next."""

    def __init__(self, calls: int) -> None:
        self.calls = 0
        self._most = calls

    def __call__(self, _operation: str, _name: str) -> None:
        if self.calls >= self._most:
            raise Gone
        self.calls += 1


def in_memory(directory: str) -> MemoryStorage:
    storage = MemoryStorage()
    for path in Path(directory).rglob("*"):
        if path.is_file():
            storage.create(str(path.relative_to(directory)), path.read_bytes())
    return storage


def consolidate_until(storage: MemoryStorage, calls: int) -> int | None:
    """Consolidate and end at a call of the storage; how many calls there were, None where it ended before its end."""
    ending = Ending(calls)
    try:
        api.consolidate(Repository.open(Wrapped(storage, ending)), "neo4j", jobs=1)
    except Gone:
        return None
    return ending.calls


def content_of(repository: Repository, label: str) -> dict[str, bytes]:
    """Hashes of all files of a backup by their paths, but for checkpoints, which hold when they were written."""
    assert api.verify(repository, label).ok
    files = file_list(BlockReader.of(repository), repository.manifest(label))
    return {f"{file.area}/{file.path}": file.content.hash for file in files if file.kind != "checkpoint"}


@pytest.mark.parametrize("chained", ["5.26.30"], indirect=True, scope="module")
def test_consolidating_may_end_at_any_call_and_a_second_run_ends_the_same(chained: Chained) -> None:
    whole = in_memory(chained.place)
    calls = consolidate_until(whole, 1_000_000)
    assert calls is not None
    (label,) = [name for name in whole.names("backups/") if name not in in_memory(chained.place).names("backups/")]
    wanted = content_of(Repository.open(whole), label.removeprefix("backups/"))
    before = len(in_memory(chained.place).names("backups/"))
    committed: list[bool] = []
    for step in steps(calls, most=30):
        storage = in_memory(chained.place)
        assert consolidate_until(storage, step) is None
        repository = Repository.open(storage)
        committed.append(len(storage.names("backups/")) > before)
        if not committed[-1]:
            api.consolidate(repository, "neo4j", jobs=1)
        assert api.verify(repository, recover=step % 4 == 0).ok, step
        newest = max((item for item in repository.manifests() if isinstance(item, Manifest)), key=attrgetter("label"))
        assert content_of(repository, newest.label) == wanted, step
    assert committed == sorted(committed)
    assert (committed[0], committed[-1]) == (False, True)


def test_a_consolidated_backup_is_what_its_chain_was_and_the_chain_goes_on_from_it(chained: Chained) -> None:
    native = api.consolidate(chained.place, "neo4j")
    assert native.base == chained.full.label
    assert {"native": native.engine, "last": native.backup.last_tx} == {"native": "native", "last": last_of(chained)}
    chained.change(4)
    (more,) = api.backup(chained.server.home, chained.place, ["neo4j"]).backups
    assert (more.type, more.base) == ("incremental", native.backup.label)
    with_indexes = api.consolidate(chained.place, "neo4j", engine="neo4j", home=chained.server.home)
    assert not [item for item in with_indexes.backup.left_out if item.rebuilt]
    assert api.verify(chained.place, recover=True).ok
    compare(chained, native, with_indexes)


def last_of(chained: Chained) -> int:
    windows = [window for window in api.info(chained.place).windows if window.base == chained.full.label]
    return windows[0].last_tx


def compare(chained: Chained, native: ConsolidateReport, with_indexes: ConsolidateReport) -> None:
    """The same moments by way of the old chain and by way of the consolidated backup; the newest one must open."""
    pairs = [
        (
            chained.restored("old", label=chained.full.label, to_transaction=native.backup.last_tx),
            chained.restored("new", label=native.backup.label),
        ),
        (
            chained.restored("older", label=native.backup.label, to_transaction=with_indexes.backup.last_tx),
            chained.restored("newer", label=with_indexes.backup.label),
        ),
    ]
    for old, new in pairs:
        compared = compare_stores(old, new, aligned=True)
        assert compared.same, [str(difference) for difference in compared.differences]
    with EmbeddedNeo4j(chained.server.distribution) as neo4j:
        for name in ("new", "newer"):
            home = chained.directory / name
            assert [*look_at(neo4j, home), *check(neo4j, home)] == []


def test_log_that_does_not_fit_its_full_backup_is_told_with_the_transaction(chained: Chained, tmp_path: Path) -> None:
    assert chained.server.stop()
    early = tmp_path / PROPERTIES
    store = find_source(chained.server.home).database("neo4j").store_directory
    shutil.copy(store / PROPERTIES, early)
    chained.server.start()
    chained.touch(1)
    assert chained.server.stop()
    # A full backup of a store whose property file lost its newest changes, and log of the true one behind it.
    wrong = tmp_path / "wrong"
    shutil.copytree(chained.server.home, wrong, symlinks=True)
    shutil.copy(early, find_source(wrong).database("neo4j").store_directory / PROPERTIES)
    place = str(tmp_path / "repository")
    api.init(place)
    api.backup(api.find_source(wrong, name="one"), place, ["neo4j"], type="full")
    chained.server.start()
    chained.touch(2)
    true = api.find_source(chained.server.home, name="one")
    (added,) = api.backup(true, place, ["neo4j"], type="incremental").backups
    assert api.verify(place).ok, "checksums cannot tell"
    ran = subprocess.run(
        [sys.executable, "-m", "neokeep", "verify", "--recover", "--repo", place, "--output", "json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 16, ran.stderr
    bad = {backup["label"]: backup["problems"] for backup in json.loads(ran.stdout)["backups"] if not backup["ok"]}
    assert added.label in bad
    assert any(f"of {PROPERTIES} is not what it changed" in problem for problem in bad[added.label])
