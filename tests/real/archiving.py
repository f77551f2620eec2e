"""What tests of `neokeep archive` on real servers share: the process, its events, and ways to wait for them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PATIENCE_SECONDS = 120

Event = dict[str, Any]


class Archiving:
    """A process of `neokeep archive` whose output goes to a file of its own, so that what it told outlives it."""

    def __init__(self, home: Path, repository: Path, output: Path, *options: str) -> None:
        self._output = output
        command = [sys.executable, "-m", "neokeep", "archive", "--home", str(home), "--repo", str(repository)]
        with output.open("ab") as told:
            self.process = subprocess.Popen(
                [*command, "--source", "test", "--output", "json", *options], stdout=told, stderr=subprocess.STDOUT
            )

    def events(self, *kinds: str) -> list[Event]:
        """List what was told; the last line of a killed process may be incomplete, and counts for nothing."""
        lines = self._output.read_bytes().split(b"\n")[:-1]
        events: list[Event] = [json.loads(line) for line in lines if line.startswith(b"{") and line.endswith(b"}")]
        return [event for event in events if not kinds or event["event"] in kinds]

    def wait(self, done: Callable[[], bool], what: str) -> None:
        """Wait until something is so; the process has to live that long."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not done():
            assert self.process.poll() is None, self._output.read_text()[-3000:]
            assert time.monotonic() < deadline, f"{what}: {self._output.read_text()[-3000:]}"
            time.sleep(0.05)

    def wait_for(self, kind: str, count: int = 1, database: str = "neo4j") -> Event:
        """Wait for an event of a database, or for several of its kind; give the last."""
        found: list[Event] = []

        def there() -> bool:
            found[:] = [event for event in self.events(kind) if event["database"] == database]
            return len(found) >= count

        self.wait(there, f"no {kind}")
        return found[-1]

    def wait_until_archived(self, transaction: int, database: str = "neo4j") -> None:
        """Wait until a transaction was reported as archived."""
        self.wait(
            lambda: any(
                event["database"] == database and event["last_tx"] >= transaction
                for event in self.events("archived", "following")
            ),
            f"transaction {transaction} is not archived",
        )

    def open_files(self) -> list[str]:
        """List the files that the process has open now."""
        names: list[str] = []
        folder = f"/proc/{self.process.pid}/fd"
        for descriptor in os.listdir(folder):
            try:
                names.append(os.readlink(f"{folder}/{descriptor}"))
            except FileNotFoundError:
                continue
        return names

    def kill(self) -> None:
        """End it as a crash would."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """End it as a service manager does; it ships the rest and ends well."""
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(PATIENCE_SECONDS) == 0, self._output.read_text()[-3000:]
