"""Whatever breaks a chain is noticed and told, on every version: no backup goes on with another history in silence.

The tests take one source through its life, in this order. Each begins with a chain that holds, and then the log is
pruned, loses a file, goes back, or history forks: after an older copy was put back, after a restore, after a dump was
loaded, after another store took the place of the old one. In each case `--type incremental` fails with the reason and
leaves the backups as they were, and `--type auto` takes a full backup that says why. At the end every chain, those that
broke included, restores to exactly what it held.
"""

from __future__ import annotations

import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from queue import SimpleQueue
from typing import TYPE_CHECKING

import pytest

from conftest import VERSIONS
from neokeep import api
from neokeep.errors import SourceError
from neokeep.lab.bolt import connected
from neokeep.lab.home import configure, create_home
from neokeep.neo4j.admin import Admin
from neokeep.neo4j.log.header import LARGEST as LARGEST_HEADER
from neokeep.neo4j.log.header import LogHeader, parse_header
from neokeep.neo4j.log.names import log_name, log_versions
from neokeep.progress import Silent

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from neokeep.neo4j.server import Server
    from neokeep.reports import BackupInfo

pytestmark = pytest.mark.real

PRUNING = {"db.tx_log.rotation.retention_policy": "keep_none"}
SETTINGS = {"db.tx_log.rotation.size": "128k", "db.checkpoint.interval.time": "1h"}
LARGE = 20_000
"""Characters of a mark, so that some twenty of them fill several log files."""


