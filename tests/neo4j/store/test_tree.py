"""Trees are read as real servers of three versions left them, and damaged ones end in findings, never in a loop."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.flipped import FlippedPages
from helpers.indexed_store import QUICK, unpack
from helpers.properties import examples
from neokeep.neo4j.store.damage import TreeCode, TreeDamage
from neokeep.neo4j.store.pages import DirectoryPages
from neokeep.neo4j.store.tree import DYNAMIC_HEADER, Layout, Tree, Unreadable, open_tree
from neokeep.neo4j.store.tree_entries import dynamic_entries, fixed_entries

if TYPE_CHECKING:
    from collections.abc import Iterator

    from neokeep.neo4j.store.pages import StorePages

COUNTS = Layout(0x436F4C61000003DB, (0, 1), 13, 8)
RANGE, BTREE = Layout(0x524C00000001, (0, 1)), Layout(0x4E53494C00000001, (0, 5))
PAGE = 8192
COUNTS_FILE = "neostore.counts.db"
TYPED, BULK_KEY = 6, 10
"""The indexes of the stores with all kinds of values, and with entries in several leaves."""


@pytest.fixture(scope="module", params=QUICK)
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, StorePages]]:
    version = str(request.param)
    with DirectoryPages(unpack(version, tmp_path_factory.mktemp("indexed"))) as pages:
        yield version, pages


def index_of(version: str, number: int) -> tuple[str, Layout]:
    provider, layout = ("native-btree", BTREE) if version.startswith("4.") else ("range", RANGE)
    return f"schema/index/{provider}-1.0/{number}/index-{number}", layout


def counts_of(pages: StorePages) -> tuple[dict[bytes, int], list[TreeDamage]]:
    damages: list[TreeDamage] = []
    found: dict[bytes, int] = {}
    for entries in fixed_entries(open_tree(pages, COUNTS_FILE, COUNTS), damages):
        values = entries.values.reshape(-1, 8).view(">i8")[:, 0].tolist()
        found |= dict(zip(map(bytes, entries.keys), values, strict=True))
    return found, damages


def keys_of(pages: StorePages, name: str, layout: Layout) -> tuple[list[bytes], list[TreeDamage]]:
    damages: list[TreeDamage] = []
    found = []
    for entries in dynamic_entries(open_tree(pages, name, layout), damages):
        content = entries.content.tobytes()
        for begin, length in zip(entries.begins.tolist(), entries.lengths.tolist(), strict=True):
            found.append(content[begin : begin + length])
    return found, damages


def pages_of(tree: Tree) -> tuple[list[int], list[int]]:
    """Give the pages of the tree above the leaves, and those of the leaves."""
    damages: list[TreeDamage] = []
    leaves = [page for found in tree.leaves(damages) for page in found.pages.tolist()]
    above = [] if leaves == [tree.state.root] else [tree.state.root]
    return above, leaves


def test_counts_are_read_over_several_leaves_in_the_order_of_keys(store: tuple[str, StorePages]) -> None:
    found, damages = counts_of(store[1])
    assert damages == []
    keys = [struct.unpack(">bqi", key) for key in found]
    assert len(keys) > 400
    assert keys == sorted(keys)
    # All nodes, and all relationships.
    assert found[struct.pack(">bqi", 1, -1, 0)] > 1000
    assert found[struct.pack(">bqi", 2, -1, -1)] > 250


def test_keys_of_any_size_are_read_over_several_leaves(store: tuple[str, StorePages]) -> None:
    version, pages = store
    name, layout = index_of(version, BULK_KEY)
    keys, damages = keys_of(pages, name, layout)
    assert damages == []
    assert len(pages_of(open_tree(pages, name, layout))[1]) > 2
    values = [struct.unpack(">q", key[10:])[0] for key in keys]
    assert values == sorted(values)
    wanted = [number for number in range(1, 1201) if number % 5]
    assert values == sorted(number if number % 7 else number + 10000 for number in wanted)


def test_a_key_with_a_page_of_its_own_is_read(store: tuple[str, StorePages]) -> None:
    version, pages = store
    keys, damages = keys_of(pages, *index_of(version, TYPED))
    assert damages == []
    assert len(keys) == 33
    assert any(key.endswith(b"much more than half a page " * 200) for key in keys)
    assert max(map(len, keys)) < 6000


def test_the_header_of_a_layout_is_given(store: tuple[str, StorePages]) -> None:
    version, pages = store
    assert open_tree(pages, *index_of(version, TYPED)).header == b"\x01"
    assert int.from_bytes(open_tree(pages, COUNTS_FILE, COUNTS).header, "big") > 10


def flip(pages: StorePages, name: str, page: int, at: int, value: bytes) -> FlippedPages:
    return FlippedPages(pages, {(name, page * PAGE + at + step): byte for step, byte in enumerate(value)})


def test_a_pointer_whose_checksums_are_wrong_is_not_followed(store: tuple[str, StorePages]) -> None:
    version, pages = store
    name, layout = index_of(version, BULK_KEY)
    tree = open_tree(pages, name, layout)
    begin = tree.state.root * tree.page_bytes + int(layout.children(tree.page_bytes)[0])
    # Each of its two slots ends with two bytes that prove it.
    flips = {(name, begin + at): int(pages.read(name, begin + at, 1)[0]) ^ 1 for at in (10, 22)}
    damages = keys_of(FlippedPages(pages, flips), name, layout)[1]
    assert (TreeCode.POINTER, tree.state.root) in {(one.code, one.page) for one in damages}


@pytest.mark.parametrize(
    ("where", "at", "value", "code"),
    [
        ("leaf", 0, b"\x02", TreeCode.NODE),
        ("leaf", 1, b"\x00", TreeCode.NODE),
        ("leaf", 2, b"\x7f", TreeCode.NODE),
        ("leaf", 6, b"\x7f", TreeCode.NODE),
        ("leaf", 10, bytes(24), TreeCode.SIBLING),
        ("leaf", 34, b"\xff" * 24, TreeCode.SIBLING),
        ("leaf", 58, bytes.fromhex("00000001000000030002") + bytes(2), TreeCode.POINTER),
        ("leaf", DYNAMIC_HEADER, b"\xff\xff", TreeCode.ENTRY),
        ("leaf", DYNAMIC_HEADER, b"\x00\x00", TreeCode.ENTRY),
        ("root", DYNAMIC_HEADER, bytes(24), TreeCode.POINTER),
        ("root", DYNAMIC_HEADER, b"\xff" * 24, TreeCode.POINTER),
    ],
)
def test_a_damaged_page_is_told(
    store: tuple[str, StorePages], where: str, at: int, value: bytes, code: TreeCode
) -> None:
    version, pages = store
    name, layout = index_of(version, BULK_KEY)
    above, leaves = pages_of(open_tree(pages, name, layout))
    page = leaves[1] if where == "leaf" else above[0]
    if code is TreeCode.POINTER and where == "leaf":
        value = struct.pack(">IIHH", 1, 5, 0, 1 ^ 5) + bytes(12)
    keys, damages = keys_of(flip(pages, name, page, at, value), name, layout)
    assert (code, page) in {(damage.code, damage.page) for damage in damages}
    assert all(damage.file == name for damage in damages)
    assert len(keys) <= 960


def test_a_page_that_two_ways_lead_to_is_walked_once(store: tuple[str, StorePages]) -> None:
    version, pages = store
    name, layout = index_of(version, BULK_KEY)
    above, _ = pages_of(open_tree(pages, name, layout))
    content = pages.read(name, above[0] * PAGE, PAGE).tobytes()
    first = content[DYNAMIC_HEADER : DYNAMIC_HEADER + 24]
    keys, damages = keys_of(flip(pages, name, above[0], DYNAMIC_HEADER + 26, first), name, layout)
    assert (TreeCode.POINTER, above[0]) in {(damage.code, damage.page) for damage in damages}
    assert len(keys) == len(set(keys)) < 960


def test_a_tree_that_leads_back_to_its_root_ends(store: tuple[str, StorePages]) -> None:
    version, pages = store
    name, layout = index_of(version, BULK_KEY)
    above, _ = pages_of(open_tree(pages, name, layout))
    back = struct.pack(">IIHH", 1, above[0], 0, 1 ^ above[0]) + bytes(12)
    keys, damages = keys_of(flip(pages, name, above[0], DYNAMIC_HEADER, back), name, layout)
    assert (TreeCode.POINTER, above[0]) in {(damage.code, damage.page) for damage in damages}
    assert len(keys) < 960


@pytest.mark.parametrize(
    ("changes", "reason", "damaged"),
    [
        ({0: b"\x00\x00\x00\x09"}, "layout is not known", False),
        ({8: b"\x01"}, "layout is not known", False),
        ({PAGE + 56: b"\0", PAGE + 113: b"\0", 2 * PAGE + 56: b"\0", 2 * PAGE + 113: b"\0"}, "closed in order", False),
        ({PAGE: bytes(114), 2 * PAGE: b"\x01"}, "neither of its two states", True),
    ],
)
def test_a_file_that_is_not_read_says_why(
    store: tuple[str, StorePages], changes: dict[int, bytes], reason: str, *, damaged: bool
) -> None:
    flips = {(COUNTS_FILE, at + step): byte for at, value in changes.items() for step, byte in enumerate(value)}
    with pytest.raises(Unreadable, match=reason) as raised:
        open_tree(FlippedPages(store[1], flips), COUNTS_FILE, COUNTS)
    assert (raised.value.damage is not None) is damaged
    with pytest.raises(Unreadable, match="not there"):
        open_tree(store[1], "neostore.nothing.db", COUNTS)


def test_a_file_that_ends_early_is_damaged(
    store: tuple[str, StorePages], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("short")
    content = store[1].read(COUNTS_FILE, 0, 10**6).tobytes()
    (folder / COUNTS_FILE).write_bytes(content[: 3 * PAGE])
    with DirectoryPages(folder) as pages, pytest.raises(Unreadable, match="which is no tree") as raised:
        open_tree(pages, COUNTS_FILE, COUNTS)
    assert raised.value.damage is not None
    (folder / COUNTS_FILE).write_bytes(content[: 4 * PAGE])
    with DirectoryPages(folder) as pages:
        assert counts_of(pages)[1]


FLIPS = st.dictionaries(
    st.tuples(st.integers(0, 23), st.one_of(st.integers(0, 200), st.integers(0, PAGE - 1))),
    st.integers(0, 255),
    min_size=1,
    max_size=40,
)


@examples(100)
@given(flips=FLIPS, whole=st.booleans())
def test_no_damage_makes_reading_crash_or_endless(
    store: tuple[str, StorePages], flips: dict[tuple[int, int], int], *, whole: bool
) -> None:
    version, pages = store
    for name, layout in ((COUNTS_FILE, COUNTS), index_of(version, TYPED), index_of(version, BULK_KEY)):
        places = {(name, page * PAGE + at): byte for (page, at), byte in flips.items() if page > 2 or whole}
        damages: list[TreeDamage] = []
        try:
            tree = open_tree(FlippedPages(pages, places), name, layout)
        except Unreadable:
            continue
        if layout.key_bytes:
            assert sum(len(found.keys) for found in fixed_entries(tree, damages)) <= 1000
        else:
            for found in dynamic_entries(tree, damages):
                assert np.all(found.begins + found.lengths <= len(found.content))
        assert all(damage.file == name for damage in damages)
