"""What commands print, and the exit status that goes with it.

Text is for people and may change; JSON is one document on stdout, also for failures, and may only grow. A reader that
goes away (`neokeep info | head`) is no failure of the command.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TextIO

from neokeep.cli.page import Page

if TYPE_CHECKING:
    from collections.abc import Callable

    from neokeep.errors import NeokeepError


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command came to.

    `report` is a value of reports.py (or of the lab), `show` writes it on a page for people. `failure` is set when the
    report tells of something that failed. An `answer` is what the user asked to see: --quiet does not hide it.
    """

    report: Any
    show: Callable[[Page], None]
    failure: NeokeepError | None = None
    answer: bool = False


@dataclass(slots=True)
class Printer:
    """Prints outcomes and failures; its fields are set as soon as the command line is understood."""

    json: bool = False
    quiet: bool = False
    command: str = ""
    lines: bool = False
    """Whether the command prints many documents, each on a line of its own."""

    def outcome(self, outcome: Outcome) -> int:
        """Print what a command came to; the exit status."""
        if self.json and outcome.report is None:
            pass  # A command that runs on tells its events itself, one document a line.
        elif self.json:
            from msgspec import to_builtins

            document = to_builtins(outcome.report)
            if outcome.failure is not None:
                document["error"] = error_document(outcome.failure)
            write_json(document)
        elif outcome.answer or outcome.failure is not None or not self.quiet:
            page = Page.for_stream(sys.stdout)
            outcome.show(page)
            write(sys.stdout, page.text)
        if outcome.failure is None:
            return 0
        if not self.json:
            write(sys.stderr, self.error_text(outcome.failure))
        return outcome.failure.exit_status

    def failure(self, error: NeokeepError) -> int:
        """Print why a command did not work; the exit status."""
        if self.json:
            write_json({"error": error_document(error)}, one_line=self.lines)
        else:
            write(sys.stderr, self.error_text(error))
        return error.exit_status

    def error_text(self, error: NeokeepError) -> str:
        """Say what happened, where, and what to do."""
        where = f"neokeep {self.command}".strip()
        lines = [f"error: {error.message}", f"where: {where} ({error.kind}, exit status {error.exit_status})"]
        if error.remedy:
            lines.append(f"What to do: {error.remedy}")
        return "\n".join(lines) + "\n"


def error_document(error: NeokeepError) -> dict[str, object]:
    """Give the JSON form of an error."""
    return {
        "kind": error.kind,
        "message": error.message,
        "remedy": error.remedy,
        "exit_status": error.exit_status,
    }


def write_json(document: object, *, one_line: bool = False) -> None:
    """Write one JSON document to stdout."""
    from msgspec import json

    encoded = json.encode(document)
    write(sys.stdout, (encoded if one_line else json.format(encoded, indent=2)).decode() + "\n")


def write(stream: TextIO, text: str) -> None:
    """Write and flush; when the reader has gone, the rest goes nowhere."""
    try:
        stream.write(text)
        stream.flush()
    except BrokenPipeError:
        silence(stream)
    except UnicodeEncodeError:
        # A terminal of the C locale: better a question mark in a name than no report at all.
        stream.write(text.encode("ascii", "replace").decode("ascii"))
        stream.flush()


def silence(stream: TextIO) -> None:
    """Send what else is written, the interpreter's last flush included, nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, stream.fileno())
    finally:
        os.close(nowhere)
