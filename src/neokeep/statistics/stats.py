"""The statistics of what a user names."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from neokeep.statistics.describe import report_of
from neokeep.statistics.gather import Passes, gather

if TYPE_CHECKING:
    from neokeep.graph.subject import Subject
    from neokeep.progress import Progress
    from neokeep.reports import StatisticsReport

MOST = 25
"""Entries of each list, where nobody says."""


def describe_graph(subject: Subject, *, most: int = MOST, progress: Progress) -> StatisticsReport:
    """Say what is in a graph; each list has `most` entries at most.

    Raises:
        LockedError, RepositoryError, SourceError, IntegrityError: it cannot be read, see Subject.opened.
    """
    began = time.monotonic()
    with subject.opened(progress) as store:
        reader = store.reader()
        gathered = gather(reader, Passes(subject.jobs, progress))
        return report_of(gathered, reader, store, most=most, seconds=round(time.monotonic() - began, 3))
