"""Keeping the number of segments small while a chain grows: merging, and removing what a merged one stands for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from neokeep.errors import IntegrityError, KeyNeededError, NeokeepError
from neokeep.repository.chains import chain_of
from neokeep.repository.merging import merge_segments, plan_merges, plan_removals
from neokeep.repository.segment import SegmentMissing, list_segments, read_segment
from neokeep.storage.base import ObjectLocked

if TYPE_CHECKING:
    from neokeep.repository.manifest import Manifest
    from neokeep.repository.repository import Repository
    from neokeep.repository.segment import SegmentName

GROUPS_AT_ONCE = 8
"""Archiving waits while segments are merged, so only so many groups are merged in a row."""


@dataclass(slots=True)
class Done:
    """What was done: segments that were merged and what they became, segments removed and their bytes.

    `more` tells that there is more to do at once; `problem` is what went wrong beside that.
    """

    merged: int = 0
    into: int = 0
    removed: int = 0
    freed: int = 0
    more: bool = False
    problem: NeokeepError | None = None

    def check(self) -> None:
        """Raise what went wrong."""
        if self.problem is not None:
            raise self.problem


class Upkeep:
    """Keeps the chains of one database up."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._heavy: set[bytes] = set()
        self._kept_until: datetime | None = None

    def run(self, base: Manifest) -> Done:
        """Merge small segments of a chain, and remove those that a larger one stands for long enough.

        A segment that turns out to be damaged is marked so, as a verification does: it is archived anew then. With a
        writer's key alone nothing is merged, and that is told.
        """
        done = Done()
        keys = self._repository.storage.content_keys
        if keys is not None and not keys.can_open:
            done.problem = _only_a_writer()
            return done
        # What was merged long ago goes first: once it is merged again, its parts have to wait for another hour.
        for work in (self._remove, self._merge):
            try:
                work(base, done)
            except NeokeepError as problem:
                done.problem = problem
        return done

    def _merge(self, base: Manifest, done: Done) -> None:
        path = chain_of(self._repository, base).segments
        groups = plan_merges(path, self._heavy)
        for group in groups[:GROUPS_AT_ONCE]:
            try:
                merged = merge_segments(self._repository.storage, group)
            except IntegrityError as problem:
                done.problem = problem
                for segment in group:
                    self._is_whole(segment, done)
                continue
            if merged is None:
                self._heavy.add(group[0].hash)
            elif self._is_whole(merged, done):
                done.merged += sum(segment.first <= merged.last for segment in group)
                done.into += 1
        done.more = done.more or len(groups) > GROUPS_AT_ONCE
        self._heavy &= {segment.hash for segment in path}

    def _remove(self, base: Manifest, done: Done) -> None:
        if self._kept_until is not None and datetime.now(UTC) < self._kept_until:
            return
        plan = self._plan_removals(base)
        whole = [larger for larger in list(plan)[:GROUPS_AT_ONCE] if self._is_whole(larger, done)]
        if not whole:
            return
        # Reading took its time, and others merge too: what may go is decided by how things are now.
        now = self._plan_removals(base)
        for larger in whole:
            for part in now.get(larger, ()):
                try:
                    self._repository.storage.delete(part.name)
                except ObjectLocked as problem:
                    # As it was told to; until then nothing needs to be read for it again.
                    self._kept_until = problem.until
                    return
                done.removed += 1
                done.freed += part.size
        done.more = len(plan) > GROUPS_AT_ONCE

    def _plan_removals(self, base: Manifest) -> dict[SegmentName, list[SegmentName]]:
        path = chain_of(self._repository, base).segments
        return plan_removals(list_segments(self._repository.storage, base.label), path)

    def _is_whole(self, segment: SegmentName, done: Done) -> bool:
        """Read a segment whole; remember a damaged one."""
        try:
            read_segment(self._repository.storage, segment)
        except SegmentMissing:
            return False
        except IntegrityError as problem:
            done.problem = problem
            self._repository.mark_damaged(segment.hash)
            return False
        return True


def _only_a_writer() -> KeyNeededError:
    return KeyNeededError(
        "segments are not merged here, since only a writer key is at hand",
        remedy="Nothing is lost by it, but restores read more and smaller objects; each full backup begins anew.",
    )
