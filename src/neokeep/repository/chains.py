"""Chains: a full backup and the segments that lead on from it without a gap. What can be restored, to which moments.

Planning is pure; only listing and the reading of a chain's last segment touch the repository.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from neokeep.repository.segment import SegmentHeader, SegmentName, contiguous, list_segments, read_header

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from neokeep.repository.manifest import Manifest, Span
    from neokeep.repository.repository import Repository


@dataclass(frozen=True, slots=True)
class Chain:
    """A base and its segments, as far as they follow on without a gap.

    What is there of later transactions and cannot be used: `unreachable` are segments behind a gap, `damaged` those
    that are marked so.
    """

    base: Manifest
    segments: tuple[SegmentName, ...]
    unreachable: tuple[SegmentName, ...] = ()
    damaged: tuple[SegmentName, ...] = ()

    @property
    def last_transaction(self) -> int:
        """The newest transaction that the chain reaches."""
        return self.segments[-1].last if self.segments else self.base.end.transaction or 0

    @property
    def log_bytes(self) -> int:
        """Stored bytes of the segments."""
        return sum(segment.size for segment in self.segments)

    def reaches(self, transaction: int) -> bool:
        """Tell whether a transaction lies in the restore window."""
        return (self.base.end.transaction or 0) <= transaction <= self.last_transaction


@dataclass(frozen=True, slots=True)
class ChainEnd:
    """Where a chain goes on, and commit time (None for none) and kernel version of its newest transaction."""

    tail: Span | None
    commit_time: datetime | None
    kernel_version: int


def chain_of(repository: Repository, base: Manifest) -> Chain:
    """Find the segments of a full backup."""
    marked = repository.damaged_objects()
    good: list[SegmentName] = []
    damaged: list[SegmentName] = []
    for segment in list_segments(repository.storage, base.label):
        (damaged if segment.hash in marked else good).append(segment)
    chain = Chain(base, tuple(contiguous(good, base.end.transaction or 0)))
    end = chain.last_transaction
    return replace(
        chain,
        unreachable=tuple(segment for segment in good if segment.last > end),
        damaged=tuple(segment for segment in damaged if segment.last > end),
    )


def chains_of(repository: Repository, manifests: Sequence[Manifest]) -> list[Chain]:
    """Find the chains of all full backups among some manifests, in their order."""
    return [chain_of(repository, manifest) for manifest in manifests if manifest.type == "full"]


def end_of(repository: Repository, chain: Chain) -> ChainEnd:
    """Read where a chain ends, from its last segment or its base.

    Raises:
        IntegrityError: the last segment is damaged.
    """
    if not chain.segments:
        return ChainEnd(chain.base.tail, chain.base.end.commit_time, chain.base.kernel_version)
    header = header_of(repository, chain.segments[-1])
    return ChainEnd(header.tail, header.last_commit_time, header.kernel_version)


def header_of(repository: Repository, segment: SegmentName) -> SegmentHeader:
    """Read what a segment says of itself."""
    return read_header(repository.storage, segment)
