"""Writing down what a verification proved, while it goes on and at its end.

That a place takes no new objects is told, and is no failure: what was read is proven all the same.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from neokeep.errors import AWAY, NeokeepError
from neokeep.repository.coverage import filled
from neokeep.repository.lease import storage_time
from neokeep.repository.verified import (
    MOST_RUNS,
    NOTHING,
    CheckedBackup,
    ProvenBackup,
    Record,
    merged,
    read_records,
    store_record,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import datetime

    from neokeep.repository.coverage import Part
    from neokeep.repository.proving import Findings
    from neokeep.repository.verified import Run
    from neokeep.storage.base import Storage

PROGRESS_SECONDS = 60.0
"""A verification that is killed loses at most so much, and what is being read."""


@dataclass(slots=True)
class Recorder:
    """What was known at the begin, the time of it by the storage's clock, and why nothing can be recorded, if so."""

    storage: Storage
    known: Record
    now: datetime | None
    refusal: str = ""
    _saved: float = 0.0

    @classmethod
    def begin(cls, storage: Storage) -> Recorder:
        """Ask for the time and read what is known; call it before anything is listed."""
        now, refusal = None, ""
        try:
            now = storage_time(storage)
        except AWAY:
            raise
        except NeokeepError as problem:
            refusal = problem.message
        return cls(storage, _known(storage), now, refusal, time.monotonic())

    def progress(self, part: Part, below: int, since: datetime, failed: Collection[str]) -> None:
        """Record that all below a key is proven, if the last time was long enough ago."""
        if self.now is None or time.monotonic() - self._saved < PROGRESS_SECONDS or below <= part.first:
            return
        self._saved = time.monotonic()
        coverage = filled(self.known.coverage, part.first, below - 1, since, self.now)
        unproven = {**self.known.unproven, **dict.fromkeys(sorted(failed), self.now)}
        record = msgspec.structs.replace(self.known, coverage=coverage, unproven=unproven, going_on=since)
        name = self._store(record)
        if name:
            self.known = msgspec.structs.replace(record, replaces=tuple(sorted({*record.replaces, name})))

    def finish(
        self,
        run: Run,
        coverage: tuple[Part, datetime] | None,
        findings: Findings,
        present: Collection[str] | None,
        backups: Collection[ProvenBackup],
    ) -> Record:
        """Record the outcome; return all that is known then.

        `coverage` tells a part that was read and since when; None where no part was. `present` are the names of all
        objects that there are, where that was looked at: nothing is said of others any more, unless by somebody who
        began later and may have seen more.
        """
        latest, now = self._latest(), run.begun
        unproven = {
            name: when
            for name, when in latest.unproven.items()
            if name not in findings.proven and (present is None or name in present or when >= now)
        }
        labels = {one.label for one in backups}
        known = [one for one in latest.backups if present is None or one.label in labels or one.judged >= now]
        checked = [one for one in latest.checked if present is None or one.label in labels or one.checked >= now]
        record = merged(
            [
                Record(
                    coverage=filled(latest.coverage, coverage[0].first, coverage[0].last, coverage[1], now)
                    if coverage
                    else latest.coverage,
                    unproven={**unproven, **dict.fromkeys(sorted(findings.failed), now)},
                    backups=tuple(backups),
                    runs=(*latest.runs, run)[-MOST_RUNS:],
                    going_on=latest.going_on,
                ),
                Record(backups=tuple(known), checked=tuple(checked)),
            ]
        )
        self._store(msgspec.structs.replace(record, replaces=latest.replaces))
        return record

    def note_recovered(self, fits: Mapping[str, bool]) -> None:
        """Record of backups whether the log was found to fit what it was applied to."""
        if self.now is None:
            return
        latest = self._latest()
        known = [latest.of_backup(label) or ProvenBackup(label=label, judged=self.now, whole=True) for label in fits]
        noted = [msgspec.structs.replace(one, recovered=self.now, fits=fits[one.label]) for one in known]
        record = merged([latest, Record(backups=tuple(noted))])
        self._store(msgspec.structs.replace(record, replaces=latest.replaces))

    def note_checked(self, label: str, inconsistencies: int) -> datetime | None:
        """Record how much was found in the graph of a backup; None where that could not be done."""
        if self.now is None:
            return None
        latest, found = self._latest(), CheckedBackup(label=label, checked=self.now, inconsistencies=inconsistencies)
        record = merged([latest, Record(checked=(found,))])
        return self.now if self._store(msgspec.structs.replace(record, replaces=latest.replaces)) else None

    def _latest(self) -> Record:
        """Read again what is known: other verifications may have come to their end."""
        if self.now is not None:
            try:
                return read_records(self.storage)
            except NeokeepError as problem:
                self.now, self.refusal = None, problem.message
        return self.known

    def _store(self, record: Record) -> str:
        if self.now is None:
            return ""
        try:
            return store_record(self.storage, record)
        except NeokeepError as problem:
            # What was read is proven all the same: the report must not be lost because it could not be kept.
            self.now, self.refusal = None, problem.message
            return ""


def _known(storage: Storage) -> Record:
    try:
        return read_records(storage)
    except AWAY:
        raise
    except NeokeepError:
        return NOTHING
