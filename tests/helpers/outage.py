"""A repository that goes away and comes back while a follower archives into it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from helpers.database import make_database
from helpers.following import Followed
from helpers.storages import MemoryStorage, Wrapped
from neokeep.errors import RepositoryError

if TYPE_CHECKING:
    from pathlib import Path

    from typing_extensions import Buffer


class Unsteady(Wrapped):
    """A storage that is away when the test says so, wholly or for some operations, before or after doing its work."""

    def __init__(self) -> None:
        self.memory = MemoryStorage()
        self.away: set[str] = set()
        self.too_late = False
        super().__init__(self.memory, self._before)

    def _before(self, operation: str, _name: str) -> None:
        if operation in self.away and not self.too_late:
            raise RepositoryError("the repository is away", remedy="Mount it.")

    def create(self, name: str, data: Buffer) -> None:
        super().create(name, data)
        if "create" in self.away:
            raise RepositoryError("it is not known whether this was stored", remedy="Mount it.")


EVERYTHING = {"create", "read", "stat", "list", "delete"}


class Outage:
    def __init__(self, home: Path) -> None:
        self.storage = Unsteady()
        Followed(made := make_database(home), memory=self.storage.memory)
        self.followed = Followed(made, memory=self.storage.memory, storage=self.storage)
        self.followed.begin()
        self.made = made
