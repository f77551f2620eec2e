"""What the passes of a check share: the stores, what was found, and what is known of all records.

Memory for each record of a store: two bits for a node, a bit for a relationship, and 59 bytes for a group. Where all is
looked up there are four bytes more for a node, and a bit for a property and a dynamic record.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from neokeep.consistency.claims import Claims
from neokeep.consistency.findings import Findings
from neokeep.consistency.marks import ClaimedMarks, Marks
from neokeep.neo4j.recovery.layout import DYNAMIC, Store
from neokeep.neo4j.store import records as columns
from neokeep.neo4j.store.damage import Code

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
        self._named: dict[Store, Flags] = {}

    def part(self) -> State:
        """Begin a state for a part of the store, which claims."""
        part = State(self.reader, self.known, claiming=True)
        part._named, part.pages_taken = self._named, self.pages_taken
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
        self.findings.add_each(Code.DYNAMIC_SHARED, store, again, "more than one chain goes through it")

    def names(self, store: Store) -> Flags:
        """Tell which tokens are there: a flag for each id, one more that is false at the end."""
        if store not in self._named:
            named = self.reader.tokens(store)
            flags = self._named[store] = np.zeros(max(named, default=-1) + 2, np.bool_)
            flags[list(named)] = True
        return self._named[store]


def chain_key(dense: Flags, types: Numbers, chains: Numbers | int) -> Numbers:
    """Number the chains of a node: one where it is not dense, else one for each type and direction."""
    return np.where(dense, types << 2 | chains, -1)


def is_named(flags: Flags, tokens: Numbers) -> Flags:
    """Tell which tokens are among those that `State.names` gave."""
    return flags[np.clip(tokens, 0, len(flags) - 1)]
