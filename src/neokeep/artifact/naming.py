"""What the database in an archive is called, and which archives hold one at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from neokeep.artifact.places import STANDARD
from neokeep.errors import SourceError, UsageError
from neokeep.neo4j.names import is_database_name, require_database_name
from neokeep.neo4j.source import SYSTEM_DATABASE

if TYPE_CHECKING:
    from neokeep.artifact.places import Found
    from neokeep.neo4j.artifact.read import ArtifactHeader


def require_full(header: ArtifactHeader, what: str) -> None:
    """Refuse what holds no store.

    Raises:
        SourceError: it is a differential artifact.
    """
    if header.metadata is not None and not header.metadata.full:
        raise SourceError(
            f"{what} is a differential artifact: it holds transactions {header.metadata.lowest} to "
            f"{header.metadata.highest} and no store",
            remedy="Use the full artifact before it. Only Neo4j Enterprise puts differential ones on top: its "
            "'neo4j-admin backup aggregate' (before 2025 'database aggregate-backup') makes one full artifact of all.",
        )


def database_name(header: ArtifactHeader, found: Found, loaded_as: str | None) -> str:
    """Decide what the database is called: as told, else as its header says, else after its file.

    Raises:
        UsageError: there is no name, or none that Neo4j takes, or it is that of the system database for another one.
    """
    if loaded_as is not None:
        name = require_database_name(loaded_as)
        if header.metadata is not None and SYSTEM_DATABASE in (name, header.metadata.database.lower()):
            return _same(name, header.metadata.database.lower())
        return name
    name = header.metadata.database if header.metadata is not None else _stem(found.name)
    if found.name == STANDARD and header.metadata is None:
        raise UsageError("a dump does not say what its database is called", remedy="Give the name with --as NAME.")
    if not is_database_name(name.lower()):
        raise UsageError(f"{name!r} is no name for a database", remedy="Give one with --as NAME.")
    return name.lower()


def archived_name(header: ArtifactHeader, found: Found) -> str:
    """Tell what the database was called: what its header says, else what its file is called after, for reports."""
    if header.metadata is not None:
        return header.metadata.database
    return "unnamed" if found.name == STANDARD else _stem(found.name)


def _same(name: str, database: str) -> str:
    if name != database:
        raise UsageError(
            f"the system database cannot change places with another: {database} as {name}",
            remedy="Load 'system' under its own name only.",
        )
    return name


def _stem(path: str) -> str:
    name = path.rpartition("/")[2]
    return name.rpartition(".")[0] or name
