"""GBPTree files as trees: counts, degrees, token and range indexes, and id files are kept in them.

`open_tree` reads what the file says of itself; `Tree.leaves` walks from the root down, level by level, and gives the
leaf pages in the order of their keys. No page is walked twice, so damaged bytes end no walk in a loop. What is wrong is
told as damage, by page, and whatever else is whole is given. Layouts: docs/neo4j-formats.md.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from neokeep.neo4j.store.damage import TreeCode, TreeDamage
from neokeep.neo4j.store.gbptree import TreeState, page_size, parse_state

if TYPE_CHECKING:
    from collections.abc import Iterator

    from neokeep.neo4j.store.pages import Bytes, Flags, Numbers, StorePages

PAGES_AT_ONCE = 512
"""Pages of a tree that are held together: 4 MiB."""

HEADER, DYNAMIC_HEADER = 82, 86
_POINTER, _OFFSET = 24, 2
_RIGHT, _LEFT, _SUCCESSOR = 10, 34, 58
_TREE_NODE, _INTERNAL, _LEAF = 1, 0, 1
_FIXED, _DYNAMIC = 2, 3
_FIRST_NODE = 3
_META = struct.Struct(">iiqiiqq")
_STATE_HEADER = 114
_LONGEST_HEADER = 1024


@dataclass(frozen=True, slots=True)
class Layout:
    """What a tree holds: the number and version by which its file says so, and the bytes of a key and a value.

    Keys of no fixed size have 0 bytes, and no values.
    """

    identifier: int
    version: tuple[int, int]
    key_bytes: int = 0
    value_bytes: int = 0

    def most_keys(self, page_bytes: int, *, leaf: bool) -> int:
        """Tell how many keys fit into a page at most."""
        if self.key_bytes:
            if leaf:
                return (page_bytes - HEADER) // (self.key_bytes + self.value_bytes)
            return (page_bytes - HEADER - _POINTER) // (self.key_bytes + _POINTER)
        if leaf:
            return (page_bytes - DYNAMIC_HEADER) // (_OFFSET + 1)
        return (page_bytes - DYNAMIC_HEADER - _POINTER) // (_OFFSET + _POINTER + 1)

    def children(self, page_bytes: int) -> Numbers:
        """Tell where in an internal page the pointers to its children stand."""
        most = self.most_keys(page_bytes, leaf=False)
        if self.key_bytes:
            return HEADER + most * self.key_bytes + _POINTER * np.arange(most + 1)
        return DYNAMIC_HEADER + (_POINTER + _OFFSET) * np.arange(most + 1)


class Unreadable(Exception):
    """A tree is not read: `damage` says what is broken; None where nothing is, but no reader may judge it."""

    def __init__(self, reason: str, damage: TreeDamage | None = None) -> None:
        super().__init__(reason)
        self.damage = damage


@dataclass(frozen=True, slots=True)
class LeafPages:
    """Leaves that follow on one another: their pages, how many keys are in each, and uint8, a row each."""

    pages: Numbers
    counts: Numbers
    content: Bytes


@dataclass(frozen=True, slots=True)
class Tree:
    """One tree of a file that was closed in order; `header` is what the layout keeps in the state."""

    files: StorePages
    name: str
    layout: Layout
    state: TreeState
    header: bytes
    page_bytes: int
    count: int

    def leaves(self, damages: list[TreeDamage]) -> Iterator[LeafPages]:
        """Give the leaves in the order of their keys."""
        seen = np.zeros(self.count, np.bool_)
        level = self._fresh(np.array([self.state.root]), np.array([0]), seen, damages)
        while (leaf := self._is_leaf(level)) is False:
            found = [self._children(nodes, damages) for nodes in self._nodes(level, damages, leaf=False)]
            if not found:
                return
            parents = np.concatenate([pages for pages, _ in found])
            level = self._fresh(np.concatenate([children for _, children in found]), parents, seen, damages)
        if leaf:
            yield from self._nodes(level, damages, leaf=True)

    def read(self, pages: Numbers) -> Bytes:
        """Read pages, in any order, each once: uint8, a row each."""
        order = np.argsort(pages, kind="stable")
        wanted = pages[order]
        content = np.zeros((len(pages), self.page_bytes), np.uint8)
        edges = np.concatenate([[0], np.flatnonzero(np.diff(wanted) != 1) + 1, [len(wanted)]])
        for begin, end in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
            if begin == end:
                continue
            got = self.files.read(self.name, int(wanted[begin]) * self.page_bytes, (end - begin) * self.page_bytes)
            whole = len(got) // self.page_bytes
            content[order[begin : begin + whole]] = got[: whole * self.page_bytes].reshape(whole, self.page_bytes)
        return content

    def _fresh(self, pages: Numbers, parents: Numbers, seen: Flags, damages: list[TreeDamage]) -> Numbers:
        """Mark pages as seen; those that cannot be, or that something else leads to, become -1."""
        good = (pages >= _FIRST_NODE) & (pages < self.count)
        for row in np.flatnonzero(~good & (pages != -1)).tolist():
            self._tell(damages, TreeCode.POINTER, int(parents[row]), f"it leads to page {pages[row]}, which is none")
        known = np.where(good, pages, 0)
        first = np.zeros(len(pages), np.bool_)
        first[np.unique(known, return_index=True)[1]] = True
        again = good & (seen[known] | ~first)
        for row in np.flatnonzero(again).tolist():
            self._tell(damages, TreeCode.POINTER, int(parents[row]), f"more than one way leads to page {pages[row]}")
        good &= ~again
        seen[pages[good]] = True
        return np.where(good, pages, -1)

    def _is_leaf(self, level: Numbers) -> bool | None:
        """Tell whether the pages of a level are leaves, by the first of them that is a node at all."""
        for page in level[level >= 0].tolist():
            head = self.read(np.array([page]))[0, :2].tolist()
            if head[0] == _TREE_NODE and head[1] in (_INTERNAL, _LEAF):
                return bool(head[1] == _LEAF)
        return None if not (level >= 0).any() else True

    def _nodes(self, level: Numbers, damages: list[TreeDamage], *, leaf: bool) -> Iterator[LeafPages]:
        kind, most = _LEAF if leaf else _INTERNAL, self.layout.most_keys(self.page_bytes, leaf=leaf)
        neighbours = np.concatenate([[0], level, [0]])
        rows = np.flatnonzero(level >= 0)
        for begin in range(0, len(rows), PAGES_AT_ONCE):
            some = rows[begin : begin + PAGES_AT_ONCE]
            pages = level[some]
            content = self.read(pages)
            generation, counts = _big(content, 2, 4), _big(content, 6, 4)
            good = (content[:, 0] == _TREE_NODE) & (content[:, 1] == kind)
            good &= self._is_past(generation) & (counts <= most)
            for row in np.flatnonzero(~good).tolist():
                detail = (
                    f"it is no page of this level: kind {content[row, 0]}.{content[row, 1]}, "
                    f"generation {generation[row]}, {counts[row]} keys"
                )
                self._tell(damages, TreeCode.NODE, int(pages[row]), detail)
            for at, beside in ((_RIGHT, neighbours[some + 2]), (_LEFT, neighbours[some])):
                self._check_sibling(damages, pages, content, at, np.where(good, beside, -1))
            self._check_successor(damages, pages[good], content[good])
            yield LeafPages(pages[good], counts[good], content[good])

    def _check_sibling(
        self, damages: list[TreeDamage], pages: Numbers, content: Bytes, at: int, beside: Numbers
    ) -> None:
        found, readable = self._pointers(content[:, at : at + _POINTER])
        wrong = (beside != -1) & ~(readable & (found == beside))
        side = "right" if at == _RIGHT else "left"
        for row in np.flatnonzero(wrong).tolist():
            said = found[row] if readable[row] else "nothing that can be read"
            detail = f"beside it on the {side} is page {beside[row]}, and it names {said}"
            self._tell(damages, TreeCode.SIBLING, int(pages[row]), detail)

    def _check_successor(self, damages: list[TreeDamage], pages: Numbers, content: Bytes) -> None:
        found, readable = self._pointers(content[:, _SUCCESSOR : _SUCCESSOR + _POINTER])
        for row in np.flatnonzero(readable & (found != 0)).tolist():
            self._tell(damages, TreeCode.POINTER, int(pages[row]), f"page {found[row]} should stand in its place")

    def _children(self, nodes: LeafPages, damages: list[TreeDamage]) -> tuple[Numbers, Numbers]:
        """Give the page of each child, -1 where it cannot be read, and that of its parent."""
        places = self.layout.children(self.page_bytes)
        there = np.arange(len(places)) <= nodes.counts[:, None]
        rows, columns = np.nonzero(there)
        parents = nodes.pages[rows]
        found, readable = self._pointers(nodes.content[rows[:, None], places[columns][:, None] + np.arange(_POINTER)])
        for row in np.flatnonzero(~readable).tolist():
            detail = f"it does not say which page its child {columns[row]} is"
            self._tell(damages, TreeCode.POINTER, int(parents[row]), detail)
        return parents, np.where(readable, found, -1)

    def _is_past(self, generation: Numbers) -> Flags:
        past: Flags = (generation > 0) & ((generation <= self.state.stable) | (generation == self.state.unstable))
        return past

    def _pointers(self, raw: Bytes) -> tuple[Numbers, Flags]:
        """Read pointers: of the two slots that each has, the newest that was written before the file was closed."""
        slots = [self._slot(raw[:, at : at + _POINTER // 2]) for at in (0, _POINTER // 2)]
        (first, one, one_good, one_empty), (second, other, other_good, other_empty) = slots
        chosen = np.where(other_good & (~one_good | (other > one)), second, first)
        # Two slots of one generation, or a new one beside one that is broken: Neo4j takes neither.
        doubtful = one_good & other_good & (one == other)
        for good, generation, partner, empty in (
            (one_good, one, other_good, other_empty),
            (other_good, other, one_good, one_empty),
        ):
            doubtful |= good & (generation > self.state.stable) & ~(partner | empty)
        return chosen, (one_good | other_good) & ~doubtful

    def _slot(self, raw: Bytes) -> tuple[Numbers, Numbers, Flags, Flags]:
        generation, low, high, checksum = _big(raw, 0, 4), _big(raw, 4, 4), _big(raw, 8, 2), _big(raw, 10, 2)
        computed = (generation ^ generation >> 16 ^ low ^ low >> 16 ^ high) & 0xFFFF
        pointer = low | high << 32
        empty = (generation == 0) & (pointer == 0)
        return pointer, generation, self._is_past(generation) & (computed == checksum), empty

    def _tell(self, damages: list[TreeDamage], code: TreeCode, page: int, detail: str) -> None:
        damages.append(TreeDamage(code, self.name, page, detail))


def open_tree(files: StorePages, name: str, layout: Layout) -> Tree:
    """Open a tree of a layout.

    Raises:
        Unreadable: there is no such file, it was not closed in order or is of an unknown layout; or it is damaged.
    """
    size = files.size(name)
    if size is None:
        raise Unreadable("it is not there")
    meta = files.read(name, 0, _META.size).tobytes()
    page_bytes = page_size(meta)
    if size < page_bytes * (_FIRST_NODE + 1) or len(meta) < _META.size:
        raise _broken(name, 0, f"it has {size} bytes, which is no tree")
    form, _, identifier, *version = _META.unpack(meta)
    if (form, identifier, tuple(version)) != (
        _FIXED if layout.key_bytes else _DYNAMIC,
        layout.identifier,
        (*layout.version, 0, 0),
    ):
        raise Unreadable(f"its layout is not known: {form:#x}, {identifier:#x}, {version}")
    contents = [files.read(name, page_bytes * page, _STATE_HEADER + _LONGEST_HEADER).tobytes() for page in (1, 2)]
    found = [(state, content) for content in contents if (state := parse_state(content)) is not None]
    if not found:
        raise _broken(name, 1, "neither of its two states can be read")
    state, content = max(found, key=lambda one: one[0].rank)
    if not state.clean:
        raise Unreadable("it was not closed in order")
    return Tree(files, name, layout, state, _header(content), page_bytes, size // page_bytes)


def _header(content: bytes) -> bytes:
    length = int.from_bytes(content[_STATE_HEADER : _STATE_HEADER + 4], "big")
    begin = _STATE_HEADER + 4
    return content[begin : begin + length] if length <= _LONGEST_HEADER else b""


def _broken(name: str, page: int, detail: str) -> Unreadable:
    return Unreadable(detail, TreeDamage(TreeCode.STATE, name, page, detail))


def _big(rows: Bytes, at: int, length: int) -> Numbers:
    """Read a number without sign from each row."""
    value = np.zeros(len(rows), np.int64)
    for step in range(length):
        value = value << 8 | rows[:, at + step]
    return value
