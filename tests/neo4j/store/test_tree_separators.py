"""Keys of inner pages are held against what they separate, on all levels; pages are in use or free, and that once."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from helpers.made_tree import LAYOUT, NAME, MadeTree, made_tree
from helpers.properties import examples
from neokeep.consistency.tree_reading import ascending
from neokeep.neo4j.store import tree
from neokeep.neo4j.store.pages import DirectoryPages
from neokeep.neo4j.store.tree import open_tree
from neokeep.neo4j.store.tree_entries import fixed_entries
from neokeep.neo4j.store.tree_layouts import signed
from neokeep.neo4j.store.tree_separators import fixed_pairs, pairs_of
from neokeep.neo4j.store.tree_space import check_space

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from neokeep.neo4j.store.damage import TreeDamage

KEYS = st.lists(st.integers(-(2**40), 2**40), min_size=1, max_size=150, unique=True).map(
    lambda found: [2 * key for key in sorted(found)]
)


def looked_at(made: MadeTree, folder: Path) -> tuple[list[int], set[tuple[int, int]], list[TreeDamage]]:
    """Give the keys of the leaves, the places of inner keys that do not separate, and other damage."""
    made.write(folder)
    keys: list[int] = []
    wrong: set[tuple[int, int]] = set()
    damages: list[TreeDamage] = []
    with DirectoryPages(folder) as pages:
        found = open_tree(pages, NAME, LAYOUT)
        walk = found.walk()
        for entries in fixed_entries(found, damages, walk):
            keys.extend(signed(entries.keys).tolist())
            pairs = pairs_of(entries.leaves)
            numbers = signed(fixed_pairs(found, entries, pairs))
            good = ascending([numbers], np.repeat(pairs.may_be_same, 2)[1:])[::2]
            bad = pairs.key.at(np.flatnonzero(~good))
            wrong |= set(zip(bad.pages.tolist(), bad.numbers.tolist(), strict=True))
        return keys, wrong, damages + check_space(found, walk)


@examples(60)
@given(keys=KEYS, seed=st.integers(0, 2**32), free=st.integers(0, 40), together=st.sampled_from([1, 3, 512]))
def test_a_tree_of_any_height_is_whole(
    keys: list[int],
    seed: int,
    free: int,
    together: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    made, usual = made_tree(keys, random.Random(seed), free), tree.PAGES_AT_ONCE
    tree.PAGES_AT_ONCE = together
    try:
        assert looked_at(made, tmp_path_factory.mktemp("made")) == (keys, set(), [])
    finally:
        tree.PAGES_AT_ONCE = usual


@examples(60)
@given(keys=KEYS.filter(lambda found: len(found) > 1), seed=st.integers(0, 2**32), data=st.data())
def test_an_inner_key_is_told_where_it_does_not_separate(
    keys: list[int], seed: int, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    made = made_tree(keys, random.Random(seed))
    if not made.inner:
        return
    page, number, left, right = data.draw(st.sampled_from(made.inner))
    key = data.draw(st.integers(left - 3, right + 3))
    made.put_inner(page, number, key)
    separates = left < key <= right
    assert looked_at(made, tmp_path_factory.mktemp("made")) == (keys, set() if separates else {(page, number)}, [])


def test_trees_of_four_levels_and_long_lists_of_free_pages_are_among_them() -> None:
    made = made_tree(range(0, 300, 2), random.Random(3))
    assert made.levels >= 4
    assert made.pages[3][1:7] != bytes(6)
