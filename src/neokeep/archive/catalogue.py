"""The backups of one database in a repository, looked at again and again: each manifest is read once."""

from __future__ import annotations

from socket import gethostname
from typing import TYPE_CHECKING

from neokeep.errors import IntegrityError
from neokeep.repository.manifest import PREFIX, Manifest
from neokeep.storage.base import ObjectMissing

if TYPE_CHECKING:
    from neokeep.neo4j.source import Source
    from neokeep.repository.repository import Repository


class Catalogue:
    """Knows the backups of a database by their labels, which begin with its name."""

    def __init__(self, repository: Repository, database: str) -> None:
        self._repository = repository
        self._database = database
        self._known: dict[str, Manifest] = {}

    def look(self) -> list[Manifest]:
        """List the backups that are there now and can be read, of every source."""
        names = [item.name.removeprefix(f"{PREFIX}/") for item in self._repository.storage.list(PREFIX)]
        present = [name for name in names if name.startswith(f"{self._database}-")]
        known = self._known
        self._known = {}
        for label in present:
            manifest = known.get(label) or self._read(label)
            if manifest is not None:
                self._known[label] = manifest
        return [manifest for manifest in self._known.values() if manifest.database == self._database]

    def bases(self, source: Source, store_id: str) -> list[Manifest]:
        """List the full backups of this database of a source, newest first: a copy elsewhere is another database.

        Two servers may have been given one name: what is of another store and from another place does not count, else
        each of them would break the chain of the other, for ever.
        """
        here = (gethostname(), str(source.home))
        fulls = [
            item
            for item in self.look()
            if item.type == "full"
            and item.source.name == source.name
            and item.ingested is None
            and (item.store_id == store_id or (item.source.host, item.source.home) == here)
        ]
        return sorted(fulls, key=lambda item: item.finished_at, reverse=True)

    def _read(self, label: str) -> Manifest | None:
        try:
            return self._repository.manifest(label)
        except (IntegrityError, ObjectMissing):
            return None  # No backup can be restored by it; 'verify' tells, if it did not just expire.
