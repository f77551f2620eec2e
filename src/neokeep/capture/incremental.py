"""Incremental backup: the new transactions of a source as segments of the newest chain, then a manifest for the label.

Reads and stores in proportion to the new log. Whether the chain can go on is decided before anything is read; the
reason why not is an answer, never a silent full backup.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from neokeep.capture.chain import ChainBroken, Stretch, read_on, require_unbroken
from neokeep.capture.origin import source_record
from neokeep.capture.policy import state_of
from neokeep.errors import IntegrityError
from neokeep.repository import manifest as manifests
from neokeep.repository.chains import Chain, chain_of, end_of
from neokeep.repository.manifest import Manifest, Span
from neokeep.repository.segment import SegmentHeader, store_segment
from neokeep.server_files.attach import commit_with
from neokeep.version import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence

    from neokeep.capture.options import CaptureOptions
    from neokeep.neo4j.source import Database, Source
    from neokeep.repository.repository import Repository
    from neokeep.repository.segment import SegmentName
    from neokeep.server_files.gather import Gathered


@dataclass(frozen=True, slots=True)
class Decision:
    """Which type a backup has to be and why; `chain` and `tail` where it can go on with a chain."""

    type: str
    reason: str
    chain: Chain | None = None
    tail: Span | None = None
    newest: Manifest | None = None
    """The newest backup of the chain that holds the server's other files: the next may share them."""


@dataclass(slots=True)
class Archived:
    """What was taken from the log: the new end of the chain, and the cost."""

    tail: Span
    last_commit_time: datetime | None
    kernel_version: int | None = None
    transactions: int = 0
    segments: int = 0
    bytes_read: int = 0
    bytes_stored: int = 0


def decide(
    source: Source, database: Database, repository: Repository, options: CaptureOptions, now: datetime
) -> Decision:
    """Decide between full and incremental; a Decision without a chain says why it cannot be incremental."""
    if options.type == "full":
        return Decision("full", "a full backup was asked for")
    readable = [item for item in repository.manifests() if isinstance(item, Manifest)]
    base = newest_base(source, database, readable)
    if base is None:
        return Decision("full", "there is no full backup of this database yet")
    chain = chain_of(repository, base)
    try:
        tail = tail_of(repository, database, chain)
    except ChainBroken as broken:
        return Decision("full", str(broken))
    due = options.policy.due(state_of(repository, chain, readable, now)) if options.type == "auto" else ""
    if due:
        return Decision("full", due)
    carrying = [item for item in readable if base.label in (item.label, item.base) and item.server is not None]
    newest = max(carrying, key=lambda item: item.finished_at, default=None)
    return Decision("incremental", f"the chain of {base.label} holds", chain, tail, newest)


def tail_of(repository: Repository, database: Database, chain: Chain) -> Span:
    """Find where a chain goes on, proven against the source's log.

    Raises:
        ChainBroken: it does not.
    """
    if chain.base.store_id != str(database.store_id()):
        raise ChainBroken("the store is another one than that of the newest full backup")
    try:
        tail = end_of(repository, chain).tail
    except IntegrityError as problem:
        raise ChainBroken(problem.message) from problem
    if tail is None:
        raise ChainBroken("the newest full backup holds no transaction to go on from")
    require_unbroken(database.log_directory, tail)
    return tail


def newest_base(source: Source, database: Database, readable: Sequence[Manifest]) -> Manifest | None:
    """Find the newest full backup of this database of this source; a copy elsewhere has a history of its own.

    What was ingested does not count: where it came from is known by hearsay only.
    """
    fulls = [
        item
        for item in readable
        if item.type == "full"
        and item.database == database.name
        and item.source.name == source.name
        and item.ingested is None
    ]
    return max(fulls, key=lambda item: item.finished_at, default=None)


