"""What the passes of a check share: the stores, what was found, and what is known of all records.

Memory for each record of a store: two bits for a node and four bytes for its degree, a bit for a relationship, a
property and a dynamic record, 35 bytes for a group.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from neokeep.consistency.claims import Claims
from neokeep.consistency.findings import Findings
from neokeep.consistency.marks import Marks
from neokeep.neo4j.recovery.layout import DYNAMIC, Store
from neokeep.neo4j.store import records as columns
from neokeep.neo4j.store.damage import Code

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from neokeep.neo4j.store.graph import GraphReader
    from neokeep.neo4j.store.pages import Flags, Numbers, RecordTable

OUT, IN, LOOP = 0, 1, 2
"""The chains of a group, as columns of `Known.group_degrees`."""
TYPE_BITS = 16


@dataclass(slots=True)
class Known:
    """What is known of all nodes and groups before relationships are looked at.

    `group_keys` are sorted: owner and type of each group in use; `group_degrees` counts the relationships of each, a
    row of three, and `group_external` tells which of those counts Neo4j keeps in the degrees file. `group_first` are
    the relationships that groups name as the first of a chain.
    """

    nodes: Marks
    dense: Marks
    degrees: NDArray[np.int32]
    group_keys: Numbers
    group_degrees: Numbers
    group_external: Flags
    group_first: Marks

    def groups_of(self, owners: Numbers, types: Numbers) -> Numbers:
        """Find the rows of the groups of nodes for types; -1 where there is none."""
        keys = owners << TYPE_BITS | types
        rows = np.searchsorted(self.group_keys, keys)
        held = rows < len(self.group_keys)
        held[held] = self.group_keys[rows[held]] == keys[held]
        return np.where(held, rows, -1)


class State:
    """One check on its way."""

    def __init__(self, reader: GraphReader) -> None:
        self.reader = reader
        self.tables: Mapping[Store, RecordTable] = reader.tables
        self.findings = Findings()
        self.claims = Claims()
        self._named: dict[Store, Flags] = {}
        self.met = {store: Marks(self.tables[store].count) for store in (Store.PROPERTY, Store.GROUP, *DYNAMIC)}
        self.known = self._look_over()

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

    def _look_over(self) -> Known:
        nodes, groups, relationships = (self.tables[store] for store in (Store.NODE, Store.GROUP, Store.RELATIONSHIP))
        used, dense = Marks(nodes.count), Marks(nodes.count)
        for batch in nodes.batches():
            held = columns.nodes(batch.records)
            used.mark(batch.ids[held.used])
            dense.mark(batch.ids[held.used & held.dense])
        keys, external, first = [np.zeros(0, np.int64)], [np.zeros((0, 3), np.bool_)], Marks(relationships.count)
        for batch in groups.batches(start=1):
            own = columns.groups(batch.records)
            keys.append((own.owner << TYPE_BITS | own.type)[own.used])
            external.append(np.stack(own.external, axis=1)[own.used])
            for begins in own.first:
                first.mark(begins[own.used])
        order = np.argsort(np.concatenate(keys), kind="stable")
        return Known(
            used,
            dense,
            np.zeros(nodes.count, np.int32),
            np.concatenate(keys)[order],
            np.zeros((len(order), 3), np.int64),
            np.concatenate(external)[order],
            first,
        )


def chain_key(dense: Flags, types: Numbers, chains: Numbers | int) -> Numbers:
    """Number the chains of a node: one where it is not dense, else one for each type and direction."""
    return np.where(dense, types << 2 | chains, -1)


def is_named(flags: Flags, tokens: Numbers) -> Flags:
    """Tell which tokens are among those that `State.names` gave."""
    return flags[np.clip(tokens, 0, len(flags) - 1)]
