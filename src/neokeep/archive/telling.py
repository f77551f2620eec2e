"""Telling what happens while a database is followed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from neokeep.errors import NeokeepError
from neokeep.reports import ArchiveEvent

if TYPE_CHECKING:
    from collections.abc import Callable

    from neokeep.archive.clock import Clock


class Teller:
    """Tells the events of one database."""

    def __init__(self, tell: Callable[[ArchiveEvent], None], clock: Clock, source: str, database: str) -> None:
        self._tell = tell
        self._clock = clock
        self._source = source
        self._database = database
        self._failing: dict[str, str] = {}

    def __call__(self, event: str, **facts: object) -> None:
        """Tell an event; which facts belong to it is told by ArchiveEvent."""
        self._tell(
            ArchiveEvent(
                time=self._clock.now(),
                event=event,
                source=self._source,
                database=self._database,
                **facts,  # type: ignore[arg-type]
            )
        )

    def beside(self, what: str, work: Callable[[], None]) -> bool:
        """Do what archiving does not depend on; a failure is told once. False when it failed."""
        try:
            work()
        except NeokeepError as problem:
            if self._failing.get(what) != problem.message:
                self._failing[what] = problem.message
                message = f"{what} failed: {problem.message}"
                self("upkeep failed", message=message, kind=problem.kind, remedy=problem.remedy)
            return False
        self._failing.pop(what, None)
        return True
