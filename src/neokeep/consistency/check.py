"""Checking what a user names, and the report of it."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

from msgspec.structs import replace

from neokeep.consistency.explained import ExplainedByLog
from neokeep.consistency.reporting import report_of
from neokeep.consistency.run import check_store

if TYPE_CHECKING:
    from neokeep.graph.subject import Subject
    from neokeep.progress import Progress
    from neokeep.reports import ConsistencyReport


def check(subject: Subject, *, scheduler: str | None = None, progress: Progress) -> ConsistencyReport:
    """Say whether a graph is whole. Of one backup that is recorded in its repository, where this takes new objects.

    Raises:
        LockedError, RepositoryError, SourceError, IntegrityError: it cannot be read, see Subject.opened.
        UsageError, ConfigurationError, UnreachableError: workers of the scheduler cannot do it, see proof/spread.py.
    """
    began = time.monotonic()
    recorder = None
    if subject.repository is not None and subject.label is not None:
        from neokeep.repository.recording import Recorder

        recorder = Recorder.begin(subject.repository.storage)
    with subject.opened(progress) as store:
        find = partial(
            check_store,
            aligned=store.aligned,
            progress=progress,
            jobs=subject.jobs,
            scheduler=scheduler,
            scratch=subject.scratch,
        )
        explains = None
        if store.pending is not None and store.pending.transactions:
            progress.say(f"looking at {store.database} with its log applied first, to know what that explains")
            with store.pending.applied() as pages:
                explains = ExplainedByLog(find(pages, derived=False).findings)
        checked = find(store.pages, derived=store.derived, explains=explains)
    report = report_of(checked, store, seconds=round(time.monotonic() - began, 3))
    if recorder is None or subject.label is None:
        return report
    recorded = recorder.note_checked(subject.label, report.inconsistencies)
    if recorded is None:
        progress.say(f"that {subject.label} was checked is not recorded: {recorder.refusal}")
    return replace(report, recorded_at=recorded)
