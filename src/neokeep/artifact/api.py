"""The functions of neokeep.api that deal with archives of Neo4j's own."""

from __future__ import annotations

from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING

from neokeep.progress import Progress, Silent
from neokeep.storage.place import Place

if TYPE_CHECKING:
    from neokeep.artifact.reports import InspectReport, LoadReport

    Directory = str | PathLike[str]

_SILENT: Progress = Silent()


def inspect(place: Directory | Place) -> InspectReport:
    """Describe archives of Neo4j's own, `.dump` and `.backup`, by their headers: one, or all below a folder.

    `place` is a path, a URL as for a repository, or a `neokeep.storage.place.Place`, which also says how to reach it.
    """
    from neokeep.artifact.inspect import inspect as inspect_archives

    return inspect_archives(_place(place))


def load(
    place: Directory | Place,
    home: Directory | None,
    *,
    configuration_directory: Directory | None = None,
    loaded_as: str | None = None,
    overwrite: bool = False,
    progress: Progress = _SILENT,
) -> LoadReport:
    """Load a `.dump` or a full `.backup` into a Neo4j home; `-` is standard input.

    Without a home the archive is only read to its end, which proves it whole.
    """
    if home is None:
        from neokeep.artifact.load import read_through

        return read_through(_place(place), progress)
    from neokeep.artifact.load import load as load_archive

    return load_archive(
        _place(place),
        Path(home),
        configuration_directory=None if configuration_directory is None else Path(configuration_directory),
        loaded_as=loaded_as,
        overwrite=overwrite,
        progress=progress,
    )


def _place(place: Directory | Place) -> Place:
    return place if isinstance(place, Place) else Place(fspath(place))
