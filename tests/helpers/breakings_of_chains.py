"""Ways to break the chains of nodes, relationships and groups, each with what a check has to find."""

from __future__ import annotations

import numpy as np

from helpers.breaking import FREE, NOTHING, Breaker, Expected, breaking
from helpers.small_store import SPOKES
from neokeep.consistency.codes import Code
from neokeep.neo4j.recovery.layout import Store

NODE, TIE, GROUP = Store.NODE, Store.RELATIONSHIP, Store.GROUP


def sparse_tie(broken: Breaker, *, first: bool, side: int = 0) -> int:
    """Find a relationship of nodes that are not dense, the first on that side or not, with one behind it."""
    held = broken.relationships
    dense = broken.nodes.dense[held.node[0]] | broken.nodes.dense[held.node[1]]
    found = held.used & ~dense & (held.is_first[side] == first) & (held.next[side] >= 0)
    return int(np.flatnonzero(found & (held.node[0] != held.node[1]))[0])


def hub_group(broken: Breaker, chain: int) -> int:
    """Find the group of the dense node with outgoing (0), incoming (1) relationships or loops (2)."""
    return int(np.flatnonzero(broken.groups.used & (broken.groups.first[chain] > 0))[0])


@breaking
def a_node_begins_with_a_relationship_of_others(broken: Breaker) -> Expected:
    node = int(broken.relationships.node[0][sparse_tie(broken, first=True)])
    broken.put4(NODE, node, 1, FREE)
    return Code.NODE_RELATIONSHIP, NODE, node


@breaking
def a_node_loses_its_relationships(broken: Breaker) -> Expected:
    node = int(broken.relationships.node[0][sparse_tie(broken, first=True)])
    broken.put4(NODE, node, 1, NOTHING)
    return Code.NODE_RELATIONSHIP, NODE, node


@breaking
def a_node_begins_in_the_middle_of_its_chain(broken: Breaker) -> Expected:
    tie = sparse_tie(broken, first=True)
    node = int(broken.relationships.node[0][tie])
    broken.put4(NODE, node, 1, int(broken.relationships.next[0][tie]))
    return Code.NODE_RELATIONSHIP, NODE, node


@breaking
def a_first_relationship_is_no_more_that_of_its_node(broken: Breaker) -> Expected:
    tie = sparse_tie(broken, first=True)
    broken.put4(NODE, int(broken.relationships.node[0][tie]), 1, NOTHING)
    return Code.RELATIONSHIP_FIRST, TIE, tie


@breaking
def a_node_is_not_in_use_any_more(broken: Breaker) -> Expected:
    tie = sparse_tie(broken, first=False)
    broken.flip(NODE, int(broken.relationships.node[0][tie]), 0, 1)
    return Code.RELATIONSHIP_NODE, TIE, tie


@breaking
def a_relationship_ends_at_a_node_that_never_was(broken: Breaker) -> Expected:
    tie = sparse_tie(broken, first=False)
    broken.put4(TIE, tie, 5, 10**9)
    return Code.RELATIONSHIP_NODE, TIE, tie


@breaking
def a_relationship_is_of_an_unknown_type(broken: Breaker) -> Expected:
    tie = sparse_tie(broken, first=False)
    broken.put(TIE, tie, 11, b"\x7f\xff")
    return Code.RELATIONSHIP_TYPE, TIE, tie


@breaking
def the_previous_relationship_is_another_one(broken: Breaker) -> Expected:
    tie = sparse_tie(broken, first=False)
    broken.put4(TIE, tie, 13, FREE)
    return Code.RELATIONSHIP_PREVIOUS, TIE, tie


@breaking
def the_previous_relationship_of_the_end_is_another_one(broken: Breaker) -> Expected:
    tie = sparse_tie(broken, first=False, side=1)
    broken.put4(TIE, tie, 21, tie)
    return Code.RELATIONSHIP_PREVIOUS, TIE, tie


@breaking
def the_next_relationship_is_not_in_use(broken: Breaker) -> Expected:
    tie = sparse_tie(broken, first=False)
    broken.put4(TIE, tie, 17, FREE)
    return Code.RELATIONSHIP_NEXT, TIE, tie


@breaking
def the_next_relationship_of_the_end_is_that_before_it(broken: Breaker) -> Expected:
    tie = sparse_tie(broken, first=False, side=1)
    broken.put4(TIE, tie, 25, int(broken.relationships.previous[1][tie]))
    return Code.RELATIONSHIP_NEXT, TIE, tie


@breaking
def a_chain_is_cut(broken: Breaker) -> Expected:
    tie = sparse_tie(broken, first=False)
    broken.put4(TIE, tie, 17, NOTHING)
    return Code.RELATIONSHIP_PREVIOUS, TIE, int(broken.relationships.next[0][tie])


