"""Token indexes against the graph: which nodes have a label, which relationships have a type.

Both sides are summed up by token, as fingerprints of the entities (see claims.py). Only tokens whose sums differ are
looked up, each with a bit for every node or relationship.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from neokeep.consistency.claims import fingerprints
from neokeep.consistency.codes import Code
from neokeep.consistency.marks import Marks
from neokeep.consistency.tallies import WORTH_COMPILING
from neokeep.consistency.tree_reading import AT_ONCE, Trees, read_fixed
from neokeep.neo4j.recovery.layout import Store
from neokeep.neo4j.store import records as columns
from neokeep.neo4j.store.pages import RECORDS_AT_ONCE
from neokeep.neo4j.store.tree_layouts import ENTITIES_OF_A_RANGE, entities, token_key
from neokeep.progress import Silent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from neokeep.consistency.claims import Fingerprints
    from neokeep.consistency.label_sets import LabelSets
    from neokeep.consistency.tallies import Tally
    from neokeep.neo4j.store.pages import Bytes, Flags, Numbers
    from neokeep.neo4j.store.tree import Tree

_MASK = (1 << 64) - 1
_TOGETHER = 8
"""Tokens that are looked up together."""


@dataclass(frozen=True, slots=True)
class _Side:
    """What the graph has: sums by token; whether entities have a token; all that have it, in batches."""

    store: Store
    tokens: Store
    sums: Mapping[int, int]
    has: Callable[[int, Numbers], Flags]
    members: Callable[[int], Iterable[Numbers]]


def check_labels_index(trees: Trees, tree: Tree, labels: LabelSets) -> None:
    """Compare an index of labels with the nodes."""
    if labels.damaged:
        trees.leave_out(tree.name, "labels of some nodes cannot be read")
        return

    def members(label: int) -> Iterator[Numbers]:
        flags = labels.with_label(label)
        for begin in range(0, len(labels.numbers), RECORDS_AT_ONCE):
            yield np.flatnonzero(flags[labels.numbers[begin : begin + RECORDS_AT_ONCE]]) + begin

    def has(label: int, ids: Numbers) -> Flags:
        return labels.with_label(label)[labels.of(ids)]

    sums: Counter[int] = Counter()
    for own, total in zip(labels.sets, labels.sums.tolist(), strict=True):
        for label in own:
            sums[label] = (sums[label] + total) & _MASK
    _compare(trees, tree, _Side(Store.NODE, Store.LABEL, sums, has, members))


def check_types_index(trees: Trees, tree: Tree, tally: Tally) -> None:
    """Compare an index of types with the relationships."""
    table = trees.state.tables[Store.RELATIONSHIP]

    def has(kind: int, ids: Numbers) -> Flags:
        held = columns.relationships(table.at(ids))
        good: Flags = held.used & (held.type == kind)
        return good

    def members(kind: int) -> Iterator[Numbers]:
        for batch in table.batches():
            held = columns.relationships(batch.records)
            yield batch.ids[held.used & (held.type == kind)]

    kinds = np.flatnonzero(tally.sums)
    sums = dict(zip(kinds.tolist(), tally.sums[kinds].tolist(), strict=True))
    _compare(trees, tree, _Side(Store.RELATIONSHIP, Store.TYPE, sums, has, members))


def _compare(trees: Trees, tree: Tree, side: _Side) -> None:
    found: Counter[int] = Counter()
    quickly = trees.state.tables[side.store].count >= WORTH_COMPILING
    for entries in read_fixed(trees, tree, token_key, most=AT_ONCE):
        tokens, ranges = entries.columns
        begins = np.append(0, np.flatnonzero(np.diff(tokens)) + 1)
        sums = np.add.reduceat(sums_of_entries(ranges, entries.values, quickly=quickly), begins)
        for token, total in zip(tokens[begins].tolist(), sums.tolist(), strict=True):
            found[token] = (found[token] + total) & _MASK
    differing = sorted(token for token in {*found, *side.sums} if found[token] != side.sums.get(token, 0))
    for begin in range(0, len(differing), _TOGETHER):
        _find(trees, tree, side, differing[begin : begin + _TOGETHER])


def sums_of_entries(ranges: Numbers, values: Bytes, *, quickly: bool) -> Fingerprints:
    """Sum up the fingerprints of the entities that each entry stands for; `quickly` by compiled code."""
    if quickly:
        from neokeep.consistency.proof.tallies import entity_sums

        totals = np.zeros(len(ranges), np.int64)
        entity_sums(ranges, ENTITIES_OF_A_RANGE, np.ascontiguousarray(values).reshape(-1), totals)
        return totals.view(np.uint64)
    rows, ids = entities(ranges, values)
    sums = np.zeros(len(ranges), np.uint64)
    if len(ids):
        np.add.at(sums, rows, fingerprints(ids))
    return sums


def _find(trees: Trees, tree: Tree, side: _Side, tokens: list[int]) -> None:
    """Look up which entities the index and the graph do not both have."""
    table, names = trees.state.tables[side.store], trees.state.reader.tokens(side.tokens)
    kind, entity = side.tokens.name.lower(), side.store.name.lower()
    indexed = {token: Marks(table.count) for token in tokens}
    # What is wrong with the pages and the order was told when sums were made.
    silent = Trees(trees.state, trees.files, Silent(), silent=True)
    for entries in read_fixed(silent, tree, token_key, most=AT_ONCE):
        rows, ids = entities(entries.columns[1], entries.values)
        of_row = entries.columns[0][rows]
        for token, marks in indexed.items():
            own = of_row == token
            marks.mark(ids[own])
            wrong = np.flatnonzero(own)[~side.has(token, ids[own])]
            detail = f"it holds {entity} {{0}} with {kind} {_quoted(names.get(token, token))}, which it has not got"
            trees.findings.add_each(Code.INDEX_EXTRA, tree.name, entries.pages[rows[wrong]], detail, ids[wrong])
    for token, marks in indexed.items():
        for members in side.members(token):
            missing = members[~marks.has(members)]
            detail = f"it has {kind} {_quoted(names.get(token, token))}, and {tree.name} does not hold it"
            trees.findings.add_each(Code.INDEX_MISSING, side.store, missing, detail)


def _quoted(name: str | int) -> str:
    """Quote a name for `Findings.add_each`, which takes braces for places."""
    return repr(name).replace("{", "{{").replace("}", "}}")
