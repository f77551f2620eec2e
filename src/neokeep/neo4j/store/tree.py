"""GBPTree files as trees: counts, degrees, token and range indexes, and id files are kept in them.

`open_tree` reads what the file says of itself; `Tree.leaves` walks from the root down, level by level, and gives the
leaf pages in the order of their keys, with the places of the keys in inner pages that separate them. No page is walked
twice, so damaged bytes end no walk in a loop. What is wrong is told as damage, by page, and whatever else is whole is
given. Layouts: docs/neo4j-formats.md.
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
TREE_NODE, _INTERNAL, _LEAF = 1, 0, 1
_FIXED, _DYNAMIC = 2, 3
FIRST_PAGE = 3
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

    def inner_keys(self, numbers: Numbers) -> Numbers:
        """Tell where in an internal page its keys of some numbers stand; of keys of any size, where their offsets."""
        if self.key_bytes:
            return HEADER + numbers * self.key_bytes
        return DYNAMIC_HEADER + _POINTER + (_POINTER + _OFFSET) * numbers


class Unreadable(Exception):
    """A tree is not read: `damage` says what is broken; None where nothing is, but no reader may judge it."""

    def __init__(self, reason: str, damage: TreeDamage | None = None) -> None:
        super().__init__(reason)
        self.damage = damage


@dataclass(slots=True)
class Walk:
    """The pages that a walk came to.

    `used` has a flag for each page of the file; `missed` says that some that are in use were not reached.
    """

    used: Flags
    missed: bool = False

    def take(self, pages: Numbers) -> Flags:
        """Note pages of the file; gives which of them were there already, or come once more."""
        first = np.zeros(len(pages), np.bool_)
        first[np.unique(pages, return_index=True)[1]] = True
        again: Flags = self.used[pages] | ~first
        self.used[pages] = True
        return again


@dataclass(frozen=True, slots=True)
class Places:
    """Keys in internal pages: the page of each, 0 where there is no key, and its number in there."""

    pages: Numbers
    numbers: Numbers

    def at(self, rows: Numbers | slice) -> Places:
        """Choose some."""
        return Places(self.pages[rows], self.numbers[rows])


@dataclass(frozen=True, slots=True)
class LeafPages:
    """Leaves that follow on one another: their pages, how many keys are in each, and uint8, a row each.

    `before` and `after` are the keys above them that separate each from the leaves beside it.
    """

    pages: Numbers
    counts: Numbers
    content: Bytes
    before: Places
    after: Places

    def part(self, rows: slice) -> LeafPages:
        """Choose some."""
        return LeafPages(
            self.pages[rows], self.counts[rows], self.content[rows], self.before.at(rows), self.after.at(rows)
        )


@dataclass(frozen=True, slots=True)
class _Level:
    """The pages of one level in order, -1 where one cannot be reached.

    Of each the page above it, the generation in which that was made to lead to it, and the key that is left of it.
    """

    pages: Numbers
    parents: Numbers
    generations: Numbers
    before: Places


@dataclass(frozen=True, slots=True)
class Tree:
    """One tree of a file that was closed in order; `header` is what the layout keeps in the state, in `state_page`."""

    files: StorePages
    name: str
    layout: Layout
    state: TreeState
    header: bytes
    page_bytes: int
    count: int
    state_page: int

    def leaves(self, damages: list[TreeDamage], walk: Walk | None = None) -> Iterator[LeafPages]:
        """Give the leaves in the order of their keys; `walk` is told what pages there are."""
        walk = walk or self.walk()
        none, root = np.zeros(1, np.int64), np.array([self.state.root])
        level = _Level(root, none, np.array([self.state.root_generation]), Places(none, none))
        self._fresh(level, walk, damages)
        while (leaf := self._is_leaf(level.pages)) is False:
            found = [self._below(level, *some, damages) for some in self._nodes(level, walk, damages, leaf=False)]
            if not found:
                return
            level = _joined(found)
            self._fresh(level, walk, damages)
        if leaf:
            yield from (leaves for _, leaves in self._nodes(level, walk, damages, leaf=True))

    def walk(self) -> Walk:
        """Begin a walk."""
        return Walk(np.zeros(self.count, np.bool_))

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

    def _fresh(self, level: _Level, walk: Walk, damages: list[TreeDamage]) -> None:
        """Mark pages as used; those that cannot be, or that something else leads to, become -1."""
        pages, parents = level.pages, level.parents
        good = (pages >= FIRST_PAGE) & (pages < self.count)
        for row in np.flatnonzero(~good & (pages != -1)).tolist():
            self._tell(damages, TreeCode.POINTER, int(parents[row]), f"it leads to page {pages[row]}, which is none")
        rows = np.flatnonzero(good)
        again = rows[walk.take(pages[rows])]
        for row in again.tolist():
            self._tell(damages, TreeCode.POINTER, int(parents[row]), f"more than one way leads to page {pages[row]}")
        good[again] = False
        walk.missed |= not good.all()
        pages[~good] = -1

    def _is_leaf(self, level: Numbers) -> bool | None:
        """Tell whether the pages of a level are leaves, by the first of them that is a node at all."""
        for page in level[level >= 0].tolist():
            head = self.read(np.array([page]))[0, :2].tolist()
            if head[0] == TREE_NODE and head[1] in (_INTERNAL, _LEAF):
                return bool(head[1] == _LEAF)
        return None if not (level >= 0).any() else True

    def _nodes(
        self, level: _Level, walk: Walk, damages: list[TreeDamage], *, leaf: bool
    ) -> Iterator[tuple[Numbers, LeafPages]]:
        """Give the pages of a level that are whole, and where in it they stand."""
        kind, most = _LEAF if leaf else _INTERNAL, self.layout.most_keys(self.page_bytes, leaf=leaf)
        neighbours = np.concatenate([[0], level.pages, [0]])
        after = Places(np.append(level.before.pages[1:], 0), np.append(level.before.numbers[1:], 0))
        rows = np.flatnonzero(level.pages >= 0)
        for begin in range(0, len(rows), PAGES_AT_ONCE):
            some = rows[begin : begin + PAGES_AT_ONCE]
            pages = level.pages[some]
            content = self.read(pages)
            generation, counts = big(content, 2, 4), big(content, 6, 4)
            good = (content[:, 0] == TREE_NODE) & (content[:, 1] == kind)
            good &= self.is_past(generation) & (counts <= most)
            walk.missed |= not good.all()
            for row in np.flatnonzero(~good).tolist():
                detail = (
                    f"it is no page of this level: kind {content[row, 0]}.{content[row, 1]}, "
                    f"generation {generation[row]}, {counts[row]} keys"
                )
                self._tell(damages, TreeCode.NODE, int(pages[row]), detail)
            for row in np.flatnonzero(good & (generation > level.generations[some])).tolist():
                detail = f"it leads to page {pages[row]} of a later generation, {generation[row]}"
                self._tell(damages, TreeCode.POINTER, int(level.parents[some[row]]), detail)
            for at, beside in ((_RIGHT, neighbours[some + 2]), (_LEFT, neighbours[some])):
                self._check_sibling(damages, pages, content, at, np.where(good, beside, -1))
            self._check_successor(damages, pages[good], content[good])
            held = some[good]
            yield held, LeafPages(pages[good], counts[good], content[good], level.before.at(held), after.at(held))

    def _check_sibling(
        self, damages: list[TreeDamage], pages: Numbers, content: Bytes, at: int, beside: Numbers
    ) -> None:
        found, _, readable = self._pointers(content[:, at : at + _POINTER])
        wrong = (beside != -1) & ~(readable & (found == beside))
        side = "right" if at == _RIGHT else "left"
        for row in np.flatnonzero(wrong).tolist():
            said = found[row] if readable[row] else "nothing that can be read"
            detail = f"beside it on the {side} is page {beside[row]}, and it names {said}"
            self._tell(damages, TreeCode.SIBLING, int(pages[row]), detail)

    def _check_successor(self, damages: list[TreeDamage], pages: Numbers, content: Bytes) -> None:
        found, _, readable = self._pointers(content[:, _SUCCESSOR : _SUCCESSOR + _POINTER])
        for row in np.flatnonzero(readable & (found != 0)).tolist():
            self._tell(damages, TreeCode.POINTER, int(pages[row]), f"page {found[row]} should stand in its place")

    def _below(self, level: _Level, held: Numbers, nodes: LeafPages, damages: list[TreeDamage]) -> _Level:
        """Give the level that nodes lead to; pages are -1 where they cannot be read."""
        places = self.layout.children(self.page_bytes)
        there = np.arange(len(places)) <= nodes.counts[:, None]
        rows, columns = np.nonzero(there)
        parents = nodes.pages[rows]
        raw = nodes.content[rows[:, None], places[columns][:, None] + np.arange(_POINTER)]
        found, generations, readable = self._pointers(raw)
        for row in np.flatnonzero(~readable).tolist():
            detail = f"it does not say which page its child {columns[row]} is"
            self._tell(damages, TreeCode.POINTER, int(parents[row]), detail)
        # What is left of the first child of a page is left of the page.
        first, outer = columns == 0, level.before.at(held[rows])
        before = Places(np.where(first, outer.pages, parents), np.where(first, outer.numbers, columns - 1))
        return _Level(np.where(readable, found, -1), parents, generations, before)

    def is_past(self, generation: Numbers) -> Flags:
        """Tell which generations were written before the file was closed."""
        past: Flags = (generation > 0) & ((generation <= self.state.stable) | (generation == self.state.unstable))
        return past

    def _pointers(self, raw: Bytes) -> tuple[Numbers, Numbers, Flags]:
        """Read pointers: of the two slots that each has, the newest that was written before the file was closed.

        Gives the page, the generation of the slot, and whether both can be read.
        """
        slots = [self._slot(raw[:, at : at + _POINTER // 2]) for at in (0, _POINTER // 2)]
        (first, one, one_good, one_empty), (second, other, other_good, other_empty) = slots
        newer = other_good & (~one_good | (other > one))
        # Two slots of one generation, or a new one beside one that is broken: Neo4j takes neither.
        doubtful = one_good & other_good & (one == other)
        for good, generation, partner, empty in (
            (one_good, one, other_good, other_empty),
            (other_good, other, one_good, one_empty),
        ):
            doubtful |= good & (generation > self.state.stable) & ~(partner | empty)
        return np.where(newer, second, first), np.where(newer, other, one), (one_good | other_good) & ~doubtful

    def _slot(self, raw: Bytes) -> tuple[Numbers, Numbers, Flags, Flags]:
        generation, low, high, checksum = big(raw, 0, 4), big(raw, 4, 4), big(raw, 8, 2), big(raw, 10, 2)
        computed = (generation ^ generation >> 16 ^ low ^ low >> 16 ^ high) & 0xFFFF
        pointer = low | high << 32
        empty = (generation == 0) & (pointer == 0)
        return pointer, generation, self.is_past(generation) & (computed == checksum), empty

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
    if size < page_bytes * (FIRST_PAGE + 1) or len(meta) < _META.size:
        raise _broken(name, 0, f"it has {size} bytes, which is no tree")
    form, _, identifier, *version = _META.unpack(meta)
    if (form, identifier, tuple(version)) != (
        _FIXED if layout.key_bytes else _DYNAMIC,
        layout.identifier,
        (*layout.version, 0, 0),
    ):
        raise Unreadable(f"its layout is not known: {form:#x}, {identifier:#x}, {version}")
    length = _STATE_HEADER + _LONGEST_HEADER
    contents = [(page, files.read(name, page_bytes * page, length).tobytes()) for page in (1, 2)]
    found = [(state, page, content) for page, content in contents if (state := parse_state(content)) is not None]
    if not found:
        raise _broken(name, 1, "neither of its two states can be read")
    state, state_page, content = max(found, key=lambda one: one[0].rank)
    if not state.clean:
        raise Unreadable("it was not closed in order")
    return Tree(files, name, layout, state, _header(content), page_bytes, size // page_bytes, state_page)


def _joined(parts: list[_Level]) -> _Level:
    return _Level(
        np.concatenate([one.pages for one in parts]),
        np.concatenate([one.parents for one in parts]),
        np.concatenate([one.generations for one in parts]),
        Places(
            np.concatenate([one.before.pages for one in parts]), np.concatenate([one.before.numbers for one in parts])
        ),
    )


def _header(content: bytes) -> bytes:
    length = int.from_bytes(content[_STATE_HEADER : _STATE_HEADER + 4], "big")
    begin = _STATE_HEADER + 4
    return content[begin : begin + length] if length <= _LONGEST_HEADER else b""


def _broken(name: str, page: int, detail: str) -> Unreadable:
    return Unreadable(detail, TreeDamage(TreeCode.STATE, name, page, detail))


def big(rows: Bytes, at: int, length: int) -> Numbers:
    """Read a number without sign from each row."""
    value = np.zeros(len(rows), np.int64)
    for step in range(length):
        value = value << 8 | rows[:, at + step]
    return value
