"""Ways to break labels, properties, names and the schema, each with what a check has to find."""

from __future__ import annotations

import numpy as np

from helpers.breaking import FREE, NOTHING, Breaker, Expected, breaking
from neokeep.consistency.codes import Code
from neokeep.neo4j.recovery.layout import Store
from neokeep.neo4j.store import damage
from neokeep.neo4j.store import records as columns

NODE, PROPERTY = Store.NODE, Store.PROPERTY
UPPER = " ABCDEFGHIJKLMNOPQRSTUVWXYZ_.-:/"
"""The alphabet of five bits that the words of schema rules are written in."""


def last_property(broken: Breaker) -> int:
    """Find a property record of the node with every type of value that has one before it."""
    head = int(broken.nodes.property[broken.labelled("Every")])
    return int(broken.properties.next[head])


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


def numbered_person(broken: Breaker, number: int) -> tuple[int, int, int]:
    """Find a person by its number: the node, the property record with the number, and the place of it there."""
    (key,) = (token for token, name in broken.reader.tokens(Store.PROPERTY_KEY).items() if name == "number")
    (batch,) = broken.reader.nodes()
    (label,) = (token for token, name in broken.reader.tokens(Store.LABEL).items() if name == "Person")
    people = set(batch.labels.rows[batch.labels.labels == label].tolist())
    blocks = batch.properties.blocks
    for row in np.flatnonzero(blocks.key == key).tolist():
        if int(blocks.chain[row]) in people and int(blocks.longs[row, 0]) >> 29 == number:
            record = int(blocks.record[row])
            place = int(np.flatnonzero(broken.properties.longs[record] == blocks.longs[row, 0])[0])
            return int(batch.ids[blocks.chain[row]]), record, place
    raise AssertionError("there is no such person")


def word_of(broken: Breaker, key: int) -> tuple[int, int]:
    """Find the first short text of a key: the record and the place."""
    found = broken.properties.used[:, None] & (broken.properties.longs & 0xFFFFFFF == (11 << 24 | key))
    record, place = np.argwhere(found)[0].tolist()
    return record, place


def constraint_is(broken: Breaker, kind: str) -> None:
    """Make another kind of constraint of the one that numbers of people are unique."""
    keys = {name: token for token, name in broken.reader.tokens(Store.PROPERTY_KEY).items()}
    key = keys["__org.neo4j.SchemaRule.constraintRuleType"]
    properties = broken.properties
    record, place = np.argwhere(properties.used[:, None] & (properties.longs & 0xFFFFFFF == (11 << 24 | key)))[
        0
    ].tolist()
    text = 0
    for at, letter in enumerate(kind):
        text |= UPPER.index(letter) << 39 + 5 * at
    head = int(broken.properties.longs[record, place]) & (1 << 33) - 1 | len(kind) << 33 | text & (1 << 64) - 1
    broken.block(record, place, lambda _: head)
    broken.block(record, place + 1, lambda _: text >> 64)


@breaking
def two_people_have_one_number(broken: Breaker) -> Expected:
    _, record, place = numbered_person(broken, 7)
    taken = broken.properties.longs[record, place]
    node, record, place = numbered_person(broken, 9)
    broken.block(record, place, lambda _: int(taken))
    return Code.CONSTRAINT_UNIQUE, NODE, node


@breaking
def the_index_of_a_constraint_is_of_one_that_has_none(broken: Breaker) -> Expected:
    rules = broken.reader.schema_rules([])
    constraint = next(one for one in rules if "ownedIndex" in one.properties)
    constraint_is(broken, "EXISTS")
    return Code.RULE_INDEX, Store.SCHEMA, int(constraint.properties["ownedIndex"])


@breaking
def a_person_lacks_a_number_that_it_has_to_have(broken: Breaker) -> Expected:
    constraint_is(broken, "EXISTS")
    node, record, place = numbered_person(broken, 9)
    (other,) = (token for token, name in broken.reader.tokens(Store.PROPERTY_KEY).items() if name == "since")
    broken.block(record, place, lambda long: long & ~0xFFFFFF | other)
    return Code.CONSTRAINT_EXISTENCE, NODE, node


@breaking
def a_number_has_to_be_a_text(broken: Breaker) -> Expected:
    constraint_is(broken, "PROPERTY_TYPE")
    keys = {name: token for token, name in broken.reader.tokens(Store.PROPERTY_KEY).items()}
    key = keys["__org.neo4j.SchemaRule.graphTypeDependence"]
    # The key of something else is called as that of the types, and leads to an array that says STRING.
    name = int(columns.tokens(broken.raw[Store.PROPERTY_KEY]).name[key])
    rest = int(columns.dynamic(broken.raw[Store.PROPERTY_KEY_NAMES]).next[name])
    broken.put(Store.PROPERTY_KEY_NAMES, name, 8 + 23, b"propert")
    broken.put(Store.PROPERTY_KEY_NAMES, rest, 1, b"\0\0\5")
    broken.put(Store.PROPERTY_KEY_NAMES, rest, 8, b"yType")
    array = broken.long_value(10, 2)
    content = b"\x09\0\0\0\1\0\0\0\6STRING"
    broken.put(Store.ARRAYS, array, 1, len(content).to_bytes(3, "big"))
    broken.put4(Store.ARRAYS, array, 4, NOTHING)
    broken.put(Store.ARRAYS, array, 8, content)
    record, place = word_of(broken, key)
    broken.block(record, place, lambda _: array << 28 | 10 << 24 | key)
    # What was the second long of the text is a flag now, since blocks follow on one another; nobody asks for it.
    broken.block(record, place + 1, lambda _: 1 << 24 | keys["__org.neo4j.SchemaRule.indexProviderVersion"])
    node, _, _ = numbered_person(broken, 9)
    return Code.CONSTRAINT_TYPE, NODE, node
