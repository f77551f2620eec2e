"""Which pages of a tree are free: each page is in use or free, and that once.

Free pages stand in a list that is kept in pages of the file: what is taken comes from its begin, what is given back
goes to its end. Neo4j writes over what it takes from there, whatever it holds. Layout: docs/neo4j-formats.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from neokeep.neo4j.store.damage import TreeCode, TreeDamage
from neokeep.neo4j.store.tree import FIRST_PAGE, big

if TYPE_CHECKING:
    from collections.abc import Iterator

    from neokeep.neo4j.store.pages import Bytes, Numbers
    from neokeep.neo4j.store.tree import Tree, Walk

_LIST_KINDS = (0, 2)
"""The page that the list ends in has no kind yet."""
_NEXT, _HEADER, _ENTRY = 1, 7, 10


def check_space(tree: Tree, walk: Walk) -> list[TreeDamage]:
    """Tell pages that are in use and free at once, or neither, after a walk has come to all that are in use."""
    damages: list[TreeDamage] = []
    last = min(tree.state.last_page, tree.count - 1)
    _tell(damages, tree, np.flatnonzero(walk.used[max(0, last + 1) :]) + last + 1, f"the next new page is {last + 1}")
    used = walk.used.copy()
    for found in _free_pages(tree, last, damages):
        order = np.sort(found)
        again = np.unique(np.append(order[1:][order[1:] == order[:-1]], found[used[found]]))
        _tell(damages, tree, again, "it is free, and it is in use or free once more")
        used[found] = True
    if not damages and not walk.missed:
        lost = np.flatnonzero(~used[FIRST_PAGE : last + 1]) + FIRST_PAGE
        _tell(damages, tree, lost, "nothing leads to it, and it is not free", TreeCode.LOST)
    return damages


def _free_pages(tree: Tree, last: int, damages: list[TreeDamage]) -> Iterator[Numbers]:
    """Give free pages, and the pages of the list of them, each of which is of no other use."""
    most = (tree.page_bytes - _HEADER) // _ENTRY
    (page, place), (end, end_place) = tree.state.free_from, tree.state.free_to
    passed, led_by = set[int](), tree.state_page
    while page or end:
        limit = end_place if page == end else most
        if page in passed or not (FIRST_PAGE <= page <= last and 0 <= place <= limit <= most):
            detail = f"the list of free pages goes on in page {page}, from {place} to {limit}"
            _tell(damages, tree, np.array([led_by]), detail)
            return
        passed.add(page)
        content = tree.read(np.array([page]))
        if content[0, 0] not in _LIST_KINDS:
            _tell(damages, tree, np.array([page]), "it is no page of the list of free pages, which leads to it")
            return
        entries = content[0, _HEADER + place * _ENTRY : _HEADER + limit * _ENTRY].reshape(-1, _ENTRY)
        generations, pages = big(entries, 0, 4), _page(entries, 4)
        good = tree.is_past(generations) & (pages >= FIRST_PAGE) & (pages <= last)
        for row in np.flatnonzero(~good).tolist():
            detail = f"it says that page {pages[row]} is free since generation {generations[row]}"
            _tell(damages, tree, np.array([page]), detail)
        yield np.append(page, pages[good])
        if page == end:
            return
        led_by, page, place = page, int(_page(content, _NEXT)[0]), 0


def _page(rows: Bytes, at: int) -> Numbers:
    return big(rows, at, 4) | big(rows, at + 4, 2) << 32


def _tell(damages: list[TreeDamage], tree: Tree, pages: Numbers, detail: str, code: TreeCode = TreeCode.FREE) -> None:
    damages.extend(TreeDamage(code, tree.name, page, detail) for page in pages.tolist())
