"""Progress on stderr: a bar where somebody watches, a line every few seconds in a log, silence on request."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TextIO

from neokeep.progress import Silent
from neokeep.units import format_duration, format_rate, format_size, format_time

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from neokeep.progress import Progress

LINE_EVERY_SECONDS = 5.0


@contextlib.contextmanager
def progress_shown(*, silent: bool, stream: TextIO | None = None) -> Iterator[Progress]:
    """Give the Progress that fits where stderr goes; the bar is gone when the block ends."""
    stream = stream or sys.stderr
    if silent:
        yield Silent()
    elif stream.isatty() and os.environ.get("TERM", "") not in {"", "dumb"}:
        bar = Bar(stream)
        try:
            yield bar
        finally:
            bar.close()
    else:
        yield Lines(stream)


def now() -> datetime:
    """Give the time of day, for the lines of a log."""
    return datetime.now(UTC)


class Lines:
    """Progress as lines with a time, never more than one of the same task every few seconds."""

    def __init__(
        self, stream: TextIO, *, clock: Callable[[], float] = time.monotonic, today: Callable[[], datetime] = now
    ) -> None:
        self.stream = stream
        self._clock = clock
        self._today = today
        self._lock = threading.Lock()
        self._task = ""
        self._total = self._done = 0
        self._began = self._told = 0.0

    def begin(self, task: str, total_bytes: int) -> None:
        """See Progress.begin."""
        with self._lock:
            self._task, self._total, self._done = task, total_bytes, 0
            self._began = self._told = self._clock()
            self._write(f"{task}: {format_size(total_bytes)}" if total_bytes else task)

    def advance(self, done_bytes: int) -> None:
        """See Progress.advance."""
        with self._lock:
            self._done += done_bytes
            moment = self._clock()
            if self._task and moment - self._told >= LINE_EVERY_SECONDS:
                self._told = moment
                self._write(how_far(self._task, self._done, self._total, moment - self._began))

    def say(self, message: str) -> None:
        """See Progress.say."""
        with self._lock:
            self._write(message)

    def end(self) -> None:
        """See Progress.end."""
        with self._lock:
            self._task = ""

    def _write(self, text: str) -> None:
        # Progress that nobody can read any more must not stop a backup.
        with contextlib.suppress(OSError):
            self.stream.write(f"{format_time(self._today())} {text}\n")
            self.stream.flush()


def how_far(task: str, done: int, total: int, seconds: float) -> str:
    """Say how much of a task is done, how fast it goes and how long it will still take."""
    rate = max(done, 0) / seconds if seconds > 0 else 0.0
    if total <= 0:
        return f"{task}: {format_size(done)}, {format_rate(rate)}"
    percent = min(100, max(0, 100 * done // total))
    left = f", {format_duration(max(total - done, 0) / rate)} left" if rate >= 1 else ""
    return f"{task}: {percent}%, {format_size(done)} of {format_size(total)}, {format_rate(rate)}{left}"


class Bar:
    """Progress as a bar with bytes, rate and remaining time."""

    def __init__(self, stream: TextIO) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[size]}", markup=False),
            TextColumn("{task.fields[rate]}", markup=False),
            TimeRemainingColumn(compact=True),
            console=Console(file=stream, highlight=False),
            transient=True,
        )
        self._lock = threading.Lock()
        self._total = self._done = 0
        self._bar_task = self._bar.add_task("", total=None, visible=False, size="", rate="")

    def begin(self, task: str, total_bytes: int) -> None:
        """See Progress.begin."""
        with self._lock:
            self._total, self._done = total_bytes, 0
            self._bar.reset(self._bar_task, total=total_bytes or None, description=task, visible=True, size="", rate="")
            self._bar.start()

    def advance(self, done_bytes: int) -> None:
        """See Progress.advance."""
        with self._lock:
            self._done += done_bytes
            of = f"/{format_size(self._total)}" if self._total else ""
            speed = self._bar.tasks[0].speed
            self._bar.update(
                self._bar_task,
                completed=self._done,
                size=f"{format_size(self._done)}{of}",
                rate=format_rate(speed) if speed else "",
            )

    def say(self, message: str) -> None:
        """See Progress.say."""
        self._bar.console.print(message, markup=False, soft_wrap=True)

    def end(self) -> None:
        """See Progress.end."""
        with self._lock:
            self._bar.update(self._bar_task, visible=False)

    def close(self) -> None:
        """Take the bar off the terminal."""
        self._bar.stop()


def asker() -> Callable[[str], str] | None:
    """Give what asks for a secret without showing it; None where there is no terminal to ask on."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return None

    def ask(text: str) -> str:
        import getpass

        try:
            return getpass.getpass(text, stream=sys.stderr)
        except EOFError:
            return ""

    return ask
