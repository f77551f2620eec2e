"""Collecting what a check finds: all of it is counted, and so many of each kind are kept as KEPT says.

Findings that a log explains which is not in the store yet are counted and kept apart.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from neokeep.neo4j.recovery.layout import FILES, Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    from neokeep.neo4j.store.damage import Damage
    from neokeep.neo4j.store.pages import Flags, Numbers

    Explains = Callable[[Store, Numbers], Flags]

KEPT = 1000
"""Findings of a kind that are kept, and as many of those that a log explains."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong: its kind, the file, the record or page, what is there, and whether a log explains it."""

    code: str
    store: str
    record: int
    detail: str
    explained: bool = False


@dataclass(slots=True)
class Findings:
    """What was found so far: how many by kind, how many of them a log explains, and the first of each kind.

    `explains` tells of which records a log does; without one, of none.
    """

    counts: Counter[str] = field(default_factory=Counter)
    kept: list[Finding] = field(default_factory=list)
    explained: Counter[str] = field(default_factory=Counter)
    explains: Explains | None = None

    def add(self, code: str, store: Store | str, record: int, detail: str) -> None:
        """Note one, of a record of a store, or of a page of another file."""
        # What is in the detail is not to be filled in.
        self.add_each(code, store, np.array([record], np.int64), "{0}", np.array([detail], np.object_))

    def add_each(
        self,
        code: str,
        store: Store | str,
        records: Numbers,
        text: str,
        *values: Numbers | NDArray[np.object_],
    ) -> None:
        """Note one for each record; `{0}`, `{1}` in the text stand for what is in `values` for that record."""
        if not len(records):
            return
        explained = np.zeros(len(records), np.bool_)
        if self.explains is not None and isinstance(store, Store):
            explained = self.explains(store, records)
        for flag in (False, True):
            rows = np.flatnonzero(explained == flag)
            known = self.explained[code] if flag else self.counts[code] - self.explained[code]
            kept = rows[: max(0, KEPT - known)]
            shown = [column[kept].tolist() for column in values]
            for row, record in enumerate(records[kept].tolist()):
                detail = text.format(*(column[row] for column in shown))
                self.kept.append(Finding(code, _file(store), record, detail, flag))
            if len(rows):
                self.counts[code] += len(rows)
                self.explained.update({code: len(rows)} if flag else {})

    def merge(self, other: Findings) -> None:
        """Add what was found elsewhere, as if it had been found here next."""
        room = {
            (code, flag): KEPT - (self.explained[code] if flag else self.counts[code] - self.explained[code])
            for code in other.counts
            for flag in (False, True)
        }
        for one in other.kept:
            room[one.code, one.explained] -= 1
            if room[one.code, one.explained] >= 0:
                self.kept.append(one)
        self.counts.update(other.counts)
        self.explained.update(other.explained)

    def add_damages(self, damages: Iterable[Damage]) -> None:
        """Note what reading met."""
        for damage in damages:
            self.add(damage.code, damage.store, damage.record, damage.detail)


def _file(store: Store | str) -> str:
    return store if isinstance(store, str) else FILES[store]
