"""The functions of neokeep.api that read graphs: of stopped databases and of backups."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from neokeep.api.places import SILENT, find_source, optional_path, repository_at
from neokeep.errors import ConfigurationError, UsageError
from neokeep.workers import default_jobs

if TYPE_CHECKING:
    from neokeep.api.places import Directory
    from neokeep.export.reports import ExportReport, SqlReport
    from neokeep.graph.subject import Subject
    from neokeep.progress import Progress
    from neokeep.reports import ConsistencyReport
    from neokeep.repository.repository import Repository
    from neokeep.storage.place import Place


def require_extra(module: str, extra: str) -> None:
    """Say what to install where a package that is an extra is missing."""
    if find_spec(module) is None:
        raise ConfigurationError(
            f"this needs {module}, which is not installed", remedy=f"pip install 'neokeep[{extra}]'"
        )


def subject(
    database: str,
    *,
    home: Directory | None = None,
    configuration_directory: Directory | None = None,
    repository: Repository | Place | Directory | None = None,
    label: str | None = None,
    from_source: str | None = None,
    scratch: Directory | None = None,
    jobs: int | None = None,
) -> Subject:
    """Name what the functions here read: a stopped database at `home`, or one in a repository.

    Without a label it is the newest state of the newest chain. The log of a backup, and of a database that crashed, is
    applied below `scratch`.
    """
    from neokeep.graph.subject import Subject

    if (home is None) == (repository is None):
        raise UsageError("a home or a repository has to be given, and not both", remedy="Give one of them.")
    return Subject(
        database,
        source=None if home is None else find_source(home, configuration_directory),
        repository=None if repository is None else repository_at(repository),
        label=label,
        from_source=from_source,
        scratch=optional_path(scratch),
        jobs=jobs or default_jobs(),
    )


def check_consistency(
    subject: Subject, *, report_path: Directory | None = None, progress: Progress = SILENT
) -> ConsistencyReport:
    """Say whether the graph is whole, and write that to a file where one is named."""
    from neokeep.consistency.check import check
    from neokeep.consistency.reporting import require_writable, write_report

    if report_path is not None:
        require_writable(Path(report_path))
    report = check(subject, progress=progress)
    if report_path is not None:
        write_report(report, Path(report_path))
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
