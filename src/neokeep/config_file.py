"""neokeep.toml: finding it, reading it, and saying exactly what is wrong with it.

Three tables: [sources.NAME] with `home` and `conf`, [repositories.NAME] with `path`, the options of options.py that
begin with `repo-`, without that, and those that open a repository, and [defaults] with all options by their keys;
`repo` may be a list there. A relative path is relative to the file. Whatever is unknown or of the wrong type is an
error: a misspelt key must not silently leave a default in force.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neokeep.errors import AccessError, ConfigurationError, UsageError
from neokeep.options import COUNT, FILE, KEYS, OPTIONS, PLACE, SWITCH

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from neokeep.options import Option, Value

FILE_NAME = "neokeep.toml"
SYSTEM_FILE = Path("/etc/neokeep") / FILE_NAME
REMEDY = "See 'The configuration file' in docs/reference.md."

_HEADER = re.compile(r"\s*\[\s*([^\[\]]+?)\s*\]\s*(?:#.*)?")
_KEYS = {option.key: option for option in OPTIONS if option.in_file}
_OF_REPOSITORIES = "repo-"


@dataclass(frozen=True, slots=True)
class SourceEntry:
    """One [sources.NAME]."""

    name: str
    home: Path
    conf: Path | None


@dataclass(frozen=True, slots=True)
class RepositoryEntry:
    """One [repositories.NAME]: its place, and what is said there about reaching it, by option name."""

    place: str
    options: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ConfigurationFile:
    """What a neokeep.toml says; `defaults` are option values by option name."""

    path: Path | None = None
    sources: Mapping[str, SourceEntry] = field(default_factory=dict)
    repositories: Mapping[str, RepositoryEntry] = field(default_factory=dict)
    defaults: Mapping[str, Value] = field(default_factory=dict)


EMPTY = ConfigurationFile()


def find_file(given: str | None, environment: Mapping[str, str]) -> Path | None:
    """Find the file that applies: the given one, which must exist, else the first of the usual places, else None."""
    if given is not None:
        path = Path(given).expanduser()
        if not path.exists():
            raise ConfigurationError(
                f"there is no configuration file {path}", remedy="Check --config and NEOKEEP_CONFIG."
            )
        return path
    return next((path for path in usual_places(environment) if os.path.isfile(path)), None)


def usual_places(environment: Mapping[str, str]) -> tuple[Path, ...]:
    """List where neokeep.toml is looked for, the first one found counts."""
    own = environment.get("XDG_CONFIG_HOME")
    folder = Path(own) if own else Path(environment.get("HOME") or os.path.expanduser("~"), ".config")
    return (Path(FILE_NAME), folder / "neokeep" / FILE_NAME, SYSTEM_FILE)


def read_file(path: Path) -> ConfigurationFile:
    """Read a neokeep.toml.

    Raises:
        ConfigurationError: with file, line and key, where anything in it is not as it must be.
        AccessError: it may not be read.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except PermissionError as error:
        raise AccessError(f"{path} may not be read by this user", remedy="Give this user read access to it.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"{path} cannot be read: {error}", remedy="It must be a text file in UTF-8."
        ) from error
    return parse_file(text, path)


