"""`archive` into several repositories: each follows at its own pace, and an outage of one holds up none of the others.

Every repository has followers of its own, which read the log from the page cache, and take their own full backups. One
that cannot be opened is tried again until it can.
"""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from msgspec.structs import replace

from neokeep.archive.archiver import Archiver
from neokeep.archive.clock import Pause
from neokeep.archive.follower import LONGEST_RETRY_SECONDS
from neokeep.errors import ConfigurationError, NeokeepError, UsageError
from neokeep.reports import ArchiveEvent

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from neokeep.archive.options import ArchiveOptions
    from neokeep.neo4j.source import Source
    from neokeep.repository.repository import Repository

_POLL_SECONDS = 0.2


class SeveralArchivers:
    """Follows sources for several repositories, each given by its name and the way to open it."""

    def __init__(
        self,
        sources: Sequence[Source],
        openers: Sequence[tuple[str, Callable[[], Repository]]],
        databases: Sequence[str],
        options: ArchiveOptions,
        tell: Callable[[ArchiveEvent], None],
    ) -> None:
        self._sources = sources
        self._openers = openers
        self._databases = databases
        self._options = options
        self._tell = tell
        self._problem: BaseException | None = None
        self._stopping = threading.Event()

    def run(self, stopping: threading.Event | None = None) -> None:
        """Follow until `stopping` is set or the process is interrupted; see Archiver.run."""
        self._stopping = stopping or self._stopping
        threads = [
            threading.Thread(target=self._serve, args=opener, name=f"neokeep-to-{number}", daemon=True)
            for number, opener in enumerate(self._openers)
        ]
        try:
            for thread in threads:
                thread.start()
            while not self._stopping.wait(_POLL_SECONDS):
                continue
        except KeyboardInterrupt:
            pass  # The usual way to end it.
        finally:
            self._stopping.set()
            for thread in threads:
                if thread.ident is not None:
                    thread.join()
        if self._problem is not None:
            raise self._problem

    def _serve(self, url: str, open_it: Callable[[], Repository]) -> None:
        try:
            repository = self._opened(url, open_it)
            if repository is not None:
                Archiver(
                    self._sources,
                    repository,
                    self._databases,
                    self._options,
                    lambda event: self._tell(replace(event, repository=url)),
                ).run(self._stopping)
        except BaseException as problem:  # noqa: BLE001  raised by run()
            self._problem = self._problem or problem
            self._stopping.set()

    def _opened(self, url: str, open_it: Callable[[], Repository]) -> Repository | None:
        """Open a repository, again and again until it works; None when all is to stop before."""
        pause = Pause(1.0, LONGEST_RETRY_SECONDS)
        told = ""
        while not self._stopping.is_set():
            try:
                repository = open_it()
            except (UsageError, ConfigurationError):
                raise  # Nothing that passes.
            except NeokeepError as problem:
                seconds = pause.longer()
                if problem.message != told:
                    told = problem.message
                    self._tell_all(url, "trouble", problem, seconds)
                self._stopping.wait(seconds)
            else:
                if told:
                    self._tell_all(url, "recovered")
                return repository
        return None

    def _tell_all(
        self, url: str, event: str, problem: NeokeepError | None = None, retry_seconds: float | None = None
    ) -> None:
        for source in self._sources:
            self._tell(
                ArchiveEvent(
                    time=datetime.now(UTC),
                    event=event,
                    source=source.name,
                    database="*",
                    repository=url,
                    message=problem.message if problem else "",
                    kind=problem.kind if problem else "",
                    remedy=problem.remedy if problem else "",
                    retry_seconds=retry_seconds,
                )
            )
