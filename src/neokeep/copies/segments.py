"""Archived log from one repository to another: the fewest bytes that make a chain of the target reach as far as both.

`plan_path` is pure. What is stored was read whole and proven, and must follow on its neighbours by their checksums:
stretches of two histories are never joined.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from neokeep.errors import IntegrityError
from neokeep.repository.segment import peek, read_segment, store_segment, unlinked

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from neokeep.progress import Progress
    from neokeep.repository.manifest import Manifest
    from neokeep.repository.segment import SegmentHeader, SegmentName
    from neokeep.storage.base import Storage


@dataclass(frozen=True, slots=True)
class Step:
    """One segment on the way through a chain; `missing` where the target does not have it yet."""

    segment: SegmentName
    missing: bool


@dataclass(slots=True)
class Fetched:
    """What was stored: segments and their bytes here, bytes read there."""

    segments: int = 0
    bytes_read: int = 0
    stored_bytes: int = 0


def plan_path(own: Sequence[SegmentName], others: Sequence[SegmentName], after: int) -> list[Step]:
    """Find the way that leads on from transaction `after` as far as both together do, with the fewest missing bytes."""
    steps = sorted(
        [*(Step(one, missing=False) for one in own), *(Step(one, missing=True) for one in others)],
        key=lambda step: (step.segment.first, step.missing, step.segment.last, step.segment.hash),
    )
    # Cost of standing before a transaction, number of steps there, and the last of them: steps only lead on.
    best: dict[int, tuple[int, int, Step | None]] = {after + 1: (0, 0, None)}
    for step in steps:
        here = best.get(step.segment.first)
        if here is None or step.segment.last < step.segment.first:
            continue
        cost = (here[0] + (step.segment.size + 1 if step.missing else 0), here[1] + 1)
        known = best.get(step.segment.last + 1)
        if known is None or cost < known[:2]:
            best[step.segment.last + 1] = (*cost, step)
    path: list[Step] = []
    step_here = best[max(best)][2]
    while step_here is not None:
        path.append(step_here)
        step_here = best[step_here.segment.first][2]
    return path[::-1]


def fetch_segments(
    source: Storage,
    target: Storage,
    base: Manifest,
    path: Sequence[Step],
    progress: Progress,
    *,
    created_at: datetime | None = None,
) -> Fetched:
    """Store the missing segments of a path; with `created_at` under names that no damaged object can have.

    Raises:
        SegmentMissing, IntegrityError: a segment is missing or damaged in the source, or does not join on.
    """
    fetched = Fetched()
    checksum = base.end.checksum
    before_missing = False
    missing = sum(step.segment.size for step in path if step.missing)
    if missing:
        progress.begin("copying archived log", missing)
    for number, step in enumerate(path):
        if not step.missing:
            beside = before_missing or (number + 1 < len(path) and path[number + 1].missing)
            header = peek(target, step.segment) if beside else None
            if header is not None and before_missing:
                _require_link(step.segment, header, base, checksum)
            checksum = header.tail.checksum if header else None
            before_missing = False
            continue
        header, data = read_segment(source, step.segment)
        _require_link(step.segment, header, base, checksum)
        if created_at is not None:
            header = msgspec.structs.replace(header, created_at=created_at)
        stored = store_segment(target, header, data)
        checksum, before_missing = header.tail.checksum, True
        fetched.segments += 1
        fetched.bytes_read += step.segment.size
        fetched.stored_bytes += stored.size
        progress.advance(step.segment.size)
    progress.end()
    return fetched


def _require_link(segment: SegmentName, header: SegmentHeader, base: Manifest, checksum: int | None) -> None:
    if header.store_id != base.store_id:
        raise IntegrityError(
            f"{segment.name} is of store {header.store_id}, the full backup is of {base.store_id}",
            remedy="Run 'neokeep verify' on both repositories.",
        )
    if unlinked(header, checksum):
        raise IntegrityError(
            f"{segment.name} follows on another transaction {header.first - 1} than the one before it here: the two "
            "repositories hold different histories",
            remedy="Take a new full backup into both; each keeps what it has.",
        )
