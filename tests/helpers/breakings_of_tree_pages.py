"""Ways to break what leads through a tree, and the list of its free pages, each with what a check has to find."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from helpers.breaking_trees import Expected, TreeBreaker, TreeBreaking
from neokeep.neo4j.store.damage import TreeCode
from neokeep.neo4j.store.tree import DYNAMIC_HEADER, HEADER, Tree
from neokeep.neo4j.store.tree_layouts import COUNTS, COUNTS_FILE

if TYPE_CHECKING:
    from collections.abc import Callable

PAGE = 8192
BULK, TEXTS = "bulk_key", "bulk_text"
LIST_HEADER, LIST_ENTRY = 7, 10

PAGE_BREAKINGS: list[TreeBreaking] = []
"""Apart from those that are compared with Neo4j's check one by one: the page on consistency tells of larger trees."""


def page_breaking(function: Callable[[TreeBreaker], Expected]) -> Callable[[TreeBreaker], Expected]:
    """Note a way, named as its function is."""
    PAGE_BREAKINGS.append(TreeBreaking(function.__name__.replace("_", " "), function))
    return function


def bulk(broken: TreeBreaker, rule: str = BULK) -> Tree:
    return broken.tree(*broken.property_index(rule))


def root_key(broken: TreeBreaker, tree: Tree) -> tuple[int, int]:
    """Tell where in the file the first key of a root begins, behind what tells its size, and how long it is."""
    base = tree.state.root * PAGE
    offset = int.from_bytes(broken.pages.read(tree.name, base + DYNAMIC_HEADER + 24, 2).tobytes(), "big")
    return base + offset + 1, int(broken.pages.read(tree.name, base + offset, 1)[0]) & 31


def free_entry(tree: Tree, number: int) -> int:
    """Tell where in the file an entry of the list of free pages stands: of the first page of the list."""
    return tree.state.free_from[0] * PAGE + LIST_HEADER + LIST_ENTRY * (tree.state.free_from[1] + number)


def named_free(broken: TreeBreaker, tree: Tree, number: int) -> int:
    return int.from_bytes(broken.pages.read(tree.name, free_entry(tree, number) + 4, 4).tobytes(), "big")


def put_state(broken: TreeBreaker, tree: Tree, at: int, value: bytes) -> None:
    """Change both copies of both states."""
    for page in (1, 2):
        for copy in (0, 57):
            broken.put_in(tree.name, page * PAGE + copy + at, value)


@page_breaking
def a_key_of_a_root_comes_behind_what_is_right_of_it(broken: TreeBreaker) -> Expected:
    tree = broken.tree(COUNTS_FILE, COUNTS)
    broken.put_in(COUNTS_FILE, tree.state.root * PAGE + HEADER, b"\x7f")
    return TreeCode.SEPARATOR, COUNTS_FILE, tree.state.root


@page_breaking
def a_key_of_a_root_comes_before_what_is_left_of_it(broken: TreeBreaker) -> Expected:
    tree = broken.tree(COUNTS_FILE, COUNTS)
    broken.put_in(COUNTS_FILE, tree.state.root * PAGE + HEADER, b"\x00")
    return TreeCode.SEPARATOR, COUNTS_FILE, tree.state.root


@page_breaking
def a_number_in_the_root_of_an_index_is_too_great(broken: TreeBreaker) -> Expected:
    tree = bulk(broken)
    at, length = root_key(broken, tree)
    broken.put_in(tree.name, at + length - 6, b"\x01")
    return TreeCode.SEPARATOR, tree.name, tree.state.root


@page_breaking
def a_text_in_the_root_of_an_index_is_too_small(broken: TreeBreaker) -> Expected:
    tree = bulk(broken, TEXTS)
    at, length = root_key(broken, tree)
    broken.put_in(tree.name, at + length - 7, b"s")
    return TreeCode.SEPARATOR, tree.name, tree.state.root


