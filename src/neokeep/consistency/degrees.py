"""The degrees file against the graph: how many relationships the chains of groups have that are counted there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from neokeep.consistency.codes import Code
from neokeep.consistency.state import IN, LOOP, OUT
from neokeep.consistency.tree_reading import read_fixed
from neokeep.neo4j.recovery.layout import Store
from neokeep.neo4j.store import records as columns
from neokeep.neo4j.store.tree_layouts import COUNTS, DEGREE, DEGREES_FILE, counts_key, signed

if TYPE_CHECKING:
    from neokeep.consistency.tree_reading import Trees
    from neokeep.neo4j.store.pages import Numbers
    from neokeep.neo4j.store.tree import Tree

_CHAIN_BITS = 2
_CHAINS = {OUT: "outgoing relationships", IN: "incoming relationships", LOOP: "loops"}


def check_degrees(trees: Trees) -> None:
    """Compare the degrees of all groups that say that theirs are in the file, after relationships were counted."""
    tree = trees.open(DEGREES_FILE, COUNTS)
    if tree is None:
        return
    keys, values, pages = _read(trees, tree)
    state = trees.state
    for batch in state.tables[Store.GROUP].batches(start=1):
        held = columns.groups(batch.records)
        for chain in (OUT, IN, LOOP):
            rows = np.flatnonzero(held.used & held.external[chain])
            groups = batch.ids[rows]
            counted = state.group_degrees[state.known.groups_of(held.owner[rows], held.type[rows]), chain]
            wanted = groups << _CHAIN_BITS | chain
            places = np.searchsorted(keys, wanted)
            there = places < len(keys)
            there[there] = keys[places[there]] == wanted[there]
            # What is not there is 0; the root is where it would have to be found.
            said, at = np.zeros(len(wanted), np.int64), np.full(len(wanted), tree.state.root)
            said[there], at[there] = values[places[there]], pages[places[there]]
            wrong = said != counted
            state.findings.add_each(
                Code.DEGREE, DEGREES_FILE,
                at[wrong],
                f"it says that group {{0}} of node {{1}} has {{2}} {_CHAINS[chain]}, and it has {{3}}",
                groups[wrong], held.owner[rows][wrong], said[wrong], counted[wrong],
            )  # fmt: skip


def _read(trees: Trees, tree: Tree) -> tuple[Numbers, Numbers, Numbers]:
    """Read all degrees, by group and chain: as many numbers as there are such groups."""
    keys, values, pages = ([np.zeros(0, np.int64)] for _ in range(3))
    for entries in read_fixed(trees, tree, counts_key):
        own = entries.columns[0] == DEGREE
        keys.append(entries.columns[1][own])
        values.append(signed(entries.values)[own])
        pages.append(entries.pages[own])
    order = np.argsort(np.concatenate(keys), kind="stable")
    return np.concatenate(keys)[order], np.concatenate(values)[order], np.concatenate(pages)[order]
