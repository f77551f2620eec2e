"""Sources of each version, shared by all tests on real servers: they take long to make."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from real.rig import World

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Worlds:
    """The source of each version; only the one that was asked for last keeps running."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._made: dict[str, World] = {}

    def of(self, version: str) -> World:
        """Give the source of a version, made when it is asked for the first time."""
        for name, other in self._made.items():
            if name != version:
                other.server.stop()
        if version not in self._made:
            self._made[version] = World(self._directory / version, version)
        return self._made[version]

    def close(self) -> None:
        """End every server."""
        for world in self._made.values():
            world.close()


@pytest.fixture(scope="session")
def worlds(tmp_path_factory: pytest.TempPathFactory, quick_java: None) -> Iterator[Worlds]:
    """The sources; none of their servers outlives the tests."""
    made = Worlds(tmp_path_factory.mktemp("worlds"))
    yield made
    made.close()
