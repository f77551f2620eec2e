"""Where a server keeps its other files: from its settings to the folders and files to look at. Nothing is read here."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from neokeep.errors import ConfigurationError
from neokeep.neo4j import packages
from neokeep.server_files.secrets import CERTIFICATES, CONF, LICENSES, PLUGINS

if TYPE_CHECKING:
    from neokeep.neo4j.configuration import Configuration

FOLDERS = (
    (CERTIFICATES, ("server.directories.certificates", "dbms.directories.certificates"), "certificates"),
    (PLUGINS, ("server.directories.plugins", "dbms.directories.plugins"), "plugins"),
    (LICENSES, ("server.directories.licenses", "dbms.directories.licenses"), "licenses"),
)
LOG_CONFIGURATION = (("server.logs.config",), ("server.logs.user.config",))
_POLICY = re.compile(r"dbms\.ssl\.policy\.([^.]+)\.(\w+)")
_LICENSE_FILE = re.compile(r".*\.licen[sc]e_file")


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder whose files belong to an area, below `prefix` there."""

    area: str
    directory: Path
    prefix: str = ""


@dataclass(frozen=True, slots=True)
class Single:
    """A file that a setting names; `private` when it is named as a private key."""

    area: str
    origin: Path
    path: str
    private: bool = False


@dataclass(frozen=True, slots=True)
class Places:
    """All that is looked at, and what the configuration does not say clearly."""

    folders: tuple[Folder, ...]
    singles: tuple[Single, ...]
    problems: tuple[str, ...]


def find_places(configuration: Configuration, conf: Path) -> Places:
    """Find the places of a server; `conf` is its configuration directory."""
    problems: list[str] = []
    home = configuration.home
    folders = [Folder(CONF, conf)]
    for area, names, default in FOLDERS:
        value = _value(configuration, names, problems)
        # The packages keep certificates, plugins and licences below the home; so the default holds for them too.
        folders.append(Folder(area, home / (value or default)))
    singles = [
        Single(CONF, home / value, Path(value).name)
        for names in LOG_CONFIGURATION
        if (value := _value(configuration, names, problems))
    ]
    singles += [
        Single(LICENSES, home / value, Path(value).name)
        for name in configuration.settings
        if _LICENSE_FILE.fullmatch(name) and (value := _value(configuration, (name,), problems))
    ]
    certificates = next(folder.directory for folder in folders if folder.area == CERTIFICATES)
    for scope in sorted({match[1] for match in map(_POLICY.fullmatch, configuration.settings) if match}):
        _add_policy(configuration, scope, certificates, folders, singles, problems)
    return Places(tuple(folders), tuple(singles), tuple(dict.fromkeys(problems)))


def configuration_directory_of(home: Path, configuration: Path | None) -> Path:
    """Say where the configuration of a server is: beside its neo4j.conf, or where one would be."""
    if configuration is not None:
        return configuration.parent
    return packages.CONFIGURATION if home == packages.HOME else home / "conf"


def _add_policy(
    configuration: Configuration,
    scope: str,
    certificates: Path,
    folders: list[Folder],
    singles: list[Single],
    problems: list[str],
) -> None:
    """Add what a policy for encrypted connections names. What lies in the certificates folder keeps its place there."""

    def setting(word: str) -> str | None:
        return _value(configuration, (f"dbms.ssl.policy.{scope}.{word}",), problems)

    base = configuration.home / (setting("base_directory") or f"certificates/{scope}")

    def below(path: Path, otherwise: str) -> str:
        normal, root = Path(os.path.normpath(path)), Path(os.path.normpath(certificates))
        return str(normal.relative_to(root)) if normal.is_relative_to(root) else otherwise

    for word, default in (("private_key", "private.key"), ("public_certificate", "public.crt")):
        path = base / (setting(word) or default)
        place = below(path, f"{scope}/{path.name}")
        singles.append(Single(CERTIFICATES, path, place, private=word == "private_key"))
    for word, default in (("trusted_dir", "trusted"), ("revoked_dir", "revoked")):
        path = base / (setting(word) or default)
        folders.append(Folder(CERTIFICATES, path, below(path, f"{scope}/{default}")))


def _value(configuration: Configuration, names: tuple[str, ...], problems: list[str]) -> str | None:
    try:
        value = configuration.get(names)
    except ConfigurationError as problem:
        problems.append(problem.message)
        return None
    if value is not None and "\0" in value:
        problems.append(f"{names[0]} in {configuration.path} is no path")
        return None
    return value
