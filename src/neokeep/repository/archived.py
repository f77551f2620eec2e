"""Reading archived log in turn, also while merging puts larger segments in the place of those that were planned with.

A restore may take hours before it comes to the log, and small segments are removed an hour after they were merged.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from neokeep.errors import IntegrityError
from neokeep.repository.segment import contiguous, list_segments, read_segment

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from neokeep.repository.manifest import Manifest
    from neokeep.repository.segment import SegmentHeader, SegmentName
    from neokeep.storage.base import Storage


def archived_log(
    storage: Storage, base: Manifest, planned: Sequence[SegmentName], spares: Sequence[Storage] = ()
) -> Iterator[tuple[SegmentName, SegmentHeader, bytes]]:
    """Read segments that follow on one another; where one is missing or damaged, go on with others from there.

    What takes the place of another may begin before it, and so hold again what was read already. Where nothing in
    `storage` leads on, the first of the `spares` does that has a way; they hold the same chain.

    Raises:
        SegmentMissing, IntegrityError: nothing else leads from there as far as was planned.
    """
    reached = planned[0].first - 1 if planned else 0
    goal = planned[-1].last if planned else 0
    places = (storage, *spares)
    # Two repositories may hold one segment under one name: one damaged copy says nothing of the other.
    avoided: list[set[bytes]] = [set() for _ in places]
    at, pending = 0, deque(planned)
    while pending:
        segment = pending.popleft()
        try:
            header, data = read_segment(places[at], segment)
        except IntegrityError:
            avoided[at].add(segment.hash)
            ways = (
                (number, _way_on(place, base, reached, goal, avoided[number])) for number, place in enumerate(places)
            )
            at, way = next(((number, way) for number, way in ways if way), (at, []))
            pending = deque(way)
            if not pending:
                raise
        else:
            yield segment, header, data
            reached = segment.last


def _way_on(storage: Storage, base: Manifest, reached: int, goal: int, avoided: Collection[bytes]) -> list[SegmentName]:
    """Find the segments that lead on from a transaction to another as things are now; none where they do not."""
    damaged = {item.name.rsplit("/", 1)[1] for item in storage.list("damaged")}
    good = [
        segment
        for segment in list_segments(storage, base.label)
        if segment.hash not in avoided and segment.hash.hex() not in damaged
    ]
    way = contiguous(good, base.end.transaction or 0)
    if not way or way[-1].last < goal:
        return []
    return [segment for segment in way if segment.last > reached and segment.first <= goal]
