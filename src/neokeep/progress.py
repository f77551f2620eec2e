"""How long-running work tells what it is doing. The terminal, plain lines and silence are all implementations."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Told by the work; may be called from several threads."""

    def begin(self, task: str, total_bytes: int) -> None:
        """Say that a task with so many bytes begins; the one before it is over."""

    def advance(self, done_bytes: int) -> None:
        """Say that so many more bytes are done; negative when work has to be done again."""

    def say(self, message: str) -> None:
        """Tell something worth a line."""

    def end(self) -> None:
        """Say that the last task is over."""


class Silent:
    """Progress that nobody watches."""

    def begin(self, task: str, total_bytes: int) -> None:
        """See Progress.begin."""

    def advance(self, done_bytes: int) -> None:
        """See Progress.advance."""

    def say(self, message: str) -> None:
        """See Progress.say."""

    def end(self) -> None:
        """See Progress.end."""
