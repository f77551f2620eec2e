"""A full backup: capture a database, attempt after attempt until one holds, then commit its manifest.

A capture that turns out void starts over; blocks that are stored already are not stored again. The manifest is created
last, after every pack is durable and every transaction was verified: before that, there is no backup.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from neokeep.capture.attempt import Image, capture_once
from neokeep.capture.origin import NOWHERE, source_record
from neokeep.capture.reading import GentleReader, RateLimit
from neokeep.capture.void import CaptureVoid
from neokeep.errors import SourceError
from neokeep.neo4j.versions import require_kernel_version
from neokeep.repository import manifest as manifests
from neokeep.repository.manifest import LogPoint, Manifest, Statistics
from neokeep.repository.writer import BlockWriter
from neokeep.version import __version__

if TYPE_CHECKING:
    from neokeep.capture.options import CaptureOptions
    from neokeep.neo4j.source import Database, Source
    from neokeep.neo4j.store.neostore import StoreId
    from neokeep.progress import Progress
    from neokeep.repository.repository import Repository
    from neokeep.repository.writer import LendsWorkers
    from neokeep.server_files.gather import Gathered

ATTEMPTS = 6
_PAUSE_SECONDS = 0.2


@dataclass(slots=True)
class Effort:
    """What a backup took so far."""

    started_at: datetime
    began: float
    attempts: int = 0

    @classmethod
    def begin(cls) -> Effort:
        """Begin now."""
        return cls(datetime.now(UTC), time.monotonic())


@dataclass(frozen=True, slots=True)
class Taken:
    """A captured database, whether its server ran, what is worth telling, and the bytes that were read of its store."""

    image: Image
    running: bool
    events: tuple[str, ...]
    bytes_read: int


def full_backup(
    source: Source,
    database: Database,
    repository: Repository,
    options: CaptureOptions,
    progress: Progress,
    *,
    reason: str,
    gathered: Gathered | None = None,
) -> Manifest:
    """Capture one database and commit it as a full backup; `reason` tells why it is one.

    With it go the server's other files that were `gathered`.

    Raises:
        SourceError: the database cannot be captured, or changed under every attempt.
        IntegrityError: its transaction log is damaged.
    """
    effort = Effort.begin()
    repository.storage.clear_abandoned()
    writer = BlockWriter(repository)
    try:
        taken = take(source, database, writer, options, progress, effort)
        with writer.worker() as worker:
            files = worker.put_bytes(msgspec.json.encode(taken.image.files))
        manifest = full_manifest(source, database, taken, effort)
        return commit_full(manifest, repository, writer, files, reason, gathered)
    finally:
        writer.close()
        progress.end()


def take(
    source: Source,
    database: Database,
    writer: LendsWorkers,
    options: CaptureOptions,
    progress: Progress,
    effort: Effort,
) -> Taken:
    """Capture one database, all its blocks given to `writer`.

    Raises:
        SourceError: the database cannot be captured, or changed under every attempt.
        IntegrityError: its transaction log is damaged.
    """
    running = source.lock().held or database.lock().held
    reader = GentleReader(RateLimit(options.rate_limit))
    image, voided = _attempts(database, writer, reader, options, progress, effort)
    still_running = source.lock().held or database.lock().held
    events = list(voided)
    if running != still_running:
        events.append("the server was stopped during the capture" if running else "the server was started meanwhile")
    return Taken(image, running, (*events, *image.events), reader.bytes_read + image.log.bytes_read)


def commit_full(
    manifest: Manifest,
    repository: Repository,
    writer: BlockWriter,
    files: manifests.BlockList,
    reason: str,
    gathered: Gathered | None,
) -> Manifest:
    """Commit a manifest with what is the repository's own: both file lists there, the reason, and the cost."""
    server = None
    if gathered is not None:
        from neokeep.server_files.gather import keeps_secrets, store

        server = store(gathered, writer, encrypted=keeps_secrets(repository))
    writer.finish()
    cost = msgspec.structs.replace(
        manifest.statistics,
        stored_bytes=writer.stored_bytes,
        blocks=writer.blocks,
        new_blocks=writer.new_blocks,
        compressed_bytes=writer.compressed_bytes,
    )
    return writer.commit(msgspec.structs.replace(manifest, files=files, reason=reason, statistics=cost, server=server))


