"""The keys in inner pages of a tree beside the entries of the leaves that they separate, as pairs to be compared.

What is left of such a key comes before it; what is right of it comes behind it, or is the same. All inner keys separate
two leaves, whatever their level: so all are held against leaves, and those of one page follow on one another through
the leaves between them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from neokeep.neo4j.store.damage import TreeCode, TreeDamage
from neokeep.neo4j.store.tree import Places
from neokeep.neo4j.store.tree_entries import DynamicEntries, LocatedKeys

if TYPE_CHECKING:
    from neokeep.neo4j.store.pages import Bytes, Flags, Numbers
    from neokeep.neo4j.store.tree import LeafPages, Tree, Walk
    from neokeep.neo4j.store.tree_entries import FixedEntries, LeafEntries

_NUMBER_BITS = 16


@dataclass(frozen=True, slots=True)
class Pairs:
    """Of each pair: the place of the inner key, the leaf beside it, and whether the two may be the same.

    `low` and `high` are rows of the entries of the leaves, or, from the number of those on, of the keys at `places`;
    `own` tells which of those are left of a leaf, as each but the outermost is of one.
    """

    key: Places
    leaves: Numbers
    low: Numbers
    high: Numbers
    may_be_same: Flags
    places: Places
    own: Flags

    @property
    def rows(self) -> Numbers:
        """Rows of one key after the other: the low one of a pair, then the high one."""
        return np.stack([self.low, self.high], axis=1).reshape(-1)


def pairs_of(leaves: LeafPages) -> Pairs:
    """Tell which entries, by their rows, have to stand on which side of which inner keys."""
    codes = [of.pages << _NUMBER_BITS | of.numbers for of in (leaves.before, leaves.after)]
    known = np.unique(np.concatenate([of[of > 0] for of in codes]))
    before, after = (np.searchsorted(known, of) for of in codes)
    entries, counts = int(leaves.counts.sum()), leaves.counts
    first = np.cumsum(counts) - counts
    last, there = first + counts - 1, counts > 0
    begun, ended = leaves.before.pages > 0, leaves.after.pages > 0
    # Behind a key, before a key, and between two where a leaf is empty.
    parts = (
        (begun & there, leaves.before, before + entries, first),
        (ended & there, leaves.after, last, after + entries),
        (begun & ended & ~there, leaves.before, before + entries, after + entries),
    )
    key = Places(
        np.concatenate([of.pages[rows] for rows, of, _, _ in parts]),
        np.concatenate([of.numbers[rows] for rows, of, _, _ in parts]),
    )
    return Pairs(
        key,
        np.concatenate([leaves.pages[rows] for rows, *_ in parts]),
        np.concatenate([low[rows] for rows, _, low, _ in parts]),
        np.concatenate([high[rows] for rows, _, _, high in parts]),
        np.repeat([True, False, False], [int(rows.sum()) for rows, *_ in parts]),
        Places(known >> _NUMBER_BITS, known & (1 << _NUMBER_BITS) - 1),
        np.isin(known, codes[0]),
    )


def fixed_pairs(tree: Tree, found: FixedEntries, pairs: Pairs) -> Bytes:
    """Give the keys of pairs, a row each: the low one of each and then the high one."""
    pages, rows = np.unique(pairs.places.pages, return_inverse=True)
    at = tree.layout.inner_keys(pairs.places.numbers)
    inner = tree.read(pages)[rows[:, None], at[:, None] + np.arange(tree.layout.key_bytes)]
    return np.concatenate([found.keys, inner])[pairs.rows]


def dynamic_pairs(
    tree: Tree, found: LeafEntries, pairs: Pairs, damages: list[TreeDamage], walk: Walk | None
) -> DynamicEntries:
    """Give the keys of pairs one after the other too; `pages` are their rows.

    Pairs with a key that cannot be read are left out; `walk` is told of pages that such keys have of their own.
    """
    inner = pairs.places
    pages, rows = np.unique(inner.pages, return_inverse=True)
    content = tree.read(pages).reshape(-1)
    keys = LocatedKeys.at(tree, content, rows, tree.layout.inner_keys(inner.numbers))
    content = keys.bring(tree, inner.pages, damages, walk, pairs.own)
    for row in np.flatnonzero((keys.lengths < 0) & pairs.own).tolist():
        detail = f"its key {inner.numbers[row]} cannot be read"
        damages.append(TreeDamage(TreeCode.ENTRY, tree.name, int(inner.pages[row]), detail))
    begins = np.concatenate([found.begins, keys.begins + len(found.content)])[pairs.rows]
    lengths = np.concatenate([found.lengths, keys.lengths])[pairs.rows]
    good = np.repeat((lengths.reshape(-1, 2) >= 0).all(axis=1), 2)
    content = np.concatenate([found.content, content])
    return DynamicEntries(np.flatnonzero(good), content, begins[good], lengths[good])
