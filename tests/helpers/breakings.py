"""Ways to break a store, each with what a check has to find: the code and the record, and where a reader sees it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from helpers.breaking import NOTHING, Breaker
from helpers.small_store import SPOKES
from neokeep.consistency.codes import Code
from neokeep.neo4j.recovery.layout import Store
from neokeep.neo4j.store import damage
from neokeep.neo4j.store import records as columns

if TYPE_CHECKING:
    from collections.abc import Callable

Expected = tuple[str, Store, int]
"""Code, store, record."""

NODE, TIE, GROUP, PROPERTY = Store.NODE, Store.RELATIONSHIP, Store.GROUP, Store.PROPERTY
FREE = 10**8
"""A record that no store of a test has."""


@dataclass(frozen=True)
class Breaking:
    """One way."""

    name: str
    apply: Callable[[Breaker], Expected]


BREAKINGS: list[Breaking] = []


def breaking(function: Callable[[Breaker], Expected]) -> Callable[[Breaker], Expected]:
    BREAKINGS.append(Breaking(function.__name__.replace("_", " "), function))
    return function


def sparse_tie(broken: Breaker, *, first: bool, side: int = 0) -> int:
    """Find a relationship of nodes that are not dense, the first on that side or not, with one behind it."""
    held = broken.relationships
    dense = broken.nodes.dense[held.node[0]] | broken.nodes.dense[held.node[1]]
    found = held.used & ~dense & (held.is_first[side] == first) & (held.next[side] >= 0)
    return int(np.flatnonzero(found & (held.node[0] != held.node[1]))[0])


def hub_group(broken: Breaker, chain: int) -> int:
    """Find the group of the dense node with outgoing (0), incoming (1) relationships or loops (2)."""
    return int(np.flatnonzero(broken.groups.used & (broken.groups.first[chain] > 0))[0])


def last_property(broken: Breaker) -> int:
    """Find a property record of the node with every type of value that has one before it."""
    head = int(broken.nodes.property[broken.labelled("Every")])
    return int(broken.properties.next[head])


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


@breaking
def a_node_has_an_unknown_label(broken: Breaker) -> Expected:
    node = broken.labelled("Person")
    broken.put4(NODE, node, 9, 10**6)
    return Code.NODE_LABEL, NODE, node


@breaking
def labels_are_not_in_order(broken: Breaker) -> Expected:
    node = broken.labelled("Person")
    # Two labels, twice the same.
    broken.put(NODE, node, 9, b"\x00\x04\x00\x01\x20")
    return damage.Code.LABEL_FIELD, NODE, node


@breaking
def many_labels_belong_to_another_node(broken: Breaker) -> Expected:
    node = broken.labelled("Many0")
    record = int(columns.nodes(broken.raw[NODE]).labels[node]) & (1 << 36) - 1
    # The longs begin with the node; its lowest bit is the first behind the head of the array.
    broken.flip(Store.NODE_LABELS, record, 8 + 3, 1)
    return damage.Code.LABEL_FIELD, NODE, node


@breaking
def a_record_of_labels_is_not_in_use(broken: Breaker) -> Expected:
    node = broken.labelled("Many0")
    record = int(columns.nodes(broken.raw[NODE]).labels[node]) & (1 << 36) - 1
    broken.flip(Store.NODE_LABELS, record, 0, 0x10)
    return damage.Code.DYNAMIC_NOT_IN_USE, Store.NODE_LABELS, record


@breaking
def a_property_names_another_one_before_it(broken: Breaker) -> Expected:
    record = last_property(broken)
    broken.put4(PROPERTY, record, 1, FREE)
    return Code.PROPERTY_PREVIOUS, PROPERTY, record


@breaking
def a_chain_of_properties_goes_on_in_itself(broken: Breaker) -> Expected:
    record = last_property(broken)
    broken.put4(PROPERTY, record, 5, record)
    return damage.Code.PROPERTY_CHAIN_CYCLE, PROPERTY, record


@breaking
def a_chain_of_properties_goes_through_a_free_record(broken: Breaker) -> Expected:
    record = last_property(broken)
    broken.put4(PROPERTY, record, 5, FREE)
    return damage.Code.PROPERTY_NOT_IN_USE, PROPERTY, FREE


@breaking
def two_nodes_share_their_properties(broken: Breaker) -> Expected:
    head = int(broken.nodes.property[broken.labelled("Every")])
    broken.put4(NODE, broken.labelled("Person"), 5, head)
    return damage.Code.PROPERTY_SHARED, PROPERTY, head


@breaking
def a_node_loses_its_properties(broken: Breaker) -> Expected:
    node = broken.labelled("Every")
    head = int(broken.nodes.property[node])
    broken.put4(NODE, node, 5, NOTHING)
    return Code.PROPERTY_ORPHAN, PROPERTY, head


@breaking
def a_property_has_an_unknown_key(broken: Breaker) -> Expected:
    record, place = broken.block_of(8)
    broken.block(record, place, lambda long: long & ~0xFFFFFF | 0xFFFFF0)
    return Code.PROPERTY_KEY, PROPERTY, record


@breaking
def a_key_is_there_twice(broken: Breaker) -> Expected:
    head = int(broken.nodes.property[broken.labelled("Every")])
    record = int(broken.properties.next[head])
    key = int(broken.properties.longs[head, 0]) & 0xFFFFFF
    broken.block(record, 0, lambda long: long & ~0xFFFFFF | key)
    return Code.PROPERTY_KEY_TWICE, PROPERTY, record


@breaking
def a_value_is_of_a_type_that_is_none(broken: Breaker) -> Expected:
    record, place = broken.block_of(8)
    broken.block(record, place, lambda long: long | 15 << 24)
    return damage.Code.PROPERTY_VALUE, PROPERTY, record


@breaking
def a_text_is_in_an_unknown_encoding(broken: Breaker) -> Expected:
    record, place = broken.block_of(11)
    broken.block(record, place, lambda long: long & ~(31 << 28) | 20 << 28)
    return damage.Code.PROPERTY_VALUE, PROPERTY, record


@breaking
def a_point_has_a_dimension_too_many(broken: Breaker) -> Expected:
    record, place = broken.block_of(13)
    broken.block(record, place, lambda long: long & ~(15 << 32) | 1 << 32)
    return damage.Code.PROPERTY_VALUE, PROPERTY, record


@breaking
def a_time_is_of_a_kind_that_is_none(broken: Breaker) -> Expected:
    record, place = broken.block_of(14)
    broken.block(record, place, lambda long: long | 15 << 28)
    return damage.Code.PROPERTY_VALUE, PROPERTY, record


@breaking
def a_value_is_longer_than_its_record(broken: Breaker) -> Expected:
    record, place = broken.block_of(12)
    broken.block(record, place, lambda long: long | 63 << 32 | 63 << 38)
    return damage.Code.PROPERTY_BLOCK, PROPERTY, record


@breaking
def a_long_text_begins_in_the_middle_of_another(broken: Breaker) -> Expected:
    record, place = broken.block_of(9)
    head = int(broken.properties.longs[record, place]) >> 28
    second = int(columns.dynamic(broken.raw[Store.STRINGS]).next[head])
    broken.block(record, place, lambda long: long & (1 << 28) - 1 | second << 28)
    return damage.Code.DYNAMIC_NOT_FIRST, Store.STRINGS, second


@breaking
def a_long_text_loses_its_rest(broken: Breaker) -> Expected:
    record = broken.long_value(9, 2)
    broken.put4(Store.STRINGS, record, 4, NOTHING)
    return Code.DYNAMIC_ORPHAN, Store.STRINGS, int(columns.dynamic(broken.raw[Store.STRINGS]).next[record])


@breaking
def a_long_text_has_a_hole(broken: Breaker) -> Expected:
    record = broken.long_value(9, 2)
    broken.put(Store.STRINGS, record, 3, b"\x10")
    return damage.Code.DYNAMIC_NOT_FULL, Store.STRINGS, record


@breaking
def a_record_of_a_text_is_longer_than_records_are(broken: Breaker) -> Expected:
    record = broken.long_value(9, 2)
    broken.put(Store.STRINGS, record, 1, b"\xff\xff\xff")
    return damage.Code.DYNAMIC_LENGTH, Store.STRINGS, record


@breaking
def a_long_text_goes_on_in_itself(broken: Breaker) -> Expected:
    record = broken.long_value(9, 3)
    second = int(columns.dynamic(broken.raw[Store.STRINGS]).next[record])
    broken.put4(Store.STRINGS, second, 4, second)
    return damage.Code.DYNAMIC_CHAIN_CYCLE, Store.STRINGS, second


@breaking
def two_texts_share_their_rest(broken: Breaker) -> Expected:
    held = columns.dynamic(broken.raw[Store.STRINGS])
    one, other = np.flatnonzero(held.used & held.starts & (held.next > 0))[:2].tolist()
    broken.put4(Store.STRINGS, one, 4, int(held.next[other]))
    return damage.Code.DYNAMIC_SHARED, Store.STRINGS, int(held.next[other])


@breaking
def a_record_of_an_array_is_not_in_use(broken: Breaker) -> Expected:
    record = broken.long_value(10, 2)
    broken.flip(Store.ARRAYS, record, 0, 0x10)
    return damage.Code.DYNAMIC_NOT_IN_USE, Store.ARRAYS, record


@breaking
def a_name_is_not_in_use(broken: Breaker) -> Expected:
    name = int(columns.tokens(broken.raw[Store.LABEL]).name[0])
    broken.flip(Store.LABEL_NAMES, name, 0, 0x10)
    return damage.Code.DYNAMIC_NOT_IN_USE, Store.LABEL_NAMES, name


@breaking
def a_name_is_not_text(broken: Breaker) -> Expected:
    name = int(columns.tokens(broken.raw[Store.TYPE]).name[0])
    broken.put(Store.TYPE_NAMES, name, 8, b"\xff")
    return damage.Code.UNREADABLE_NAME, Store.TYPE, 0


@breaking
def two_labels_have_one_name(broken: Breaker) -> Expected:
    held = columns.tokens(broken.raw[Store.LABEL])
    broken.put4(Store.LABEL, 1, 1, int(held.name[0]))
    return Code.NAME_TWICE, Store.LABEL, 1


@breaking
def a_rule_of_the_schema_loses_its_properties(broken: Breaker) -> Expected:
    rule = int(np.flatnonzero(columns.schema_rules(broken.raw[Store.SCHEMA]).used)[-1])
    broken.flip(Store.SCHEMA, rule, 0, 2)
    return Code.RULE, Store.SCHEMA, rule


@breaking
def a_rule_of_the_schema_names_a_label_that_is_gone(broken: Breaker) -> Expected:
    (person,) = (number for number, name in broken.reader.tokens(Store.LABEL).items() if name == "Person")
    broken.flip(Store.LABEL, person, 0, 1)
    rule = next(one.id for one in broken.reader.schema_rules([]) if one.properties["name"] == "person_name")
    return Code.RULE_REFERENCE, Store.SCHEMA, rule


@breaking
def the_index_of_a_constraint_is_gone(broken: Breaker) -> Expected:
    rules = broken.reader.schema_rules([])
    constraint = next(one for one in rules if "ownedIndex" in one.properties)
    broken.flip(Store.SCHEMA, int(constraint.properties["ownedIndex"]), 0, 1)
    return Code.RULE_INDEX, Store.SCHEMA, constraint.id
