"""Where a database is to be put: the server, the name there, and the rules under which anything is replaced.

`replacement` is the one way in which a database directory is put in place: locks held, staged beside the target,
swapped in one step; whatever goes wrong before that leaves the target as it was.
"""

from __future__ import annotations

import os
import shutil
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from neokeep.errors import LockedError, SpaceError, UsageError
from neokeep.files import explained
from neokeep.neo4j import locks
from neokeep.neo4j.names import require_database_name
from neokeep.neo4j.source import SYSTEM_DATABASE, Source, find_source, future_source
from neokeep.restore.swap import Place, Staging, require_unused, settle, stage, swap
from neokeep.restore.write import Owner, make_directory
from neokeep.units import format_size

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

_HEADROOM = 64 * 1024 * 1024
"""Bytes left free on the target's disk, for a server that has to start there."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where to restore to: the server, the name there, and the two directories."""

    source: Source
    database: str
    place: Place


@dataclass(frozen=True, slots=True)
class Replacement:
    """New directories to fill, whom they belong to, and whether there is a database that they will replace."""

    staging: Staging
    owner: Owner
    replaced: bool


def target_source(home: Path, configuration_directory: Path | None) -> Source:
    """Find the server at `home`; a missing or empty directory becomes a home with Neo4j's default layout."""
    if not home.exists() or (home.is_dir() and not any(home.iterdir())):
        return future_source(home, configuration_directory)
    return find_source(home, configuration_directory)


def find_target(source: Source, database: str, restored_as: str | None) -> Target:
    """Find the place of what was `database` and is to be called `restored_as`.

    Raises:
        UsageError: Neo4j would not accept the name, or `system` would change places with another.
    """
    name = database if restored_as is None else require_database_name(restored_as)
    if SYSTEM_DATABASE in (name, database) and name != database:
        raise UsageError(
            f"the system database cannot change places with another: {database} as {name}",
            remedy="Restore 'system' under its own name only.",
        )
    found = source.place_of(name)
    return Target(source, name, Place.at(found.store_directory, found.log_directory))


@contextmanager
def replacement(target: Target, *, overwrite: bool) -> Iterator[Replacement]:
    """Give directories to fill in the block; at its end they are put in place, on failure all is as it was.

    Raises:
        LockedError: the target is open in a running server, or another restore works there.
        UsageError: there is such a database and `overwrite` is not given.
        RepositoryError: the file system cannot exchange directories.
    """
    owner = _owner(target.source)
    parents = (target.place.store.parent, target.place.log.parent)
    new = _missing(parents)
    with ExitStack() as guard:
        guard.callback(_remove_unused, new)
        for directory in parents:
            make_directory(directory, owner)
        guard.enter_context(locks.hold_directory(target.place.store.parent))
        _keep_out_servers(target, guard)
        require_unused(target.place)
        settle(target.place)
        replaced = target.place.exists()
        if replaced and not overwrite:
            raise UsageError(
                f"{target.place.store} exists already",
                remedy="Restore under another name with --as NAME, or replace it with --overwrite.",
            )
        staging = stage(target.place)
        try:
            for directory in {staging.store, staging.log}:
                make_directory(directory, owner)
            yield Replacement(staging, owner, replaced)
            swap(target.place, staging)
        except BaseException:
            settle(target.place)
            raise


def _missing(directories: Iterable[Path]) -> list[Path]:
    """List the directories that are not there yet, with their parents, the deepest first."""
    all_of_them = {path for directory in directories for path in (directory, *directory.parents)}
    return sorted((path for path in all_of_them if not path.exists()), key=lambda path: -len(path.parts))


def _remove_unused(directories: Iterable[Path]) -> None:
    """Remove directories that were made and hold nothing, or nothing but the lock that was held there."""
    for directory in directories:
        with suppress(OSError):
            if os.listdir(directory) == [locks.STORE_LOCK]:
                (directory / locks.STORE_LOCK).unlink()
            directory.rmdir()


def require_space(target: Target, what: str, needed: Mapping[str, int]) -> None:
    """Ask each disk whether the bytes that its areas, `store` and `log`, will get fit.

    Raises:
        SpaceError: they do not.
    """
    places = {"store": target.place.store.parent, "log": target.place.log.parent}
    on_device: dict[int, int] = {}
    for area, directory in places.items():
        device = directory.stat().st_dev
        on_device[device] = on_device.get(device, _HEADROOM) + needed.get(area, 0)
    for directory in places.values():
        free, wanted = shutil.disk_usage(directory).free, on_device[directory.stat().st_dev]
        if free < wanted:
            raise SpaceError(
                f"{what} needs {format_size(wanted)} in {directory}, {format_size(free)} are free",
                remedy="Free space there; the old database is kept until the new one is complete.",
            )


def how_to_open(target: Target) -> tuple[str, ...]:
    """Tell what makes a server open a database that is not the one it opens by itself."""
    if target.database in (target.source.default_database, SYSTEM_DATABASE):
        return ()
    step = (
        f"On Community, set initial.dbms.default_database={target.database} (4.4: dbms.default_database) "
        f"to open it; on Enterprise, run CREATE DATABASE `{target.database}`."
    )
    return (step,)


def _owner(source: Source) -> Owner:
    """New files belong to whom the nearest existing directory belongs to."""
    directory = source.databases_directory
    while not directory.is_dir():
        directory = directory.parent
    with explained("look at", directory):
        return Owner.of(directory)


def _keep_out_servers(target: Target, guard: ExitStack) -> None:
    """Hold Neo4j's own locks, so that no server opens the database while it is replaced.

    A free name may be restored beside a running server, which does not look there.
    """
    store_lock = target.source.databases_directory / locks.STORE_LOCK
    try:
        guard.enter_context(locks.hold(store_lock))
    except LockedError:
        if target.place.exists() or target.database in (target.source.default_database, SYSTEM_DATABASE):
            raise
    if target.place.store.is_dir():
        guard.enter_context(locks.hold(target.place.store / locks.DATABASE_LOCK))
