"""A tree of any height, made by hand by docs/neo4j-formats.md: keys and values are numbers of eight bytes."""

from __future__ import annotations

import itertools
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from neokeep.neo4j.store.tree import HEADER, Layout

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence
    from pathlib import Path

LAYOUT = Layout(0x4E454F, (0, 1), 8, 8)
PAGE, NAME = 1024, "made.tree"
STABLE, UNSTABLE = 9, 10
MOST = LAYOUT.most_keys(PAGE, leaf=False)


@dataclass
class MadeTree:
    """The pages of a tree by number, with `inner` keys: page, number, and the entries on both sides of it."""

    pages: dict[int, bytes] = field(default_factory=dict)
    inner: list[tuple[int, int, int, int]] = field(default_factory=list)
    levels: int = 0

    def write(self, folder: Path) -> None:
        """Write the file."""
        count = max(self.pages) + 1
        (folder / NAME).write_bytes(b"".join(self.pages.get(page, bytes(PAGE)) for page in range(count)))

    def put_inner(self, page: int, number: int, key: int) -> None:
        """Change an inner key."""
        content = bytearray(self.pages[page])
        struct.pack_into(">q", content, HEADER + 8 * number, key)
        self.pages[page] = bytes(content)


def pointer(page: int) -> bytes:
    """Make a pointer of the stable generation."""
    return struct.pack(">IIHH", STABLE, page, 0, STABLE ^ page) + bytes(12)


def made_tree(keys: Sequence[int], chance: random.Random, free: int = 0) -> MadeTree:
    """Make a tree of keys, which have to rise by 2 at least, with pages in any order and some free ones."""
    made = MadeTree()
    numbers = list(range(4, 4 + 2 * len(keys) + free))
    chance.shuffle(numbers)
    parts = [[key] for key in keys[:1]]
    for key in keys[1:]:
        if chance.random() < 0.5 and len(parts[-1]) < MOST:
            parts[-1].append(key)
        else:
            parts.append([key])
    level = [(numbers.pop(), part[0], part[-1]) for part in parts]
    _write_level(made, [page for page, *_ in level], [_leaf(part) for part in parts], leaf=True)
    while len(level) > 1:
        level = _above(made, level, numbers, chance)
    used = [page for page in made.pages if page > 3]
    last = max(*used, 3 + len(used) + free)
    end = _write_list(made, [page for page in range(4, last + 1) if page not in made.pages])
    _write_state(made, level[0][0], last, end)
    return made


def _above(
    made: MadeTree, level: list[tuple[int, int, int]], numbers: list[int], chance: random.Random
) -> list[tuple[int, int, int]]:
    groups: list[list[tuple[int, int, int]]] = []
    while level:
        size = min(len(level), chance.randint(2, 5))
        size += len(level) - size == 1
        groups.append(level[:size])
        level = level[size:]
    pages, bodies = [], []
    for group in groups:
        page = numbers.pop()
        seps = []
        for number, (one, other) in enumerate(itertools.pairwise(group)):
            seps.append(chance.randint(one[2] + 1, other[1]))
            made.inner.append((page, number, one[2], other[1]))
        ways = b"".join(pointer(child) for child, *_ in group)
        body = b"".join(struct.pack(">q", sep) for sep in seps).ljust(8 * MOST, b"\0") + ways
        pages.append(page)
        bodies.append((len(seps), body))
    _write_level(made, pages, bodies, leaf=False)
    return [(page, group[0][1], group[-1][2]) for page, group in zip(pages, groups, strict=True)]


def _leaf(part: list[int]) -> tuple[int, bytes]:
    keys = b"".join(struct.pack(">q", key) for key in part)
    return len(part), keys


def _write_level(made: MadeTree, pages: list[int], bodies: list[tuple[int, bytes]], *, leaf: bool) -> None:
    made.levels += 1
    for row, (page, (count, body)) in enumerate(zip(pages, bodies, strict=True)):
        right = pages[row + 1] if row + 1 < len(pages) else 0
        left = pages[row - 1] if row else 0
        beside = pointer(right) + pointer(left)
        head = struct.pack(">BBII", 1, leaf, STABLE, count) + beside + bytes(24)
        made.pages[page] = (head + body).ljust(PAGE, b"\0")


def _write_list(made: MadeTree, free: list[int]) -> tuple[int, int]:
    """Write the list of free pages, in page 3 and in as many of them as it needs; gives where it ends."""
    most = (PAGE - 7) // 10
    own = [3]
    while len(free) > most * len(own):
        own.append(free.pop())
    for row, page in enumerate(own):
        part, following = free[row * most : (row + 1) * most], own[row + 1] if row + 1 < len(own) else 0
        entries = b"".join(struct.pack(">IIH", STABLE, one, 0) for one in part)
        made.pages[page] = (struct.pack(">BIH", 2, following, 0) + entries).ljust(PAGE, b"\0")
    return own[-1], len(free) - most * (len(own) - 1)


def _write_state(made: MadeTree, root: int, last: int, end: tuple[int, int]) -> None:
    block = struct.pack(">iiqqqqqiib", STABLE, UNSTABLE, root, STABLE, last, end[0], 3, end[1], 0, 1)
    made.pages[0] = struct.pack(">iiqiiqq", 2, PAGE, LAYOUT.identifier, *LAYOUT.version, 0, 0).ljust(PAGE, b"\0")
    made.pages[1] = (block + block + bytes(4)).ljust(PAGE, b"\0")
    made.pages.setdefault(last, bytes(PAGE))
