"""What cannot be backed up is refused with a clear error of the right kind, and the repository stays as it was."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from neokeep.capture import opening
from neokeep.capture.backup import back_up
from neokeep.capture.options import CaptureOptions
from neokeep.capture.reading import open_for_reading
from neokeep.errors import AccessError, NeokeepError, SourceError
from neokeep.lab.home import create_home
from neokeep.neo4j.source import find_source
from neokeep.progress import Silent
from neokeep.repository.open import init_repository

if TYPE_CHECKING:
    from os import PathLike
    from pathlib import Path

    from neokeep.neo4j.server import Server
    from neokeep.repository.repository import Repository

pytestmark = pytest.mark.real

VERSION = "5.26.30"
ENVELOPED = {"internal.dbms.allow_new_log_format_on_upgrade_or_create": "true"}


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return init_repository(str(tmp_path / "repository"))


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Server:
    """A server with new databases, stopped in order."""
    server = create_home(tmp_path_factory.mktemp("stopped") / "home", VERSION)
    try:
        server.start()
    finally:
        server.stop()
    return server


@pytest.fixture
def home(stopped: Server, tmp_path: Path) -> Path:
    """A copy of that server's home, to do damage to."""
    shutil.copytree(stopped.home, tmp_path / "home", symlinks=True)
    return tmp_path / "home"


def refusal(home: Path, repository: Repository, *databases: str) -> NeokeepError:
    """Back up, expecting to be refused with a remedy, and with nothing left that looks like a backup."""
    with pytest.raises(NeokeepError) as refused:
        back_up(find_source(home), repository, databases, options=CaptureOptions(), progress=Silent())
    assert refused.value.remedy
    assert not list(repository.manifests())
    return refused.value


def test_a_directory_that_is_no_home(tmp_path: Path, repository: Repository) -> None:
    (tmp_path / "photos").mkdir()
    refused = refusal(tmp_path / "photos", repository)
    assert isinstance(refused, SourceError)
    assert "no home of a Neo4j server" in refused.message


def test_a_database_that_does_not_exist(home: Path, repository: Repository) -> None:
    refused = refusal(home, repository, "neo4k")
    assert isinstance(refused, SourceError)
    assert "'neo4k'" in refused.message
    assert "neo4j, system" in refused.remedy


def test_a_home_without_any_database(tmp_path: Path, repository: Repository) -> None:
    create_home(tmp_path / "new", VERSION)
    assert isinstance(refusal(tmp_path / "new", repository), SourceError)


def test_an_enveloped_log(tmp_path: Path, repository: Repository) -> None:
    server = create_home(tmp_path / "enveloped", "2026.08.1", ENVELOPED)  # 5.26.30 does not have this setting
    try:
        server.start()
        refused = refusal(server.home, repository, "neo4j")
    finally:
        server.kill()
    assert isinstance(refused, SourceError)
    assert "enveloped" in refused.message


def test_a_store_in_block_format(home: Path, repository: Repository) -> None:
    store = home / "data" / "databases" / "neo4j"
    shutil.rmtree(store)
    store.mkdir()
    for name in ("block.x1.db", "block.relationships.db", "block.metadata.db"):
        (store / name).write_bytes(bytes(8192))
    refused = refusal(home, repository, "neo4j")
    assert isinstance(refused, SourceError)
    assert "block" in refused.message


def test_a_home_whose_transaction_logs_are_gone(home: Path, repository: Repository) -> None:
    shutil.rmtree(home / "data" / "transactions" / "neo4j")
    refused = refusal(home, repository, "neo4j")
    assert isinstance(refused, SourceError)
    assert "transaction logs" in refused.message


def test_a_file_that_may_not_be_read(home: Path, repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(path: str | PathLike[str]) -> int:
        if str(path).endswith("neostore.relationshipstore.db"):
            raise PermissionError(13, "Permission denied", str(path))  # modes do not stop root
        return open_for_reading(path)

    monkeypatch.setattr(opening, "open_for_reading", forbidden)
    refused = refusal(home, repository, "neo4j")
    assert isinstance(refused, AccessError)
    assert "neostore.relationshipstore.db" in refused.message


def test_one_database_that_cannot_be_backed_up_does_not_stop_the_others(home: Path, repository: Repository) -> None:
    shutil.rmtree(home / "data" / "transactions" / "neo4j")
    report = back_up(find_source(home), repository, options=CaptureOptions(), progress=Silent())
    assert [info.database for info in report.backups] == ["system"]
    assert [(failure.subject, failure.kind) for failure in report.failures] == [("neo4j", "source")]
