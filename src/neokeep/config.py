"""Where the value of an option comes from: its flag, else the environment, else neokeep.toml, else its default.

`settle` is a pure function of those three. The file may name sources and repositories; --source and --repo choose one,
and the only one needs no choosing. docs/reference.md tells users.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from neokeep.config_file import EMPTY, ConfigurationFile, RepositoryEntry, find_file, read_file
from neokeep.errors import ConfigurationError, UsageError
from neokeep.options import BY_NAME, KEYS, PLACE, options_of
from neokeep.storage.place import TIMEOUT_SECONDS, KeySources, Place, StorageOptions

if TYPE_CHECKING:
    from neokeep.config_file import SourceEntry
    from neokeep.options import Option, Value

PASSPHRASE_VARIABLE = "NEOKEEP_PASSPHRASE"  # noqa: S105  a name
"""The passphrase itself, for those who have it in the environment anyway; no option, since those are seen by all."""

_PASSPHRASE = "passphrase"  # noqa: S105  a name

_PLACE = re.compile(r"/.+|~.*|[a-z0-9]+://.+")
"""A place of which each of several is written: in full."""

Flags = Mapping[str, str | bool | tuple[str, ...] | None]
"""What the command line gave: text as it was typed, a truth value for a switch, None for what was not given.

What may be given more than once is a tuple of texts.
"""


@dataclass(frozen=True, slots=True)
class Settings:
    """The values of all options of one command."""

    values: Mapping[str, Value | None]
    sources: tuple[SourceEntry, ...] = ()
    """What --sources names."""
    places: Mapping[str, tuple[Place, ...]] = field(default_factory=dict)
    """The repositories that an option means, by its name."""
    flags: frozenset[str] = frozenset()
    """The options that the command line itself gave."""

    def text(self, name: str) -> str | None:
        """Give an option that is a name, a label or a choice."""
        values = self.texts(name)
        return values[0] if values else None

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

    def texts(self, name: str) -> tuple[str, ...]:
        """Give an option that is any number of names or labels."""
        value = self.values[name]
        return () if value is None else tuple(map(str, value)) if isinstance(value, tuple) else (str(value),)

    def place(self, name: str = "repo") -> Place:
        """Give the one repository and how to reach it; a command cannot work without."""
        first, *others = self.several_places(name)
        if others:
            raise UsageError(
                f"this is done to one repository at a time, but {len(others) + 1} are named: "
                f"{', '.join(place.url for place in (first, *others))}",
                remedy=f"Choose one with {BY_NAME[name].flag}.",
            )
        return first

    def means_repository(self, options: Iterable[str]) -> bool:
        """Tell whether a repository is read, by a command that can read a server, too.

        It is where one of `options` is there, which only mean something of a repository; where the command line names
        a repository and no server; and where no server is named anywhere.
        """
        if any(self.values[name] is not None for name in options):
            return True
        if "repo" in self.flags:
            return not self.flags & {"home", "source"}
        return self.values["home"] is None and bool(self.places.get("repo"))

    def place_or_places(self) -> Place | tuple[Place, ...]:
        """Give the only repository as it is, or several as a tuple."""
        places = self.several_places()
        return places if len(places) > 1 else places[0]

    def several_places(self, name: str = "repo") -> tuple[Place, ...]:
        """Give the repositories, each once, and how to reach each; a command cannot work without one."""
        if not self.places.get(name):
            raise _missing(BY_NAME[name])
        return self.places[name]

    def new_passphrase(self) -> KeySources:
        """Give where the passphrase of a new key is found."""
        from neokeep.cli.terminal import asker

        return KeySources(
            passphrase_file=self.path("new_passphrase_file"),
            passphrase_command=self.text("new_passphrase_command"),
            ask=asker(),
        )

    def files(self, name: str) -> tuple[Path, ...]:
        """Give an option that is any number of files."""
        value = self.values[name]
        values = value if isinstance(value, tuple) else (value,)
        return tuple(one for one in values if isinstance(one, Path))

    def storage_options(self) -> StorageOptions:
        """Give how storages are reached: what the options beginning with --repo- say."""
        return _storage_options(self.values)

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
    settings = settle(command, flags, os.environ, read_file(path) if path else EMPTY)
    os.environ.pop(PASSPHRASE_VARIABLE, None)  # No program that is started later inherits it.
    return settings


def settle(command: str, flags: Flags, environment: Mapping[str, str], file: ConfigurationFile) -> Settings:
    """Decide the value of each option of a command."""
    options = options_of(command)
    values: dict[str, Value | None] = {}
    for option in options:
        values[option.name] = _first(option, flags, environment, file.defaults)
    if "home" in values:
        _settle_source(values, flags, environment, file)
    places = {
        option.name: _places(option, values, flags, environment, file) for option in options if option.kind is PLACE
    }
    for name, found in places.items():
        values[name] = tuple(place.url for place in found) or None
    named = values.get("sources")
    sources = () if named is None else _named_sources(str(named), flags, file)
    return Settings(values, sources, places, frozenset(name for name, value in flags.items() if value is not None))


def _places(
    option: Option,
    values: Mapping[str, Value | None],
    flags: Flags,
    environment: Mapping[str, str],
    file: ConfigurationFile,
) -> tuple[Place, ...]:
    """Find the repositories that an option means, each with what is said about reaching it."""
    given = values[option.name]
    names = () if given is None else _listed(str(given), file)
    if isinstance(given, tuple):
        names = tuple(map(str, given))
    if not names and option.name == "repo" and len(file.repositories) == 1:
        names = tuple(file.repositories)
    found: dict[str, Place] = {}
    for name in names:
        entry = file.repositories.get(name) or RepositoryEntry(_place(name))
        own = {key: _first(BY_NAME[key], flags, environment, entry.options) for key in entry.options if key not in KEYS}
        keys = _keys(values, flags, environment, (entry.options, file.defaults))
        found.setdefault(entry.place, Place(entry.place, _storage_options({**values, **own}), keys))
    return tuple(found.values())


def _storage_options(values: Mapping[str, Value | None]) -> StorageOptions:
    settings = Settings(values)
    return StorageOptions(
        endpoint=settings.text("repo_endpoint"),
        region=settings.text("repo_region"),
        addressing=settings.choice("repo_addressing"),
        ca_file=settings.path("repo_ca_file"),
        key_file=settings.path("repo_key_file"),
        known_hosts=settings.path("repo_known_hosts"),
        retries=settings.number("repo_retries") or 0,
        timeout=settings.number("repo_timeout") or TIMEOUT_SECONDS,
        bandwidth=settings.number("repo_bandwidth"),
        immutable_for=settings.number("immutable_for") if "immutable_for" in values else None,
    )


def _first(option: Option, flags: Flags, environment: Mapping[str, str], in_file: Mapping[str, Value]) -> Value | None:
    given = flags.get(option.name)
    if isinstance(given, tuple):
        return tuple(_text_or_path(_read(option, one, option.flag, UsageError)) for one in given)
    if given is not None:
        return given if isinstance(given, bool) else _read(option, given, option.flag, UsageError)
    variable = option.variable
    if variable and environment.get(variable):
        return _read(option, environment[variable], f"the environment variable {variable}", ConfigurationError)
    # One of this name that means another thing to another command may be in the file.
    if option.in_file and option.name in in_file:
        return in_file[option.name]
    return None if option.default is None else option.read(option.default)


def _text_or_path(value: Value) -> str | Path:
    return value if isinstance(value, Path) else str(value)


def _keys(
    values: Mapping[str, Value | None],
    flags: Flags,
    environment: Mapping[str, str],
    in_file: tuple[Mapping[str, Value], ...],
) -> KeySources:
    """Decide what opens a repository, all of it by the first that says anything: flags, environment, file."""
    from neokeep.cli.terminal import asker

    options = [BY_NAME[name] for name in KEYS if name in values]
    if not options:
        return KeySources()
    ways: list[dict[str, Value | None]] = [
        {option.name: _first(option, flags, {}, {}) for option in options},
        {option.name: _first(option, {}, environment, {}) for option in options},
        *({option.name: one.get(option.name) for option in options} for one in in_file),
    ]
    ways[1][_PASSPHRASE] = environment.get(PASSPHRASE_VARIABLE) or None
    chosen: dict[str, Value | None] = dict.fromkeys((*KEYS, _PASSPHRASE))
    chosen |= next((one for one in ways if any(one.values())), {})
    settings = Settings(chosen)
    return KeySources(
        passphrase_file=settings.path("passphrase_file"),
        passphrase_command=settings.text("passphrase_command"),
        passphrase=settings.text(_PASSPHRASE),
        identity_file=settings.path("identity_file"),
        prompt=settings.switch("passphrase_prompt"),
        ask=asker(),
    )


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


def _listed(text: str, file: ConfigurationFile) -> tuple[str, ...]:
    """Take several repositories apart that are separated by commas, unless the comma is part of a path."""
    parts = tuple(part.strip() for part in text.split(","))
    return parts if all(part in file.repositories or _PLACE.fullmatch(part) for part in parts) else (text,)


def _place(given: str) -> str:
    """Take what is no name for a place."""
    return given if "://" in given else str(Path(given).expanduser())


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
    what = {
        "repo": "which repository to use",
        "from": "which repository to take from",
        "to": "which repository to copy into",
        "home": "which Neo4j server to use",
    }.get(option.name, f"{option.flag} to use")
    return UsageError(f"it is not said {what}", remedy=f"Give {', or '.join(ways)}.")
