"""Listing the transactions that a repository holds: from the captured log of a full backup and from its segments.

Only what a filter on ids lets through is read; boundaries come from the same scan that verified the log when it was
stored.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from neokeep.neo4j.log.header import LARGEST, LogHeader, parse_header
from neokeep.neo4j.log.scan import Scan, scan_log
from neokeep.neo4j.log.summary import TransactionSummary, summaries
from neokeep.repository.archived import archived_log
from neokeep.repository.blocklist import block_length, split_ids
from neokeep.repository.contents import expand_file, file_list
from neokeep.repository.reader import BlockReader

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from neokeep.repository.chains import Chain
    from neokeep.repository.manifest import FileEntry
    from neokeep.repository.repository import Repository
    from neokeep.repository.segment import SegmentHeader, SegmentName

_MID_FILE_FORMAT = 9
"""The header format told to a scan that begins in the middle of a file; it has no bearing on entries."""


@dataclass(frozen=True, slots=True)
class TransactionFilter:
    """Which transactions to list; None lets all pass. Ids and times are inclusive."""

    first: int | None = None
    last: int | None = None
    since: datetime | None = None
    until: datetime | None = None
    deletes_more_than: int | None = None

    def passes(self, summary: TransactionSummary) -> bool:
        """Tell whether a transaction is wanted."""
        deleted = summary.nodes.deleted + summary.relationships.deleted + summary.properties.deleted
        return (
            (self.since is None or summary.committed >= self.since)
            and (self.until is None or summary.committed <= self.until)
            and (self.deletes_more_than is None or deleted > self.deletes_more_than)
        )


def transactions(repository: Repository, chain: Chain, wanted: TransactionFilter) -> Iterator[TransactionSummary]:
    """List the transactions of a chain, oldest first.

    Raises:
        IntegrityError: a block or a segment is missing or damaged.
        SourceError: a transaction holds something that neokeep does not understand.
    """
    yield from filter(wanted.passes, _of_base(repository, chain, wanted))
    asked = [
        segment
        for segment in chain.segments
        if segment.last >= (wanted.first or 0) and (wanted.last is None or segment.first <= wanted.last)
    ]
    for segment, stored, data in archived_log(repository.storage, chain.base, asked):
        yield from filter(wanted.passes, _of_segment(segment, stored, data, wanted))
        # A merged one that took the place of the next begins with what was listed already.
        wanted = replace(wanted, first=max(wanted.first or 0, segment.last + 1))


def _of_base(repository: Repository, chain: Chain, wanted: TransactionFilter) -> Iterator[TransactionSummary]:
    """List what the full backup itself captured of the log."""
    base = chain.base
    if (wanted.first or 0) > (base.end.transaction or 0):
        return
    reader = BlockReader.of(repository)
    for file in file_list(reader, base):
        if file.kind == "log":
            data = _content(reader, file)
            header = parse_header(data[:LARGEST], file.path)
            if header is not None:
                yield from _listed(data, 0, header, scan_log(_Slice(data, 0), header), wanted)


def _of_segment(
    segment: SegmentName, stored: SegmentHeader, data: bytes, wanted: TransactionFilter
) -> Iterator[TransactionSummary]:
    for content, start, header, scan in scanned_pieces(segment, stored, data):
        yield from _listed(content, start, header, scan, wanted)


def scanned_pieces(
    segment: SegmentName, stored: SegmentHeader, data: bytes
) -> Iterator[tuple[bytes, int, LogHeader, Scan]]:
    """Find the boundaries in each piece of a segment; give its bytes, where they begin in the file, header and scan."""
    at, transaction = 0, stored.first
    for piece in stored.pieces:
        content = data[at : at + piece.length]
        at += piece.length
        header = parse_header(content[:LARGEST], segment.name) if piece.start == 0 else None
        if header is None:
            header = LogHeader(_MID_FILE_FORMAT, piece.version, transaction - 1, None, b"", piece.start)
        scan = scan_log(_Slice(content, piece.start), header, resume=Scan(header.size, transaction, None))
        yield content, piece.start, header, scan
        transaction = scan.last_transaction + 1


def _listed(
    data: bytes, start: int, header: LogHeader, scan: Scan, wanted: TransactionFilter
) -> Iterator[TransactionSummary]:
    return summaries(_Slice(data, start), header, scan, wanted.first, wanted.last)


@dataclass(frozen=True, slots=True)
class _Slice:
    """Bytes of a file from `start` on, read as a scan reads a file."""

    data: bytes
    start: int

    def __call__(self, offset: int, length: int) -> bytes:
        return self.data[offset - self.start : offset - self.start + length]


def _content(reader: BlockReader, file: FileEntry) -> bytes:
    ids = split_ids(expand_file(reader, file))
    return b"".join(reader.fetch(identity, block_length(file.content, number)) for number, identity in enumerate(ids))
