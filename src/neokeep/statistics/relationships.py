"""The pass over relationships: how many of which type, between which labels, with which properties; and degrees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from neokeep.neo4j.store import records as columns
from neokeep.statistics.label_sets import LABEL_BITS, LabelSets, label_sets_of_nodes
from neokeep.statistics.tally import MOST_KEYS, Collector, Tally
from neokeep.statistics.uses import USE_BITS, uses_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from neokeep.neo4j.recovery.layout import Store
    from neokeep.neo4j.store.damage import Damage
    from neokeep.neo4j.store.pages import Batch, Numbers, RecordTable
    from neokeep.statistics.classes import Classes
    from neokeep.statistics.degrees import Degrees

TYPE_BITS = 16
_MOST_PATTERNS_AT_ONCE = 1 << 20
_WAITING = 1 << 18
_CLASS_BITS = 23
_ALL = 1 << 62


@dataclass(frozen=True, slots=True, eq=False)
class RelationshipPart:
    """What is known of some of the relationships.

    `types` counts them by type, `uses` properties by type, key and type of value. `patterns` counts them by a label of
    their first node, their type and a label of their second one, packed: once for each pair of labels; a node without
    label has the label 0. `property_longs` and `highest` are as those of nodes.
    """

    count: int
    highest: int
    loops: int
    without_property: int
    types: Tally
    patterns: Tally
    uses: Tally
    properties: int
    property_longs: int
    damages: int

    @classmethod
    def joined(cls, several: Iterable[RelationshipPart]) -> RelationshipPart:
        """Put parts together; their order does not matter."""
        parts = list(several)
        return cls(
            sum(part.count for part in parts),
            max((part.highest for part in parts), default=-1),
            sum(part.loops for part in parts),
            sum(part.without_property for part in parts),
            Tally.joined(part.types for part in parts),
            Tally.joined(part.patterns for part in parts),
            Tally.joined(part.uses for part in parts),
            sum(part.properties for part in parts),
            sum(part.property_longs for part in parts),
            sum(part.damages for part in parts),
        )


def relationship_part(
    tables: Mapping[Store, RecordTable],
    classes: Classes,
    degrees: Degrees,
    batches: Iterable[Batch],
    *,
    most: int = MOST_KEYS,
) -> RelationshipPart:
    """Look at batches of relationship records, and count them in `degrees` too; tallies keep `most` different keys."""
    types, patterns, uses = Collector(most), Patterns(tables, classes, most=most), Collector(most)
    damages: list[Damage] = []
    count, highest, loops, without_property, properties, longs, damaged = 0, -1, 0, 0, 0, 0, 0
    for batch in batches:
        held = columns.relationships(batch.records)
        start, end, kind = held.node[0][held.used], held.node[1][held.used], held.type[held.used]
        ids, heads = batch.ids[held.used], held.property[held.used]
        if not len(ids):
            continue
        degrees.add(start, end)
        patterns.add(start, kind, end)
        distinct, places, sizes = np.unique(kind, return_inverse=True, return_counts=True)
        types.add(distinct.astype(np.uint64), sizes)
        for found in uses_of(tables, heads, places, damages):
            uses.add((distinct[found.owner] << USE_BITS | found.packed).astype(np.uint64), found.count)
            properties, longs = properties + int(found.count.sum()), longs + found.longs
        count, highest = count + len(ids), max(highest, int(ids[-1]))
        loops += int((start == end).sum())
        without_property += int((heads < 0).sum())
        damaged += len(damages)
        damages.clear()
    return RelationshipPart(
        count, highest, loops, without_property,
        types.tally(), patterns.tally(), uses.tally(), properties, longs, damaged,
    )  # fmt: skip


class Patterns:
    """Counts relationships between labels: at first between combinations, which are few, and at times by label."""

    def __init__(self, tables: Mapping[Store, RecordTable], classes: Classes, *, most: int = MOST_KEYS) -> None:
        self._tables = tables
        self._classes = classes
        self._sets = classes.sets.or_none()
        self._between = Collector(_ALL)
        self._by_label = Collector(most)
        self._waiting = 0

    def add(self, start: Numbers, kind: Numbers, end: Numbers) -> None:
        """Count relationships by their nodes and types."""
        begins, ends = self._classes.at(start), self._classes.at(end)
        unknown = (begins == self._classes.look_up) | (ends == self._classes.look_up)
        if unknown.any():
            self._look_up(start[unknown], kind[unknown], end[unknown])
            begins, kind, ends = begins[~unknown], kind[~unknown], ends[~unknown]
        keys, counts = np.unique(_packed(begins, kind, ends), return_counts=True)
        self._between.add(keys.astype(np.uint64), counts)
        self._waiting += len(keys)
        if self._waiting >= _WAITING:
            self._spread()

    def tally(self) -> Tally:
        """Give what was counted so far: by label, type and label."""
        self._spread()
        return self._by_label.tally()

    def _spread(self) -> None:
        tally = self._between.tally()
        self._count(self._sets, tally.keys.astype(np.int64), tally.counts)
        self._between, self._waiting = Collector(_ALL), 0

    def _look_up(self, start: Numbers, kind: Numbers, end: Numbers) -> None:
        nodes, places = np.unique(np.concatenate([start, end]), return_inverse=True)
        sets, of_nodes = label_sets_of_nodes(self._tables, nodes, [])
        own = of_nodes[places]
        keys, counts = np.unique(_packed(own[: len(start)], kind, own[len(start) :]), return_counts=True)
        self._count(sets.or_none(), keys, counts)

    def _count(self, sets: LabelSets, keys: Numbers, counts: Numbers) -> None:
        """Count for each label of the one side with each of the other, not too many at a time."""
        begins, kinds, ends = _unpacked(keys)
        pairs = sets.sizes[begins] * sets.sizes[ends]
        behind = np.cumsum(pairs)
        edge = 0
        while edge < len(keys):
            done = int(behind[edge - 1]) if edge else 0
            stop = max(edge + 1, int(np.searchsorted(behind, done + _MOST_PATTERNS_AT_ONCE, "right")))
            some = slice(edge, stop)
            self._pair(sets, begins[some], kinds[some], ends[some], counts[some])
            edge = stop

    def _pair(self, sets: LabelSets, begins: Numbers, kinds: Numbers, ends: Numbers, counts: Numbers) -> None:
        first, second = sets.sizes[begins], sets.sizes[ends]
        rows = np.repeat(np.arange(len(begins)), first * second)
        within = np.arange(len(rows)) - np.repeat(np.cumsum(first * second) - first * second, first * second)
        one = sets.labels[sets.edges[begins[rows]] + within // second[rows]]
        other = sets.labels[sets.edges[ends[rows]] + within % second[rows]]
        keys = one.astype(np.uint64) << np.uint64(TYPE_BITS + LABEL_BITS)
        keys |= (kinds[rows] << LABEL_BITS | other).astype(np.uint64)
        self._by_label.add(keys, counts[rows])


def _packed(begins: Numbers, kinds: Numbers, ends: Numbers) -> Numbers:
    return begins << TYPE_BITS + _CLASS_BITS | kinds << _CLASS_BITS | ends


def _unpacked(keys: Numbers) -> tuple[Numbers, Numbers, Numbers]:
    return keys >> TYPE_BITS + _CLASS_BITS, keys >> _CLASS_BITS & (1 << TYPE_BITS) - 1, keys & (1 << _CLASS_BITS) - 1
