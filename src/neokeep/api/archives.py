"""The functions of neokeep.api that deal with archives of Neo4j's own."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from neokeep.api.places import SILENT, address_of, find_source, optional_path, repository_at
from neokeep.errors import UsageError
from neokeep.storage.place import Place
from neokeep.workers import default_jobs

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from neokeep.api.places import Directory
    from neokeep.artifact.reports import DumpReport, IngestReport, InspectReport, LoadReport
    from neokeep.progress import Progress
    from neokeep.repository.repository import Repository


def inspect(place: Directory | Place) -> InspectReport:
    """Describe archives of Neo4j's own, `.dump` and `.backup`, by their headers: one, or all below a folder.

    `place` is a path, a URL as for a repository, or a `neokeep.storage.place.Place`, which also says how to reach it.
    """
    from neokeep.artifact.inspect import inspect as inspect_archives

    return inspect_archives(address_of(place))


def load(
    place: Directory | Place,
    home: Directory | None,
    *,
    configuration_directory: Directory | None = None,
    loaded_as: str | None = None,
    overwrite: bool = False,
    progress: Progress = SILENT,
) -> LoadReport:
    """Load a `.dump` or a full `.backup` into a Neo4j home; `-` is standard input.

    Without a home the archive is only read to its end, which proves it whole.
    """
    if home is None:
        from neokeep.artifact.load import read_through

        return read_through(address_of(place), progress)
    from neokeep.artifact.load import load as load_archive

    return load_archive(
        address_of(place),
        Path(home),
        configuration_directory=None if configuration_directory is None else Path(configuration_directory),
        loaded_as=loaded_as,
        overwrite=overwrite,
        progress=progress,
    )


def dump(
    database: str,
    to_path: Directory | Place,
    *,
    home: Directory | None = None,
    configuration_directory: Directory | None = None,
    repository: Repository | Place | Directory | None = None,
    label: str | None = None,
    from_source: str | None = None,
    to_time: datetime | None = None,
    to_transaction: int | None = None,
    before_transaction: int | None = None,
    format: str = "dump",  # noqa: A002  the word of the command line
    indexes: str = "copy",
    overwrite: bool = False,
    scratch: Directory | None = None,
    jobs: int | None = None,
    progress: Progress = SILENT,
) -> DumpReport:
    """Write a database as a `.dump`, or a full `.backup`, that Neo4j's own load takes.

    From the server at `home`, running or not, or from a `repository`: the backup with this label, up to a moment, or
    the newest there is. `to_path` is a directory or a new file, also of a storage by its URL or Place, or `-` for
    standard output.
    """
    from neokeep.artifact.dump import Wanted, dump_repository, dump_server

    if (home is None) == (repository is None):
        raise UsageError("a dump is made of one thing", remedy="Give either the home of a server or a repository.")
    wanted = Wanted(
        to=address_of(to_path),
        format=format,
        indexes=indexes,
        overwrite=overwrite,
        scratch=optional_path(scratch),
        jobs=jobs or default_jobs(),
    )
    if home is not None:
        return dump_server(find_source(home, configuration_directory), database, wanted, progress)
    from neokeep.restore.targets import make_moment

    if repository is None:
        raise AssertionError("without a home there is a repository")
    return dump_repository(
        repository_at(repository),
        database,
        wanted,
        label=label,
        from_source=from_source,
        moment=make_moment(to_time, to_transaction, before_transaction),
        progress=progress,
    )


def ingest(
    archives: Sequence[Directory | Place] | Directory | Place,
    repository: Repository | Place | Directory,
    *,
    ingested_as: str | None = None,
    from_source: str | None = None,
    taken_at: datetime | None = None,
    again: bool = False,
    scratch: Directory | None = None,
    jobs: int | None = None,
    progress: Progress = SILENT,
) -> IngestReport:
    """Make full backups of existing archives, `.dump` and `.backup`: files, folders, URLs, `-` for standard input.

    They are of the source `from_source`, by default `archives`. Each has the date `taken_at`, else that of its header,
    its last transaction or its file. Those that are in the repository are passed over, unless `again`.
    """
    from neokeep.artifact.ingest import Order
    from neokeep.artifact.ingest import ingest as ingest_archives

    given = [archives] if isinstance(archives, str | PathLike | Place) else archives
    order = Order(
        database=ingested_as,
        source=from_source,
        taken_at=taken_at,
        again=again,
        scratch=optional_path(scratch),
        jobs=jobs or default_jobs(),
    )
    return ingest_archives([address_of(one) for one in given], repository_at(repository), order, progress)
