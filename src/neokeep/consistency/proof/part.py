"""Doing the work of a plan: what one stretch of a store has to say, which is a handful of numbers where it is whole."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from neokeep.consistency.nodes import check_dense, check_labels
from neokeep.consistency.proof import chains, entities
from neokeep.consistency.proof.chains import WHOLE
from neokeep.consistency.proof.windows import Window, follow_all
from neokeep.consistency.tallies import grouped
from neokeep.neo4j.recovery.layout import WITH_HEADER, Store
from neokeep.neo4j.recovery.meaning import place_of_use
from neokeep.neo4j.store import records as columns
from neokeep.neo4j.store.arrays import NotAnArray, stored_array
from neokeep.neo4j.store.chains import dynamic_values
from neokeep.neo4j.store.records import NONE
from neokeep.neo4j.store.zones import zone_names

if TYPE_CHECKING:
    from collections.abc import Mapping

    from neokeep.consistency.proof.plan import Work
    from neokeep.consistency.state import State
    from neokeep.neo4j.recovery.layout import Geometry
    from neokeep.neo4j.store.damage import Damage
    from neokeep.neo4j.store.pages import Bytes, Flags, Numbers, RecordTable

_SUMS = {"met": chains.MET, "link": chains.LINK, "first": chains.FIRST, "count": chains.COUNT, "degree": chains.DEGREE}


@dataclass(frozen=True, slots=True)
class Part:
    """What a stretch says: sums of claims by their kinds, how many are in use, and members of groups.

    `members` are places in groups (row * 3 + chain), sorted, and `times` how many relationships are in each.
    """

    sums: Mapping[str, int]
    nodes: int
    relationships: int
    members: Numbers
    times: Numbers


def properties_seen(state: State, heads: Numbers) -> Mapping[Store, Numbers] | None:
    """Follow the properties of owners from their first records (-1: none); None where anything is not as it has to be.

    Gives the records that were led to, sorted, of properties and of long texts and arrays.
    """
    prover = _Prover(state.part(), collecting=True)
    if not prover.follow(heads[heads != NONE]):
        return None
    return {store: np.sort(np.concatenate(ids)) for store, ids in prover.seen.items() if ids}


def prove_part(state: State, work: Work) -> Part | None:
    """Do some work; None where something is not as it has to be, or cannot be told here."""
    return _Prover(state.part()).prove(work)


class _Prover:
    """One part on its way."""

    def __init__(self, state: State, *, collecting: bool = False) -> None:
        self._state = state
        self._sums = np.zeros(len(_SUMS), np.int64)
        self._found: dict[Store, int] = {Store.NODE: 0, Store.RELATIONSHIP: 0}
        self._members = _numbers(0)
        self._used = _numbers(5)
        self._collecting = collecting
        self.seen: dict[Store, list[Numbers]] = {Store.PROPERTY: [], Store.STRINGS: [], Store.ARRAYS: []}
        keys = state.names(Store.PROPERTY_KEY)
        self._keys, self._stamps = keys.view(np.uint8), _numbers(len(keys))

    def prove(self, work: Work) -> Part | None:
        """See prove_part."""
        table = self._state.tables[work.store]
        if work.used:
            self._claim_used(table, work)
            return self._part()
        pages = table.pages_with(work.start, work.stop)
        look = {Store.RELATIONSHIP: self._relationships, Store.NODE: self._nodes}[work.store]
        return self._part() if look(work, pages, table.geometry) else None

    def _part(self) -> Part | None:
        claims = self._state.claims
        for what, place in _SUMS.items():
            claims.add(what, int(self._sums[place]))
        if self._state.findings.counts:
            return None
        members, times = grouped(self._members)
        found = self._found
        return Part(claims.sums, found[Store.NODE], found[Store.RELATIONSHIP], members, times)

    def _claim_used(self, table: RecordTable, work: Work) -> None:
        """Claim the records of pages that are in use, but for those that were looked at while they were in memory."""
        first, behind = work.start // table.geometry.per_page, -(-work.stop // table.geometry.per_page)
        wanted = self._take(table.store, first, behind - first)
        if wanted.any():
            self._in_use(table, table.pages_with(work.start, work.stop), wanted, work.start, work.stop)

    def _look(self, store: Store, window: Window) -> None:
        """Claim the records that are in use, of pages that are in memory for another reason."""
        if self._state.pages_taken is None:
            return
        table = self._state.tables[store]
        wanted = self._take(store, window.first // table.geometry.per_page, len(window.pages) // window.page_bytes)
        if wanted.any():
            begin = max(window.first, int(store in WITH_HEADER))
            self._in_use(table, window.pages, wanted, begin, table.count)

    def _take(self, store: Store, first: int, count: int) -> Flags:
        taken = self._state.pages_taken
        return np.ones(count, np.bool_) if taken is None else taken.take(store, first, count)

    def _in_use(self, table: RecordTable, pages: Bytes, wanted: Flags, start: int, stop: int) -> None:
        lies, store = table.geometry, table.store
        chains.in_use(
            pages,
            lies.page_bytes,
            lies.per_page,
            lies.record_bytes,
            wanted.view(np.uint8),
            start,
            stop,
            *place_of_use(store),
            # A number of Python's own: numba takes long to see what kind of number another is.
            int(store),
            self._sums,
        )

    def _relationships(self, work: Work, pages: Bytes, lies: Geometry) -> bool:
        known, count = self._state.known, work.stop - work.start
        heads, members, used = _room(count), _room(2 * count), _numbers(4)
        outcome = entities.relationships(
            pages,
            lies.page_bytes,
            work.start,
            work.stop,
            known.nodes.count,
            known.nodes.bits,
            known.dense.bits,
            self._state.names(Store.TYPE).view(np.uint8),
            known.group_keys,
            known.group_external.reshape(-1).view(np.uint8),
            heads,
            members,
            self._sums,
            used,
        )
        self._found[Store.RELATIONSHIP] = int(used[entities.FOUND])
        self._members = members[: used[entities.MEMBERS]]
        return outcome == WHOLE and self.follow(heads[: used[entities.HEADS]])

    def _nodes(self, work: Work, pages: Bytes, lies: Geometry) -> bool:
        count = work.stop - work.start
        heads, dense, elsewhere, used = _room(count), _room(count), _room(count), _numbers(4)
        labels = self._state.names(Store.LABEL).view(np.uint8)
        outcome = entities.nodes(
            pages, lies.page_bytes, work.start, work.stop, labels, heads, dense, elsewhere, self._sums, used
        )
        if outcome != WHOLE:
            return False
        self._found[Store.NODE] = int(used[entities.FOUND])
        table = self._state.tables[Store.NODE]
        dense, elsewhere = dense[: used[entities.DENSE]], elsewhere[: used[entities.ELSEWHERE]]
        check_dense(self._state, dense, columns.nodes(table.at(dense)).relationship)
        check_labels(self._state, elsewhere, columns.nodes(table.at(elsewhere)).labels)
        return self.follow(heads[: used[entities.HEADS]])

    def follow(self, heads: Numbers) -> bool:
        """Follow the properties of owners from their first records; tells whether all is as it has to be."""
        table, look = self._state.tables[Store.PROPERTY], partial(self._look, Store.PROPERTY)
        return follow_all(table, heads, _next_property, self._follow_properties, look)

    def _follow_properties(self, window: Window, heads: Numbers) -> Numbers | None:
        # Four blocks are the most that a record has, and each record is in one chain.
        count = len(window.pages) // chains.PROPERTY_BYTES
        texts, arrays, left, seen = _room(4 * count), _room(4 * count), _room(len(heads)), self._seen(count)
        used = self._used
        used[: chains.STAMP] = 0
        outcome = chains.property_chains(
            window.pages,
            window.page_bytes,
            window.first,
            window.ids,
            heads,
            self._keys,
            self._stamps,
            len(zone_names()),
            texts,
            arrays,
            left,
            seen,
            self._sums,
            used,
        )
        if outcome != WHOLE:
            return None
        self.seen[Store.PROPERTY].append(seen[: used[chains.SEEN]])
        found = left[: used[chains.LEFT]]
        whole = self._values(Store.STRINGS, texts[: used[chains.TEXTS]])
        return found if whole and self._values(Store.ARRAYS, arrays[: used[chains.ARRAYS]]) else None

    def _values(self, store: Store, heads: Numbers) -> bool:
        table = self._state.tables[store]
        return follow_all(table, heads, _next_dynamic, partial(self._follow_values, store), partial(self._look, store))

    def _follow_values(self, store: Store, window: Window, heads: Numbers) -> Numbers | None:
        lies = self._state.tables[store].geometry
        arrays, left, used = _room(len(heads)), _room(len(heads)), _numbers(4)
        records, size, used_bytes = window.pages, lies.record_bytes, lies.per_page * lies.record_bytes
        if window.page_bytes != used_bytes:
            records = records.reshape(-1, window.page_bytes)[:, :used_bytes].reshape(-1)
        seen = self._seen(len(records) // size)
        outcome = chains.value_chains(
            records, size, window.first, window.ids, heads, int(store), arrays, left, seen, self._sums, used
        )
        self.seen[store].append(seen[: used[chains.SEEN]])
        if outcome != WHOLE or not self._are_arrays(arrays[: used[chains.ARRAYS]]):
            return None
        return left[: used[chains.LEFT]]

    def _seen(self, count: int) -> Numbers:
        """Make room for the ids of the records of a window, each once; none where nobody wants them."""
        return _room(count if self._collecting else 0)

    def _are_arrays(self, heads: Numbers) -> bool:
        damages: list[Damage] = []
        try:
            for content in dynamic_values(self._state.tables[Store.ARRAYS], heads, damages):
                stored_array(content or b"")
        except NotAnArray:
            return False
        return not damages


def _numbers(count: int) -> Numbers:
    return np.zeros(count, np.int64)


def _room(count: int) -> Numbers:
    """Make room for what compiled code gives."""
    return np.empty(count, np.int64)


def _next_property(records: Bytes) -> Numbers:
    return columns.properties(records).next


def _next_dynamic(records: Bytes) -> Numbers:
    return columns.dynamic(records).next
