"""Following one database: its new transactions become segments of its newest chain, tick by tick.

What is archived is known from the repository alone: a follower that was killed goes on behind the last durable segment.
A chain that breaks is told, with the transactions that are lost to single restores, and a full backup begins a new one.
Log files are opened only while they are read, so none is kept from being pruned.
"""

from __future__ import annotations

import math
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

from neokeep.archive.catalogue import Catalogue
from neokeep.archive.clock import Clock, Pause
from neokeep.archive.fulls import LONGEST_PAUSE_SECONDS, FullBackups
from neokeep.archive.lag import NONE, Lag, lag_behind
from neokeep.archive.shipping import Following, Shipper
from neokeep.archive.telling import Teller
from neokeep.archive.upkeep import Upkeep
from neokeep.capture.chain import ChainBroken, nothing_behind, require_unbroken
from neokeep.capture.incremental import tail_of
from neokeep.capture.policy import state_of
from neokeep.errors import IntegrityError, NeokeepError
from neokeep.neo4j.versions import require_version
from neokeep.repository.chains import chain_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from neokeep.archive.options import ArchiveOptions
    from neokeep.neo4j.source import Database, Source
    from neokeep.reports import ArchiveEvent
    from neokeep.repository.manifest import Manifest, Span
    from neokeep.repository.repository import Repository

LOOK_AROUND_SECONDS = 60.0
"""Time between two looks at what changes rarely: newer full backups, the policy, damage in the log, small segments."""

LONGEST_RETRY_SECONDS = 15.0

_REAL_CLOCK = Clock()


