"""Indexes of properties against the graph, both ways: entities, and the values that they stand under.

Both sides are summed up as fingerprints (see claims.py). Only an index whose sums differ is joined with the graph, in
parts that fit into memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from neokeep.consistency.claims import fingerprints
from neokeep.consistency.codes import Code
from neokeep.consistency.key_order import behind
from neokeep.consistency.property_values import expected_of
from neokeep.consistency.tree_reading import Trees, tell_order, tell_separators
from neokeep.neo4j.store.damage import TreeCode, TreeDamage
from neokeep.neo4j.store.index_keys import Keys, decode
from neokeep.neo4j.store.tree_entries import DynamicEntries, dynamic_entries
from neokeep.neo4j.store.tree_separators import dynamic_pairs, pairs_of
from neokeep.neo4j.store.tree_space import check_space
from neokeep.progress import Silent

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from neokeep.consistency.claims import Fingerprints
    from neokeep.consistency.label_sets import LabelSets
    from neokeep.consistency.property_values import Indexed
    from neokeep.neo4j.store.pages import Flags, Numbers
    from neokeep.neo4j.store.tree import Tree, Walk
    from neokeep.neo4j.store.tree_entries import LeafEntries

_TOGETHER = 2 * 1024 * 1024
"""Entries of an index that are joined with the graph together."""
_MASK = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class _Rows:
    """Entries or entities, sorted by entity and print: what they are, and their pages, or whether they are doubtful."""

    entities: Numbers
    prints: Fingerprints
    more: Numbers | Flags


@dataclass(slots=True)
class PropertyIndex:
    """An index and what it is on; `total` and `sum` are those of what the graph has for it."""

    tree: Tree
    indexed: Indexed
    total: int = 0
    sum: int = 0
    damaged: bool = False


def check_property_indexes(trees: Trees, labels: LabelSets, indexes: Sequence[PropertyIndex]) -> None:
    """Compare indexes of one store with what they have to hold; the graph is read once for all of them."""
    for batch in expected_of(trees.state.tables, labels, [one.indexed for one in indexes], trees.progress):
        for index, expected in zip(indexes, batch, strict=True):
            index.sum = index.sum + int(expected.prints.sum()) & _MASK
            index.total += len(expected.entities)
            index.damaged |= expected.damaged
    for index in indexes:
        if index.damaged:
            trees.leave_out(index.tree.name, "values that it has to hold cannot be read")
        else:
            _check(trees, labels, index)


def _check(trees: Trees, labels: LabelSets, index: PropertyIndex) -> None:
    total = summed = 0
    for keys in _keys(trees, index.tree, len(index.indexed.keys)):
        summed = summed + int(_prints(keys).sum()) & _MASK
        total += len(keys.entities)
    if (total, summed) == (index.total, index.sum):
        return
    parts = max(total, index.total) // _TOGETHER + 1
    silent = Trees(trees.state, trees.files, Silent(), silent=True)
    for part in range(parts):
        held = _held(silent, index.tree, len(index.indexed.keys), parts, part)
        _find(trees, index.tree, index.indexed, held, _wanted(trees, labels, index.indexed, parts, part))


def _find(trees: Trees, tree: Tree, indexed: Indexed, held: _Rows, wanted: _Rows) -> None:
    """Tell entries that the graph has not got, and entities that the index does not hold."""
    entity = indexed.store.name.lower()
    loose = wanted.entities[wanted.more.astype(np.bool_)]
    known = _among(held, wanted) | np.isin(held.entities, loose)
    again = np.zeros(len(held.entities), np.bool_)
    again[1:] = (held.entities[1:] == held.entities[:-1]) & known[1:]
    for wrong, why in (
        (~known & np.isin(held.entities, wanted.entities), "under a value that it has not got"),
        (~known & ~np.isin(held.entities, wanted.entities), "which does not belong there"),
        (again, "once more"),
    ):
        trees.findings.add_each(
            Code.INDEX_EXTRA, tree.name, held.more[wrong].astype(np.int64), f"it holds {entity} {{0}} {why}",
            held.entities[wrong],
        )  # fmt: skip
    missing = ~_among(wanted, held) & ~(wanted.more.astype(np.bool_) & np.isin(wanted.entities, held.entities))
    trees.findings.add_each(
        Code.INDEX_MISSING, indexed.store, wanted.entities[missing], f"{tree.name} does not hold it under its value"
    )


def _among(rows: _Rows, others: _Rows) -> Flags:
    """Tell which rows are among others, by entity and print."""
    if not len(others.entities):
        return np.zeros(len(rows.entities), np.bool_)
    keys, known = (fingerprints(one.entities, one.prints.view(np.int64)) for one in (rows, others))
    return np.isin(keys, known)


def _held(trees: Trees, tree: Tree, properties: int, parts: int, part: int) -> _Rows:
    found = [
        (keys.entities[own], _prints(keys)[own], keys.pages[own])
        for keys in _keys(trees, tree, properties)
        if (own := keys.entities % parts == part).any()
    ]
    return _sorted(found)


def _wanted(trees: Trees, labels: LabelSets, indexed: Indexed, parts: int, part: int) -> _Rows:
    found = [
        (expected.entities[own], expected.prints[own], expected.doubtful[own].astype(np.int64))
        for (expected,) in expected_of(trees.state.tables, labels, [indexed], Silent())
        if (own := expected.entities % parts == part).any()
    ]
    return _sorted(found)


def _sorted(found: list[tuple[Numbers, Fingerprints, Numbers]]) -> _Rows:
    if not found:
        return _Rows(np.zeros(0, np.int64), np.zeros(0, np.uint64), np.zeros(0, np.int64))
    entities, prints, more = (np.concatenate(column) for column in zip(*found, strict=True))
    order = np.lexsort((prints, entities))
    return _Rows(entities[order], prints[order], more[order])


def _prints(keys: Keys) -> Fingerprints:
    if not len(keys.entities):
        return np.zeros(0, np.uint64)
    return fingerprints(keys.entities, *(column for values in keys.values for column in values.columns))


def _keys(trees: Trees, tree: Tree, properties: int) -> Iterator[Keys]:
    """Read and decode all entries; damage and keys out of order are told."""
    damages: list[TreeDamage] = []
    last: DynamicEntries | None = None
    walk = None if trees.silent else tree.walk()
    for entries in dynamic_entries(tree, damages, walk):
        if walk is not None:
            _check_separators(trees, tree, entries, properties, walk, damages)
        trees.tell(damages)
        trees.advance(tree, entries.pages)
        if not len(entries.pages):
            continue
        keys, bad = decode(entries, properties)
        trees.tell([TreeDamage(TreeCode.ENTRY, tree.name, page, "a key of it cannot be read") for page in bad.tolist()])
        if last is not None:
            pair, _ = decode(_joined(last, _one(entries, 0)), properties)
            tell_order(trees, tree, pair.pages, ~behind(pair))
        tell_order(trees, tree, keys.pages, ~behind(keys))
        last = _one(entries, -1)
        yield keys
    trees.tell(damages)
    if walk is not None:
        trees.tell(check_space(tree, walk))


def _check_separators(
    trees: Trees, tree: Tree, entries: LeafEntries, properties: int, walk: Walk, damages: list[TreeDamage]
) -> None:
    pairs = pairs_of(entries.leaves)
    keys, bad = decode(dynamic_pairs(tree, entries, pairs, damages, walk), properties)
    # Entries that cannot be decoded are told with the rest of them.
    for row in np.unique(pairs.rows[bad] - len(entries.pages)).tolist():
        if row >= 0:
            detail = f"its key {pairs.places.numbers[row]} cannot be read"
            trees.tell([TreeDamage(TreeCode.ENTRY, tree.name, int(pairs.places.pages[row]), detail)])
    rows = keys.pages
    whole = np.flatnonzero((rows[:-1] % 2 == 0) & (rows[1:] == rows[:-1] + 1))
    good = np.ones(len(pairs.leaves), np.bool_)
    good[rows[whole] // 2] = behind(keys, pairs.may_be_same[rows[:-1] // 2])[whole]
    tell_separators(trees, tree, pairs, good)


def _one(entries: DynamicEntries, row: int) -> DynamicEntries:
    begin, length = int(entries.begins[row]), int(entries.lengths[row])
    content = entries.content[begin : begin + length].copy()
    return DynamicEntries(entries.pages[[row]], content, np.zeros(1, np.int64), entries.lengths[[row]])


def _joined(one: DynamicEntries, other: DynamicEntries) -> DynamicEntries:
    return DynamicEntries(
        np.concatenate([one.pages, other.pages]),
        np.concatenate([one.content, other.content]),
        np.concatenate([one.begins, other.begins + len(one.content)]),
        np.concatenate([one.lengths, other.lengths]),
    )