def incremental_backup(
    source: Source,
    database: Database,
    repository: Repository,
    decision: Decision,
    alike: Manifest | None = None,
    gathered: Gathered | None = None,
) -> Manifest:
    """Archive the new log of a database and commit a backup that names its end.

    With it go the server's other files that were `gathered`.

    With `alike`, an incremental backup of the same chain in another repository, it is the same one: of the same
    label, time and end.

    Raises:
        ChainBroken: the log has a gap; what was archived before it is kept.
        IntegrityError: the log is damaged.
    """
    if decision.chain is None or decision.tail is None:
        raise ValueError("an incremental backup needs a chain that holds")
    started_at, began = datetime.now(UTC), time.monotonic()
    chain, base = decision.chain, decision.chain.base
    running = source.lock().held or database.lock().held
    archived = archive(database, repository, chain, decision.tail, alike.tail if alike else None)
    tail = archived.tail
    cost = manifests.Statistics(
        seconds=round(time.monotonic() - began, 3),
        bytes_read=archived.bytes_read,
        size_bytes=archived.bytes_read,
        stored_bytes=archived.bytes_stored,
        blocks=0,
        new_blocks=0,
        attempts=1,
        file_retries=0,
    )
    first = decision.tail.transaction + 1
    if alike is not None:
        own = msgspec.structs.replace(alike, reason=decision.reason, first_transaction=first, statistics=cost)
        return commit_with(gathered, decision.newest, repository, own)
    return commit_with(
        gathered,
        decision.newest,
        repository,
        msgspec.structs.replace(
            base,
            label=manifests.new_label(database.name, started_at, base.label),
            type="incremental",
            base=base.label,
            reason=decision.reason,
            neokeep_version=__version__,
            kernel_version=archived.kernel_version or end_of(repository, chain).kernel_version,
            source=source_record(source, running=running),
            neo4j_version=str(source.version) if source.version else None,
            started_at=started_at,
            finished_at=datetime.now(UTC),
            first_transaction=first,
            end=manifests.LogPoint(
                version=tail.version,
                offset=tail.end,
                transaction=tail.transaction,
                commit_time=archived.last_commit_time or end_of(repository, chain).commit_time,
                checksum=tail.checksum,
            ),
            tail=tail,
            writer=None,
            files=manifests.NO_BLOCKS,
            file_count=0,
            left_out=(),
            events=(),
            statistics=cost,
        ),
    )


def archive(database: Database, repository: Repository, chain: Chain, tail: Span, stop: Span | None = None) -> Archived:
    """Store every complete transaction behind `tail`, up to `stop`, as segments of the chain.

    Raises:
        ChainBroken: the log has a gap behind what was stored so far.
        IntegrityError: the log is damaged.
    """
    archived = Archived(tail, None)
    for stretch in read_on(database.log_directory, tail, stop=stop):
        archived.bytes_stored += store_stretch(repository, chain, stretch).size
        archived.tail = stretch.tail
        archived.kernel_version = stretch.kernel_version
        archived.last_commit_time = stretch.last_commit_time
        archived.transactions += stretch.last - stretch.first + 1
        archived.segments += 1
        archived.bytes_read += len(stretch.data)
    return archived


def extend(source: Source, database: Database, repository: Repository, newer: Manifest) -> str:
    """Archive the log up to a newer full backup in the chain before it too, where that chain holds archived log.

    So the two restore windows meet and no moment between them is lost. Returns why that could not be, or nothing.
    """
    earlier = [
        item for item in repository.manifests() if isinstance(item, Manifest) and item.finished_at < newer.finished_at
    ]
    base = newest_base(source, database, earlier)
    chain = chain_of(repository, base) if base is not None else None
    if chain is None or not chain.segments or chain.last_transaction >= (newer.end.transaction or 0):
        return ""
    try:
        archive(database, repository, chain, tail_of(repository, database, chain))
    except (ChainBroken, IntegrityError) as problem:
        return f"no restore goes between transaction {chain.last_transaction} and {newer.label}: {problem}"
    return ""


def store_stretch(repository: Repository, chain: Chain, stretch: Stretch) -> SegmentName:
    """Store verified log as the next segment of a chain; it is durable when this returns."""
    header = SegmentHeader(
        chain=chain.base.label,
        database=chain.base.database,
        store_id=chain.base.store_id,
        kernel_version=stretch.kernel_version,
        first=stretch.first,
        last=stretch.last,
        first_commit_time=stretch.first_commit_time,
        last_commit_time=stretch.last_commit_time,
        tail=stretch.tail,
        pieces=stretch.pieces,
        follows=stretch.follows,
        created_at=datetime.now(UTC),
    )
    return store_segment(repository.storage, header, stretch.data)
