"""The pass over nodes: their labels, and what begins the chain of their relationships or groups."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from neokeep.consistency.codes import Code
from neokeep.consistency.relationships import at_side, side_of
from neokeep.consistency.state import is_named
from neokeep.neo4j.recovery.layout import Store
from neokeep.neo4j.store import records as columns
from neokeep.neo4j.store.labels import labels_of
from neokeep.neo4j.store.records import NONE

if TYPE_CHECKING:
    from neokeep.consistency.state import State
    from neokeep.neo4j.store.damage import Damage
    from neokeep.neo4j.store.pages import Batch, Numbers

STORE = Store.NODE


def check_nodes(state: State, batch: Batch) -> tuple[Numbers, Numbers]:
    """Check a batch, after all relationships were counted; gives ids and first properties of the nodes in use."""
    everything = columns.nodes(batch.records)
    used = everything.used
    ids, heads = batch.ids[used], everything.relationship[used]
    dense = everything.dense[used]
    check_labels(state, ids, everything.labels[used])
    _claim_sparse(state, ids[~dense], heads[~dense])
    check_dense(state, ids[dense], heads[dense])
    return ids, everything.property[used]


def check_labels(state: State, ids: Numbers, fields: Numbers) -> None:
    """Check the labels of nodes by their label fields."""
    damages: list[Damage] = []
    found = labels_of(fields, ids, state.tables[Store.NODE_LABELS], damages, met=state.meet)
    state.findings.add_damages(damages)
    nameless = ~is_named(state.names(Store.LABEL), found.labels)
    state.findings.add_each(
        Code.NODE_LABEL, STORE, ids[found.rows[nameless]], "it has the label {0}", found.labels[nameless]
    )


def find_nodes(state: State, batch: Batch) -> None:
    """Look up what begins the chains of nodes that are not dense."""
    everything = columns.nodes(batch.records)
    sparse = everything.used & ~everything.dense & state.claims.doubtful(batch.ids)
    _find_sparse(state, batch.ids[sparse], everything.relationship[sparse])


def _claim_sparse(state: State, ids: Numbers, heads: Numbers) -> None:
    counted = state.degrees[ids].astype(np.int64)
    begins = heads != NONE
    state.claims.other("first", ids[begins], heads[begins], -1)
    told = begins | (counted > 0)
    state.claims.other("count", ids[told], counted[told])


def _find_sparse(state: State, ids: Numbers, heads: Numbers) -> None:
    counted = state.degrees[ids]
    empty = (heads == NONE) & (counted > 0)
    state.findings.add_each(
        Code.NODE_RELATIONSHIP, STORE, ids[empty], "it has no relationships, but {0} name it", counted[empty]
    )
    rows = np.flatnonzero(heads != NONE)
    first = columns.relationships(state.tables[Store.RELATIONSHIP].at(heads[rows]))
    sides = side_of(first, ids[rows])
    good = (sides != NONE) & (at_side(first.is_first, sides) != 0)
    wrong = rows[~good]
    state.findings.add_each(Code.NODE_RELATIONSHIP, STORE, ids[wrong], "its relationships begin with {0}", heads[wrong])
    said = at_side(first.previous, sides)
    wrong = np.flatnonzero(good & (said != counted[rows]))
    state.findings.add_each(
        Code.RELATIONSHIP_COUNT, Store.RELATIONSHIP, heads[rows[wrong]],
        "it says that node {0} has {1} relationships, and it has {2}",
        ids[rows[wrong]], said[wrong], counted[rows[wrong]].astype(np.int64),
    )  # fmt: skip


def check_dense(state: State, ids: Numbers, heads: Numbers) -> None:
    """Check which groups dense nodes begin with."""
    rows = np.flatnonzero(heads != NONE)
    groups = columns.groups(state.tables[Store.GROUP].at(heads[rows]))
    wrong = rows[~(groups.used & (groups.owner == ids[rows]))]
    state.findings.add_each(Code.NODE_GROUP, STORE, ids[wrong], "its groups begin with {0}", heads[wrong])
    state.meet_groups(heads[rows])
