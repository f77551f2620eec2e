"""The functions of neokeep.api that read graphs: of stopped databases and of backups."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from neokeep.api.places import SILENT, find_source, optional_path, repository_at
from neokeep.errors import UsageError
from neokeep.workers import default_jobs

if TYPE_CHECKING:
    from neokeep.api.places import Directory
    from neokeep.graph.subject import Subject
    from neokeep.progress import Progress
    from neokeep.reports import ConsistencyReport, StatisticsReport
    from neokeep.repository.repository import Repository
    from neokeep.storage.place import Place


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
    from neokeep.consistency.reporting import write_report
    from neokeep.files import require_writable

    if report_path is not None:
        require_writable(Path(report_path))
    report = check(subject, progress=progress)
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
