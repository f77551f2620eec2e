"""Backups of a made-up database on real storage servers, by the command line and from several threads."""

from __future__ import annotations

import json
import random
import threading
import time
from typing import TYPE_CHECKING

import pytest

from helpers.backups import check, content, expected, put_back, take
from helpers.chains import checkpoint_in_the_last_file, commit_more
from helpers.database import make_database
from helpers.following import commit_live
from neokeep import api
from neokeep.cli.main import main
from neokeep.neo4j.log.names import log_name
from neokeep.reports import ArchiveEvent
from neokeep.repository.open import init_repository, open_repository
from neokeep.storage.place import Place, StorageOptions
from neokeep.workers import run_workers

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from helpers.servers import S3Server, SshServer

SERVERS = [pytest.param(kind, marks=pytest.mark.slow) for kind in ("s3", "sftp", "az")]


@pytest.fixture(params=["directory", *SERVERS])
def place(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Place:
    """A place of each kind for a repository, and the environment that a user would give it."""
    if request.param == "directory":
        return Place(str(tmp_path / "repository"))
    if request.param == "az":
        return Place(f"az://{request.getfixturevalue('container')}/{tmp_path.name}")
    if request.param == "s3":
        s3: S3Server = request.getfixturevalue("s3")
        for name, value in s3.environment.items():
            monkeypatch.setenv(name, value)
        return Place(f"s3://{s3.bucket('end-to-end')}/{tmp_path.name}")
    ssh: SshServer = request.getfixturevalue("ssh")
    url = ssh.url(tmp_path_factory.mktemp("remote") / "repository")
    return Place(url, StorageOptions(known_hosts=ssh.known_hosts, key_file=ssh.key))


def flags_of(place: Place) -> list[str]:
    flags = ["--repo", place.url, "--output", "json"]
    if place.options.key_file:
        flags += ["--repo-known-hosts", str(place.options.known_hosts), "--repo-key-file", str(place.options.key_file)]
    return flags


def test_every_command_works(place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = make_database(tmp_path / "home")
    home = ["--home", str(made.home)]
    flags = flags_of(place)

    def run(*arguments: str) -> dict[str, object]:
        assert main([*arguments, *flags]) == 0, capsys.readouterr()
        answer: dict[str, object] = json.loads(capsys.readouterr().out)
        return answer

    assert run("init")["repository"] == place.url
    run("backup", "neo4j", *home, "--type", "full")
    commit_more(made, 5)
    run("backup", "neo4j", *home, "--type", "incremental")
    backups = run("info")["backups"]
    assert isinstance(backups, list)
    assert [backup["type"] for backup in backups] == ["full", "incremental"]
    assert run("verify")["ok"] is True
    assert run("check", *home)["ok"] is True
    run("restore", "neo4j", "--home", str(tmp_path / "restored"))
    assert content(tmp_path / "restored")[0] == expected(made)[0]
    assert main(["init", *flags]) == 15
    capsys.readouterr()


@pytest.mark.slow
def test_large_packs_are_written_and_read_by_several_threads(place: Place, tmp_path: Path) -> None:
    made = make_database(tmp_path / "home")
    noise = random.Random(7)
    for number in range(4):
        made.store[f"neostore.relationshipstore.db.{number}"] = noise.randbytes(24 * 1024 * 1024)
    made.write()
    repository = init_repository(place)
    take(made, repository, jobs=4)
    sizes = [item.size for item in repository.storage.list("packs")]
    assert max(sizes) > 30 * 1024 * 1024
    assert sum(sizes) > 96 * 1024 * 1024
    reopened = open_repository(place)
    put_back(reopened, tmp_path / "restored", jobs=4)
    assert content(tmp_path / "restored")[0] == made.store
    assert check(reopened).ok


def test_new_transactions_are_archived_and_restored(place: Place, tmp_path: Path) -> None:
    made = make_database(tmp_path / "home")
    checkpoint_in_the_last_file(made)
    repository = init_repository(place)
    stopping, events = threading.Event(), list[ArchiveEvent]()
    wanted = made.logs[-1].last_transaction + 15

    def follow(_stopping: threading.Event) -> None:
        api.archive(
            [made.source], repository, ["neo4j"], interval=0.05, gentle=False, jobs=2, tell=events.append,
            stopping=stopping,
        )  # fmt: skip

    def commit(_stopping: threading.Event) -> None:
        try:
            until(lambda: any(event.event == "following" for event in events))
            for _ in range(3):
                commit_live(made, 5)
                time.sleep(0.2)
            until(lambda: any((event.last_tx or 0) >= wanted for event in events))
        finally:
            stopping.set()

    roles = iter([follow, commit])

    def work(stop: threading.Event) -> None:
        next(roles)(stop)

    run_workers(work, 2)
    put_back(open_repository(place), tmp_path / "restored")
    assert content(tmp_path / "restored")[1][log_name(made.logs[-1].version)] == made.logs[-1].data


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
