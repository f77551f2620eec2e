"""Checking what a user names, and the report of it."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

from neokeep.consistency.explained import ExplainedByLog
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
        find = partial(check_store, aligned=store.aligned, progress=progress, scratch=subject.scratch)
        explains = None
        if store.pending is not None and store.pending.transactions:
            progress.say(f"looking at {store.database} with its log applied first, to know what that explains")
            with store.pending.applied() as pages:
                explains = ExplainedByLog(find(pages).findings)
        checked = find(store.pages, explains=explains)
    return report_of(checked, store, seconds=round(time.monotonic() - began, 3))
