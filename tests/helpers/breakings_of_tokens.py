"""Ways to lose labels, types and keys: of an entity, or the token itself; each with what a check has to find."""

from __future__ import annotations

import struct

import numpy as np

from helpers.breaking import Breaker, Expected, breaking
from helpers.breaking_trees import Expected as TreeExpected
from helpers.breaking_trees import TreeBreaker, tree_breaking
from helpers.breakings_of_trees import TIES, first_of, members
from neokeep.consistency.codes import Code
from neokeep.neo4j.recovery.layout import Store
from neokeep.neo4j.store import records as columns


def number_of(broken: Breaker, store: Store, name: str) -> int:
    """Find the number of a label, type or key."""
    (number,) = (token for token, own in broken.reader.tokens(store).items() if own == name)
    return number


@breaking
def a_node_loses_its_many_labels(broken: Breaker) -> Expected:
    node = broken.labelled("Many0")
    record = int(columns.nodes(broken.raw[Store.NODE]).labels[node]) & (1 << 36) - 1
    broken.put(Store.NODE, node, 9, bytes(5))
    return Code.DYNAMIC_ORPHAN, Store.NODE_LABELS, record


@breaking
def a_type_is_gone(broken: Breaker) -> Expected:
    kind = number_of(broken, Store.TYPE, "LIKES")
    broken.flip(Store.TYPE, kind, 0, 1)
    held = broken.relationships
    return Code.RELATIONSHIP_TYPE, Store.RELATIONSHIP, int(np.flatnonzero(held.used & (held.type == kind))[0])


@breaking
def a_key_is_gone(broken: Breaker) -> Expected:
    broken.flip(Store.PROPERTY_KEY, number_of(broken, Store.PROPERTY_KEY, "since"), 0, 1)
    held = broken.relationships
    kind = number_of(broken, Store.TYPE, "KNOWS")
    last = int(np.flatnonzero(held.used & (held.type == kind))[-1])
    return Code.PROPERTY_KEY, Store.PROPERTY, int(held.property[last])


@tree_breaking
def a_node_loses_its_label(broken: TreeBreaker) -> TreeExpected:
    found = members(broken, "NODE", broken.label("Bulk"))
    broken.put(Store.NODE, first_of(found), 9, bytes(5))
    return Code.INDEX_EXTRA, broken.token_index("NODE"), found.page


@tree_breaking
def a_relationship_is_of_another_type_that_there_is(broken: TreeBreaker) -> TreeExpected:
    tie = first_of(members(broken, "RELATIONSHIP", broken.type("LIKES")))
    broken.put(Store.RELATIONSHIP, tie, 11, struct.pack(">H", broken.type("KNOWS")))
    return Code.INDEX_MISSING, TIES, tie


@tree_breaking
def an_index_holds_a_node_that_is_not_in_use_any_more(broken: TreeBreaker) -> TreeExpected:
    found = list(broken.keys("bulk_key"))[9]
    broken.flip(Store.NODE, found.entity, 0, 1)
    return Code.INDEX_EXTRA, found.file, found.page
