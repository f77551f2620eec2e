"""Merging small segments of a chain into larger ones, so that years of archiving leave few objects.

A merged segment is stored beside its parts; these go only when it has been there for a grace period, and was read
whole again. So log is never in one place only because of merging, and a restore that has begun finds its parts.
`plan_merges` and `plan_removals` are pure.
"""

from __future__ import annotations

from bisect import bisect_right
from datetime import timedelta
from itertools import groupby
from typing import TYPE_CHECKING

import msgspec

from neokeep.errors import IntegrityError
from neokeep.repository.segment import Piece, SegmentName, read_segment, store_segment, unlinked

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from datetime import datetime

    from neokeep.repository.segment import SegmentHeader
    from neokeep.storage.base import Storage

MERGE = 16
"""Segments of one order of size that become one: each byte is written anew some three times until it rests."""

LARGEST = 4 * 1024 * 1024
"""Stored bytes of a merged segment, at most."""

LARGEST_CONTENT = 64 * 1024 * 1024
"""Bytes of log in a merged segment, at most: merging holds them in memory, and so does whoever reads it."""

RESTING = LARGEST // 4
"""Stored bytes from which on a segment is left as it is: several smaller ones always fit into one."""

_ORDERS = (16 * 1024, 256 * 1024, RESTING)
GRACE = timedelta(hours=1)

Group = tuple[SegmentName, ...]


def plan_merges(path: Sequence[SegmentName], heavy: Collection[bytes] = ()) -> list[Group]:
    """Choose neighbours on the way through a chain that become one segment each; no segment is in two groups.

    `heavy` holds the hashes of segments whose content lets them rest although they are small.
    """
    groups: list[Group] = []
    for run, closed in _runs(path, heavy):
        found = _groups_of_run(run)
        groups += found
        if closed and not found:
            groups += _groups_of_closed_run(run)
    return groups


def _runs(path: Sequence[SegmentName], heavy: Collection[bytes]) -> Iterator[tuple[list[SegmentName], bool]]:
    """Find the runs of several segments that do not rest.

    A closed one has a resting segment behind it, and grows no more.
    """
    runs = [(rests, list(run)) for rests, run in groupby(path, lambda one: one.size >= RESTING or one.hash in heavy)]
    for number, (rests, run) in enumerate(runs):
        if not rests and len(run) > 1:
            yield run, number < len(runs) - 1


def _groups_of_run(run: Sequence[SegmentName]) -> list[Group]:
    """Group small segments first, then larger ones beside them."""
    groups: list[Group] = []
    taken: set[int] = set()
    for order in _ORDERS:
        small = {segment.first for segment in run if segment.size < order} - taken
        found = [group for part in _split(run, small) for group in _groups(part)]
        groups += found
        taken |= {segment.first for group in found for segment in group}
    return groups


def _split(run: Sequence[SegmentName], wanted: Collection[int]) -> list[list[SegmentName]]:
    """Split into runs of neighbours that begin with wanted transactions; the others are left out."""
    return [list(part) for is_wanted, part in groupby(run, lambda one: one.first in wanted) if is_wanted]


def _groups(run: Sequence[SegmentName]) -> list[Group]:
    """Group neighbours: so many, or so large, that merging pays."""
    groups: list[Group] = []
    group: list[SegmentName] = []
    size = largest = 0
    for segment in run:
        if size + segment.size > LARGEST:
            groups.append(tuple(group))
            group, size, largest = [], 0, 0
        group.append(segment)
        size, largest = size + segment.size, max(largest, segment.size)
        if len(group) >= MERGE and _pays(largest, size):
            groups.append(tuple(group))
            group, size, largest = [], 0, 0
    return groups


def _groups_of_closed_run(run: Sequence[SegmentName]) -> list[Group]:
    """Group what no other neighbours will come to, however little it is."""
    groups: list[list[SegmentName]] = [[]]
    size = 0
    for segment in run:
        if size + segment.size > LARGEST:
            groups.append([])
            size = 0
        groups[-1].append(segment)
        size += segment.size
    return [tuple(group) for group in groups if len(group) > 1]


def _pays(largest: int, size: int) -> bool:
    """Tell whether every part becomes one of at least twice its size: so no byte is written anew again and again."""
    return 2 * largest <= size


def plan_removals(
    segments: Sequence[SegmentName],
    path: Sequence[SegmentName],
    grace: timedelta = GRACE,
    now: datetime | None = None,
) -> dict[SegmentName, list[SegmentName]]:
    """Choose the segments that a larger one on the way stands for since longer than `grace`: larger one to parts.

    Time is that of the storage: where `now` is not told, the end of the way tells how late it is there at least. Where
    its clock was set back, that only delays.
    """
    late = now or (path[-1].created if path else None)
    plan: dict[SegmentName, list[SegmentName]] = {}
    on_the_way = {segment.name for segment in path}
    begins = [segment.first for segment in path]
    for segment in segments:
        at = bisect_right(begins, segment.first) - 1
        if at < 0 or segment.name in on_the_way:
            continue
        larger = path[at]
        if segment.last <= larger.last and late is not None and larger.created <= late - grace:
            plan.setdefault(larger, []).append(segment)
    return plan


def merge_segments(storage: Storage, group: Sequence[SegmentName]) -> SegmentName | None:
    """Store one segment that holds what neighbours hold, of those as many as it may.

    None where already the first ones hold too much to be one. The parts stay; who removes them reads this one first.

    Raises:
        SegmentMissing, IntegrityError: a part is missing or damaged, or the parts do not follow on one another.
    """
    headers: list[SegmentHeader] = []
    contents: list[bytes] = []
    for segment in group:
        header, data = read_segment(storage, segment)
        if headers and not _follows_on(header, headers[-1]):
            raise IntegrityError(
                f"{segment.name} does not follow on the segment before it",
                remedy="Run 'neokeep verify' to see up to where the chain is whole.",
            )
        if sum(map(len, contents)) + len(data) > LARGEST_CONTENT:
            sizes = [len(content) for content in contents]
            if len(headers) < 2 or not _pays(max(sizes), sum(sizes)):
                return None
            break
        headers.append(header)
        contents.append(data)
    return store_segment(storage, merged_header(headers), b"".join(contents))


def _follows_on(header: SegmentHeader, before: SegmentHeader) -> bool:
    same = (header.chain, header.database, header.store_id) == (before.chain, before.database, before.store_id)
    return same and header.first == before.last + 1 and not unlinked(header, before.tail.checksum)


def merged_header(headers: Sequence[SegmentHeader]) -> SegmentHeader:
    """Describe what several segments hold together."""
    first, last = headers[0], headers[-1]
    return msgspec.structs.replace(
        last,
        first=first.first,
        follows=first.follows,
        first_commit_time=min(header.first_commit_time for header in headers),
        last_commit_time=max(header.last_commit_time for header in headers),
        pieces=_joined([piece for header in headers for piece in header.pieces]),
    )


def _joined(pieces: Sequence[Piece]) -> tuple[Piece, ...]:
    """Join pieces that follow on one another in the same log file."""
    joined: list[Piece] = []
    for piece in pieces:
        last = joined[-1] if joined else None
        if last is not None and last.version == piece.version and last.start + last.length == piece.start:
            joined[-1] = msgspec.structs.replace(last, length=last.length + piece.length)
        else:
            joined.append(piece)
    return tuple(joined)
