"""Where the value of an option comes from: its flag, else the environment, else neokeep.toml, else its default.

`settle` is a pure function of those three. The file may name sources and repositories; --source and --repo choose one,
and the only one needs no choosing. docs/reference.md tells users.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from neokeep.config_file import EMPTY, ConfigurationFile, find_file, read_file
from neokeep.errors import ConfigurationError, UsageError
from neokeep.options import BY_NAME, options_of
from neokeep.storage.place import TIMEOUT_SECONDS, Place, StorageOptions

if TYPE_CHECKING:
    from neokeep.config_file import RepositoryEntry, SourceEntry
    from neokeep.options import Option, Value

Flags = Mapping[str, str | bool | None]
"""What the command line gave: text as it was typed, a truth value for a switch, None for what was not given."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The values of all options of one command."""

    values: Mapping[str, Value | None]
    sources: tuple[SourceEntry, ...] = ()
    """What --sources names."""

    def text(self, name: str) -> str | None:
        """Give an option that is a name, a label or a choice."""
        value = self.values[name]
        return None if value is None else str(value)

    def path(self, name: str) -> Path | None:
        """Give an option that is a file or a directory."""
        value = self.values[name]
        return value if isinstance(value, Path) else None

    def number(self, name: str) -> int | None:
        """Give an option that is a count, a size, a rate or a duration."""
        value = self.values[name]
        return value if isinstance(value, int) else None

    def share(self, name: str) -> float | None:
        """Give an option that is a percentage, as a fraction."""
        value = self.values[name]
        return value if isinstance(value, float) else None

    def moment(self, name: str) -> datetime | None:
        """Give an option that is a time."""
        value = self.values[name]
        return value if isinstance(value, datetime) else None

    def switch(self, name: str) -> bool:
        """Give an option that is on or off."""
        return self.values[name] is True

    def choice(self, name: str) -> str:
        """Give an option that always has a value."""
        return str(self.values[name])

    def place(self) -> Place:
        """Give the repository and how to reach it; a command cannot work without."""
        return Place(self.needed_text("repo"), self.storage_options())

    def storage_options(self) -> StorageOptions:
        """Give how storages are reached: what the options beginning with --repo- say."""
        return StorageOptions(
            endpoint=self.text("repo_endpoint"),
            region=self.text("repo_region"),
            addressing=self.choice("repo_addressing"),
            ca_file=self.path("repo_ca_file"),
            key_file=self.path("repo_key_file"),
            known_hosts=self.path("repo_known_hosts"),
            retries=self.number("repo_retries") or 0,
            timeout=self.number("repo_timeout") or TIMEOUT_SECONDS,
            bandwidth=self.number("repo_bandwidth"),
        )

    def needed_path(self, name: str) -> Path:
        """Give a path without which the command cannot work."""
        value = self.path(name)
        if value is None:
            raise _missing(BY_NAME[name])
        return value

    def needed_text(self, name: str) -> str:
        """Give a text without which the command cannot work."""
        value = self.text(name)
        if value is None:
            raise _missing(BY_NAME[name])
        return value


def load_settings(command: str, flags: Flags) -> Settings:
    """Find the values of a command's options in its flags, this process's environment and the file that applies."""
    given = flags.get("config") or os.environ.get("NEOKEEP_CONFIG") or None
    path = find_file(str(given) if given else None, os.environ)
    return settle(command, flags, os.environ, read_file(path) if path else EMPTY)


def settle(command: str, flags: Flags, environment: Mapping[str, str], file: ConfigurationFile) -> Settings:
    """Decide the value of each option of a command."""
    options = options_of(command)
    values: dict[str, Value | None] = {}
    for option in options:
        values[option.name] = _first(option, flags, environment, file.defaults)
    if "home" in values:
        _settle_source(values, flags, environment, file)
    if "repo" in values:
        entry = _repository(values["repo"], file)
        values["repo"] = entry.place if entry else _place(values["repo"])
        for name in entry.options if entry else ():
            values[name] = _first(BY_NAME[name], flags, environment, entry.options if entry else {})
    named = values.get("sources")
    return Settings(values, () if named is None else _named_sources(str(named), flags, file))


