"""The pass over nodes: how many, with which labels, and which properties they have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from neokeep.neo4j.recovery.layout import Store
from neokeep.neo4j.store import records as columns
from neokeep.statistics.label_sets import label_sets
from neokeep.statistics.tally import MOST_KEYS, Collector, Tally
from neokeep.statistics.uses import USE_BITS, Uses, uses_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from neokeep.neo4j.store.damage import Damage
    from neokeep.neo4j.store.pages import Batch, Numbers, RecordTable
    from neokeep.statistics.label_sets import LabelSets
    from neokeep.statistics.tally import Keys


@dataclass(frozen=True, slots=True, eq=False)
class NodePart:
    """What is known of some of the nodes.

    `labels` counts nodes by label. `combinations` counts them by the key of their combination, and keeps the smallest
    id of a node with it. `uses` counts properties by label, key and type, packed; a node without label has label 0.
    `property_longs` is what the values take in property records, `highest` the largest id in use, -1 where none is.
    """

    count: int
    highest: int
    without_label: int
    without_property: int
    labels: Tally
    combinations: Tally
    uses: Tally
    properties: int
    property_longs: int
    damages: int

    @classmethod
    def joined(cls, several: Iterable[NodePart]) -> NodePart:
        """Put parts together; their order does not matter."""
        parts = list(several)
        return cls(
            sum(part.count for part in parts),
            max((part.highest for part in parts), default=-1),
            sum(part.without_label for part in parts),
            sum(part.without_property for part in parts),
            Tally.joined(part.labels for part in parts),
            Tally.joined(part.combinations for part in parts),
            Tally.joined(part.uses for part in parts),
            sum(part.properties for part in parts),
            sum(part.property_longs for part in parts),
            sum(part.damages for part in parts),
        )


def node_part(tables: Mapping[Store, RecordTable], batches: Iterable[Batch], *, most: int = MOST_KEYS) -> NodePart:
    """Look at batches of node records; tallies keep `most` different keys."""
    labels, combinations, uses = Collector(most), Collector(most), Collector(most)
    damages: list[Damage] = []
    count, highest, without_label, without_property, properties, longs, damaged = 0, -1, 0, 0, 0, 0, 0
    for batch in batches:
        held = columns.nodes(batch.records)
        ids, heads = batch.ids[held.used], held.property[held.used]
        if not len(ids):
            continue
        sets, places, examples = label_sets(held.labels[held.used], ids, tables[Store.NODE_LABELS], damages)
        sizes = np.bincount(places, minlength=len(sets))
        combinations.add(sets.keys, sizes, ids[examples])
        labels.add(sets.labels.astype(np.uint64), np.repeat(sizes, sets.sizes))
        named = sets.or_none()
        for found in uses_of(tables, heads, places, damages):
            uses.add(*by_label(named, found))
            properties, longs = properties + int(found.count.sum()), longs + found.longs
        count, highest = count + len(ids), max(highest, int(ids[-1]))
        without_label += int(sizes[sets.sizes == 0].sum())
        without_property += int((heads < 0).sum())
        damaged += len(damages)
        damages.clear()
    return NodePart(
        count, highest, without_label, without_property,
        labels.tally(), combinations.tally(), uses.tally(), properties, longs, damaged,
    )  # fmt: skip


def by_label(sets: LabelSets, uses: Uses) -> tuple[Keys, Numbers]:
    """Turn uses by combinations into uses by label, packed: label, key and type; gives keys for a tally, and counts."""
    sizes = sets.sizes[uses.owner]
    labels = sets.chosen(uses.owner).labels
    return (labels << USE_BITS | np.repeat(uses.packed, sizes)).astype(np.uint64), np.repeat(uses.count, sizes)
