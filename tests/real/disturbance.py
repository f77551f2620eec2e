"""Making something happen in the middle of a copy, always at the same place of it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from neokeep.progress import Silent

if TYPE_CHECKING:
    from collections.abc import Callable


class InTheMiddle(Silent):
    """Progress that acts, in a thread of its own, when a part of a database was copied.

    The copying thread that came so far waits for the end of the act, so that it falls into the copy whatever it takes.
    The thread exists before: made by a copying thread it would inherit its low priority, and so would a server.
    """

    def __init__(self, act: Callable[[], object], database: str = "neo4j", part: float = 0.3) -> None:
        self.acted = False
        """Whether the act fell into the copy, and did not fail."""
        self.said: list[str] = []
        self._due = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(act,), daemon=True)
        self._thread.start()
        self._task = f"copying {database}"
        self._part = part
        self._lock = threading.Lock()
        self._begun = False
        self._left = 0.0
        self._counting = False

    def begin(self, task: str, total_bytes: int) -> None:
        """See Progress.begin."""
        self._counting = task == self._task and not self._begun
        self._left = total_bytes * self._part

    def advance(self, done_bytes: int) -> None:
        """See Progress.advance."""
        with self._lock:
            self._left -= done_bytes
            due = self._counting and self._left <= 0 and not self._begun
            self._begun = self._begun or due
        if due:
            self._due.set()
            self._thread.join()

    def _run(self, act: Callable[[], object]) -> None:
        self._due.wait()
        act()
        self.acted = True

    def say(self, message: str) -> None:
        """See Progress.say."""
        self.said.append(message)
