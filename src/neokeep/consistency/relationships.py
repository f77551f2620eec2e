"""The pass over relationships: their nodes and types, and that neighbours in a chain lead to one another.

A chain is whole when every record in it agrees with its neighbours, its node or group begins with the one record that
says so, and as many are there as that one says. `check_relationships` only claims all that (see claims.py);
`find_relationships` looks it up, to name the records.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from neokeep.consistency.codes import Code
from neokeep.consistency.state import IN, LOOP, OUT, chain_key, is_named
from neokeep.neo4j.recovery.layout import Store
from neokeep.neo4j.store import records as columns
from neokeep.neo4j.store.records import NONE

if TYPE_CHECKING:
    from neokeep.consistency.state import State
    from neokeep.neo4j.store.pages import Batch, Flags, Numbers
    from neokeep.neo4j.store.records import Relationships

STORE = Store.RELATIONSHIP


def chosen(found: Relationships, rows: Flags | Numbers) -> Relationships:
    """Take some of the relationships."""
    return columns.Relationships(
        found.used[rows],
        found.type[rows],
        found.property[rows],
        (found.node[0][rows], found.node[1][rows]),
        (found.previous[0][rows], found.previous[1][rows]),
        (found.next[0][rows], found.next[1][rows]),
        (found.is_first[0][rows], found.is_first[1][rows]),
    )


def side_of(found: Relationships, nodes: Numbers) -> Numbers:
    """Tell on which side of each relationship a node is: 0 or 1; -1 where it is on none, or the record not in use."""
    sides = np.where(found.node[0] == nodes, 0, np.where(found.node[1] == nodes, 1, NONE))
    return np.where(found.used, sides, NONE)


def at_side(pair: tuple[Numbers, Numbers] | tuple[Flags, Flags], sides: Numbers) -> Numbers:
    """Take of each relationship what it says for one side."""
    return np.where(sides == 1, pair[1], pair[0])


def direction(found: Relationships, sides: Numbers | int) -> Numbers:
    """Tell in which chain of a group each relationship is, seen from the node on that side: OUT, IN or LOOP."""
    return np.where(found.node[0] == found.node[1], LOOP, np.where(sides == 0, OUT, IN))


def check_relationships(state: State, batch: Batch) -> tuple[Numbers, Numbers]:
    """Check what each record says for itself, and claim what it says of others.

    Gives ids and first properties of those in use.
    """
    everything = columns.relationships(batch.records)
    held, ids = chosen(everything, everything.used), batch.ids[everything.used]
    nameless = ~is_named(state.names(Store.TYPE), held.type)
    state.findings.add_each(Code.RELATIONSHIP_TYPE, STORE, ids[nameless], "its type is {0}", held.type[nameless])
    _check_loops(state, held, ids)
    for side in (0, 1):
        nodes = held.node[side]
        lost = ~state.known.nodes.has(nodes)
        state.findings.add_each(Code.RELATIONSHIP_NODE, STORE, ids[lost], "it names node {0}", nodes[lost])
        _claim_side(state, *_of_side(state, held, ids, side), side)
    return ids, held.property


def find_relationships(state: State, batch: Batch) -> None:
    """Look up what relationships of nodes whose claims differ say of their neighbours, and of being the first there."""
    everything = columns.relationships(batch.records)
    held, ids = chosen(everything, everything.used), batch.ids[everything.used]
    for side in (0, 1):
        there, numbers = _of_side(state, held, ids, side)
        rows = state.claims.doubtful(there.node[side])
        _find_side(state, chosen(there, rows), numbers[rows], side)


def _of_side(state: State, held: Relationships, ids: Numbers, side: int) -> tuple[Relationships, Numbers]:
    """Take those that are in a chain of the node on that side: a loop is in one chain only, that of its first side."""
    there = state.known.nodes.has(held.node[side])
    rows = there if side == 0 else there & (held.node[0] != held.node[1])
    return chosen(held, rows), ids[rows]


def _check_loops(state: State, held: Relationships, ids: Numbers) -> None:
    same = (
        (held.previous[0] == held.previous[1]) & (held.next[0] == held.next[1]) & (held.is_first[0] == held.is_first[1])
    )
    wrong = (held.node[0] == held.node[1]) & ~same
    state.findings.add_each(Code.RELATIONSHIP_LOOP, STORE, ids[wrong], "it is a loop of node {0}", held.node[0][wrong])


def _claim_side(state: State, held: Relationships, ids: Numbers, side: int) -> None:
    """Claim which relationships follow on one another, which are the first, and how many they say there are."""
    claims, nodes = state.claims, held.node[side]
    dense = state.known.dense.has(nodes)
    key = chain_key(dense, held.type, direction(held, side))
    first, following = held.is_first[side], held.next[side] != NONE
    previous, behind = held.previous[side], held.next[side]
    claims.one("link", nodes[~first], previous[~first], ids[~first], key[~first])
    claims.other("link", nodes[following], ids[following], behind[following], key[following])
    claims.one("first", nodes[first], ids[first], key[first])
    sparse = first & ~dense
    claims.one("count", nodes[sparse], previous[sparse])
    state.count_at(nodes)
    _claim_dense(state, chosen(held, dense), ids[dense], side)


def _claim_dense(state: State, held: Relationships, ids: Numbers, side: int) -> None:
    """Count the relationships of each chain of a group, and claim how many the first of each says there are."""
    known, nodes = state.known, held.node[side]
    groups, kinds = known.groups_of(nodes, held.type), direction(held, side)
    lost = groups == NONE
    state.findings.add_each(
        Code.RELATIONSHIP_GROUP, STORE, ids[lost], "node {0} has no group for type {1}", nodes[lost], held.type[lost]
    )
    state.count_in_groups(groups[~lost], kinds[~lost])
    told = np.flatnonzero(held.is_first[side] & ~lost)
    told = told[~known.group_external[groups[told], kinds[told]]]
    state.claims.one("count", nodes[told], held.type[told] << 2 | kinds[told], held.previous[side][told])


def _find_side(state: State, held: Relationships, ids: Numbers, side: int) -> None:
    nodes, dense = held.node[side], state.known.dense.has(held.node[side])
    for code, rows, neighbours, leads in (
        (Code.RELATIONSHIP_PREVIOUS, np.flatnonzero(~held.is_first[side]), held.previous[side], "next"),
        (Code.RELATIONSHIP_NEXT, np.flatnonzero(held.next[side] != NONE), held.next[side], "previous"),
    ):
        others = columns.relationships(state.tables[STORE].at(neighbours[rows]))
        sides = side_of(others, nodes[rows])
        back = at_side(getattr(others, leads), sides)
        good = (sides != NONE) & (back == ids[rows])
        if leads == "previous":
            # The first of a chain has a number there, which may look like an id.
            good &= at_side(others.is_first, sides) == 0
        mine = chosen(held, rows)
        alike = (others.type == mine.type) & (direction(others, sides) == direction(mine, side))
        wrong = rows[~(good & (alike | ~dense[rows]))]
        state.findings.add_each(
            code, STORE, ids[wrong], f"it names {{0}} as its {code.split('-')[1]} in the chain of node {{1}}",
            neighbours[wrong], nodes[wrong],
        )  # fmt: skip
    _find_first(state, chosen(held, held.is_first[side]), ids[held.is_first[side]], side)


def _find_first(state: State, held: Relationships, ids: Numbers, side: int) -> None:
    """Look that the first of a chain is what its node or a group begins with."""
    nodes = held.node[side]
    owners = columns.nodes(state.tables[Store.NODE].at(nodes))
    good = np.where(owners.dense, state.known.group_first.has(ids), owners.relationship == ids)
    state.findings.add_each(
        Code.RELATIONSHIP_FIRST, STORE, ids[~good], "it says that it begins a chain of node {0}", nodes[~good]
    )
