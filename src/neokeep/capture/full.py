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
from neokeep.capture.origin import source_record
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
    from neokeep.progress import Progress
    from neokeep.repository.repository import Repository

ATTEMPTS = 6
_PAUSE_SECONDS = 0.2


@dataclass(slots=True)
class _Effort:
    """What a backup took so far."""

    started_at: datetime
    began: float
    attempts: int = 0


def full_backup(
    source: Source,
    database: Database,
    repository: Repository,
    options: CaptureOptions,
    progress: Progress,
    *,
    reason: str,
) -> Manifest:
    """Capture one database and commit it as a full backup; `reason` tells why it is one.

    Raises:
        SourceError: the database cannot be captured, or changed under every attempt.
        IntegrityError: its transaction log is damaged.
    """
    effort = _Effort(datetime.now(UTC), time.monotonic())
    running = source.lock().held or database.lock().held
    repository.storage.clear_abandoned()
    writer = BlockWriter(repository)
    try:
        reader = GentleReader(RateLimit(options.rate_limit))
        image, voided = _attempts(database, writer, reader, options, progress, effort)
        still_running = source.lock().held or database.lock().held
        events = list(voided)
        if running != still_running:
            events.append(
                "the server was stopped during the capture" if running else "the server was started meanwhile"
            )
        files = _store_file_list(image, writer)
        writer.finish()
        manifest = _manifest(source, database, image, writer, reader, effort, files, running=running, events=events)
        return writer.commit(msgspec.structs.replace(manifest, reason=reason))
    finally:
        writer.close()
        progress.end()


def _attempts(
    database: Database,
    writer: BlockWriter,
    reader: GentleReader,
    options: CaptureOptions,
    progress: Progress,
    effort: _Effort,
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


def _store_file_list(image: Image, writer: BlockWriter) -> manifests.BlockList:
    with writer.worker() as worker:
        return worker.put_bytes(msgspec.json.encode(image.files))


def _manifest(
    source: Source,
    database: Database,
    image: Image,
    writer: BlockWriter,
    reader: GentleReader,
    effort: _Effort,
    files: manifests.BlockList,
    *,
    running: bool,
    events: list[str],
) -> Manifest:
    store_id = database.store_id()
    log, record = image.log, image.checkpoint.record
    kernel_version = log.kernel_version or (record.kernel_version if record else 0)
    require_kernel_version(kernel_version, str(database.log_directory))
    commit_time = log.last_commit_time
    if commit_time is None and record is not None:
        commit_time = record.commit_time
    return Manifest(
        format=manifests.FORMAT,
        label=manifests.new_label(database.name, effort.started_at),
        type="full",
        neokeep_version=__version__,
        source=source_record(source, running=running),
        database=database.name,
        neo4j_version=str(source.version) if source.version else None,
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
        files=files,
        file_count=len(image.files),
        left_out=image.left_out,
        events=(*events, *image.events),
        statistics=Statistics(
            seconds=round(time.monotonic() - effort.began, 3),
            bytes_read=reader.bytes_read + log.bytes_read,
            size_bytes=sum(file.content.size for file in image.files),
            stored_bytes=writer.stored_bytes,
            blocks=writer.blocks,
            new_blocks=writer.new_blocks,
            attempts=effort.attempts,
            file_retries=image.file_retries,
            compressed_bytes=writer.compressed_bytes,
        ),
        tail=log.tail,
        opens=log.opens,
    )


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