def _first(option: Option, flags: Flags, environment: Mapping[str, str], in_file: Mapping[str, Value]) -> Value | None:
    given = flags.get(option.name)
    if given is not None:
        return given if isinstance(given, bool) else _read(option, given, option.flag, UsageError)
    variable = option.variable
    if variable and environment.get(variable):
        return _read(option, environment[variable], f"the environment variable {variable}", ConfigurationError)
    if option.name in in_file:
        return in_file[option.name]
    return None if option.default is None else option.read(option.default)


def _read(option: Option, text: str, origin: str, error: type[UsageError | ConfigurationError]) -> Value:
    try:
        return option.read(text)
    except UsageError as problem:
        raise error(f"{origin}: {problem.message}", remedy=problem.remedy) from None


def _settle_source(
    values: dict[str, Value | None], flags: Flags, environment: Mapping[str, str], file: ConfigurationFile
) -> None:
    """Decide home, configuration directory and name together: they belong to one server.

    A home on the command line is meant, then a source there, then the environment's, then the file's.
    """
    named = flags.get("source") is not None or bool(environment.get("NEOKEEP_SOURCE"))
    entry = None
    if flags.get("home") is None and (named or values["home"] is None):
        entry = _entry(values["source"], values["home"], file)
    if entry is not None:
        values["home"], values["source"] = entry.home, entry.name
    elif not named:
        # The file's default source names the file's server, not the one that was asked for.
        values["source"] = None
    home = values["home"]
    if flags.get("conf") is None and isinstance(home, Path):
        own = flags.get("source") is None and _conf_applies(home, environment)
        if not own:
            values["conf"] = entry.conf if entry else None


def _named_sources(named: str, flags: Flags, file: ConfigurationFile) -> tuple[SourceEntry, ...]:
    """Find the sources of the file that a list of names, or `all`, means; none where one server is meant."""
    one = [f"--{name}" for name in ("home", "source", "conf") if flags.get(name) is not None]
    if one and flags.get("sources") is None:
        return ()  # The command line means one server, whatever environment and file say.
    if one:
        raise UsageError(f"--sources was given beside {one[0]}", remedy="Give one of them.")
    names = list(file.sources) if named.strip() == "all" else [name.strip() for name in named.split(",")]
    for name in names:
        if name not in file.sources:
            raise _no_source(name, file)
    if not names:
        raise _no_source(named, file)
    return tuple(file.sources[name] for name in dict.fromkeys(names))


def _entry(name: Value | None, home: Value | None, file: ConfigurationFile) -> SourceEntry | None:
    """Find the source of the file that is meant. Without any in the file, a name is a label for the home at hand."""
    if name is None:
        return next(iter(file.sources.values())) if len(file.sources) == 1 else None
    entry = file.sources.get(str(name))
    if entry is None and (file.sources or home is None):
        raise _no_source(str(name), file)
    return entry


def _conf_applies(home: Path, environment: Mapping[str, str]) -> bool:
    own_home = environment.get("NEO4J_HOME")
    return bool(environment.get("NEO4J_CONF")) and (not own_home or os.path.abspath(own_home) == os.path.abspath(home))


def _repository(given: Value | None, file: ConfigurationFile) -> RepositoryEntry | None:
    """Find the repository of the file that is meant: the named one, or the only one where none is named."""
    if given is None:
        only = list(file.repositories.values())
        return only[0] if len(only) == 1 else None
    return file.repositories.get(str(given))


def _place(given: Value | None) -> str | None:
    """Take what is no name for a place."""
    if given is None:
        return None
    place = str(given)
    return place if "://" in place else str(Path(place).expanduser())


def _no_source(name: str, file: ConfigurationFile) -> ConfigurationError:
    where = f"in {file.path}" if file.path else "because there is no neokeep.toml"
    known = ", ".join(file.sources)
    return ConfigurationError(
        f"there is no source {name!r} {where}",
        remedy=f"Choose one of: {known}." if known else f"Add [sources.{name}] with a home, or give --home DIRECTORY.",
    )


def _missing(option: Option) -> UsageError:
    ways = [f"{option.flag} {option.metavar}"]
    if option.variable:
        ways.append(f"set {option.variable}")
    section = {"repo": "[repositories]", "home": "[sources]"}.get(option.name)
    if section:
        ways.append(f"name it under {section} in neokeep.toml (with several there, choose one)")
    what = {"repo": "which repository", "home": "which Neo4j server"}.get(option.name, option.flag)
    return UsageError(f"it is not said {what} to use", remedy=f"Give {', or '.join(ways)}.")