def parse_file(text: str, path: Path) -> ConfigurationFile:
    """Read the text of a neokeep.toml that lies at `path`."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(
            f"{path} is not valid TOML: {error}", remedy="Correct the line; text values stand in quotation marks."
        ) from error
    reader = _Reader(path, text)
    reader.only(document, "", ("sources", "repositories", "defaults"))
    return ConfigurationFile(
        path=path,
        sources={name: reader.source(name, entry) for name, entry in reader.entries(document, "sources")},
        repositories={name: reader.repository(name, entry) for name, entry in reader.entries(document, "repositories")},
        defaults=reader.defaults(document),
    )


class _Reader:
    """Turns TOML into values; knows the text, to name the line of a mistake."""

    def __init__(self, path: Path, text: str) -> None:
        self.path = path
        self.lines = text.splitlines()

    def entries(self, document: Mapping[str, Any], table: str) -> Iterable[tuple[str, Mapping[str, Any]]]:
        for name, entry in self.table(document, table).items():
            if not isinstance(entry, dict):
                raise self.wrong(table, name, f"must be a table of its own, written [{table}.{name}]")
            yield name, entry

    def source(self, name: str, entry: Mapping[str, Any]) -> SourceEntry:
        where = f"sources.{name}"
        self.only(entry, where, ("home", "conf"))
        home = self.path_of(where, "home", entry)
        if home is None:
            raise self.wrong(where, "home", "is missing", remedy="Add the home of that Neo4j server.")
        return SourceEntry(name, home, self.path_of(where, "conf", entry))

    def repository(self, name: str, entry: Mapping[str, Any]) -> RepositoryEntry:
        where = f"repositories.{name}"
        known = {
            key.removeprefix(_OF_REPOSITORIES): option
            for key, option in _KEYS.items()
            if key.startswith(_OF_REPOSITORIES) or option.name in KEYS
        }
        self.only(entry, where, ("path", *known))
        options = {
            option.name: self.value(option, entry[key], where, key) for key, option in known.items() if key in entry
        }
        text = entry.get("path")
        if isinstance(text, str) and "://" in text:
            return RepositoryEntry(text, options)
        path = self.path_of(where, "path", entry)
        if path is None:
            raise self.wrong(where, "path", "is missing", remedy="Add the directory or URL of that repository.")
        return RepositoryEntry(str(path), options)

    def defaults(self, document: Mapping[str, Any]) -> dict[str, Value]:
        table = self.table(document, "defaults")
        self.only(table, "defaults", _KEYS)
        values = {_KEYS[key].name: self.value(_KEYS[key], value, "defaults", key) for key, value in table.items()}
        repo = values.get("repo")
        known = document.get("repositories", {})

        def placed(one: str) -> str:
            return one if one in known or "://" in one else str(self.relative(one))

        if repo is not None:
            values["repo"] = tuple(placed(str(one)) for one in repo) if isinstance(repo, tuple) else placed(str(repo))
        return values

    def value(self, option: Option, value: object, where: str, key: str) -> Value:
        if option.kind is PLACE and isinstance(value, list) and value:
            return tuple(str(self.value(option, one, where, key)) for one in value)
        wanted = bool if option.kind is SWITCH else int if option.kind is COUNT else str
        if type(value) is not wanted:
            words = {bool: "true or false", int: "a number without quotation marks", str: "text in quotation marks"}
            raise self.wrong(where, key, f"must be {words[wanted]}")
        try:
            read = option.read(str(value))
        except UsageError as error:
            raise self.wrong(where, key, error.message, remedy=error.remedy) from error
        return self.relative(str(value)) if option.kind is FILE else read

    def table(self, document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
        table = document.get(name, {})
        if not isinstance(table, dict):
            raise self.wrong("", name, f"must be a table, written [{name}]")
        return table

    def path_of(self, where: str, key: str, entry: Mapping[str, Any]) -> Path | None:
        value = entry.get(key)
        if value is None:
            return None
        if not isinstance(value, str) or not value.strip():
            raise self.wrong(where, key, "must be a directory in quotation marks")
        return self.relative(value)

    def relative(self, path: str) -> Path:
        return Path(os.path.abspath(self.path.parent / Path(path).expanduser()))

    def only(self, table: Mapping[str, Any], where: str, known: Iterable[str]) -> None:
        names = list(known)
        for key in table:
            if key not in names:
                near = difflib.get_close_matches(key.replace("_", "-"), names, 1)
                remedy = f"Did you mean {near[0]!r}?" if near else f"Known here: {', '.join(names)}."
                raise self.wrong(where, key, "is not known", remedy=remedy)

    def wrong(self, where: str, key: str, what: str, remedy: str = REMEDY) -> ConfigurationError:
        name = f"{where}.{key}" if where else key
        line = self.line_of(where, key)
        place = f"{self.path}, line {line}" if line else str(self.path)
        return ConfigurationError(f"{place}: {name} {what}", remedy=remedy)

    def line_of(self, where: str, key: str) -> int | None:
        """Find the line of a key, or of its table when it has none; None when it is written in an unusual way."""
        current, table_line = "", None
        full_name = f"{where}.{key}" if where else key
        for number, line in enumerate(self.lines, 1):
            header = _HEADER.fullmatch(line)
            if header:
                current = re.sub(r"\s*\.\s*", ".", header[1]).replace('"', "").replace("'", "")
                if current == full_name or current.startswith(f"{full_name}."):
                    return number
                if current == where:
                    table_line = number
            elif current == where and re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*[.=]", line):
                return number
        return table_line