class Heard(Silent):
    """Remembers what was told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, message: str) -> None:
        self.lines.append(message)


@dataclass
class Chain:
    """The newest backup of a chain, and what it holds."""

    newest: BackupInfo
    marks: list[str]
    beyond: int = 0
    """Transactions that were archived behind it, without a backup that names them."""


class Breaking:
    """A server whose every transaction leaves a mark, its repository, and the chains there; the last one is current."""

    def __init__(self, directory: Path, version: str) -> None:
        self.directory = directory
        self.place = directory / "repository"
        self.server = create_home(directory / "source", version, SETTINGS | PRUNING)
        self.log = self.server.home / "data" / "transactions" / "neo4j"
        self.marks: list[str] = []
        self.chains: list[Chain] = []
        api.init(self.place)

    def write(self, what: str, count: int, size: int = 100) -> None:
        """Commit some marks; those of one size take the same room in the log, whatever they say."""
        with connected(self.server.bolt_uri) as session:
            for number in range(count):
                name = f"{what:20}{number:4}"
                session.run("CREATE (:Mark {name: $name, text: $text})", name=name, text="x" * size)
                self.marks.append(name)

    def back_up(self, wanted: str, heard: Heard | None = None) -> BackupInfo:
        report = api.backup(self.server.home, self.place, ["neo4j"], type=wanted, progress=heard or Silent())
        (taken,) = report.backups
        if taken.type == "full":
            self.chains.append(Chain(taken, list(self.marks)))
        else:
            assert taken.base == base_of(self.chains[-1].newest)
            self.chains[-1] = Chain(taken, list(self.marks))
        return taken

    def go_on(self, what: str) -> BackupInfo:
        """Commit and archive a little more: the chain holds so far."""
        reached = self.chains[-1].newest.last_tx
        self.write(what, 5)
        taken = self.back_up("incremental")
        assert (taken.first_tx, taken.last_tx) == (reached + 1, reached + 5)
        return taken

    def require_break(self, reason: str, *, archived: int = 0) -> None:
        """Prove that the chain is seen to be broken for this reason: the one type fails, the other one tells.

        The one that fails leaves the repository as it was, but for so many transactions that it archived before a gap.
        """
        before, chains = self.objects(), len(self.chains)
        with pytest.raises(SourceError, match=reason) as refused:
            self.back_up("incremental")
        assert "--type full" in refused.value.remedy
        assert before.items() <= self.objects().items()
        assert len(self.objects().keys() - before.keys()) == bool(archived)
        self.chains[-1].beyond = archived
        heard = Heard()
        taken = self.back_up("auto", heard)
        assert len(self.chains) == chains + 1
        assert taken.type == "full"
        (kept,) = api.info(self.place, label=taken.label).backups
        assert re.search(reason, kept.reason)
        assert f"neo4j: full, since {kept.reason}" in heard.lines

    def objects(self) -> dict[str, bytes]:
        """Read everything that the repository holds."""
        files = (path for path in self.place.rglob("*") if path.is_file())
        return {str(path.relative_to(self.place)): path.read_bytes() for path in files}

    def keep_aside(self) -> None:
        """Copy and dump the stopped database, for later."""
        shutil.copytree(self.server.home / "data", self.directory / "older")
        self.admin.dump("neo4j", self.directory)
        self.marks_aside = list(self.marks)

    def put_back(self) -> None:
        """Have the older copy instead of what there is, as after a power loss."""
        shutil.rmtree(self.server.home / "data")
        shutil.copytree(self.directory / "older", self.server.home / "data")
        self.marks = list(self.marks_aside)

    def undo(self, count: int) -> None:
        """Restore the stopped source to what it was before its last transactions."""
        wanted = self.chains[-1].newest.last_tx - count
        api.restore(self.place, self.server.home, "neo4j", overwrite=True, to_transaction=wanted)
        self.marks = self.marks[: len(self.marks) - count]

    def import_marks(self, database: str, what: str) -> list[str]:
        """Import a new database; the marks in it."""
        names = [f"{what} {number}" for number in range(5)]
        table = self.directory / f"{what}.csv"
        table.write_text(":ID,name\n" + "".join(f"{at},{name}\n" for at, name in enumerate(names)), encoding="utf-8")
        self.admin.import_full(database, [f"Mark={table}"])
        return names

    @property
    def admin(self) -> Admin:
        return Admin(self.server.distribution, self.server.home)


def base_of(backup: BackupInfo) -> str:
    return backup.base or backup.label


@pytest.fixture(scope="module", params=VERSIONS)
def breaking(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, quick_java: None
) -> Iterator[Breaking]:
    made = Breaking(tmp_path_factory.mktemp("breaking"), str(request.param))
    try:
        made.server.start()
        made.write("the first", 5)
        yield made
    finally:
        made.server.kill()


def test_logs_that_were_pruned_before_they_were_archived(breaking: Breaking) -> None:
    breaking.back_up("full")
    tail = breaking.go_on("archived before")
    breaking.write("pruned", 30, LARGE)
    assert breaking.server.stop()
    assert log_versions(breaking.log)[0] > version_of_end(tail), "the server pruned nothing: this proves nothing"
    breaking.require_break("in which the last archived transaction stands, was pruned")


def test_a_log_file_that_is_missing_behind_the_archived_ones(breaking: Breaking) -> None:
    configure(breaking.server.home, breaking.server.distribution.version, SETTINGS)
    breaking.server.start()
    tail = breaking.go_on("before a gap")
    breaking.write("around a gap", 30, LARGE)
    assert breaking.server.stop()
    missing = version_of_end(tail) + 1
    following = header_of(breaking.log, missing).last_transaction
    assert missing < log_versions(breaking.log)[-1]
    (breaking.log / log_name(missing)).unlink()
    in_between = following - tail.last_tx
    breaking.chains[-1].marks += breaking.marks[-30:][:in_between]
    breaking.require_break("was pruned before it was archived", archived=in_between)


def test_a_log_that_went_back(breaking: Breaking) -> None:
    breaking.keep_aside()
    breaking.server.start()
    breaking.go_on("lost at once")
    assert breaking.server.stop()
    breaking.put_back()
    breaking.require_break("the log went back")


def test_other_transactions_with_the_ids_of_archived_ones_that_were_lost(breaking: Breaking) -> None:
    breaking.server.start()
    lost = breaking.go_on("lost in the end")
    assert breaking.server.stop()
    breaking.put_back()
    breaking.server.start()
    breaking.write("written anew", 10)
    breaking.require_break("history forked")
    assert breaking.chains[-1].newest.last_tx == lost.last_tx + 5


def test_other_transactions_after_a_restore_of_the_source(breaking: Breaking) -> None:
    undone = breaking.go_on("undone")
    assert breaking.server.stop()
    breaking.undo(0)
    assert breaking.back_up("incremental").last_tx == undone.last_tx, "a restore to the very end breaks nothing"
    breaking.undo(3)
    breaking.server.start()
    breaking.write("instead of those", 10)
    breaking.require_break("history forked")
    assert breaking.chains[-1].newest.last_tx == undone.last_tx + 7


def test_an_older_dump_of_the_same_database_that_is_loaded(breaking: Breaking) -> None:
    breaking.go_on("not in the dump")
    assert breaking.server.stop()
    breaking.admin.load("neo4j", breaking.directory / "neo4j.dump", overwrite=True)
    breaking.marks = list(breaking.marks_aside)
    breaking.require_break("the log went back")


def test_a_dump_of_another_database_that_is_loaded(breaking: Breaking) -> None:
    assert breaking.back_up("incremental").type == "incremental"
    breaking.marks = breaking.import_marks("other", "loaded")
    breaking.admin.dump("other", breaking.directory)
    breaking.admin.load("neo4j", breaking.directory / "other.dump", overwrite=True)
    breaking.require_break("the store is another one")


def test_another_database_that_is_imported(breaking: Breaking) -> None:
    shutil.rmtree(breaking.server.home / "data" / "databases" / "neo4j")
    shutil.rmtree(breaking.log)
    breaking.marks = breaking.import_marks("neo4j", "imported")
    breaking.require_break("the store is another one")


def test_every_chain_restores_to_exactly_what_it_held(breaking: Breaking) -> None:
    assert len(breaking.chains) == 9
    assert api.verify(breaking.place).ok
    version = breaking.server.distribution.version
    servers = [create_home(breaking.directory / f"target-{number}", version) for number in range(2)]
    homes: SimpleQueue[Server] = SimpleQueue()
    for server in servers:
        homes.put(server)

    def marks_of(chain: Chain) -> list[str]:
        server = homes.get()
        try:
            restore(breaking.place, chain, server)
            return marks_in(server)
        finally:
            homes.put(server)

    try:
        with ThreadPoolExecutor(len(servers)) as pool:
            found = list(pool.map(marks_of, breaking.chains))
    finally:
        for server in servers:
            server.kill()
    assert found == [sorted(chain.marks) for chain in breaking.chains]


def restore(place: Path, chain: Chain, server: Server) -> None:
    """Restore the newest backup of a chain, or what was archived behind it."""
    if chain.beyond:
        beyond = chain.newest.last_tx + chain.beyond
        api.restore(place, server.home, "neo4j", overwrite=True, to_transaction=beyond)
    else:
        api.restore(place, server.home, "neo4j", overwrite=True, label=chain.newest.label)


def marks_in(server: Server) -> list[str]:
    server.start()
    with connected(server.bolt_uri) as session:
        rows = session.run("MATCH (m:Mark) RETURN m.name AS name ORDER BY name")
    assert server.stop()
    return [row["name"] for row in rows]


def version_of_end(backup: BackupInfo) -> int:
    """Tell in which log file a backup ends."""
    return int(backup.end_position.split(":")[0])


def header_of(directory: Path, version: int) -> LogHeader:
    path = directory / log_name(version)
    header = parse_header(path.read_bytes()[:LARGEST_HEADER], str(path))
    assert header is not None
    return header
