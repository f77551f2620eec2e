"""A real server at work is backed up to an object store and over SFTP, and comes back from there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from helpers.servers import s3_server, ssh_server
from neokeep.repository.open import init_repository, open_repository
from neokeep.storage.place import Place, StorageOptions
from real.rig import World, require_right

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from neokeep.repository.repository import Repository
    from real.conftest import Worlds

pytestmark = pytest.mark.real

VERSION = "5.26.30"


class Far(World):
    """A source that is there already, with a repository elsewhere."""

    def __init__(self, world: World, place: Place) -> None:
        self.__dict__.update(vars(world))
        self.place = place
        init_repository(place)

    @property
    def repository(self) -> Repository:
        return open_repository(self.place)


@pytest.fixture(params=["s3", "sftp"])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """A place on a server that runs during the test."""
    if request.param == "s3":
        with s3_server(tmp_path / "s3") as s3:
            for name, value in s3.environment.items():
                monkeypatch.setenv(name, value)
            monkeypatch.setenv("NO_PROXY", "127.0.0.1")
            yield Place(f"s3://{s3.bucket('bucket')}/neo4j")
        return
    with ssh_server(tmp_path / "ssh") as ssh:
        options = StorageOptions(known_hosts=ssh.known_hosts, key_file=ssh.key)
        yield Place(ssh.url(tmp_path / "repository"), options)


def test_a_server_under_load_is_backed_up_there_and_restored_from_there(
    worlds: Worlds, place: Place, request: pytest.FixtureRequest
) -> None:
    world = worlds.of(VERSION)
    _ = world.load
    far = Far(world, place)
    with far.under_load():
        taken = far.back_up("neo4j")
    target = world.target(f"far-{request.node.callspec.params['place']}")
    far.restore(taken, target, ["neo4j"])
    require_right(target, taken, "neo4j")