def _attempts(
    database: Database,
    writer: LendsWorkers,
    reader: GentleReader,
    options: CaptureOptions,
    progress: Progress,
    effort: Effort,
) -> tuple[Image, list[str]]:
    """Capture until an attempt holds; return it with the reasons of those before."""
    voided: list[str] = []
    while True:
        effort.attempts += 1
        try:
            return capture_once(database, writer, reader, options, progress), voided
        except CaptureVoid as problem:
            voided.append(f"attempt {effort.attempts} was void: {problem}")
            progress.say(f"{database.name}: {problem}; the capture starts over")
            if effort.attempts >= ATTEMPTS:
                raise SourceError(
                    f"{database.name} could not be captured in {ATTEMPTS} attempts: {problem}",
                    remedy="Keep transaction logs longer (db.tx_log.rotation.retention_policy), let the backup read "
                    "faster (--rate-limit), or repeat it when no schema or offline operation runs.",
                ) from problem
            time.sleep(_PAUSE_SECONDS)


def full_manifest(source: Source, database: Database, taken: Taken, effort: Effort) -> Manifest:
    """Make the manifest of a capture, without what is the repository's own; see `commit_full`."""
    manifest = image_manifest(taken.image, database.name, database.store_id(), str(database.log_directory), effort)
    return msgspec.structs.replace(
        manifest,
        source=source_record(source, running=taken.running),
        neo4j_version=str(source.version) if source.version else None,
        events=taken.events,
        statistics=msgspec.structs.replace(manifest.statistics, bytes_read=taken.bytes_read),
    )


def image_manifest(image: Image, database: str, store_id: StoreId, where: str, effort: Effort) -> Manifest:
    """Make the manifest of an image as far as that tells, whoever took it; `where` is its log, for messages.

    Raises:
        SourceError: it is of a kernel version that is not known.
    """
    log, record = image.log, image.checkpoint.record
    kernel_version = log.kernel_version or (record.kernel_version if record else 0)
    require_kernel_version(kernel_version, where)
    commit_time = log.last_commit_time
    if commit_time is None and record is not None:
        commit_time = record.commit_time
    return Manifest(
        format=manifests.FORMAT,
        label=manifests.new_label(database, effort.started_at),
        type="full",
        neokeep_version=__version__,
        source=NOWHERE,
        database=database,
        neo4j_version=None,
        kernel_version=kernel_version,
        store_id=str(store_id),
        store_format=store_id.store_format,
        started_at=effort.started_at,
        finished_at=datetime.now(UTC),
        checkpoint=LogPoint(
            version=image.checkpoint.position.version,
            offset=image.checkpoint.position.offset,
            transaction=log.checkpoint_transaction,
            commit_time=_moment(record.commit_time) if record and record.commit_time else None,
        ),
        end=LogPoint(
            version=log.end.version,
            offset=log.end.offset,
            transaction=log.last_transaction,
            commit_time=_moment(commit_time) if commit_time else None,
            checksum=log.last_checksum,
        ),
        first_transaction=log.first_transaction,
        files=manifests.NO_BLOCKS,
        file_count=len(image.files),
        left_out=image.left_out,
        events=image.events,
        statistics=Statistics(
            seconds=round(time.monotonic() - effort.began, 3),
            bytes_read=log.bytes_read,
            size_bytes=sum(file.content.size for file in image.files),
            stored_bytes=0,
            blocks=0,
            new_blocks=0,
            attempts=effort.attempts,
            file_retries=image.file_retries,
        ),
        tail=log.tail,
        opens=log.opens,
    )


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
