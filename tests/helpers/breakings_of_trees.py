"""Ways to break counts, degrees, token indexes and id files, each with what a check has to find."""

from __future__ import annotations

import struct

import numpy as np

from helpers.breaking_trees import PAGE, TREE_BREAKINGS, Entry, Expected, TreeBreaker, tree_breaking
from neokeep.consistency.codes import Code
from neokeep.neo4j.recovery.layout import FILES, Store
from neokeep.neo4j.store.damage import TreeCode
from neokeep.neo4j.store.tree_layouts import COUNTS, COUNTS_FILE, DEGREES_FILE, IDS, TOKENS

__all__ = ["TREE_BREAKINGS"]

NODES, TIES = FILES[Store.NODE], FILES[Store.RELATIONSHIP]


def count_of(broken: TreeBreaker, *key: int) -> Entry:
    """Find a count by its key."""
    (found,) = (one for one in broken.entries(COUNTS_FILE, COUNTS) if struct.unpack(">bqi", one.key) == key)
    return found


def members(broken: TreeBreaker, entity: str, token: int) -> Entry:
    """Find the first entry of a token in a token index."""
    name = broken.token_index(entity)
    return next(one for one in broken.entries(name, TOKENS) if one.key[:4] == struct.pack(">i", token))


def flipped_bit(broken: TreeBreaker, entity: str, found: Entry, entity_id: int) -> None:
    value = int.from_bytes(found.value, "big") ^ 1 << entity_id % 64
    broken.put_in(broken.token_index(entity), found.value_at, value.to_bytes(8, "big"))


def first_of(found: Entry) -> int:
    """Give the first node or relationship of an entry of a token index."""
    low, high = struct.unpack(">IH", found.key[4:])
    bits = int.from_bytes(found.value, "big")
    return int((low | high << 32) * 64 + (bits & -bits).bit_length() - 1)


@tree_breaking
def a_count_of_nodes_is_one_too_many(broken: TreeBreaker) -> Expected:
    found = count_of(broken, 1, broken.label("Person"), 0)
    broken.put_in(COUNTS_FILE, found.value_at + 7, bytes([found.value[7] + 1]))
    return Code.COUNT, COUNTS_FILE, found.page


@tree_breaking
def a_count_of_relationships_of_a_label_is_none(broken: TreeBreaker) -> Expected:
    found = count_of(broken, 2, broken.label("Person") << 32 | broken.type("KNOWS"), -1)
    broken.put_in(COUNTS_FILE, found.value_at, bytes(8))
    return Code.COUNT, COUNTS_FILE, found.page


@tree_breaking
def a_count_of_relationships_into_a_label_is_of_another_label(broken: TreeBreaker) -> Expected:
    # The last of the type, so that keys stay in order.
    found = [one for one in broken.entries(COUNTS_FILE, COUNTS) if one.key[0] == 2][-1]
    broken.put_in(COUNTS_FILE, found.key_at + 9, b"\x00\x00\x7f\xff")
    return Code.COUNT, COUNTS_FILE, found.page


@tree_breaking
def a_degree_is_one_too_few(broken: TreeBreaker) -> Expected:
    found = next(broken.entries(DEGREES_FILE, COUNTS))
    broken.put_in(DEGREES_FILE, found.value_at + 7, bytes([found.value[7] - 1]))
    return Code.DEGREE, DEGREES_FILE, found.page


@tree_breaking
def a_degree_is_of_another_group(broken: TreeBreaker) -> Expected:
    found = list(broken.entries(DEGREES_FILE, COUNTS))[-1]
    broken.put_in(DEGREES_FILE, found.key_at + 5, b"\x7f")
    return Code.DEGREE, DEGREES_FILE, broken.tree(DEGREES_FILE, COUNTS).state.root


@tree_breaking
def a_node_is_not_in_the_index_of_its_label(broken: TreeBreaker) -> Expected:
    found = members(broken, "NODE", broken.label("Person"))
    flipped_bit(broken, "NODE", found, first_of(found))
    return Code.INDEX_MISSING, NODES, first_of(found)


@tree_breaking
def a_node_is_in_the_index_of_a_label_that_it_has_not_got(broken: TreeBreaker) -> Expected:
    found = members(broken, "NODE", broken.label("Hub"))
    flipped_bit(broken, "NODE", found, first_of(found) ^ 1)
    return Code.INDEX_EXTRA, broken.token_index("NODE"), found.page


