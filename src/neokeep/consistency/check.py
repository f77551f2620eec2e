"""Checking what a user names, and the report of it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from neokeep.consistency.reporting import report_of
from neokeep.consistency.run import check_store

if TYPE_CHECKING:
    from neokeep.graph.subject import Subject
    from neokeep.progress import Progress
    from neokeep.reports import ConsistencyReport


def check(subject: Subject, *, progress: Progress) -> ConsistencyReport:
    """Say whether a graph is whole.

    Raises:
        LockedError, RepositoryError, SourceError, IntegrityError: it cannot be read, see Subject.opened.
    """
    began = time.monotonic()
    with subject.opened(progress) as store:
        checked = check_store(store.pages, aligned=store.aligned, derived=store.derived, progress=progress)
    return report_of(checked, store, seconds=round(time.monotonic() - began, 3))
