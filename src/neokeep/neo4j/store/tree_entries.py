"""The entries of a tree, in the order of their keys, in batches of some pages: as columns, never one by one.

`fixed_entries` is for keys and values of fixed sizes, `dynamic_entries` for keys of any size; long ones of those stand
in pages of their own, which are read with the rest. What cannot be read is told as damage, by page, and left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from neokeep.neo4j.store.damage import TreeCode, TreeDamage
from neokeep.neo4j.store.tree import DYNAMIC_HEADER, HEADER, LeafPages

if TYPE_CHECKING:
    from collections.abc import Iterator

    from neokeep.neo4j.store.pages import Bytes, Numbers
    from neokeep.neo4j.store.tree import Tree

_MORE, _VALUED, _ELSEWHERE = 0x40, 0x20, 0x80
_LOW_BITS, _LOW_VALUE_BITS = 5, 7
_ELSEWHERE_PAGE, _ELSEWHERE_KEY = 3, 17
_ELSEWHERE_AT_ONCE = 2048
"""Keys in pages of their own that are held together: 16 MiB."""


@dataclass(frozen=True, slots=True)
class FixedEntries:
    """Entries of fixed size: the page of each, and uint8, a row each, of keys and of values."""

    pages: Numbers
    keys: Bytes
    values: Bytes


@dataclass(frozen=True, slots=True)
class DynamicEntries:
    """Entries of any size: the page of each, and where in `content` (uint8) its key begins, and how long it is."""

    pages: Numbers
    content: Bytes
    begins: Numbers
    lengths: Numbers


def fixed_entries(tree: Tree, damages: list[TreeDamage]) -> Iterator[FixedEntries]:
    """Read all entries of a tree whose keys and values have fixed sizes."""
    layout = tree.layout
    most = layout.most_keys(tree.page_bytes, leaf=True)
    for leaves in tree.leaves(damages):
        there = np.arange(most) < leaves.counts[:, None]
        parts = []
        at = HEADER
        for size in (layout.key_bytes, layout.value_bytes):
            parts.append(leaves.content[:, at : at + most * size].reshape(-1, most, size)[there])
            at += most * size
        yield FixedEntries(np.repeat(leaves.pages, leaves.counts), *parts)


def dynamic_entries(tree: Tree, damages: list[TreeDamage]) -> Iterator[DynamicEntries]:
    """Read all entries of a tree whose keys have no fixed size; values are left out."""
    for leaves in tree.leaves(damages):
        yield from _dynamic(tree, leaves, damages)


def _dynamic(tree: Tree, leaves: LeafPages, damages: list[TreeDamage]) -> Iterator[DynamicEntries]:
    most = tree.layout.most_keys(tree.page_bytes, leaf=True)
    there = np.arange(most) < leaves.counts[:, None]
    rows, places = np.nonzero(there)
    content = leaves.content.reshape(-1)
    base = rows * tree.page_bytes
    at = base + DYNAMIC_HEADER + 2 * places
    offsets = content[at].astype(np.int64) << 8 | content[at + 1]
    begins, lengths, elsewhere = _sizes(content, base, offsets, tree.page_bytes)
    if elsewhere.sum() > _ELSEWHERE_AT_ONCE and len(leaves.pages) > 1:
        half = len(leaves.pages) // 2
        for part in (slice(half), slice(half, None)):
            some = LeafPages(leaves.pages[part], leaves.counts[part], leaves.content[part])
            yield from _dynamic(tree, some, damages)
        return
    pages = leaves.pages[rows]
    content = np.concatenate([content, _keys_elsewhere(tree, content, begins, lengths, elsewhere)])
    bad = lengths < 0
    for row in np.flatnonzero(bad).tolist():
        detail = f"its entry {places[row]} cannot be read"
        damages.append(TreeDamage(TreeCode.ENTRY, tree.name, int(pages[row]), detail))
    yield DynamicEntries(pages[~bad], content, begins[~bad], lengths[~bad])


def _sizes(content: Bytes, base: Numbers, offsets: Numbers, page_bytes: int) -> tuple[Numbers, Numbers, Numbers]:
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


def _keys_elsewhere(tree: Tree, content: Bytes, begins: Numbers, lengths: Numbers, elsewhere: Numbers) -> Bytes:
    """Read keys that stand in pages of their own; `begins` and `lengths` are made to be those behind the content."""
    rows = np.flatnonzero(elsewhere)
    if not len(rows):
        return np.zeros(0, np.uint8)
    named = content[begins[rows, None] + np.arange(8)].astype(np.int64)
    numbers = (named << 8 * np.arange(7, -1, -1)).sum(axis=1)
    inside = (numbers > 0) & (numbers < tree.count)
    found = np.zeros((len(rows), tree.page_bytes), np.uint8)
    found[inside] = tree.read(numbers[inside])
    head = found[:, 9:13].astype(np.int64)
    said = (head << 8 * np.arange(3, -1, -1)).sum(axis=1)
    good = inside & (found[:, 0] == _ELSEWHERE_PAGE) & (said <= tree.page_bytes - _ELSEWHERE_KEY)
    lengths[rows] = np.where(good, said, -1)
    begins[rows] = len(content) + np.arange(len(rows)) * tree.page_bytes + _ELSEWHERE_KEY
    return found.reshape(-1)
