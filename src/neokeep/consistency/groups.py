"""The pass over relationship groups of dense nodes: owners, order, the chains that they begin and how long those are.

A degree that is kept in Neo4j's degrees file is not compared here, see degrees.py: the group itself does not say it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from neokeep.consistency.codes import Code
from neokeep.consistency.relationships import at_side, direction, side_of
from neokeep.consistency.state import IN, LOOP, OUT, chain_key, is_named
from neokeep.neo4j.recovery.layout import Store
from neokeep.neo4j.store import records as columns
from neokeep.neo4j.store.records import NONE, Groups

if TYPE_CHECKING:
    from neokeep.consistency.state import State
    from neokeep.neo4j.store.pages import Flags, Numbers

STORE = Store.GROUP
_CHAINS = {OUT: "outgoing relationships", IN: "incoming relationships", LOOP: "loops"}


def check_groups(state: State) -> None:
    """Check all groups, after relationships were counted and the first groups of nodes were met; claim their chains."""
    for batch in state.tables[STORE].batches(start=1):
        everything = columns.groups(batch.records)
        held, ids = _chosen(everything, everything.used), batch.ids[everything.used]
        nameless = ~is_named(state.names(Store.TYPE), held.type)
        state.findings.add_each(Code.GROUP_TYPE, STORE, ids[nameless], "its type is {0}", held.type[nameless])
        lost = ~(state.known.nodes.has(held.owner) & state.known.dense.has(held.owner))
        state.findings.add_each(Code.GROUP_OWNER, STORE, ids[lost], "it belongs to node {0}", held.owner[lost])
        _check_next(state, held, ids)
        for chain in (OUT, IN, LOOP):
            _claim_chain(state, held, chain)
    for batch in state.tables[STORE].batches(start=1):
        ids = batch.ids[columns.groups(batch.records).used]
        orphans = state.met[STORE].missed(ids)
        state.findings.add_each(Code.GROUP_ORPHAN, STORE, orphans, "no node and no group leads to it")


def find_groups(state: State) -> None:
    """Look up what begins the chains of groups, and how many relationships the first of each says there are."""
    for batch in state.tables[STORE].batches(start=1):
        everything = columns.groups(batch.records)
        rows = everything.used & state.claims.doubtful(everything.owner)
        for chain in (OUT, IN, LOOP):
            _find_chain(state, _chosen(everything, rows), batch.ids[rows], chain)


def _claim_chain(state: State, held: Groups, chain: int) -> None:
    rows = state.known.groups_of(held.owner, held.type)
    first, counted = held.first[chain], state.group_degrees[rows, chain]
    begins = first != NONE
    key = chain_key(begins, held.type, chain)
    state.claims.other("first", held.owner[begins], first[begins], key[begins])
    told = (begins | (counted > 0)) & ~held.external[chain]
    state.claims.other("count", held.owner[told], held.type[told] << 2 | chain, counted[told])


def _chosen(found: Groups, rows: Flags | Numbers) -> Groups:
    return Groups(
        found.used[rows],
        found.type[rows],
        found.next[rows],
        found.owner[rows],
        (found.first[0][rows], found.first[1][rows], found.first[2][rows]),
        (found.external[0][rows], found.external[1][rows], found.external[2][rows]),
    )


def _check_next(state: State, held: Groups, ids: Numbers) -> None:
    rows = np.flatnonzero(held.next != NONE)
    others = columns.groups(state.tables[STORE].at(held.next[rows]))
    good = others.used & (others.owner == held.owner[rows]) & (others.type > held.type[rows])
    wrong = rows[~good]
    state.findings.add_each(
        Code.GROUP_NEXT, STORE, ids[wrong], "group {0} follows it at node {1}", held.next[wrong], held.owner[wrong]
    )
    state.meet_groups(held.next[rows])


def _find_chain(state: State, held: Groups, ids: Numbers, chain: int) -> None:
    first, external = held.first[chain], held.external[chain]
    counted = state.group_degrees[state.known.groups_of(held.owner, held.type), chain]
    empty = (first == NONE) & (counted > 0)
    state.findings.add_each(
        Code.GROUP_FIRST, STORE, ids[empty], f"it has no {_CHAINS[chain]}, but there are {{0}}", counted[empty]
    )
    rows = np.flatnonzero(first != NONE)
    others = columns.relationships(state.tables[Store.RELATIONSHIP].at(first[rows]))
    sides = side_of(others, held.owner[rows])
    good = (
        (sides != NONE)
        & (others.type == held.type[rows])
        & (direction(others, sides) == chain)
        & (at_side(others.is_first, sides) != 0)
    )
    state.findings.add_each(
        Code.GROUP_FIRST, STORE, ids[rows[~good]], f"its {_CHAINS[chain]} begin with {{0}}", first[rows[~good]]
    )
    said = at_side(others.previous, sides)
    wrong = good & ~external[rows] & (said != counted[rows])
    state.findings.add_each(
        Code.RELATIONSHIP_COUNT, Store.RELATIONSHIP, first[rows[wrong]],
        "it says that {0} relationships are in the chain of a group, and there are {1}",
        said[wrong], counted[rows[wrong]],
    )  # fmt: skip