class Follower:
    """Follows one database. `tick` and `finish` are called by one thread, `tell_state` by any; `tell` gets every event.

    Followers that share a `turn` take full backups one after the other.
    """

    def __init__(
        self,
        source: Source,
        name: str,
        repository: Repository,
        options: ArchiveOptions,
        tell: Callable[[ArchiveEvent], None],
        *,
        clock: Clock = _REAL_CLOCK,
        turn: threading.Lock | None = None,
    ) -> None:
        self.source = source
        self.name = name
        self._repository = repository
        self._policy = options.capture.policy
        self._clock = clock
        self._tell = Teller(tell, clock, source.name, name)
        self._catalogue = Catalogue(repository, name)
        self._shipper = Shipper(repository, options, self._tell, clock)
        self._fulls = FullBackups(repository, options.capture, self._tell, clock, turn or threading.Lock())
        self._upkeep = Upkeep(repository)
        self._upkeep_pause = Pause(LOOK_AROUND_SECONDS, LONGEST_PAUSE_SECONDS)
        self._upkeep_at = self._looked_at = self._told_at = -math.inf
        self._following: Following | None = None
        self._lag: Lag | None = None
        self._trouble = ""
        self._retry = Pause(1.0, LONGEST_RETRY_SECONDS)
        self._resting: tuple[Database, Manifest] | None = None
        self._newer: Manifest | None = None
        self._newest: Manifest | None = None
        self._known: set[str] = set()
        self._fresh = self._broken = False
        self._reached: tuple[str, int] | None = None
        self._dead_end: tuple[str, int, str] | None = None

    def tick(self) -> float:
        """Archive what is new; return after how many seconds to come back. Whatever fails is told and tried again."""
        try:
            more = self._work()
        except ChainBroken as broken:
            self._break_off(str(broken))
            return 0.0
        except NeokeepError as problem:
            return self._in_trouble(problem)
        if self._trouble:
            self._trouble = ""
            self._retry.reset()
            self._tell("recovered", last_tx=self._last_transaction)
        return 0.0 if more else self._shipper.poll_seconds

    def finish(self) -> None:
        """Ship what is there, for the last time."""
        self._fulls.stop()
        try:
            if self._following is not None:
                self._require_unbroken(self._following)
                self._ship_all(self._rejoin(self._following) if self._trouble else self._following)
                self._trouble = ""
        except ChainBroken as broken:
            self._break_off(str(broken))
        except NeokeepError as problem:
            self._trouble = problem.message
            self._note_lag(problem)
            self._tell("trouble", message=problem.message, kind=problem.kind, remedy=problem.remedy)
        self.tell_state("stopped")

    def tell_state(self, event: str = "state") -> None:
        """Tell how far the archive is behind."""
        # Another thread may be at work: each is looked at once.
        following, lag, note = self._following, self._lag, self._trouble or self._fulls.note
        self._tell(
            event,
            chain=following.chain.base.label if following else None,
            last_tx=following.tail.transaction if following else None,
            lag_transactions=lag.transactions if lag else None,
            lag_bytes=lag.bytes if lag else None,
            lag_seconds=round(lag.seconds, 3) if lag else None,
            message=note,
        )

    @property
    def _last_transaction(self) -> int | None:
        return self._following.tail.transaction if self._following else None

    def _work(self) -> bool:
        """Do all that is due; True when there is more to ship at once."""
        now = self._clock.elapsed()
        self._newer = self._fulls.ended() or self._newer
        looks = self._looks_due
        following = self._following or self._begin()
        if following is None:
            return False
        self._require_unbroken(following)
        if looks or self._trouble:
            following = self._rejoin(following)
        if self._newer is not None:
            following = self._change_over(following, self._newer)
        # A new chain gets at once what the one before may hold already: a restore takes the newest one.
        more = self._ship(following, patient=looks, everything=self._fresh)
        if self._fresh:
            # Only now it is proven that the chain goes on.
            self._fresh = self._broken = False
            self._fulls.served()
        if looks:
            self._looked_at = now
            self._tell.beside("looking around", self._look_around)
        if now >= self._upkeep_at:
            self._keep_up(following.chain.base)
        return more

    @property
    def _looks_due(self) -> bool:
        return self._clock.elapsed() - self._looked_at >= LOOK_AROUND_SECONDS

    def _begin(self) -> Following | None:
        """Go on with the newest chain, or have a full backup begin one."""
        if self._rests() or not (self._fulls.may_begin or self._newer or self._looks_due):
            return None
        database = self._look_at_source()
        bases = self._catalogue.bases(self.source, str(database.store_id()))
        self._known.update(item.label for item in bases)
        self._looked_at = self._clock.elapsed()
        base = self._newer or next(iter(bases), None)
        if base is None:
            self._fulls.begin(self.source, database, "there is no full backup of this database yet")
            return None
        if base.tail is None:
            self._resting = (database, base)
            if self._rests():
                self._lag = NONE
                return None
            # It saw no transaction in the log to go on from; perhaps the chain before it still grows.
            alike = (item for item in bases if item.tail is not None and item.store_id == base.store_id)
            base = next(alike, base)
        return self._try_to_follow(database, base)

    def _rests(self) -> bool:
        """Tell whether nothing was committed since a full backup that saw no transaction: nothing is to be followed."""
        if self._resting is None or self._looks_due:
            return False
        database, base = self._resting
        same = str(database.store_id()) == base.store_id
        return same and nothing_behind(database.log_directory, base.end.version, base.end.offset)

    def _try_to_follow(self, database: Database, base: Manifest) -> Following | None:
        """Take over the chain of a full backup; where it does not hold, a new one is begun."""
        chain = chain_of(self._repository, base)
        try:
            tail = tail_of(self._repository, database, chain)
            self._require_way_on(base, tail)
        except ChainBroken as broken:
            # If the full backup fails, the chain is tried again: a disk may only have been away.
            self._newer = self._dead_end = None
            self._note_break(base, chain.last_transaction, str(broken))
            self._fulls.begin(self.source, database, str(broken))
            return None
        return self._take(Following(database, chain, tail))

    def _require_way_on(self, base: Manifest, tail: Span) -> None:
        """Refuse a chain that broke right behind its end: that the end itself is still in the log proves too little."""
        if self._dead_end is not None and self._dead_end[:2] == (base.label, tail.transaction):
            raise ChainBroken(self._dead_end[2])

    def _take(self, following: Following) -> Following:
        """Follow a chain that is proven to hold; say what lies between it and the one before."""
        base = following.chain.base
        self._following, self._newest, self._newer, self._resting = following, base, None, None
        self._known.add(base.label)
        self._fresh, self._dead_end = True, None
        self._looked_at = self._clock.elapsed()
        self._tell("following", chain=base.label, last_tx=following.tail.transaction)
        opens = (base.opens or base.end).transaction or 0
        if self._reached is not None and self._reached[0] == base.store_id and self._reached[1] + 1 < opens:
            self._tell("gap", first_tx=self._reached[1] + 1, last_tx=opens - 1)
        self._reached = None
        return following

    def _change_over(self, following: Following, base: Manifest) -> Following:
        """Go on with the chain of a newer full backup; the old one grows up to it first, so that no moment is lost."""
        following = self._ship_all(following)
        chain = chain_of(self._repository, base)
        try:
            tail = tail_of(self._repository, following.database, chain)
        except ChainBroken as broken:
            self._stay(following, base, str(broken))
            return following
        if following.tail.transaction < (base.end.transaction or 0):
            return following
        return self._take(Following(following.database, chain, tail))

    def _stay(self, following: Following, base: Manifest, reason: str) -> None:
        """Go on with the old chain, since that of a newer full backup cannot go on."""
        self._newest, self._newer = base, None
        self._known.add(base.label)
        if base.tail is None:
            self._fulls.served()
            return
        self._tell("broken", chain=base.label, last_tx=base.end.transaction, message=reason)
        self._fulls.begin(self.source, following.database, reason)

    def _rejoin(self, following: Following) -> Following:
        """Go on where the repository ends: others archive too, and what was archived may be damaged or gone."""
        known = following.tail.transaction
        chain = chain_of(self._repository, following.chain.base)
        if chain.last_transaction < known:
            message = f"transactions {chain.last_transaction + 1} to {known} are not whole in the repository any more"
            remedy = "They are archived anew as far as the server's log goes; run 'neokeep verify' to see what else is."
            self._trouble, self._told_at = message, self._clock.elapsed()
            self._tell("trouble", message=message, kind=IntegrityError.kind, remedy=remedy)
        if chain.last_transaction == known:
            following = replace(following, chain=chain)
        else:
            try:
                tail = tail_of(self._repository, following.database, chain)
            except ChainBroken as broken:
                self._break_off(str(broken), chain.last_transaction)
                raise
            following = replace(following, chain=chain, tail=tail)
        self._following = following
        return following

    def _break_off(self, reason: str, reached: int | None = None) -> None:
        """Leave a chain that cannot go on behind the newest archived transaction, or behind the one that it reaches."""
        following, self._following, self._lag = self._following, None, None
        if following is not None:
            base, transaction = following.chain.base, following.tail.transaction if reached is None else reached
            self._dead_end = (base.label, transaction, reason)
            self._note_break(base, transaction, reason)

    def _note_break(self, base: Manifest, transaction: int, reason: str) -> None:
        """Tell a break once, and remember from where on transactions may be lost to single restores."""
        if self._reached is None or self._reached[0] != base.store_id or self._reached[1] < transaction:
            self._reached = (base.store_id, transaction)
        if not self._broken:
            self._tell("broken", chain=base.label, last_tx=transaction, message=reason)
        self._broken = True

    def _require_unbroken(self, following: Following) -> None:
        if str(following.database.store_id()) != following.chain.base.store_id:
            raise ChainBroken("the store is another one than that of the newest full backup")
        require_unbroken(following.database.log_directory, following.tail, whole=False)

    def _ship(self, following: Following, *, patient: bool = False, everything: bool = False) -> bool:
        def stored(grown: Following) -> None:
            self._following = grown

        shipment = self._shipper.ship(following, stored, patient=patient, everything=everything)
        self._lag = shipment.lag
        return shipment.more

    def _ship_all(self, following: Following) -> Following:
        while self._ship(following, everything=True):
            following = self._following or following
        return self._following or following

    def _look_at_source(self) -> Database:
        """Find the server and its database as they are now: it may have been upgraded, or have moved its logs."""
        self.source = self.source.looked_at_again()
        if self.source.version is not None:
            require_version(self.source.version, str(self.source.home))
        return self.source.database(self.name)

    def _look_around(self) -> None:
        """See to what changes rarely."""
        following = self._following
        if following is None:
            return
        database = self._look_at_source()
        if database != following.database:
            self._following = replace(following, database=database)
        bases = self._catalogue.bases(self.source, following.chain.base.store_id)
        followed = following.chain.base.label
        if followed not in {item.label for item in bases}:
            raise ChainBroken(f"the full backup {followed} is not in the repository any more")
        self._newer = next((item for item in bases if item.label not in self._known), self._newer)
        newest = self._newest or following.chain.base
        chain = following.chain if newest.label == followed else chain_of(self._repository, newest)
        state = state_of(self._repository, chain, self._catalogue.look(), self._clock.now())
        due = self._fulls.wanted or self._policy.due(state)
        if due and self._newer is None:
            self._fulls.begin(self.source, database, due)

    def _keep_up(self, base: Manifest) -> None:
        """Merge small segments."""
        done = self._upkeep.run(base)
        if done.merged or done.removed:
            self._tell(
                "merged", chain=base.label, segments=done.merged, into=done.into,
                removed=done.removed, freed_bytes=done.freed,
            )  # fmt: skip
        if self._tell.beside("merging small segments", done.check):
            self._upkeep_pause.reset()
            pause = 0.0 if done.more else LOOK_AROUND_SECONDS
        else:
            pause = self._upkeep_pause.longer()
        self._upkeep_at = self._clock.elapsed() + pause

    def _in_trouble(self, problem: NeokeepError) -> float:
        """Tell a problem when it is new, and every now and then; return when to try again."""
        seconds = self._retry.longer()
        self._note_lag(problem)
        now = self._clock.elapsed()
        if problem.message != self._trouble or now - self._told_at >= LOOK_AROUND_SECONDS:
            self._trouble, self._told_at = problem.message, now
            self._tell(
                "trouble", message=problem.message, kind=problem.kind, remedy=problem.remedy, retry_seconds=seconds
            )
        return seconds

    def _note_lag(self, problem: NeokeepError) -> None:
        """Find out what waits; behind damage in the log, nothing tells."""
        following = self._following
        if following is None or isinstance(problem, IntegrityError):
            self._lag = None
        else:
            self._lag = lag_behind(following.database.log_directory, following.tail, self._clock.now())
