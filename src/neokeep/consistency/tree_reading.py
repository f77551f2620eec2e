"""What all checks of trees share: opening them, telling what is damaged in them, and that keys are in order.

A tree that cannot be judged, as it is not there or of a layout that neokeep does not know, is noted with the reason:
it is no inconsistency, but nobody shall think that it was looked at.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from neokeep.consistency.codes import Code
from neokeep.neo4j.store.damage import TreeCode
from neokeep.neo4j.store.tree import Layout, Tree, Unreadable, open_tree
from neokeep.neo4j.store.tree_entries import fixed_entries
from neokeep.neo4j.store.tree_separators import fixed_pairs, pairs_of
from neokeep.neo4j.store.tree_space import check_space

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from neokeep.consistency.findings import Findings
    from neokeep.consistency.state import State
    from neokeep.neo4j.store.damage import TreeDamage
    from neokeep.neo4j.store.pages import Bytes, Flags, Numbers, StorePages
    from neokeep.neo4j.store.tree_separators import Pairs
    from neokeep.progress import Progress

AT_ONCE = 16 * 1024
"""Entries that are expanded together where each stands for many ids."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A part of a store that was not looked at, and why."""

    part: str
    why: str


@dataclass(slots=True)
class Trees:
    """The trees of the store of one check; `left_out` are those that were not looked at.

    A `silent` one tells nothing of what is wrong inside trees: for reading one again.
    """

    state: State
    files: StorePages
    progress: Progress
    left_out: list[LeftOut] = field(default_factory=list)
    silent: bool = False

    @property
    def findings(self) -> Findings:
        """What the whole check has found."""
        return self.state.findings

    def open(self, name: str, layout: Layout) -> Tree | None:
        """Open a tree; None where it is not looked at, which is noted."""
        try:
            return open_tree(self.files, name, layout)
        except Unreadable as problem:
            if problem.damage is not None:
                self.tell([problem.damage])
            self.leave_out(name, str(problem))
            return None

    def advance(self, tree: Tree, pages: Numbers) -> None:
        """Say that leaves were read, by the page of each of their entries."""
        self.progress.advance((int(np.count_nonzero(np.diff(pages))) + 1) * tree.page_bytes if len(pages) else 0)

    def leave_out(self, part: str, why: str) -> None:
        """Note that a part is not looked at."""
        self.left_out.append(LeftOut(part, why))

    def tell(self, damages: list[TreeDamage]) -> None:
        """Note damage, and forget it in the list."""
        for damage in [] if self.silent else damages:
            self.findings.add(damage.code, damage.file, damage.page, damage.detail)
        damages.clear()


@dataclass(frozen=True, slots=True)
class Entries:
    """Entries of a tree: the page of each, the columns of its key, and keys and values (uint8, a row each)."""

    pages: Numbers
    columns: tuple[Numbers, ...]
    keys: Bytes
    values: Bytes


def read_fixed(
    trees: Trees, tree: Tree, columns_of: Callable[[Bytes], tuple[Numbers, ...]], *, most: int | None = None
) -> Iterator[Entries]:
    """Read the entries of a tree, so many at a time at most; damage and keys out of order are told.

    All have to be taken, for what has to be known of all pages.
    """
    damages: list[TreeDamage] = []
    before: tuple[Numbers, ...] | None = None
    walk = None if trees.silent else tree.walk()
    for found in fixed_entries(tree, damages, walk):
        trees.tell(damages)
        trees.advance(tree, found.pages)
        columns = columns_of(found.keys)
        if walk is not None:
            pairs = pairs_of(found.leaves)
            both = columns_of(fixed_pairs(tree, found, pairs))
            tell_separators(trees, tree, pairs, ascending(both, np.repeat(pairs.may_be_same, 2)[1:])[::2])
        if not len(found.pages):
            continue
        joined = columns if before is None else [np.append(*pair) for pair in zip(before, columns, strict=True)]
        tell_order(trees, tree, found.pages, ~ascending(joined))
        before = tuple(column[-1:] for column in columns)
        step = most or len(found.pages)
        for begin in range(0, len(found.pages), step):
            some = slice(begin, begin + step)
            yield Entries(
                found.pages[some], tuple(column[some] for column in columns), found.keys[some], found.values[some]
            )
    trees.tell(damages)
    if walk is not None:
        trees.tell(check_space(tree, walk))


def ascending(columns: Sequence[Numbers], may_be_same: Flags | bool = False) -> Flags:  # noqa: FBT001, FBT002 -- a column
    """Tell of each row but the first whether it comes behind the one before it: by the first column, then the next.

    Where it may be the same, that too.
    """
    more = np.zeros(max(0, len(columns[0]) - 1), np.bool_)
    same = np.ones(len(more), np.bool_)
    for column in columns:
        more |= same & (column[1:] > column[:-1])
        same &= column[1:] == column[:-1]
    return more | same & may_be_same


def tell_order(trees: Trees, tree: Tree, pages: Numbers, wrong: Flags) -> None:
    """Note keys that do not come behind those before them; `wrong` is of the last of the pages, or of all."""
    rows = np.flatnonzero(wrong) + len(pages) - len(wrong)
    if trees.silent:
        return
    trees.findings.add_each(
        Code.TREE_ORDER, tree.name, pages[rows], "an entry of it does not come behind the one before it"
    )


def tell_separators(trees: Trees, tree: Tree, pairs: Pairs, good: Flags) -> None:
    """Note keys of inner pages that do not separate the leaves beside them; `good` is of the pairs."""
    for right, text in (
        (True, "its key {0} comes behind what is right of it, in page {1}"),
        (False, "its key {0} does not come behind what is left of it, in page {1}"),
    ):
        rows = np.flatnonzero(~good & (pairs.may_be_same == right))
        trees.findings.add_each(
            TreeCode.SEPARATOR, tree.name, pairs.key.pages[rows], text, pairs.key.numbers[rows], pairs.leaves[rows]
        )
