"""The entries of a tree, in the order of their keys, in batches of some pages: as columns, never one by one.

`fixed_entries` is for keys and values of fixed sizes, `dynamic_entries` for keys of any size; long ones of those stand
in pages of their own, which are read with the rest. What cannot be read is told as damage, by page, and left out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from neokeep.neo4j.store.damage import TreeCode, TreeDamage
from neokeep.neo4j.store.tree import DYNAMIC_HEADER, FIRST_PAGE, HEADER, LeafPages

if TYPE_CHECKING:
    from collections.abc import Iterator

    from neokeep.neo4j.store.pages import Bytes, Flags, Numbers
    from neokeep.neo4j.store.tree import Tree, Walk

_MORE, _VALUED, _ELSEWHERE = 0x40, 0x20, 0x80
_LOW_BITS, _LOW_VALUE_BITS = 5, 7
_ELSEWHERE_PAGE, _ELSEWHERE_KEY = 3, 17
_ELSEWHERE_AT_ONCE = 2048
"""Keys in pages of their own that are held together: 16 MiB."""


@dataclass(frozen=True, slots=True)
class FixedEntries:
    """Entries of fixed size: the page of each, and uint8, a row each, of keys and of values; the leaves they are of."""

    pages: Numbers
    keys: Bytes
    values: Bytes
    leaves: LeafPages


@dataclass(frozen=True, slots=True)
class DynamicEntries:
    """Entries of any size: the page of each, and where in `content` (uint8) its key begins, and how long it is."""

    pages: Numbers
    content: Bytes
    begins: Numbers
    lengths: Numbers


@dataclass(frozen=True, slots=True)
class LeafEntries(DynamicEntries):
    """All entries of some leaves; the counts of `leaves` are of those that can be read."""

    leaves: LeafPages


def fixed_entries(tree: Tree, damages: list[TreeDamage], walk: Walk | None = None) -> Iterator[FixedEntries]:
    """Read all entries of a tree whose keys and values have fixed sizes; `walk` is told what pages there are."""
    layout = tree.layout
    most = layout.most_keys(tree.page_bytes, leaf=True)
    for leaves in tree.leaves(damages, walk):
        there = np.arange(most) < leaves.counts[:, None]
        parts = []
        at = HEADER
        for size in (layout.key_bytes, layout.value_bytes):
            parts.append(leaves.content[:, at : at + most * size].reshape(-1, most, size)[there])
            at += most * size
        yield FixedEntries(np.repeat(leaves.pages, leaves.counts), parts[0], parts[1], leaves)


def dynamic_entries(tree: Tree, damages: list[TreeDamage], walk: Walk | None = None) -> Iterator[LeafEntries]:
    """Read all entries of a tree whose keys have no fixed size; values are left out."""
    for leaves in tree.leaves(damages, walk):
        yield from _dynamic(tree, leaves, damages, walk)


def _dynamic(tree: Tree, leaves: LeafPages, damages: list[TreeDamage], walk: Walk | None) -> Iterator[LeafEntries]:
    most = tree.layout.most_keys(tree.page_bytes, leaf=True)
    rows, places = np.nonzero(np.arange(most) < leaves.counts[:, None])
    keys = LocatedKeys.at(tree, leaves.content.reshape(-1), rows, DYNAMIC_HEADER + 2 * places)
    if keys.elsewhere.sum() > _ELSEWHERE_AT_ONCE and len(leaves.pages) > 1:
        half = len(leaves.pages) // 2
        for part in (slice(half), slice(half, None)):
            yield from _dynamic(tree, leaves.part(part), damages, walk)
        return
    pages = leaves.pages[rows]
    content = keys.bring(tree, pages, damages, walk)
    bad = keys.lengths < 0
    for row in np.flatnonzero(bad).tolist():
        detail = f"its entry {places[row]} cannot be read"
        damages.append(TreeDamage(TreeCode.ENTRY, tree.name, int(pages[row]), detail))
    counted = replace(leaves, counts=np.bincount(rows[~bad], minlength=len(leaves.pages)))
    yield LeafEntries(pages[~bad], content, keys.begins[~bad], keys.lengths[~bad], counted)


@dataclass(frozen=True, slots=True)
class LocatedKeys:
    """Keys of any size: where they begin in `content`, how long they are (-1: cannot be), which are in other pages."""

    content: Bytes
    begins: Numbers
    lengths: Numbers
    elsewhere: Flags

    @classmethod
    def at(cls, tree: Tree, content: Bytes, rows: Numbers, places: Numbers) -> LocatedKeys:
        """Find keys whose offsets stand at some places in pages, of which the content has a row each."""
        base = rows * tree.page_bytes
        offsets = content[base + places].astype(np.int64) << 8 | content[base + places + 1]
        return cls(content, *_sizes(content, base, offsets, tree.page_bytes))

    def bring(
        self, tree: Tree, pages: Numbers, damages: list[TreeDamage], walk: Walk | None, told: Flags | None = None
    ) -> Bytes:
        """Read the keys that stand in pages of their own; gives the content with them.

        `pages` are those that the keys are of; `told` has a flag for each, whether `walk` is told its page: without it
        all are.
        """
        rows = np.flatnonzero(self.elsewhere)
        if not len(rows):
            return self.content
        named = self.content[self.begins[rows, None] + np.arange(8)].astype(np.int64)
        numbers = (named << 8 * np.arange(7, -1, -1)).sum(axis=1)
        inside = (numbers >= FIRST_PAGE) & (numbers < tree.count)
        found = np.zeros((len(rows), tree.page_bytes), np.uint8)
        found[inside] = tree.read(numbers[inside])
        head = found[:, 9:13].astype(np.int64)
        said = (head << 8 * np.arange(3, -1, -1)).sum(axis=1)
        good = inside & (found[:, 0] == _ELSEWHERE_PAGE) & (said <= tree.page_bytes - _ELSEWHERE_KEY)
        self.lengths[rows] = np.where(good, said, -1)
        self.begins[rows] = len(self.content) + np.arange(len(rows)) * tree.page_bytes + _ELSEWHERE_KEY
        if walk is not None:
            own = np.flatnonzero(good if told is None else good & told[rows])
            for row in own[walk.take(numbers[own])].tolist():
                detail = f"more than one way leads to page {numbers[row]}"
                damages.append(TreeDamage(TreeCode.POINTER, tree.name, int(pages[rows[row]]), detail))
            walk.missed |= not good.all()
        return np.concatenate([self.content, found.reshape(-1)])


def _sizes(content: Bytes, base: Numbers, offsets: Numbers, page_bytes: int) -> tuple[Numbers, Numbers, Flags]:
    """Tell where keys begin in the content, how long they are (-1: cannot be), and which are in other pages."""
    inside = (offsets >= DYNAMIC_HEADER) & (offsets < page_bytes)
    last = base + page_bytes - 1
    at = np.where(inside, base + offsets, base)
    head, second = content[at].astype(np.int64), content[np.minimum(at + 1, last)].astype(np.int64)
    more = head & _MORE != 0
    elsewhere = inside & more & (second & _ELSEWHERE != 0)
    lengths = head & (1 << _LOW_BITS) - 1 | np.where(more, second << _LOW_BITS, 0)
    at = at + 1 + more
    valued = head & _VALUED != 0
    value = content[np.minimum(at, last)].astype(np.int64)
    two = valued & (value & 0x80 != 0)
    following = content[np.minimum(at + 1, last)].astype(np.int64)
    value_lengths = np.where(valued, value & 0x7F | np.where(two, following << _LOW_VALUE_BITS, 0), 0)
    at = at + valued + two
    alive = inside & (head & 0x80 == 0)
    # What is elsewhere is named by a number of eight bytes that begins behind the two.
    ends = np.where(elsewhere, at + 8, at + lengths + value_lengths)
    whole = alive & (ends <= last + 1)
    return at, np.where(whole, np.where(elsewhere, 0, lengths), -1), elsewhere & whole
