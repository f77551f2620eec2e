"""The pass over relationships: their nodes and types, and that neighbours in a chain lead to one another.

A chain is whole when every record in it agrees with its neighbours, one begins it, and as many are there as that one
says. What begins it is looked at with nodes and groups.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from neokeep.consistency.codes import Code
from neokeep.consistency.state import IN, LOOP, OUT, is_named
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


def direction(found: Relationships, sides: Numbers) -> Numbers:
    """Tell in which chain of a group each relationship is, seen from the node on that side: OUT, IN or LOOP."""
    return np.where(found.node[0] == found.node[1], LOOP, np.where(sides == 0, OUT, IN))


def check_relationships(state: State, batch: Batch) -> tuple[Relationships, Numbers]:
    """Check a batch; gives those that are in use, with their ids."""
    everything = columns.relationships(batch.records)
    held, ids = chosen(everything, everything.used), batch.ids[everything.used]
    findings, known = state.findings, state.known
    nameless = ~is_named(state.names(Store.TYPE), held.type)
    findings.add_each(Code.RELATIONSHIP_TYPE, STORE, ids[nameless], "its type is {0}", held.type[nameless])
    _check_loops(state, held, ids)
    for side in (0, 1):
        nodes = held.node[side]
        there = known.nodes.has(nodes)
        findings.add_each(Code.RELATIONSHIP_NODE, STORE, ids[~there], "it names node {0}", nodes[~there])
        # A loop is in one chain only, whatever its second side says.
        rows = np.flatnonzero(there & ((side == 0) | (held.node[0] != held.node[1])))
        _check_side(state, chosen(held, rows), ids[rows], side)
    return held, ids


def _check_loops(state: State, held: Relationships, ids: Numbers) -> None:
    same = (
        (held.previous[0] == held.previous[1]) & (held.next[0] == held.next[1]) & (held.is_first[0] == held.is_first[1])
    )
    wrong = (held.node[0] == held.node[1]) & ~same
    state.findings.add_each(Code.RELATIONSHIP_LOOP, STORE, ids[wrong], "it is a loop of node {0}", held.node[0][wrong])


def _check_side(state: State, held: Relationships, ids: Numbers, side: int) -> None:
    """Check the chain of one side of relationships whose node there is in use."""
    nodes, dense = held.node[side], state.known.dense.has(held.node[side])
    _count(state, held, ids, side, dense)
    following = held.next[side] != NONE
    for code, rows, neighbours, leads in (
        (Code.RELATIONSHIP_PREVIOUS, np.flatnonzero(~held.is_first[side]), held.previous[side], "next"),
        (Code.RELATIONSHIP_NEXT, np.flatnonzero(following), held.next[side], "previous"),
    ):
        others = columns.relationships(state.tables[STORE].at(neighbours[rows]))
        sides = side_of(others, nodes[rows])
        back = at_side(getattr(others, leads), sides)
        good = (sides != NONE) & (back == ids[rows])
        if leads == "previous":
            # The first of a chain has a number there, which may look like an id.
            good &= at_side(others.is_first, sides) == 0
        mine = chosen(held, rows)
        alike = (others.type == mine.type) & (direction(others, sides) == direction(mine, np.full(len(rows), side)))
        wrong = rows[~(good & (alike | ~dense[rows]))]
        state.findings.add_each(
            code, STORE, ids[wrong], f"it names {{0}} as its {code.split('-')[1]} in the chain of node {{1}}",
            neighbours[wrong], nodes[wrong],
        )  # fmt: skip
    _check_first(state, chosen(held, held.is_first[side]), ids[held.is_first[side]], side)


def _count(state: State, held: Relationships, ids: Numbers, side: int, dense: Flags) -> None:
    """Count the relationships of each node, and of dense ones those of each group."""
    known, nodes = state.known, held.node[side]
    np.add.at(known.degrees, nodes, 1)
    rows = np.flatnonzero(dense)
    groups = known.groups_of(nodes[rows], held.type[rows])
    lost = rows[groups == NONE]
    state.findings.add_each(
        Code.RELATIONSHIP_GROUP, STORE, ids[lost], "node {0} has no group for type {1}", nodes[lost], held.type[lost]
    )
    kinds = direction(chosen(held, rows), np.full(len(rows), side))
    np.add.at(known.group_degrees, (groups[groups != NONE], kinds[groups != NONE]), 1)


def _check_first(state: State, held: Relationships, ids: Numbers, side: int) -> None:
    """Look that the first of a chain is what its node or a group begins with."""
    nodes = held.node[side]
    owners = columns.nodes(state.tables[Store.NODE].at(nodes))
    good = np.where(owners.dense, state.known.group_first.has(ids), owners.relationship == ids)
    state.findings.add_each(
        Code.RELATIONSHIP_FIRST, STORE, ids[~good], "it says that it begins a chain of node {0}", nodes[~good]
    )
