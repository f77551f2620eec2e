"""How callers of the API name things, and what is made of it: sources, repositories, files."""

from __future__ import annotations

from functools import partial
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast

from neokeep.errors import UsageError
from neokeep.progress import Progress, Silent
from neokeep.storage.place import Place

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from neokeep.neo4j.source import Source
    from neokeep.repository.repository import Repository

    Directory = str | PathLike[str]
    Where = Repository | Place | Directory
    OneOrSeveral = Where | Sequence[Where]

Item = TypeVar("Item")
SILENT: Progress = Silent()


def open_repository(place: Directory | Place) -> Repository:
    """Open a repository by its directory, its URL, or a `neokeep.storage.place.Place`."""
    from neokeep.repository.open import open_repository as open_place

    return open_place(place_of(place))


def find_source(home: Directory, configuration_directory: Directory | None = None, name: str | None = None) -> Source:
    """Find the Neo4j server at a home; `name` is the one that its backups will carry."""
    from neokeep.neo4j.source import find_source as find

    return find(Path(home), optional_path(configuration_directory), name)


def source_of(source: Source | Directory) -> Source:
    """Take a source as it is, or find that of a home."""
    return find_source(source) if isinstance(source, str | PathLike) else source


def checked_list(items: Sequence[Item]) -> Sequence[Item]:
    """Refuse a text where a list is meant."""
    if isinstance(items, str):
        raise UsageError("a list is one text", remedy=f"Give a list: [{items!r}].")
    return items


def openers(repositories: Sequence[Where]) -> list[tuple[str, Callable[[], Repository]]]:
    """Give for each of several repositories its name and the way to open it."""
    if not repositories:
        raise UsageError("there is no repository in the list", remedy="Give one or more.")
    return [(_url(one), partial(repository_at, one)) for one in repositories]


def _url(place: Repository | Place | Directory) -> str:
    return str(place_of(place)) if isinstance(place, str | PathLike | Place) else place.storage.url


def repository_at(place: OneOrSeveral) -> Repository:
    """Take an open repository as it is, or open the one at a place."""
    if isinstance(place, list | tuple):
        raise UsageError("several repositories were given", remedy="Do this with one at a time.")
    return open_repository(place) if isinstance(place, str | PathLike | Place) else cast("Repository", place)


def place_of(place: Directory | Place) -> str | Place:
    """Take a place as it is, or the text of a path or URL."""
    return place if isinstance(place, Place) else fspath(place)


def address_of(place: Directory | Place) -> Place:
    """Take a place as it is, or make one of a path or URL."""
    return place if isinstance(place, Place) else Place(fspath(place))


def paths_of(files: Sequence[Directory]) -> tuple[Path, ...]:
    """Take a list of files."""
    return tuple(map(Path, checked_list(files)))


def optional_path(directory: Directory | None) -> Path | None:
    """Take a directory that may be None."""
    return None if directory is None else Path(directory)