@page_breaking
def a_key_in_the_root_of_an_index_is_of_an_unknown_type(broken: TreeBreaker) -> Expected:
    tree = bulk(broken)
    broken.put_in(tree.name, root_key(broken, tree)[0] + 8, b"\x40")
    return TreeCode.ENTRY, tree.name, tree.state.root


@page_breaking
def a_key_in_the_root_of_an_index_is_outside_of_its_page(broken: TreeBreaker) -> Expected:
    tree = bulk(broken)
    broken.put_in(tree.name, tree.state.root * PAGE + DYNAMIC_HEADER + 24, b"\xff\xff")
    return TreeCode.ENTRY, tree.name, tree.state.root


@page_breaking
def a_way_to_a_leaf_is_older_than_the_leaf(broken: TreeBreaker) -> Expected:
    tree = bulk(broken)
    leaf = broken.leaves(tree)[0]
    way = struct.pack(">IIHH", 1, leaf, 0, 1 ^ leaf) + bytes(12)
    broken.put_in(tree.name, tree.state.root * PAGE + DYNAMIC_HEADER, way)
    return TreeCode.POINTER, tree.name, tree.state.root


@page_breaking
def a_leaf_is_free(broken: TreeBreaker) -> Expected:
    tree = bulk(broken)
    leaf = broken.leaves(tree)[1]
    broken.put_in(tree.name, free_entry(tree, 0) + 4, struct.pack(">IH", leaf, 0))
    return TreeCode.FREE, tree.name, leaf


@page_breaking
def a_page_is_free_twice(broken: TreeBreaker) -> Expected:
    tree = bulk(broken)
    page = named_free(broken, tree, 0)
    broken.put_in(tree.name, free_entry(tree, 1) + 4, struct.pack(">IH", page, 0))
    return TreeCode.FREE, tree.name, page


@page_breaking
def a_page_that_is_none_is_free(broken: TreeBreaker) -> Expected:
    tree = bulk(broken)
    broken.put_in(tree.name, free_entry(tree, 0) + 4, struct.pack(">IH", 7, 1))
    return TreeCode.FREE, tree.name, tree.state.free_from[0]


@page_breaking
def a_page_is_free_since_a_time_to_come(broken: TreeBreaker) -> Expected:
    tree = bulk(broken)
    broken.put_in(tree.name, free_entry(tree, 0), struct.pack(">I", tree.state.unstable + 9))
    return TreeCode.FREE, tree.name, tree.state.free_from[0]


@page_breaking
def the_list_of_free_pages_begins_in_none(broken: TreeBreaker) -> Expected:
    tree = bulk(broken)
    put_state(broken, tree, 40, struct.pack(">q", 9999))
    return TreeCode.FREE, tree.name, tree.state_page


@page_breaking
def the_list_of_free_pages_begins_in_a_leaf(broken: TreeBreaker) -> Expected:
    tree = bulk(broken)
    leaf = broken.leaves(tree)[0]
    put_state(broken, tree, 40, struct.pack(">q", leaf))
    return TreeCode.FREE, tree.name, leaf


@page_breaking
def the_list_of_free_pages_goes_on_in_itself(broken: TreeBreaker) -> Expected:
    tree = bulk(broken)
    page = tree.state.free_from[0]
    put_state(broken, tree, 32, struct.pack(">q", 5))
    broken.put_in(tree.name, page * PAGE + 1, struct.pack(">IH", page, 0))
    return TreeCode.FREE, tree.name, page


@page_breaking
def a_leaf_is_the_next_new_page(broken: TreeBreaker) -> Expected:
    tree = bulk(broken)
    last = max(broken.leaves(tree))
    put_state(broken, tree, 24, struct.pack(">q", last - 1))
    return TreeCode.FREE, tree.name, last


@page_breaking
def a_free_page_is_forgotten(broken: TreeBreaker) -> Expected:
    tree = bulk(broken)
    count = tree.state.free_to[1] - tree.state.free_from[1]
    put_state(broken, tree, 48, struct.pack(">i", tree.state.free_to[1] - 1))
    return TreeCode.LOST, tree.name, named_free(broken, tree, count - 1)
