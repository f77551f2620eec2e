"""Checking backups as soon as they are made: `backup --check`. They are read from the repository, log and all.

A backup that is not whole is kept: it holds what the database held. Where a check could not be made, that is told of
the backup, which is there all the same.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from msgspec.structs import replace

from neokeep.errors import NeokeepError
from neokeep.graph.subject import Subject
from neokeep.reports import Failure

if TYPE_CHECKING:
    from pathlib import Path

    from neokeep.progress import Progress
    from neokeep.reports import BackupInfo, BackupReport
    from neokeep.repository.repository import Repository


def check_backups(
    report: BackupReport, repository: Repository | None, *, scratch: Path | None, jobs: int, progress: Progress
) -> BackupReport:
    """Check the backups that a report tells of, in the repository that they are in; None where there are none."""
    # numpy and what reads stores take a moment to load.
    from neokeep.consistency.check import check

    done: list[BackupInfo] = []
    unchecked: list[Failure] = []
    for backup in report.backups:
        if repository is None:
            raise ValueError("backups are in a repository")
        subject = Subject(backup.database, repository=repository, label=backup.label, scratch=scratch, jobs=jobs)
        progress.say(f"checking whether the graph in {backup.label} is whole")
        try:
            found = check(subject, progress=progress)
        except NeokeepError as problem:
            failure = Failure(subject=backup.label, kind=problem.kind, message=problem.message, remedy=problem.remedy)
            unchecked.append(failure)
            done.append(backup)
        else:
            at = found.recorded_at or datetime.now(UTC)
            done.append(replace(backup, consistency_checked_at=at, inconsistencies=found.inconsistencies))
    return replace(report, backups=tuple(done), unchecked=tuple(unchecked))
