"""A real server at work is backed up by a host that cannot read its backups, and comes back by the key of another."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from neokeep import api
from neokeep.repository.open import open_repository
from neokeep.storage.place import KeySources, Place
from real.rig import World, require_right

if TYPE_CHECKING:
    from pathlib import Path

    from neokeep.repository.repository import Repository
    from real.conftest import Worlds

pytestmark = pytest.mark.real

VERSION = "5.26.30"


class Encrypted(World):
    """A source that is there already, with an encrypted repository; `place` says with whose key it is opened."""

    def __init__(self, world: World, place: Place) -> None:
        self.__dict__.update(vars(world))
        self.place = place

    @property
    def repository(self) -> Repository:
        return open_repository(self.place)


def test_a_server_under_load_is_backed_up_by_a_writer_and_restored_by_a_reader(worlds: Worlds, tmp_path: Path) -> None:
    for name in ("reader", "writer"):
        api.key_generate(tmp_path / name)
    place = Place(str(tmp_path / "repository"), keys=KeySources(identity_file=tmp_path / "writer"))
    recipients, writers = [tmp_path / "reader.pub"], [tmp_path / "writer.pub"]
    api.init(place.url, recipients=recipients, writer_recipients=writers)
    world = worlds.of(VERSION)
    _ = world.load
    encrypted = Encrypted(world, place)
    with encrypted.under_load():
        taken = encrypted.back_up("neo4j")
    encrypted.place = replace(place, keys=KeySources(identity_file=tmp_path / "reader"))
    target = world.target("encrypted")
    encrypted.restore(taken, target, ["neo4j"])
    require_right(target, taken, "neo4j")
