"""What the passes of a check share: the stores, what was found, and what is known of all records.

Memory for each record of a store: two bits for a node, a bit for a relationship, and 59 bytes for a group. Where all is
looked up there are four bytes more for a node, and a bit for a property and a dynamic record.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from neokeep.consistency.claims import Claims
from neokeep.consistency.codes import Code
from neokeep.consistency.findings import Findings
from neokeep.consistency.marks import ClaimedMarks, Marks
from neokeep.neo4j.recovery.layout import DYNAMIC, Store
from neokeep.neo4j.store import records as columns
from neokeep.neo4j.store.damage import Code as DamageCode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from neokeep.consistency.marks import Met, PagesTaken
    from neokeep.neo4j.store.graph import GraphReader
    from neokeep.neo4j.store.pages import Flags, Numbers, RecordTable

OUT, IN, LOOP = 0, 1, 2
"""The chains of a group, as columns of `State.group_degrees`."""
TYPE_BITS = 16
MET_STORES = (Store.PROPERTY, Store.GROUP, *DYNAMIC)
"""Stores whose records something has to lead to, once."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of all nodes and groups before relationships are looked at.

    `group_keys` are sorted: owner and type of each group in use; `group_external` tells, in a row of three, which of
    its degrees Neo4j keeps in the degrees file. `group_first` are the relationships that groups name as the first of a
    chain.
    """

    nodes: Marks
    dense: Marks
    group_keys: Numbers
    group_external: Flags
    group_first: Marks

    def groups_of(self, owners: Numbers, types: Numbers) -> Numbers:
        """Find the rows of the groups of nodes for types; -1 where there is none."""
        keys = owners << TYPE_BITS | types
        rows = np.searchsorted(self.group_keys, keys)
        held = rows < len(self.group_keys)
        held[held] = self.group_keys[rows[held]] == keys[held]
        return np.where(held, rows, -1)


def look_over(reader: GraphReader) -> Known:
    """Find out what there is of nodes and groups."""
    nodes, groups, relationships = (reader.tables[store] for store in (Store.NODE, Store.GROUP, Store.RELATIONSHIP))
    used, dense = Marks(nodes.count), Marks(nodes.count)
    for batch in nodes.batches():
        in_use, is_dense = columns.nodes_in_use(batch.records)
        used.mark_range(batch.first, in_use)
        dense.mark_range(batch.first, in_use & is_dense)
    keys, external, first = [np.zeros(0, np.int64)], [np.zeros((0, 3), np.bool_)], Marks(relationships.count)
    for batch in groups.batches(start=1):
        own = columns.groups(batch.records)
        keys.append((own.owner << TYPE_BITS | own.type)[own.used])
        external.append(np.stack(own.external, axis=1)[own.used])
        for begins in own.first:
            first.mark(begins[own.used])
    order = np.argsort(np.concatenate(keys), kind="stable")
    return Known(used, dense, np.concatenate(keys)[order], np.concatenate(external)[order], first)


class State:
    """A check on its way, or of a part of a store.

    `compiled` lets passes use compiled code where that proves that all they look at is whole. `met` are told the
    records that something leads to, `group_degrees` counts the relationships of each group: a row of three.
    `pages_taken`, where it is there, tells whose records parts have claimed to be in use.
    """

    def __init__(self, reader: GraphReader, known: Known, *, claiming: bool = False) -> None:
        """Begin; `claiming` keeps no sets of what was met: whether all was, once, the claims tell in the end."""
        self.compiled = False
        self.pages_taken: PagesTaken | None = None
        self.reader = reader
        self.tables: Mapping[Store, RecordTable] = reader.tables
        self.known = known
        self.findings = Findings()
        self.claims = Claims() if claiming else Claims.by_owner()
        self.met: Mapping[Store, Met] = {
            store: ClaimedMarks(self.claims, store) if claiming else Marks(self.tables[store].count)
            for store in MET_STORES
        }
        self.named: dict[Store, Flags] = {}
        self.counting = threading.Lock()

    def aside(self, *, asking: bool = False) -> Aside:
        """Begin a state for a batch that a thread looks at; `take` adds what it has to say, in the order of batches.

        One that is `asking` claims nothing, and is for what is asked when all was claimed and met.
        """
        return Aside(self, asking=asking)

    def take(self, aside: Aside) -> None:
        """Add what a batch has to say."""
        for store, ids in aside.met_dynamic:
            self.meet(store, ids)
        self.findings.merge(aside.findings)
        self.claims.join(aside.claimed)
        for ids in aside.met_groups:
            self.meet_groups(ids)

    def count_at(self, nodes: Numbers) -> None:
        """Count a relationship of each node."""
        with self.counting:
            # Values of the same type as the array: anything else is many times slower.
            np.add.at(self.degrees, nodes, np.ones(len(nodes), np.int32))

    def count_in_groups(self, groups: Numbers, chains: Numbers) -> None:
        """Count a relationship in a chain of each group."""
        with self.counting:
            np.add.at(self.group_degrees, (groups, chains), 1)

    def part(self) -> State:
        """Begin a state for a part of the store, which claims."""
        part = State(self.reader, self.known, claiming=True)
        part.named, part.pages_taken = self.named, self.pages_taken
        return part

    @cached_property
    def degrees(self) -> NDArray[np.int32]:
        """The relationships of each node, as they are counted."""
        return np.zeros(self.known.nodes.count, np.int32)

    @cached_property
    def group_degrees(self) -> Numbers:
        """The relationships of each group, as they are counted: a row of three."""
        return np.zeros((len(self.known.group_keys), 3), np.int64)

    def meet(self, store: Store, ids: Numbers) -> None:
        """Note that dynamic records belong to something; to a second thing they must not."""
        again = self.met[store].mark(ids)
        self.findings.add_each(DamageCode.DYNAMIC_SHARED, store, again, "more than one chain goes through it")

    def meet_groups(self, ids: Numbers) -> None:
        """Note that nodes or groups lead to groups; a second one must not."""
        again = self.met[Store.GROUP].mark(ids)
        self.findings.add_each(Code.GROUP_SHARED, Store.GROUP, again, "more than one node or group leads to it")

    def names(self, store: Store) -> Flags:
        """Tell which tokens are there: a flag for each id, one more that is false at the end."""
        if store not in self.named:
            named = self.reader.tokens(store)
            flags = self.named[store] = np.zeros(max(named, default=-1) + 2, np.bool_)
            flags[list(named)] = True
        return self.named[store]


class Aside(State):
    """A state for a batch: it shares what is known and counted, and keeps apart what it found, claims and has met.

    What something leads to is only noted: whether something else did before depends on the batches before.
    """

    def __init__(self, state: State, *, asking: bool) -> None:
        """Begin beside a state."""
        super().__init__(state.reader, state.known, claiming=True)
        self.compiled = state.compiled
        self.named, self.counting = state.named, state.counting
        self.degrees, self.group_degrees = state.degrees, state.group_degrees
        self.claimed = Claims() if asking else Claims.by_owner()
        self.claims = state.claims if asking else self.claimed
        if asking:
            self.met = state.met
        self.findings.explains = state.findings.explains
        self.met_dynamic: list[tuple[Store, Numbers]] = []
        self.met_groups: list[Numbers] = []

    def meet(self, store: Store, ids: Numbers) -> None:
        """Note that dynamic records belong to something."""
        self.met_dynamic.append((store, ids))

    def meet_groups(self, ids: Numbers) -> None:
        """Note that nodes lead to groups."""
        self.met_groups.append(ids)


def chain_key(dense: Flags, types: Numbers, chains: Numbers | int) -> Numbers:
    """Number the chains of a node: one where it is not dense, else one for each type and direction."""
    return np.where(dense, types << 2 | chains, -1)


def is_named(flags: Flags, tokens: Numbers) -> Flags:
    """Tell which tokens are among those that `State.names` gave."""
    return flags[np.clip(tokens, 0, len(flags) - 1)]
