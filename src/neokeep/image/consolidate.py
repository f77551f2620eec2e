"""`consolidate`: a full backup and the log behind it become a new full backup, inside the repository.

The source is not touched. Natively only the blocks that the log changes are read and stored anew, the others are
shared with the old full backup, and indexes are left out: Neo4j rebuilds them. With Neo4j's own engine the chain is
restored into a scratch home, recovered there, and captured, with its indexes. The old chain stays as it is.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from neokeep.capture.attempt import capture_once
from neokeep.capture.options import CaptureOptions
from neokeep.capture.reading import GentleReader, RateLimit
from neokeep.errors import UsageError
from neokeep.files import scratch_directory
from neokeep.image.chain_image import chain_image
from neokeep.image.recovered import recovered_files
from neokeep.neo4j.source import find_source
from neokeep.reports import ConsolidateReport
from neokeep.repository import manifest as manifests
from neokeep.repository.chains import end_of
from neokeep.repository.info import backup_info
from neokeep.repository.manifest import FileEntry, LeftOut, LogPoint, Manifest, Statistics
from neokeep.repository.reader import BlockReader
from neokeep.repository.writer import BlockWriter
from neokeep.restore.choose import choose_chain
from neokeep.restore.recover import NATIVE, recover_with_neo4j
from neokeep.restore.restore import restore
from neokeep.restore.swap import Staging
from neokeep.restore.targets import Moment
from neokeep.server_files.carry import Carried, carried_over
from neokeep.units import format_count
from neokeep.version import __version__

if TYPE_CHECKING:
    from pathlib import Path

    from neokeep.neo4j.distribution import Distribution
    from neokeep.progress import Progress
    from neokeep.repository.chains import Chain, ChainEnd
    from neokeep.repository.repository import Repository


@dataclass(frozen=True, slots=True)
class Content:
    """What the new backup holds: files, what is not among them, where its log begins and ends, and bytes read."""

    files: tuple[FileEntry, ...]
    left_out: tuple[LeftOut, ...]
    end: LogPoint
    first_transaction: int
    bytes_read: int


@dataclass(frozen=True, slots=True)
class Work:
    """What to work with: where from, where to, and how."""

    repository: Repository
    chain: Chain
    writer: BlockWriter
    scratch: Path | None
    jobs: int
    progress: Progress


def consolidate(
    repository: Repository,
    database: str,
    *,
    label: str | None,
    from_source: str | None,
    distribution: Distribution | None,
    scratch: Path | None,
    jobs: int,
    progress: Progress,
) -> ConsolidateReport:
    """Make a full backup of the newest chain of a database, or of that of a backup; by Neo4j where one is given.

    Raises:
        UsageError: there is no log behind the full backup.
        SourceError: the log holds what neokeep does not understand, or Neo4j did not recover.
        IntegrityError: the chain is damaged. In each case nothing was added but blocks that nobody refers to.
    """
    began, started_at = time.monotonic(), datetime.now(UTC)
    chain = choose_chain(repository, database, label=label, from_source=from_source)
    if not chain.segments:
        raise UsageError(
            f"there is no archived log behind {chain.base.label}: there is nothing to consolidate",
            remedy="Archive first: 'neokeep archive', or incremental backups.",
        )
    repository.storage.clear_abandoned()
    end = end_of(repository, chain)
    writer = BlockWriter(repository)
    try:
        work = Work(repository, chain, writer, scratch, jobs, progress)
        content = _natively(work, end) if distribution is None else _with_neo4j(work, end, distribution)
        with writer.worker() as worker:
            files = worker.put_bytes(msgspec.json.encode(content.files))
        server = carried_over(repository, chain.base, writer)
        writer.finish()
        manifest = _manifest(chain, end, content, files, server, writer, started_at, time.monotonic() - began)
        committed = writer.commit(manifest)
    finally:
        writer.close()
        progress.end()
    return ConsolidateReport(
        repository=repository.storage.url,
        backup=backup_info(committed),
        base=chain.base.label,
        segments=len(chain.segments),
        engine=NATIVE if distribution is None else "neo4j",
        blocks=writer.blocks,
        new_blocks=writer.new_blocks,
    )


def _natively(work: Work, end: ChainEnd) -> Content:
    reader = BlockReader.of(work.repository)
    with chain_image(reader, work.chain, scratch=work.scratch, jobs=work.jobs, progress=work.progress) as image:
        found = recovered_files(image, work.writer, jobs=work.jobs, progress=work.progress)
        dropped = [LeftOut(path=path, reason="consolidated without Neo4j", rebuilt=True) for path in image.left_out]
        return Content(
            files=found.files,
            left_out=(*work.chain.base.left_out, *dropped),
            end=LogPoint(
                version=found.end.position.version,
                offset=found.end.position.offset,
                transaction=found.end.transaction.id,
                commit_time=end.commit_time,
                checksum=found.end.transaction.checksum,
            ),
            first_transaction=found.first_transaction,
            bytes_read=found.bytes_read,
        )


def _with_neo4j(work: Work, end: ChainEnd, distribution: Distribution) -> Content:
    base, name = work.chain.base, work.chain.base.database
    with scratch_directory("consolidate", work.scratch) as folder:
        home = folder / "home"
        moment = Moment(transaction=work.chain.last_transaction)
        restore(work.repository, home, name, label=base.label, moment=moment, jobs=work.jobs, progress=work.progress)
        database = find_source(home).database(name)
        staging = Staging(database.store_directory.resolve(), database.log_directory.resolve())
        recover_with_neo4j(staging, name, distribution)
        reader = GentleReader(RateLimit(None))
        image = capture_once(database, work.writer, reader, CaptureOptions(type="full", jobs=work.jobs), work.progress)
        log = image.log
        return Content(
            files=image.files,
            left_out=image.left_out,
            end=LogPoint(
                version=log.end.version,
                offset=log.end.offset,
                transaction=log.last_transaction,
                commit_time=end.commit_time,
                checksum=log.last_checksum,
            ),
            first_transaction=log.first_transaction,
            bytes_read=reader.bytes_read + log.bytes_read,
        )


def _manifest(
    chain: Chain,
    end: ChainEnd,
    content: Content,
    files: manifests.BlockList,
    server: Carried,
    writer: BlockWriter,
    started_at: datetime,
    seconds: float,
) -> Manifest:
    base = chain.base
    made = f"{base.label} and {format_count(len(chain.segments), 'segment')} up to transaction {chain.last_transaction}"
    return msgspec.structs.replace(
        base,
        label=manifests.new_label(base.database, started_at),
        neokeep_version=__version__,
        neo4j_version=base.neo4j_version if base.kernel_version == end.kernel_version else None,
        kernel_version=end.kernel_version,
        started_at=started_at,
        finished_at=datetime.now(UTC),
        checkpoint=msgspec.structs.replace(content.end, checksum=None),
        end=content.end,
        first_transaction=content.first_transaction,
        files=files,
        file_count=len(content.files),
        left_out=content.left_out,
        events=server.events,
        server=server.files,
        statistics=Statistics(
            seconds=round(seconds, 3),
            bytes_read=content.bytes_read,
            size_bytes=sum(file.content.size for file in content.files),
            stored_bytes=writer.stored_bytes,
            blocks=writer.blocks,
            new_blocks=writer.new_blocks,
            attempts=1,
            file_retries=0,
            compressed_bytes=writer.compressed_bytes,
        ),
        reason=f"consolidated from {made}",
        tail=end.tail,
        opens=None,
    )
