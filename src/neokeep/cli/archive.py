"""`neokeep archive`: follow running servers, and ship their new transactions as they are committed."""

from __future__ import annotations

import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from neokeep.cli.command import Argument, Call, Command
from neokeep.cli.output import Outcome, write
from neokeep.units import format_count, format_duration, format_size, format_time

if TYPE_CHECKING:
    from neokeep.neo4j.source import Source
    from neokeep.reports import ArchiveEvent

GRAVE = frozenset({"trouble", "upkeep failed", "broken", "gap", "full backup failed"})
"""Events that tell of something that went wrong: they go to stderr, also with --quiet."""


def run(call: Call) -> Outcome:
    from neokeep import api

    settings = call.settings
    printer = JsonLines() if settings.choice("output") == "json" else TextLines(settings.switch("quiet"))
    api.archive(
        _sources(call),
        settings.place_or_places(),
        call.list_of("databases"),
        interval=settings.number("interval") or 1,
        segment_size=settings.number("segment_size"),
        full_every=settings.number("full_every"),
        full_after=settings.number("full_after"),
        full_at_log_share=settings.share("full_at_log_share"),
        indexes=settings.choice("indexes"),
        rate_limit=settings.number("rate_limit"),
        jobs=settings.number("jobs"),
        gentle=settings.switch("nice"),
        server_files=settings.choice("server_files"),
        tell=printer.tell,
    )
    return Outcome(None, lambda _: None)


def _sources(call: Call) -> list[Source]:
    from neokeep import api

    settings = call.settings
    if settings.sources:
        return [api.find_source(entry.home, entry.conf, entry.name) for entry in settings.sources]
    return [api.find_source(settings.needed_path("home"), settings.path("conf"), settings.text("source"))]


class JsonLines:
    """Events as JSON, one line each."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def tell(self, event: ArchiveEvent) -> None:
        """Print an event. Archiving goes on where nobody can be told, because the disk of a log is full."""
        from msgspec import json

        with self._lock, suppress(OSError):
            write(sys.stdout, json.encode(event).decode() + "\n")


class TextLines:
    """Events for people. What is shipped every second is summed up; a quiet one tells only what went wrong."""

    def __init__(self, quiet: bool) -> None:
        self._quiet = quiet
        self._lock = threading.Lock()
        self._shipped: dict[tuple[str, str, str], Shipped] = {}

    def tell(self, event: ArchiveEvent) -> None:
        """Print a line, or remember what will be in a later one; see JsonLines.tell."""
        with self._lock, suppress(OSError):
            shipped = self._shipped.setdefault((event.source, event.database, event.repository), Shipped())
            if event.event == "archived":
                shipped.add(event)
                return
            if self._quiet and event.event not in GRAVE:
                return
            text = told(event, shipped)
            if event.event in {"state", "stopped"}:
                shipped.clear()
            if text:
                stream = sys.stderr if event.event in GRAVE else sys.stdout
                into = f" into {event.repository}" if event.repository else ""
                write(stream, f"{format_time(event.time)} {event.database} of {event.source}{into}: {text}\n")


class Shipped:
    """What was archived since the last line."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Begin anew."""
        self.transactions = self.log_bytes = 0
        self.delay = 0.0

    def add(self, event: ArchiveEvent) -> None:
        """Count what an event tells."""
        self.transactions += (event.last_tx or 0) - (event.first_tx or 0) + 1
        self.log_bytes += event.log_bytes or 0
        self.delay = max(self.delay, event.delay_seconds or 0)


def told(event: ArchiveEvent, shipped: Shipped) -> str:
    """Say an event in a line; nothing where it is not worth one."""
    if event.event in {"state", "stopped"}:
        return _state(event, shipped)
    lines = {
        "following": f"following {event.chain} behind transaction {event.last_tx}",
        "trouble": f"cannot archive now{_again(event)}: {event.message}",
        "recovered": "archiving again",
        "broken": f"the chain of {event.chain} is broken behind transaction {event.last_tx}: {event.message}",
        "gap": f"no restore can go to the transactions {event.first_tx} to {event.last_tx}: they are not archived",
        "full backup begun": f"a full backup begins, since {event.message}",
        "full backup": f"full backup {event.chain} is complete, up to transaction {event.last_tx}",
        "full backup failed": f"the full backup failed{_again(event)}: {event.message}",
        "merged": _merged(event),
        "upkeep failed": event.message,
    }
    remedy = f" What to do: {event.remedy}" if event.remedy else ""
    return lines.get(event.event, event.event) + remedy


def _again(event: ArchiveEvent) -> str:
    return f", tried again in {format_duration(event.retry_seconds)}" if event.retry_seconds else ""


def _merged(event: ArchiveEvent) -> str:
    parts = []
    if event.segments:
        parts.append(f"{format_count(event.segments, 'small segment')} became {event.into}")
    if event.removed:
        merged_earlier = format_count(event.removed, "segment")
        parts.append(f"{merged_earlier} that were merged earlier are gone ({format_size(event.freed_bytes or 0)})")
    return "; ".join(parts)


def _state(event: ArchiveEvent, shipped: Shipped) -> str:
    """Say how far the archive is, where there is something new to say."""
    parts = []
    if shipped.transactions:
        parts.append(
            f"{format_count(shipped.transactions, 'transaction')} more, {format_size(shipped.log_bytes)} of log, "
            f"at most {shipped.delay:.1f} s old"
        )
    if event.lag_transactions:
        waiting = format_count(event.lag_transactions, "transaction")
        parts.append(f"waiting: {waiting}, {format_size(event.lag_bytes or 0)}, {event.lag_seconds or 0:.1f} s")
    if event.message:
        parts.append(event.message)
    if not parts and event.event != "stopped":
        return ""
    done = "no chain is followed" if event.last_tx is None else f"archived up to transaction {event.last_tx}"
    return "; ".join([f"stopped, {done}" if event.event == "stopped" else done, *parts])


COMMANDS = (
    Command(
        "archive",
        "Follow servers and ship their transactions as they are committed.",
        "Follow the transaction logs of one or several servers, in the foreground, until stopped by Ctrl-C or SIGTERM. "
        "What is committed is in the repository about a second later, so that a lost host costs seconds. A database "
        "without a full backup gets one first, and a new one when its chain breaks or the policy asks for it. Problems "
        "are told and tried again. It may be killed at any moment: it goes on where the repository ends. With "
        "--output json it prints one document a line, one for each event. With several repositories each is served at "
        "its own pace.",
        (
            "neokeep archive --home /var/lib/neo4j --repo /backup/neo4j",
            "neokeep archive --sources all --repo main --output json",
        ),
        run,
        (Argument("databases", "DATABASE", "The databases to follow. Not given: all.", required=False, many=True),),
        prints_lines=True,
    ),
)
