"""The functions of neokeep.api that read graphs: of stopped databases, of backups and of archives."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from neokeep.api.places import SILENT, address_of, find_source, optional_path, repository_at
from neokeep.errors import UsageError
from neokeep.extras import MissingExtra
from neokeep.workers import default_jobs

if TYPE_CHECKING:
    from neokeep.api.places import Directory
    from neokeep.export.reports import ExportReport, SqlReport
    from neokeep.graph.subject import Subject
    from neokeep.progress import Progress
    from neokeep.reports import ConsistencyReport, StatisticsReport
    from neokeep.repository.repository import Repository
    from neokeep.storage.place import Place


def require_extra(module: str, extra: str) -> None:
    """Say what to install where a package that is an extra is missing."""
    if find_spec(module) is None:
        raise MissingExtra("this", module, extra)


def subject(
    database: str | None = None,
    *,
    home: Directory | None = None,
    configuration_directory: Directory | None = None,
    repository: Repository | Place | Directory | None = None,
    label: str | None = None,
    from_source: str | None = None,
    archive: Directory | Place | None = None,
    as_is: bool = False,
    scratch: Directory | None = None,
    jobs: int | None = None,
) -> Subject:
    """Name what the functions here read: a stopped database at `home`, one in a repository, or the one in an archive.

    Without a label it is the newest state of the newest chain. The log of a backup, and of a database that crashed, is
    applied below `scratch`; an archive is unpacked there. `as_is`: the log of a stopped database or an archive is left
    aside, and findings that are gone once it is applied are told apart.
    """
    from neokeep.graph.subject import Subject

    if sum(place is not None for place in (home, repository, archive)) != 1:
        raise UsageError("one of a home, a repository and an archive has to be given", remedy="Give one of them.")
    if as_is and repository is not None:
        raise UsageError(
            "a backup was taken of a database that was changing, and is nothing without its log", remedy="Read it with."
        )
    if archive is not None and database is not None:
        raise UsageError(
            "an archive holds one database, so none can be chosen of it", remedy=f"Leave {database!r} out."
        )
    if archive is None and database is None:
        raise UsageError("no database was named", remedy="Name it, or give an archive, which holds just one.")
    return Subject(
        database,
        source=None if home is None else find_source(home, configuration_directory),
        repository=None if repository is None else repository_at(repository),
        label=label,
        from_source=from_source,
        scratch=optional_path(scratch),
        jobs=jobs or default_jobs(),
        archive=None if archive is None else address_of(archive),
        as_is=as_is,
    )


def check_consistency(
    subject: Subject,
    *,
    report_path: Directory | None = None,
    scheduler: str | None = None,
    progress: Progress = SILENT,
) -> ConsistencyReport:
    """Say whether the graph is whole, and write that to a file where one is named.

    The workers of a dask scheduler share the work where its address is given: docs/consistency.md says what they need.
    """
    from neokeep.consistency.check import check
    from neokeep.consistency.reporting import write_report
    from neokeep.files import require_writable

    if report_path is not None:
        require_writable(Path(report_path))
    report = check(subject, scheduler=scheduler, progress=progress)
    if report_path is not None:
        write_report(report, Path(report_path))
    return report


def stats(
    subject: Subject, *, most: int = 25, html_path: Directory | None = None, progress: Progress = SILENT
) -> StatisticsReport:
    """Say what is in the graph: labels, types, patterns, properties, degrees, and how full its stores are.

    Each list has `most` entries at most. `html_path` is a page with plots to write; it needs jinja2, the extra `html`.
    """
    from neokeep.files import require_writable
    from neokeep.statistics.stats import describe_graph

    if html_path is None:
        return describe_graph(subject, most=most, progress=progress)
    from neokeep.statistics.html import write_page

    require_writable(Path(html_path))
    report = describe_graph(subject, most=most, progress=progress)
    write_page(report, Path(html_path))
    return report


def export(
    subject: Subject,
    to_path: Directory,
    *,
    format: str = "parquet",  # noqa: A002
    progress: Progress = SILENT,
) -> ExportReport:
    """Write the graph into a new directory, as `parquet`, `csv` or `jsonl`, and the schema as Cypher.

    The report is the directory's manifest too; `whole` is false where the graph is damaged and values are missing.
    """
    require_extra("pyarrow", "export")
    from neokeep.export.run import export as export_graph

    return export_graph(subject, Path(to_path), format, progress=progress)


def sql(subject: Subject, query: str, *, limit: int = 10_000, progress: Progress = SILENT) -> SqlReport:
    """Run SQL, as DuckDB speaks it, over the graph: views `nodes`, `relationships`, and one for each label and type.

    At most `limit` rows of the answer are given. No other file can be read or written from SQL.
    """
    for module in ("pyarrow", "duckdb"):
        require_extra(module, "sql")
    from neokeep.export.sql import run_sql

    return run_sql(subject, query, limit=limit, progress=progress)
