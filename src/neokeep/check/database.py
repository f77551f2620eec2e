"""What `check` tries on one database: format, every file, checkpoint, log, retention."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from neokeep.capture.checkpoint import choose_checkpoint
from neokeep.capture.void import CaptureVoid
from neokeep.errors import AccessError
from neokeep.files import explained
from neokeep.neo4j.configuration import read_configuration
from neokeep.neo4j.log.header import LARGEST, parse_header
from neokeep.neo4j.log.names import log_name, log_versions
from neokeep.neo4j.retention import DEFAULT_POLICY, DEFAULT_POLICY_4, Retention, parse_retention
from neokeep.neo4j.store.layout import FileKind, list_database
from neokeep.reports import Finding
from neokeep.units import format_size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from neokeep.neo4j.source import Database, Source

_HOUR = 3600


def check_database(database: Database) -> Iterator[Finding]:
    """Try to read all that a capture reads.

    Raises:
        SourceError: the store or its logs cannot be captured.
        AccessError: a file may not be read.
    """
    subject = database.name
    store_id = database.store_id()
    yield Finding(subject=subject, status="ok", message=f"store format {store_id.store_format}, store id {store_id}")
    listing = list_database(database.store_directory)
    files = [file for file in listing.files if file.kind is not FileKind.NEVER]
    paths = [database.store_directory / file.path for file in files]
    paths += [database.log_directory / log_name(version) for version in log_versions(database.log_directory)]
    for path in paths:
        try:
            os.close(os.open(path, os.O_RDONLY))
        except FileNotFoundError:
            continue  # A running server makes and removes files all the time.
        except OSError as problem:
            raise AccessError(
                f"{path} cannot be read: {problem.strerror}",
                remedy="Run neokeep as the user that runs Neo4j, or give this user read access to data and logs.",
            ) from problem
    size = sum(file.size for file in files)
    yield Finding(subject=subject, status="ok", message=f"all {len(paths)} files can be read, {format_size(size)}")
    if listing.unknown:
        yield Finding(
            subject=subject,
            status="warning",
            message=f"files that neokeep does not know, copied as they are: {', '.join(listing.unknown[:5])}",
            remedy="Tell the authors of neokeep about them.",
        )
    yield _checkpoint(database)


def _checkpoint(database: Database) -> Finding:
    try:
        chosen = choose_checkpoint(database.log_directory)
    except CaptureVoid as problem:
        return Finding(
            subject=database.name,
            status="warning",
            message=f"the checkpoint file changed while it was read: {problem}",
            remedy="Run the check again.",
        )
    path = database.log_directory / log_name(chosen.position.version)
    with explained("read", path), path.open("rb") as file:
        parse_header(file.read(LARGEST), str(path))
    age = f", {_span(time.time() - chosen.record.time / 1000)} ago" if chosen.record else ""
    return Finding(subject=database.name, status="ok", message=f"newest checkpoint at {chosen.position}{age}")


def check_retention(source: Source, database: Database, interval_seconds: int) -> Iterator[Finding]:
    """Compare how long the server keeps its logs with the time between two backups."""
    configuration = read_configuration(source.home, source.configuration.parent if source.configuration else None)
    is_4 = source.version is not None and source.version.family == "4.4"
    policy = configuration.log_retention or (DEFAULT_POLICY_4 if is_4 else DEFAULT_POLICY)
    retention = parse_retention(policy)
    if retention is None:
        yield Finding(
            subject=database.name,
            status="warning",
            message=f"the log retention policy {policy!r} is not understood",
            remedy="Write it as Neo4j's manual does, for example '2 days'.",
        )
        return
    reach = _reach(retention, database)
    if reach is None or reach >= interval_seconds:
        yield Finding(subject=database.name, status="ok", message=f"transaction logs are kept long enough ({policy})")
        return
    kept = "only while recovery needs them" if retention.keeps_none else f"for about {_span(reach)}"
    yield Finding(
        subject=database.name,
        status="warning",
        message=f"transaction logs are kept {kept} ({policy}), "
        f"not for the {_span(interval_seconds)} between two backups",
        remedy="Full backups work all the same. For log backups, set db.tx_log.rotation.retention_policy "
        "(4.4: dbms.tx_log.rotation.retention_policy) to a longer time, such as '7 days'.",
    )


def _reach(retention: Retention, database: Database) -> float | None:
    """Estimate for how many seconds logs are kept; None for as good as for ever."""
    if retention.keeps_all:
        return None
    limits = [] if retention.seconds is None else [float(retention.seconds)]
    if retention.size:
        rate = _bytes_per_second(database)
        if rate > 0:
            limits.append(retention.size / rate)
    return min(limits, default=None)


def _bytes_per_second(database: Database) -> float:
    """Estimate how fast the log grows, from the rotated files that are there."""
    rotated = [database.log_directory / log_name(version) for version in log_versions(database.log_directory)[:-1]]
    try:
        status = [path.stat() for path in rotated]
    except FileNotFoundError:
        return 0.0
    if len(status) < 2:
        return 0.0
    seconds = status[-1].st_mtime - status[0].st_mtime
    return sum(item.st_size for item in status[1:]) / seconds if seconds > 0 else 0.0


def _span(seconds: float) -> str:
    if seconds < 2 * _HOUR:
        return f"{seconds / 60:.0f} minutes"
    return f"{seconds / _HOUR:.0f} hours" if seconds < 72 * _HOUR else f"{seconds / 24 / _HOUR:.0f} days"