@breaking
def a_relationship_in_the_middle_says_that_it_is_the_first(broken: Breaker) -> Expected:
    tie = sparse_tie(broken, first=False)
    broken.flip(TIE, tie, 33, 1)
    return Code.RELATIONSHIP_FIRST, TIE, tie


@breaking
def the_first_relationship_says_that_it_is_not(broken: Breaker) -> Expected:
    tie = sparse_tie(broken, first=True)
    broken.flip(TIE, tie, 33, 1)
    return Code.NODE_RELATIONSHIP, NODE, int(broken.relationships.node[0][tie])


@breaking
def the_number_of_relationships_of_a_node_is_another_one(broken: Breaker) -> Expected:
    tie = sparse_tie(broken, first=True)
    broken.put4(TIE, tie, 13, int(broken.relationships.previous[0][tie]) + 1)
    return Code.RELATIONSHIP_COUNT, TIE, tie


@breaking
def a_relationship_is_not_in_use_any_more(broken: Breaker) -> Expected:
    tie = sparse_tie(broken, first=False)
    broken.flip(TIE, tie, 0, 1)
    return Code.RELATIONSHIP_PREVIOUS, TIE, int(broken.relationships.next[0][tie])


@breaking
def the_sides_of_a_loop_differ(broken: Breaker) -> Expected:
    held = broken.relationships
    tie = int(np.flatnonzero(held.used & (held.node[0] == held.node[1]) & (held.next[0] >= 0))[0])
    broken.put4(TIE, tie, 25, NOTHING)
    return Code.RELATIONSHIP_LOOP, TIE, tie


@breaking
def a_dense_node_begins_with_a_group_of_nobody(broken: Breaker) -> Expected:
    node = broken.labelled("Hub")
    broken.put4(NODE, node, 1, FREE)
    return Code.NODE_GROUP, NODE, node


@breaking
def a_dense_node_loses_its_first_group(broken: Breaker) -> Expected:
    node = broken.labelled("Hub")
    head = int(broken.nodes.relationship[node])
    broken.put4(NODE, node, 1, int(broken.groups.next[head]))
    return Code.GROUP_ORPHAN, GROUP, head


@breaking
def a_group_belongs_to_another_node(broken: Breaker) -> Expected:
    group = hub_group(broken, 0)
    broken.put4(GROUP, group, 20, broken.labelled("Every"))
    return Code.GROUP_OWNER, GROUP, group


@breaking
def a_group_is_of_an_unknown_type(broken: Breaker) -> Expected:
    group = hub_group(broken, 0)
    broken.put(GROUP, group, 2, b"\x7f\xff")
    return Code.GROUP_TYPE, GROUP, group


@breaking
def there_is_no_group_for_a_type(broken: Breaker) -> Expected:
    group = hub_group(broken, 1)
    broken.put(GROUP, group, 2, b"\x7f\xff")
    return Code.RELATIONSHIP_GROUP, TIE, int(broken.groups.first[1][group])


@breaking
def a_group_is_followed_by_itself(broken: Breaker) -> Expected:
    group = int(np.flatnonzero(broken.groups.used & (broken.groups.next > 0))[0])
    broken.put4(GROUP, group, 4, group)
    return Code.GROUP_NEXT, GROUP, group


@breaking
def a_group_is_in_two_chains(broken: Breaker) -> Expected:
    group = int(np.flatnonzero(broken.groups.used & (broken.groups.next > 0))[0])
    head = int(broken.nodes.relationship[broken.labelled("Hub")])
    last = int(np.flatnonzero(broken.groups.used & (broken.groups.next < 0))[0])
    assert group
    broken.put4(GROUP, last, 4, head)
    return Code.GROUP_SHARED, GROUP, head


@breaking
def a_group_begins_with_a_relationship_of_another_kind(broken: Breaker) -> Expected:
    group = hub_group(broken, 0)
    broken.put4(GROUP, group, 8, int(broken.groups.first[1][hub_group(broken, 1)]))
    return Code.GROUP_FIRST, GROUP, group


@breaking
def a_group_loses_its_loops(broken: Breaker) -> Expected:
    group = hub_group(broken, 2)
    broken.put4(GROUP, group, 16, NOTHING)
    return Code.GROUP_FIRST, GROUP, group


@breaking
def a_first_relationship_is_no_more_that_of_its_group(broken: Breaker) -> Expected:
    group = hub_group(broken, 2)
    broken.put4(GROUP, group, 16, NOTHING)
    return Code.RELATIONSHIP_FIRST, TIE, int(broken.groups.first[2][group])


@breaking
def the_number_of_relationships_of_a_group_is_another_one(broken: Breaker) -> Expected:
    group = next(
        int(number)
        for number in np.flatnonzero(broken.groups.used)
        if broken.groups.first[0][number] > 0 and not broken.groups.external[0][number]
    )
    tie = int(broken.groups.first[0][group])
    broken.put4(TIE, tie, 13, SPOKES + 7)
    return Code.RELATIONSHIP_COUNT, TIE, tie
