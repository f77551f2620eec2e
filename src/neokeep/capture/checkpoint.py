"""Choosing the checkpoint that a capture starts from: the newest complete record, read before any store byte."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from neokeep.capture.void import CaptureVoid
from neokeep.errors import SourceError
from neokeep.files import explain
from neokeep.neo4j.log.checkpoint import Checkpoint, LogPosition, parse_checkpoints
from neokeep.neo4j.log.header import expect_version, parse_header
from neokeep.neo4j.log.names import checkpoint_name, checkpoint_versions, log_versions

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class ChosenCheckpoint:
    """C0 and P0: the record (None in a 4.x database that never had one), where recovery starts, and the file to keep.

    `content` is the checkpoint file up to and with C0: a later record would tell Neo4j that pages are on disk which the
    copy does not hold.
    """

    record: Checkpoint | None
    position: LogPosition
    name: str
    content: bytes


def choose_checkpoint(directory: Path) -> ChosenCheckpoint:
    """Read the checkpoint files of a log directory and choose the newest complete record.

    Raises:
        SourceError: there are no transaction logs, or their versions are not known.
        CaptureVoid: the files changed under the reading.
    """
    versions = checkpoint_versions(directory)
    logs = log_versions(directory)
    if not versions or not logs:
        raise SourceError(
            f"{directory} holds no transaction logs",
            remedy="Check the transaction log directory in neo4j.conf; without its logs there is no online backup.",
        )
    for version in reversed(versions):
        chosen = _newest_of(directory, version)
        if chosen is not None:
            return chosen
    return _without_record(directory, versions[-1], logs[0])


def _newest_of(directory: Path, version: int) -> ChosenCheckpoint | None:
    path = directory / checkpoint_name(version)
    data = _read(path)
    header = parse_header(data, str(path))
    if header is None:
        return None
    expect_version(header, version, str(path))
    records = parse_checkpoints(data, header, str(path))
    if not records:
        return None
    newest = records[-1]
    return ChosenCheckpoint(newest, newest.position, path.name, data[: newest.end])


def _without_record(directory: Path, version: int, first_log: int) -> ChosenCheckpoint:
    """A new 4.x database has an empty checkpoint file: its recovery starts at the very begin of the log."""
    path = directory / checkpoint_name(version)
    data = _read(path)
    header = parse_header(data, str(path))
    if header is None or header.format > 7 or first_log != 0:
        raise SourceError(
            f"no checkpoint file in {directory} holds a complete record",
            remedy="Start and stop this database once, so that Neo4j writes a checkpoint, then repeat the backup.",
        )
    return ChosenCheckpoint(None, LogPosition(0, 0), path.name, data[: header.size])


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as problem:
        raise CaptureVoid(f"{path.name} was pruned") from problem
    except OSError as problem:
        raise explain(problem, "read", path) from problem
