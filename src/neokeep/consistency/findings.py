"""Collecting what a check finds: all of it is counted, and so many of each kind are kept as KEPT says."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from neokeep.neo4j.recovery.layout import FILES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from neokeep.neo4j.recovery.layout import Store
    from neokeep.neo4j.store.damage import Damage
    from neokeep.neo4j.store.pages import Numbers

KEPT = 1000
"""Findings of a kind that are kept."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong: its kind, the file and the record or page, and what is there."""

    code: str
    store: str
    record: int
    detail: str


@dataclass(slots=True)
class Findings:
    """What was found so far: how many by kind, and the first of each kind."""

    counts: Counter[str] = field(default_factory=Counter)
    kept: list[Finding] = field(default_factory=list)

    def add(self, code: str, store: Store | str, record: int, detail: str) -> None:
        """Note one, of a record of a store, or of a page of another file."""
        self.counts[code] += 1
        if self.counts[code] <= KEPT:
            self.kept.append(Finding(code, _file(store), record, detail))

    def add_each(self, code: str, store: Store | str, records: Numbers, text: str, *values: Numbers) -> None:
        """Note one for each record; `{0}`, `{1}` in the text stand for what is in `values` for that record."""
        room = max(0, KEPT - self.counts[code])
        self.counts.update({code: len(records)} if len(records) else {})
        shown = [column[:room].tolist() for column in values]
        for row, record in enumerate(records[:room].tolist()):
            detail = text.format(*(column[row] for column in shown))
            self.kept.append(Finding(code, _file(store), record, detail))

    def add_damages(self, damages: Iterable[Damage]) -> None:
        """Note what reading met."""
        for damage in damages:
            self.add(damage.code, damage.store, damage.record, damage.detail)


def _file(store: Store | str) -> str:
    return store if isinstance(store, str) else FILES[store]
