"""The full backups of a database that is followed: beside the shipping, and tried again when one fails."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from neokeep.archive.background import BackgroundBackup
from neokeep.archive.clock import Pause
from neokeep.errors import NeokeepError

if TYPE_CHECKING:
    import threading

    from neokeep.archive.clock import Clock
    from neokeep.archive.telling import Teller
    from neokeep.capture.options import CaptureOptions
    from neokeep.neo4j.source import Database, Source
    from neokeep.repository.manifest import Manifest
    from neokeep.repository.repository import Repository

LONGEST_PAUSE_SECONDS = 900.0
"""Time after one that failed again and again, at most."""


class FullBackups:
    """Takes full backups; `wanted` says why the next one is due, as long as none was complete since."""

    def __init__(
        self, repository: Repository, options: CaptureOptions, tell: Teller, clock: Clock, turn: threading.Lock
    ) -> None:
        self._repository = repository
        self._options = options
        self._tell = tell
        self._clock = clock
        self._turn = turn
        self._running: BackgroundBackup | None = None
        self._pause = Pause(1.0, LONGEST_PAUSE_SECONDS)
        self._not_before = -math.inf
        self.wanted = ""

    @property
    def note(self) -> str:
        """What there is to say of it now."""
        running, wanted = self._running, self.wanted
        if running is not None:
            return f"a full backup runs, since {running.reason}"
        return f"a full backup is due, since {wanted}" if wanted else ""

    @property
    def may_begin(self) -> bool:
        """Tell whether none runs and the last one that failed is long enough ago."""
        return self._running is None and self._clock.elapsed() >= self._not_before

    def begin(self, source: Source, database: Database, reason: str) -> None:
        """Begin one, now or when it may be tried again."""
        self.wanted = reason
        if not self.may_begin:
            return
        from neokeep.capture.full import full_backup
        from neokeep.server_files.gather import gather

        self._tell("full backup begun", message=reason)
        self._running = BackgroundBackup(
            lambda progress: full_backup(
                source,
                database,
                self._repository,
                self._options,
                progress,
                reason=reason,
                gathered=gather(source, self._options.server_files),
            ),
            reason,
            self._turn,
        )

    def ended(self) -> Manifest | None:
        """Give one that has ended since the last look; one that failed is told."""
        if self._running is None or self._running.is_running:
            return None
        running, self._running = self._running, None
        # One that serves for nothing, because its chain does not hold, is not repeated without a pause either.
        seconds = self._pause.longer()
        self._not_before = self._clock.elapsed() + seconds
        try:
            manifest = running.result()
        except NeokeepError as problem:
            self._tell(
                "full backup failed",
                message=problem.message, kind=problem.kind, remedy=problem.remedy, retry_seconds=seconds,
            )  # fmt: skip
            return None
        self.wanted = ""
        self._tell("full backup", chain=manifest.label, last_tx=manifest.end.transaction)
        return manifest

    def served(self) -> None:
        """Note that there is no need for another one."""
        self.wanted = ""
        self._pause.reset()
        self._not_before = -math.inf

    def stop(self) -> None:
        """End the one that runs."""
        if self._running is not None:
            self._running.stop()
            self._running = None