@tree_breaking
def a_node_gets_a_label_that_no_index_knows_of(broken: TreeBreaker) -> Expected:
    node = broken.labelled("Hub")
    broken.put(Store.NODE, node, 9, struct.pack(">IB", broken.label("Person"), 0x10))
    return Code.INDEX_MISSING, NODES, node


@tree_breaking
def a_relationship_is_not_in_the_index_of_its_type(broken: TreeBreaker) -> Expected:
    found = members(broken, "RELATIONSHIP", broken.type("LIKES"))
    flipped_bit(broken, "RELATIONSHIP", found, first_of(found))
    return Code.INDEX_MISSING, TIES, first_of(found)


@tree_breaking
def a_relationship_that_never_was_is_in_the_index_of_a_type(broken: TreeBreaker) -> Expected:
    name = broken.token_index("RELATIONSHIP")
    found = list(broken.entries(name, TOKENS))[-1]
    broken.put_in(name, found.key_at + 4, b"\x00\x00\xff\xff")
    return Code.INDEX_EXTRA, name, found.page


@tree_breaking
def the_first_entry_of_a_token_index_is_of_no_token(broken: TreeBreaker) -> Expected:
    name = broken.token_index("NODE")
    found = next(broken.entries(name, TOKENS))
    broken.put_in(name, found.key_at, b"\xff\xff\xff\xff")
    return Code.INDEX_EXTRA, name, found.page


@tree_breaking
def the_id_of_a_node_in_use_is_free(broken: TreeBreaker) -> Expected:
    name = f"{NODES}.id"
    for found in broken.entries(name, IDS):
        first = int.from_bytes(found.key, "big") * 128
        used = np.flatnonzero(broken.nodes.used[first : first + 64])
        if len(used):
            bits = int.from_bytes(found.value[8:16], "big") | 1 << int(used[0])
            broken.put_in(name, found.value_at + 8, bits.to_bytes(8, "big"))
            return Code.ID_FREE, name, found.page
    raise AssertionError("no entry has a node in use")


@tree_breaking
def a_text_in_use_is_behind_the_highest_id(broken: TreeBreaker) -> Expected:
    name = f"{FILES[Store.STRINGS]}.id"
    for page in (1, 2):
        broken.put_in(name, page * PAGE + 118, struct.pack(">q", 20))
    return Code.ID_HIGH, name, broken.tree(name, IDS).state.root


@tree_breaking
def two_counts_change_places(broken: TreeBreaker) -> Expected:
    first, second = list(broken.entries(COUNTS_FILE, COUNTS))[3:5]
    broken.put_in(COUNTS_FILE, first.key_at, second.key + first.key)
    broken.put_in(COUNTS_FILE, first.value_at, second.value + first.value)
    return Code.TREE_ORDER, COUNTS_FILE, first.page


@tree_breaking
def an_entry_of_a_token_index_is_there_twice(broken: TreeBreaker) -> Expected:
    name = broken.token_index("NODE")
    first, second = list(broken.entries(name, TOKENS))[:2]
    broken.put_in(name, second.key_at, first.key)
    return Code.TREE_ORDER, name, second.page


@tree_breaking
def a_tree_has_no_state(broken: TreeBreaker) -> Expected:
    for page in (1, 2):
        broken.put_in(COUNTS_FILE, page * PAGE, b"\x7f")
    return TreeCode.STATE, COUNTS_FILE, 1


@tree_breaking
def a_leaf_is_a_page_of_a_list(broken: TreeBreaker) -> Expected:
    page = broken.leaves(broken.tree(COUNTS_FILE, COUNTS))[1]
    broken.put_in(COUNTS_FILE, page * PAGE, b"\x02")
    return TreeCode.NODE, COUNTS_FILE, page


@tree_breaking
def a_root_leads_out_of_the_file(broken: TreeBreaker) -> Expected:
    tree = broken.tree(COUNTS_FILE, COUNTS)
    child = int(tree.layout.children(PAGE)[1])
    broken.put_in(COUNTS_FILE, tree.state.root * PAGE + child, struct.pack(">IIHH", 1, 9999, 0, 1 ^ 9999) + bytes(12))
    return TreeCode.POINTER, COUNTS_FILE, tree.state.root


@tree_breaking
def a_leaf_names_no_right_neighbour(broken: TreeBreaker) -> Expected:
    page = broken.leaves(broken.tree(COUNTS_FILE, COUNTS))[0]
    broken.put_in(COUNTS_FILE, page * PAGE + 10, struct.pack(">IIHH", 1, 0, 0, 1) + bytes(12))
    return TreeCode.SIBLING, COUNTS_FILE, page


