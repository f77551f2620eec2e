r"""Reading neo4j.conf of 4.4 and of 5 and later: the few settings that say where a server keeps its files.

Java properties syntax: comments, `\` escapes, continued lines; of a key given twice the last value counts. A missing
file means defaults. A value that is a command, `$(…)`, is refused when it is needed and ignored when it is not: neokeep
runs no command out of a configuration file.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from neokeep.errors import AccessError, ConfigurationError
from neokeep.files import explain
from neokeep.neo4j import packages

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FILE_NAME = "neo4j.conf"
DEFAULT_DATABASE = "neo4j"

# Each setting by its names, the newest first: 5.x takes the names of 4.4 as well.
DATA = ("server.directories.data", "dbms.directories.data")
DATABASES_ROOT = ("internal.server.directories.databases.root", "unsupported.dbms.directories.databases.root")
LOGS_ROOT = ("server.directories.transaction.logs.root", "dbms.directories.transaction.logs.root")
LIB = ("server.directories.lib", "dbms.directories.lib")
INITIAL_DATABASE = ("initial.dbms.default_database", "dbms.default_database")
LOG_RETENTION = ("db.tx_log.rotation.retention_policy", "dbms.tx_log.rotation.retention_policy")
LOG_ROTATION_SIZE = ("db.tx_log.rotation.size", "dbms.tx_log.rotation.size")
CHECKPOINT = ("db.checkpoint", "dbms.checkpoint")
CHECKPOINT_INTERVAL = ("db.checkpoint.interval.time", "dbms.checkpoint.interval.time")

_COMMAND = re.compile(r"\$\(.*\)", re.DOTALL)
_ESCAPES = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}
_BLANKS = " \t\f"
_SEPARATORS = "=:"


@dataclass(frozen=True, slots=True)
class Configuration:
    """The settings of one server. `path` is the file they came from, None when there was none."""

    home: Path
    path: Path | None
    settings: Mapping[str, str]

    def get(self, names: tuple[str, ...]) -> str | None:
        """Look a setting up by its names, newest first; None when it is not set."""
        for name in names:
            value = self.settings.get(name, "")
            if not value:
                continue
            if _COMMAND.fullmatch(value):
                raise ConfigurationError(
                    f"{name} in {self.path} is a command ({value}), which neokeep does not run",
                    remedy=f"Write the value itself into {FILE_NAME}, or name the directories in neokeep.toml.",
                )
            return value
        return None

    @property
    def data(self) -> Path:
        """The data directory."""
        return self._place(DATA, self.home, "data")

    @property
    def databases(self) -> Path:
        """The directory that holds one directory per database."""
        return self._place(DATABASES_ROOT, self.data, "databases")

    @property
    def transactions(self) -> Path:
        """The directory that holds one directory of transaction logs per database."""
        return self._place(LOGS_ROOT, self.data, "transactions")

    @property
    def lib(self) -> Path:
        """The directory of the server's jars."""
        return self._place(LIB, self.home, "lib")

    @property
    def default_database(self) -> str:
        """The name of the database that a new server creates."""
        return (self.get(INITIAL_DATABASE) or DEFAULT_DATABASE).lower()

    @property
    def log_retention(self) -> str | None:
        """The policy by which the server prunes its logs, as written; None when it is left to Neo4j's default."""
        return self.get(LOG_RETENTION)

    def _place(self, names: tuple[str, ...], base: Path, default: str) -> Path:
        return base / (self.get(names) or default)


def configuration_directory(home: Path) -> Path:
    """Choose as Neo4j's own scripts do, but trust NEO4J_CONF only when it is not another server's."""
    environment_home = os.environ.get("NEO4J_HOME")
    environment = os.environ.get("NEO4J_CONF")
    if environment and (not environment_home or Path(os.path.abspath(environment_home)) == home):
        return Path(os.path.abspath(environment))
    usual = home / "conf"
    if home == packages.HOME and not os.path.lexists(usual / FILE_NAME):
        return packages.CONFIGURATION
    return usual


def read_configuration(home: Path, directory: Path | None) -> Configuration:
    """Read neo4j.conf from a configuration directory; without a directory or file all settings have their defaults."""
    if directory is None:
        return Configuration(home, None, {})
    path = directory / FILE_NAME
    try:
        settings = _settings_in_files(path) if path.is_dir() else parse_properties(_decode(path.read_bytes()))
    except (FileNotFoundError, NotADirectoryError):
        return Configuration(home, None, {})
    except PermissionError as error:
        raise AccessError(
            f"{path} may not be read by this user",
            remedy=f"Run neokeep as the user that runs Neo4j, or give this user read access to {FILE_NAME}.",
        ) from error
    except OSError as error:
        raise explain(error, "read", path) from error
    return Configuration(home, path, settings)


def _settings_in_files(directory: Path) -> dict[str, str]:
    """Read settings that are files of their own, as Kubernetes mounts them: each named after its setting."""
    return {
        path.name: _decode(path.read_bytes()).strip()
        for path in sorted(directory.iterdir())
        if not path.name.startswith(".") and path.is_file()
    }


def parse_properties(text: str) -> dict[str, str]:
    """Parse Java properties; any text is some properties, as in Java."""
    settings: dict[str, str] = {}
    for line in _logical_lines(text):
        key, value = _split(line)
        settings[_unescape(key)] = _unescape(value).strip()
    return settings


def _decode(data: bytes) -> str:
    """Decode as UTF-8, which newer servers are set to, or else as Latin-1, Java's own choice for properties."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _logical_lines(text: str) -> Iterator[str]:
    """Join continued lines; skip blank lines and comments. Only the natural start of a line can be a comment."""
    pending = ""
    for natural in re.split(r"\r\n|\r|\n", text):
        line = natural.lstrip(_BLANKS)
        if not pending and (not line or line[0] in "#!"):
            continue
        pending += line
        backslashes = len(pending) - len(pending.rstrip("\\"))
        if backslashes % 2:
            pending = pending[:-1]
            continue
        if pending:
            yield pending
        pending = ""
    if pending:
        yield pending


def _split(line: str) -> tuple[str, str]:
    """Split at the first separator that is not escaped: '=', ':' or blanks."""
    at = 0
    while at < len(line) and line[at] not in _SEPARATORS + _BLANKS:
        at += 2 if line[at] == "\\" else 1
    key, rest = line[:at], line[at:].lstrip(_BLANKS)
    if rest and rest[0] in _SEPARATORS:
        rest = rest[1:].lstrip(_BLANKS)
    return key, rest


def _unescape(text: str) -> str:
    return re.sub(r"\\(u[0-9a-fA-F]{4}|.)", _unescape_one, text, flags=re.DOTALL) if "\\" in text else text


def _unescape_one(match: re.Match[str]) -> str:
    escaped = match[1]
    if len(escaped) == 5:
        return chr(int(escaped[1:], 16))
    return _ESCAPES.get(escaped, escaped)
