"""What the commands about archives return; the rules are those of reports.py."""

from __future__ import annotations

from datetime import datetime

import msgspec

from neokeep.reports import BackupInfo, Failure


class ArtifactInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One archive, by its header alone.

    `type` is `dump`, `full` or `differential`, `format` its magic (empty where there is none). A dump tells neither
    database nor ids, time or transactions. `files` and `content_bytes` are what it claims to hold, null where it does
    not say; `size_bytes` is that of the archive. `recovered`: nothing is due before it can be opened. `scripts` names
    the scripts of users and roles that are in the header.
    """

    path: str
    type: str
    format: str
    compression: str
    size_bytes: int | None
    files: int | None
    content_bytes: int | None
    database: str | None = None
    database_id: str | None = None
    store_id: str | None = None
    store_format: str | None = None
    time: datetime | None = None
    lowest_tx: int | None = None
    highest_tx: int | None = None
    recovered: bool | None = None
    scripts: tuple[str, ...] = ()


class ArtifactChain(msgspec.Struct, frozen=True, kw_only=True):
    """A full artifact and the differential ones that go on with it, in order.

    `full` is null where it is not there. `last_tx` is how far the chain leads without a gap, null without a full one.
    """

    database: str
    database_id: str
    full: str | None
    differentials: tuple[str, ...]
    last_tx: int | None
    gaps: tuple[str, ...]


class InspectReport(msgspec.Struct, frozen=True, kw_only=True):
    """What archives there are. `failures` tells of files that are none, or cannot be read."""

    path: str
    artifacts: tuple[ArtifactInfo, ...]
    chains: tuple[ArtifactChain, ...]
    failures: tuple[Failure, ...] = ()


class LoadReport(msgspec.Struct, frozen=True, kw_only=True):
    """Outcome of `load`, with `--info` of reading alone: then nothing was loaded, and `loaded_as` is null.

    `clean`: nothing is left to recover. `last_tx` is the last transaction of the log that was loaded, whose newest
    kernel version is `kernel_version`.
    """

    archive: ArtifactInfo
    loaded_as: str | None
    home: str | None
    store_directory: str | None
    log_directory: str | None
    files: int
    content_bytes: int
    store_id: str | None
    store_format: str | None
    kernel_version: str | None
    last_tx: int | None
    last_commit_time: datetime | None
    clean: bool | None
    replaced: bool
    left_out: tuple[str, ...]
    seconds: float
    next_steps: tuple[str, ...]


class DumpReport(msgspec.Struct, frozen=True, kw_only=True):
    """Outcome of `dump`: a clean database in one archive; `path` is null when it went to standard output.

    `running` tells whether the server was, null when it came out of a repository: then it is of the backup `label`
    with `segments` of archived log. `recovered_by` is the engine that had to apply the log, if any did. `indexes` is
    `copy`, or `rebuild` when Neo4j has to make them.
    """

    database: str
    path: str | None
    format: str
    files: int
    content_bytes: int
    size_bytes: int
    store_id: str
    store_format: str
    kernel_version: str
    last_tx: int
    last_commit_time: datetime | None
    running: bool | None
    label: str | None
    segments: int
    recovered_by: str | None
    indexes: str
    seconds: float
    next_steps: tuple[str, ...]


class SkippedArchive(msgspec.Struct, frozen=True, kw_only=True):
    """An archive that is in the repository already, as the backup `label`."""

    archive: str
    label: str


class IngestReport(msgspec.Struct, frozen=True, kw_only=True):
    """Outcome of `ingest`: the backups that now exist, the archives that were there already, and those that failed."""

    repository: str
    backups: tuple[BackupInfo, ...]
    skipped: tuple[SkippedArchive, ...] = ()
    failures: tuple[Failure, ...] = ()