@tree_breaking
def an_index_holds_another_node(broken: TreeBreaker) -> Expected:
    found = list(broken.keys("bulk_key"))[5]
    broken.put_in(found.file, found.at + 2, b"\x01")
    return Code.INDEX_EXTRA, found.file, found.page


@tree_breaking
def an_index_does_not_hold_a_node(broken: TreeBreaker) -> Expected:
    found = list(broken.keys("bulk_key"))[400]
    broken.put_in(found.file, found.at + 2, b"\x01")
    return Code.INDEX_MISSING, NODES, found.entity


@tree_breaking
def an_index_holds_a_node_under_another_number(broken: TreeBreaker) -> Expected:
    found = list(broken.keys("bulk_key"))[-1]
    broken.put_in(found.file, found.at + len(found.key) - 3, b"\x7f")
    return Code.INDEX_EXTRA, found.file, found.page


@tree_breaking
def an_index_holds_a_node_under_another_text(broken: TreeBreaker) -> Expected:
    found = list(broken.keys("person_name"))[-1]
    broken.put_in(found.file, found.at + len(found.key) - 1, b"z")
    return Code.INDEX_MISSING, NODES, found.entity


@tree_breaking
def an_index_on_two_properties_holds_a_node_under_another_second_value(broken: TreeBreaker) -> Expected:
    found = next(one for one in broken.keys("typed_both") if one.key[8] == 8)
    broken.put_in(found.file, found.at + len(found.key) - 1, b"\x63")
    return Code.INDEX_EXTRA, found.file, found.page


@tree_breaking
def a_date_in_an_index_is_another_day(broken: TreeBreaker) -> Expected:
    found = next(one for one in broken.keys("typed_value") if one.key[8] == 3)
    broken.put_in(found.file, found.at + 16, b"\x11")
    return Code.INDEX_EXTRA, found.file, found.page


@tree_breaking
def a_number_in_an_index_is_a_point(broken: TreeBreaker) -> Expected:
    found = next(one for one in broken.keys("typed_value") if one.key[8] == 9)
    broken.put_in(found.file, found.at + 8, b"\x00")
    return Code.INDEX_MISSING, NODES, found.entity


@tree_breaking
def a_relationship_has_another_value_than_in_the_index(broken: TreeBreaker) -> Expected:
    found = list(broken.keys("knows_since"))[7]
    record = int(broken.relationships.property[found.entity])
    broken.block(record, 0, lambda long: long ^ 1 << 29)
    return Code.INDEX_MISSING, TIES, found.entity


@tree_breaking
def an_index_holds_a_node_twice(broken: TreeBreaker) -> Expected:
    first, second = list(broken.keys("bulk_text"))[3:5]
    broken.put_in(second.file, second.offset_at, broken.pages.read(first.file, first.offset_at, 2).tobytes())
    return Code.INDEX_EXTRA, second.file, second.page


@tree_breaking
def an_index_has_texts_out_of_order(broken: TreeBreaker) -> Expected:
    keys = list(broken.keys("person_name"))
    first, last = keys[1], keys[-2]
    for one, other in ((first, last), (last, first)):
        broken.put_in(one.file, one.offset_at, broken.pages.read(other.file, other.offset_at, 2).tobytes())
    return Code.TREE_ORDER, last.file, last.page


@tree_breaking
def numbers_are_out_of_order_where_one_leaf_ends(broken: TreeBreaker) -> Expected:
    keys = list(broken.keys("bulk_key"))
    place = next(row for row in range(1, len(keys)) if keys[row].page != keys[row - 1].page)
    broken.put_in(keys[place].file, keys[place].at + 10, bytes(8))
    return Code.TREE_ORDER, keys[place].file, keys[place].page


@tree_breaking
def a_key_of_an_index_is_outside_of_its_page(broken: TreeBreaker) -> Expected:
    found = next(broken.keys("bulk_text"))
    broken.put_in(found.file, found.offset_at, b"\xff\xff")
    return TreeCode.ENTRY, found.file, found.page


@tree_breaking
def a_key_of_an_index_is_of_an_unknown_type(broken: TreeBreaker) -> Expected:
    found = next(broken.keys("bulk_text"))
    broken.put_in(found.file, found.at + 8, b"\x40")
    return TreeCode.ENTRY, found.file, found.page
