"""A source: one Neo4j server that is backed up, found by its home directory.

`find_source` knows the layouts of the tar archive, of the Debian and RPM packages and of a Docker data volume, reads
neo4j.conf, and answers with a `Source`: its directories, version, edition and `Database`s. Everything is read only.
"""

from __future__ import annotations

import os
import re
import socket
import stat
from dataclasses import dataclass
from pathlib import Path

from neokeep.errors import AccessError, SourceError
from neokeep.files import explain
from neokeep.neo4j import locks, packages
from neokeep.neo4j.configuration import FILE_NAME, Configuration, read_configuration
from neokeep.neo4j.configuration import configuration_directory as usual_configuration_directory
from neokeep.neo4j.names import is_database_name
from neokeep.neo4j.store.neostore import StoreId, looks_like_database, read_store_id
from neokeep.neo4j.versions import Neo4jVersion

SYSTEM_DATABASE = "system"

_KERNEL_JAR = re.compile(r"neo4j-kernel-(\d.*)\.jar")
_ENTERPRISE_JAR = re.compile(r"neo4j-.*enterprise.*\.jar")


@dataclass(frozen=True, slots=True)
class Database:
    """One database of a source: where its store and its transaction logs are."""

    name: str
    store_directory: Path
    log_directory: Path

    def store_id(self) -> StoreId:
        """Read which store this is; SourceError for a format that cannot be captured."""
        return read_store_id(self.store_directory)

    def store_format(self) -> str:
        """Name the store's format: `aligned` or `standard`."""
        return self.store_id().store_format

    def lock(self) -> locks.LockState:
        """Ask whether a server (or a restore) has this database open."""
        return locks.query(self.lock_path)

    @property
    def lock_path(self) -> Path:
        """The file whose lock an open database holds."""
        return self.store_directory / locks.DATABASE_LOCK


@dataclass(frozen=True, slots=True)
class Source:
    """One Neo4j server.

    `configuration` is the neo4j.conf that was read, None when there is none; `version` is None and `edition` is
    'unknown' when its jars are not at hand, as with a Docker volume.
    """

    name: str
    home: Path
    configuration: Path | None
    data_directory: Path
    databases_directory: Path
    transactions_directory: Path
    lib_directory: Path | None
    default_database: str
    version: Neo4jVersion | None
    edition: str

    def databases(self) -> tuple[Database, ...]:
        """List every database, `system` last."""
        names = [name for name in _names(self.databases_directory) if self._is_database(name)]
        return tuple(self._database(name) for name in sorted(names, key=lambda name: (name == SYSTEM_DATABASE, name)))

    def database(self, name: str) -> Database:
        """Find a database by its name; SourceError that lists the known names otherwise."""
        wanted = name.lower()
        known = self.databases()
        for database in known:
            if database.name == wanted:
                return database
        names = ", ".join(database.name for database in known) or "none"
        raise SourceError(
            f"there is no database {name!r} in {self.databases_directory}",
            remedy=f"Databases of this server: {names}.",
        )

    def place_of(self, name: str) -> Database:
        """Say where a database of this name is or would be, for a restore that creates it."""
        return self._database(name.lower())

    def lock(self) -> locks.LockState:
        """Ask whether a server runs on this data directory."""
        return locks.query(self.databases_directory / locks.STORE_LOCK)

    def looked_at_again(self) -> Source:
        """Find the same server once more: it may have been upgraded, or its configuration changed."""
        return find_source(self.home, self.configuration.parent if self.configuration else None, self.name)

    def _database(self, name: str) -> Database:
        return Database(name, self.databases_directory / name, self.transactions_directory / name)

    def _is_database(self, name: str) -> bool:
        return is_database_name(name) and looks_like_database(self.databases_directory / name)


def find_source(
    home: Path | str,
    configuration_directory: Path | str | None = None,
    name: str | None = None,
) -> Source:
    """Find the Neo4j server at `home`; `configuration_directory` overrides where neo4j.conf is looked for."""
    home = Path(os.path.abspath(home))
    given = Path(os.path.abspath(configuration_directory)) if configuration_directory is not None else None
    configuration = read_configuration(home, given or usual_configuration_directory(home))
    if given is not None and configuration.path is None:
        raise SourceError(
            f"there is no {FILE_NAME} in {given}",
            remedy="Name the directory that holds the neo4j.conf of this server.",
        )
    label = name or f"{socket.gethostname()}:{home}"
    lib = _lib_directory(configuration)
    if _is_directory(home / "databases") and not _is_directory(configuration.databases):
        return _source(label, configuration, data=home, lib=lib)
    if configuration.path is None and lib is None and not _is_directory(configuration.databases):
        raise _no_home(home)
    return _source(label, configuration, data=None, lib=lib)


def _source(name: str, configuration: Configuration, *, data: Path | None, lib: Path | None) -> Source:
    jars = _names(lib) if lib is not None else []
    return Source(
        name=name,
        home=configuration.home,
        configuration=configuration.path,
        data_directory=data or configuration.data,
        databases_directory=data / "databases" if data else configuration.databases,
        transactions_directory=data / "transactions" if data else configuration.transactions,
        lib_directory=lib,
        default_database=configuration.default_database,
        version=_version(jars),
        edition=_edition(jars),
    )


def _lib_directory(configuration: Configuration) -> Path | None:
    candidates = [configuration.lib]
    if configuration.home == packages.HOME:
        candidates.append(packages.LIB)
    return next((path for path in candidates if _version(_names(path)) is not None), None)


def _version(jars: list[str]) -> Neo4jVersion | None:
    found = [match[1] for match in map(_KERNEL_JAR.fullmatch, jars) if match is not None]
    return max((Neo4jVersion.parse(text) for text in found), default=None)


def _edition(jars: list[str]) -> str:
    if not jars:
        return "unknown"
    return "enterprise" if any(_ENTERPRISE_JAR.fullmatch(jar) for jar in jars) else "community"


def _names(directory: Path) -> list[str]:
    try:
        return os.listdir(directory)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except PermissionError as error:
        raise _forbidden(directory) from error
    except OSError as error:
        raise explain(error, "list", directory) from error


def _is_directory(path: Path) -> bool:
    try:
        return stat.S_ISDIR(os.stat(path).st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except PermissionError as error:
        raise _forbidden(path) from error
    except OSError as error:
        raise explain(error, "look at", path) from error


def _forbidden(path: Path) -> AccessError:
    return AccessError(
        f"{path} may not be read by this user",
        remedy="Run neokeep as the user that runs Neo4j, or give this user read access.",
    )


def _no_home(home: Path) -> SourceError:
    looked_for = ", ".join((f"conf/{FILE_NAME}", "data/databases", "databases", "lib/neo4j-kernel-*.jar"))
    return SourceError(
        f"{home} is no home of a Neo4j server: none of {looked_for} is there",
        remedy="Name the home of the server (for the packages /var/lib/neo4j), or its data directory.",
    )


def future_source(home: Path | str, configuration_directory: Path | str | None = None) -> Source:
    """Say where the databases of a home that is still empty will be; a restore begins there."""
    home = Path(os.path.abspath(home))
    given = Path(os.path.abspath(configuration_directory)) if configuration_directory is not None else None
    configuration = read_configuration(home, given or home / "conf")
    return _source(f"{socket.gethostname()}:{home}", configuration, data=None, lib=_lib_directory(configuration))
