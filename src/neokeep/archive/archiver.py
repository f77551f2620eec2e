"""Following any number of databases of any number of servers until told to stop, each on a thread of its own.

Databases that appear later are followed too, unless names were given.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from neokeep.archive.follower import Follower
from neokeep.errors import NeokeepError, SourceError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from neokeep.archive.options import ArchiveOptions
    from neokeep.neo4j.source import Source
    from neokeep.reports import ArchiveEvent
    from neokeep.repository.repository import Repository

STATE_EVERY_SECONDS = 10.0


class Archiver:
    """Follows databases; `tell` is called by several threads."""

    def __init__(
        self,
        sources: Sequence[Source],
        repository: Repository,
        databases: Sequence[str],
        options: ArchiveOptions,
        tell: Callable[[ArchiveEvent], None],
    ) -> None:
        names = [source.name for source in sources]
        if not names or len(names) > len(set(names)):
            raise UsageError(
                f"two sources have the name {max(names, key=names.count)}" if names else "there is no source",
                remedy="Name each source once, each by a name of its own.",
            )
        self._sources = sources
        self._repository = repository
        self._databases = databases
        self._options = options
        self._tell = tell
        self._turn = threading.Lock()
        self._followers: dict[tuple[str, str], Follower] = {}
        self._threads: list[threading.Thread] = []
        self._problem: BaseException | None = None
        self._stopping = threading.Event()

    def run(self, stopping: threading.Event | None = None) -> None:
        """Follow until `stopping` is set or the process is interrupted; what is committed then is still shipped.

        Raises:
            SourceError: a named database does not exist, or there is none at all.
        """
        self._stopping = stopping or self._stopping
        chosen = [(source, self._names(source)) for source in self._sources]
        if not any(names for _, names in chosen):
            raise SourceError(
                f"there is no database in {self._sources[0].databases_directory}",
                remedy="Start the server once so that it makes its databases, or check --home and neo4j.conf.",
            )
        try:
            for source, names in chosen:
                self._follow(source, names)
            while not self._stopping.wait(STATE_EVERY_SECONDS):
                self._follow_new_ones()
                for follower in self._followers.values():
                    follower.tell_state()
        except KeyboardInterrupt:
            pass  # The usual way to end it.
        finally:
            self._stopping.set()
            for thread in self._threads:
                if thread.ident is not None:
                    thread.join()
        if self._problem is not None:
            raise self._problem

    def _follow_new_ones(self) -> None:
        if self._databases:
            return
        for source in self._sources:
            try:
                self._follow(source, self._names(source))
            except NeokeepError:
                continue  # The followers of this source tell what is wrong with it.

    def _names(self, source: Source) -> list[str]:
        found = [source.database(name) for name in self._databases] or source.databases()
        return [database.name for database in found]

    def _follow(self, source: Source, names: Sequence[str]) -> None:
        for name in names:
            if (source.name, name) not in self._followers:
                follower = Follower(source, name, self._repository, self._options, self._tell, turn=self._turn)
                self._followers[source.name, name] = follower
                # A second interruption ends the process at once, which harms nothing: no thread keeps it.
                thread = threading.Thread(target=self._run, args=(follower,), name=f"neokeep-{name}", daemon=True)
                self._threads.append(thread)
                thread.start()

    def _run(self, follower: Follower) -> None:
        try:
            seconds = 0.0
            while not self._stopping.wait(seconds):
                began = time.monotonic()
                seconds = max(0.0, follower.tick() - (time.monotonic() - began))
            follower.finish()
        except BaseException as problem:  # noqa: BLE001  raised by run()
            self._problem = self._problem or problem
            self._stopping.set()
