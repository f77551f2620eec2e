"""Putting restored directories in the place of old ones, atomically although a database is two directories.

A store without its logs, or with another's, would be worse than none. So the log directory is first reached through
the store directory: `transactions/DB` becomes a symbolic link to `databases/DB/.neokeep-log`, which leads to the old
logs in the old store directory and to the new logs in the new one. Exchanging the two store directories, one atomic
operation, then switches both. `settle` finishes or undoes what a killed restore left.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path

from neokeep.errors import LockedError, NeokeepError, RepositoryError
from neokeep.files import exchange, explain, fsync_directory, rename_new
from neokeep.neo4j import locks

LINK = ".neokeep-log"
_MARK = ".neokeep-"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a database is or will be: its store directory and its log directory (which may be the same)."""

    store: Path
    log: Path

    @classmethod
    def at(cls, store: Path, log: Path) -> Place:
        """Follow symbolic links of the administrator to the real directories; links of a killed restore are ours."""
        store = _real(store)
        ours = log.parent.resolve() / log.name
        return cls(store, ours if _is_ours(ours, store) else _real(log))

    @property
    def shared(self) -> bool:
        """Whether store and logs lie in one directory."""
        return self.store == self.log

    def exists(self) -> bool:
        """Tell whether anything is there."""
        return os.path.lexists(self.store) or os.path.lexists(self.log)


@dataclass(frozen=True, slots=True)
class Staging:
    """New directories beside a place, on the same file systems, that nobody looks into yet."""

    store: Path
    log: Path


def stage(place: Place) -> Staging:
    """Name new staging directories; nothing is made yet."""
    tag = secrets.token_hex(4)
    store = _beside(place.store, f"{tag}.new")
    return Staging(store, store if place.shared else _beside(place.log, f"{tag}.new"))


def swap(place: Place, staging: Staging) -> None:
    """Put the staged directories in place and remove what was there; on failure everything is as it was.

    Raises:
        RepositoryError: the file system cannot exchange directories.
    """
    try:
        if not place.shared:
            _lead_logs_through_store(place, staging)
        _switch(place, staging)
    except OSError as problem:
        settle(place)
        raise _explained(problem, place) from problem
    settle(place)


def settle(place: Place) -> None:
    """Finish or undo what an earlier restore left: links resolved into directories, leftovers removed."""
    link = place.store / LINK
    if _is_ours(place.log, place.store):
        logs = _destination(link)
        if logs is not None and logs.is_dir():
            exchange(place.log, logs)
        else:
            place.log.unlink()
            _put_back_lone_logs(place)
        fsync_directory(place.log.parent)
    if link.is_symlink():
        link.unlink()
        fsync_directory(place.store)
    for parent, name in ((place.store.parent, place.store.name), (place.log.parent, place.log.name)):
        _remove_leftovers(parent, name)


def require_unused(place: Place) -> None:
    """Refuse to clear away what a server still has open: that of a restore that was killed while Neo4j recovered.

    Raises:
        LockedError: there is such a server.
    """
    for leftover in _leftovers(place.store.parent, place.store.name):
        lock = locks.query(leftover / locks.DATABASE_LOCK)
        if lock.held:
            raise LockedError(
                f"{leftover} of an earlier restore is still open in a server (process {lock.pid})",
                remedy="Stop that process: it is the recovery of a restore that was killed. Then try again.",
            )


def _lead_logs_through_store(place: Place, staging: Staging) -> None:
    """Make `place.log` a link through the store directory, without a moment in which it leads astray."""
    (staging.store / LINK).symlink_to(os.path.relpath(staging.log, staging.store))
    fsync_directory(staging.store)
    route = _route(place.log, place.store)
    if not os.path.lexists(place.log):
        place.log.symlink_to(route)
        fsync_directory(place.log.parent)
        return
    aside = staging.log.with_suffix(".old")
    if place.store.is_dir():
        (place.store / LINK).symlink_to(os.path.relpath(aside, place.store))
        fsync_directory(place.store)
    aside.symlink_to(route)
    exchange(place.log, aside)
    fsync_directory(place.log.parent)


def _switch(place: Place, staging: Staging) -> None:
    if os.path.lexists(place.store):
        exchange(staging.store, place.store)
    else:
        rename_new(staging.store, place.store)
    fsync_directory(place.store.parent)


def _real(path: Path) -> Path:
    return path.resolve() if path.is_symlink() else path.parent.resolve() / path.name


def _route(log: Path, store: Path) -> str:
    """Say what our link in the place of the logs holds."""
    return os.path.relpath(store / LINK, log.parent)


def _is_ours(log: Path, store: Path) -> bool:
    return log.is_symlink() and os.readlink(log) == _route(log, store)


def _destination(link: Path) -> Path | None:
    if not link.is_symlink():
        return None
    return Path(os.path.normpath(link.parent / os.readlink(link)))


def _put_back_lone_logs(place: Place) -> None:
    """Logs that had no store directory were set aside; nothing came of the restore, so they return."""
    for aside in _leftovers(place.log.parent, place.log.name):
        if aside.suffix == ".old" and aside.is_dir() and not aside.is_symlink() and not os.path.lexists(place.log):
            rename_new(aside, place.log)


def _leftovers(parent: Path, name: str) -> list[Path]:
    """List what restores of exactly this database made; another database may be called `name.b`."""
    pattern = re.compile(re.escape(f"{_MARK}{name}.") + r"[0-9a-f]{8}\.(new|old)")
    return [path for path in parent.iterdir() if pattern.fullmatch(path.name)]


def _remove_leftovers(parent: Path, name: str) -> None:
    for leftover in _leftovers(parent, name):
        if leftover.is_symlink():
            leftover.unlink()
        elif leftover.is_dir():
            shutil.rmtree(leftover)


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(f"{_MARK}{path.name}.{suffix}")


def _explained(problem: OSError, place: Place) -> NeokeepError:
    if problem.errno in (errno.EINVAL, errno.ENOSYS):
        return RepositoryError(
            f"the file system of {place.store.parent} cannot exchange two directories atomically",
            remedy=f"Move {place.store} and {place.log} away yourself, then restore again without --overwrite.",
        )
    return explain(problem, "replace", place.store)
