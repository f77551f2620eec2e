"""A full backup beside the archiving, so that the log goes on being shipped while it runs."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from neokeep.progress import Silent

if TYPE_CHECKING:
    from collections.abc import Callable

    from neokeep.progress import Progress
    from neokeep.repository.manifest import Manifest

_POLL_SECONDS = 0.05
_LONGEST_STOP_SECONDS = 30.0


class Stopped(Exception):
    """The backup was not wanted any more."""


class BackgroundBackup:
    """One backup on a thread of its own, when it is its turn. Killed with the process it harms nothing."""

    def __init__(self, work: Callable[[Progress], Manifest], reason: str, turn: threading.Lock) -> None:
        self.reason = reason
        self._work = work
        self._turn = turn
        self._stopping = threading.Event()
        self._manifest: Manifest | None = None
        self._problem: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="neokeep-full", daemon=True)
        self._thread.start()

    @property
    def is_running(self) -> bool:
        """Tell whether it goes on."""
        return self._thread.is_alive()

    def result(self) -> Manifest:
        """Give the backup, or raise what it failed with, once it has ended."""
        self._thread.join()
        if self._problem is not None:
            raise self._problem
        if self._manifest is None:
            raise AssertionError("a backup that did not fail has a manifest")
        return self._manifest

    def stop(self) -> None:
        """Have it end soon; what it stored serves the next one."""
        self._stopping.set()
        self._thread.join(_LONGEST_STOP_SECONDS)

    def _run(self) -> None:
        try:
            # One at a time: several would take several times what --rate-limit and --jobs allow.
            while not self._turn.acquire(timeout=_POLL_SECONDS):
                _require_wanted(self._stopping)
            try:
                self._manifest = self._work(_Watched(self._stopping))
            finally:
                self._turn.release()
        except BaseException as problem:  # noqa: BLE001  raised again by result()
            self._problem = problem


def _require_wanted(stopping: threading.Event) -> None:
    if stopping.is_set():
        raise Stopped


class _Watched(Silent):
    """Ends the work that tells its progress, once it is to stop."""

    def __init__(self, stopping: threading.Event) -> None:
        self._stopping = stopping

    def advance(self, done_bytes: int) -> None:  # noqa: ARG002
        _require_wanted(self._stopping)
