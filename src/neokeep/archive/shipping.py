"""Shipping: what of the new log is stored now, as segments of the chain, and what may wait for more."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from neokeep.archive.lag import NONE, Lag, lag_behind
from neokeep.capture.chain import read_on
from neokeep.capture.incremental import store_stretch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from neokeep.archive.clock import Clock
    from neokeep.archive.options import ArchiveOptions
    from neokeep.archive.telling import Teller
    from neokeep.capture.chain import Stretch
    from neokeep.neo4j.source import Database
    from neokeep.repository.chains import Chain
    from neokeep.repository.manifest import Span
    from neokeep.repository.repository import Repository

POLL_SECONDS = 1.0
SEGMENTS_AT_ONCE = 16
"""Segments that one tick stores: one that catches up tells in between, and can be stopped."""


@dataclass(frozen=True, slots=True)
class Following:
    """The chain that grows, the database it is of, and the last transaction that is durable."""

    database: Database
    chain: Chain
    tail: Span


@dataclass(slots=True)
class Shipment:
    """What one tick stores: segments, bytes, how long that log had waited. `held` waits for more.

    `lag` is what waits when it is over; `more` tells that it ended before the log did.
    """

    segments: int = 0
    stored: int = 0
    waited: Lag = NONE
    held: deque[Stretch] = field(default_factory=deque)
    lag: Lag | None = None
    more: bool = False

    def ready(self, stretches: Iterable[Stretch], size: int, *, due: bool) -> Iterator[Stretch]:
        """Choose what is shipped: all of it when that is due, else only once `size` bytes of log have come together."""
        waiting = 0
        for stretch in stretches:
            self.held.append(stretch)
            waiting += len(stretch.data)
            if due or stretch.full or waiting >= size:
                waiting = 0
                while self.held:
                    yield self.held.popleft()


class Shipper:
    """Ships the log of one database."""

    def __init__(self, repository: Repository, options: ArchiveOptions, tell: Teller, clock: Clock) -> None:
        self._repository = repository
        self._options = options
        self._tell = tell
        self._clock = clock
        self._shipped_at = -math.inf
        self.poll_seconds = min(POLL_SECONDS, options.interval)

    def ship(
        self, following: Following, stored: Callable[[Following], None], *, patient: bool, everything: bool
    ) -> Shipment:
        """Store what is due of the new log; `stored` is told after each segment that is durable.

        Raises:
            ChainBroken: the log has a gap behind what was stored so far.
            IntegrityError: the log is damaged.
        """
        before, directory, size = following.tail, following.database.log_directory, self._options.segment_size
        began = self._clock.elapsed()
        # A tick may come a hair early; waiting for the next one would double the interval.
        due = everything or began - self._shipped_at >= self._options.interval - self.poll_seconds / 2
        shipment = Shipment()
        try:
            for stretch in shipment.ready(read_on(directory, before, size, patient=patient), size, due=due):
                segment = store_stretch(self._repository, following.chain, stretch)
                following = replace(following, tail=stretch.tail)
                stored(following)
                shipment.segments += 1
                shipment.stored += segment.size
                shipment.waited = shipment.waited.and_behind(stretch, self._clock.now())
                if shipment.segments >= SEGMENTS_AT_ONCE:
                    shipment.more = True
                    break
        finally:
            if shipment.segments:
                self._tell_shipped(following, before, shipment)
        if due and not shipment.more:
            self._shipped_at = began
        self._note_lag(following, shipment)
        return shipment

    def _note_lag(self, following: Following, shipment: Shipment) -> None:
        now = self._clock.now()
        if shipment.more:
            shipment.lag = lag_behind(following.database.log_directory, following.tail, now)
            return
        shipment.lag = NONE
        for stretch in shipment.held:
            shipment.lag = shipment.lag.and_behind(stretch, now)

    def _tell_shipped(self, following: Following, before: Span, shipment: Shipment) -> None:
        self._tell(
            "archived",
            chain=following.chain.base.label,
            first_tx=before.transaction + 1,
            last_tx=following.tail.transaction,
            segments=shipment.segments,
            log_bytes=shipment.waited.bytes,
            stored_bytes=shipment.stored,
            delay_seconds=round(shipment.waited.seconds, 3),
        )
