"""neokeep: backup and restore for Neo4j.

The names below are imported when they are first used. `neokeep.restore` and `neokeep.check` are functions, and
packages of the same name as well: such a package, once imported, can be called like the function.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

from neokeep.version import __version__

if TYPE_CHECKING:
    from neokeep.api import backup, check, find_source, info, init, log, open_repository, restore, verify
    from neokeep.errors import (
        AccessError,
        ConfigurationError,
        IntegrityError,
        InterruptedByUser,
        LockedError,
        NeokeepError,
        PartialError,
        RepositoryError,
        SourceError,
        SpaceError,
        UsageError,
    )
    from neokeep.progress import Progress
    from neokeep.reports import (
        BackupInfo,
        BackupReport,
        CheckReport,
        Failure,
        Finding,
        InfoReport,
        InitReport,
        LeftOutInfo,
        LogReport,
        RestoreReport,
        VerifiedBackup,
        VerifyReport,
    )


__all__ = [
    "AccessError",
    "BackupInfo",
    "BackupReport",
    "CheckReport",
    "ConfigurationError",
    "Failure",
    "Finding",
    "InfoReport",
    "InitReport",
    "IntegrityError",
    "InterruptedByUser",
    "LeftOutInfo",
    "LockedError",
    "LogReport",
    "NeokeepError",
    "PartialError",
    "Progress",
    "RepositoryError",
    "RestoreReport",
    "SourceError",
    "SpaceError",
    "UsageError",
    "VerifiedBackup",
    "VerifyReport",
    "__version__",
    "backup",
    "check",
    "find_source",
    "info",
    "init",
    "log",
    "open_repository",
    "restore",
    "verify",
]

_FUNCTIONS = frozenset(
    {"backup", "check", "find_source", "info", "init", "log", "open_repository", "restore", "verify"}
)


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name in _FUNCTIONS:
        return getattr(importlib.import_module("neokeep.api"), name)
    if name == "Progress":
        return importlib.import_module("neokeep.progress").Progress
    home = "neokeep.errors" if name.endswith(("Error", "ByUser")) else "neokeep.reports"
    return getattr(importlib.import_module(home), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


class _CallableRoom(ModuleType):
    """A package of neokeep that shares its name with a function of the API."""

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        function = getattr(importlib.import_module("neokeep.api"), self.__name__.rpartition(".")[2])
        return function(*arguments, **options)


class _Package(ModuleType):
    """The package itself: the import system binds imported rooms to it by setting attributes."""

    def __setattr__(self, name: str, value: object) -> None:
        if name in _FUNCTIONS and type(value) is ModuleType:
            value.__class__ = _CallableRoom
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
