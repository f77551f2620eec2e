"""The combinations of labels that nodes have, each once, and told apart by a key of 64 bits.

Labels are numbered from 1 on (their id and 1); 0 stands for having none. The key of a combination is a sum of mixed
labels, so two combinations may have the same with a chance of about n²/2**65 among n of them: one in thirty million
for a million.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from neokeep.neo4j.recovery.layout import Store
from neokeep.neo4j.store import records as columns
from neokeep.neo4j.store.labels import distinct_labels
from neokeep.statistics.tally import scrambled

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from neokeep.neo4j.store.damage import Damage
    from neokeep.neo4j.store.pages import Numbers, RecordTable
    from neokeep.statistics.tally import Keys

LABEL_BITS = 24
NO_LABEL = 0
_HIGHEST = (1 << LABEL_BITS) - 1
_NO_LABELS = np.uint64(0)


@dataclass(frozen=True, slots=True, eq=False)
class LabelSets:
    """Combinations of labels: the key of each, and its labels, which are those from `edges[i]` to `edges[i + 1]`."""

    keys: Keys
    edges: Numbers
    labels: Numbers

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def sizes(self) -> Numbers:
        """The number of labels of each."""
        return np.diff(self.edges)

    def chosen(self, places: Numbers) -> LabelSets:
        """Take some of them, in any order and as often as asked."""
        sizes = self.sizes[places]
        edges = np.concatenate([[0], np.cumsum(sizes)])
        within = np.arange(edges[-1]) - np.repeat(edges[:-1], sizes)
        return LabelSets(self.keys[places], edges, self.labels[np.repeat(self.edges[places], sizes) + within])

    def of(self, place: int) -> Numbers:
        """Give the labels of one."""
        return self.labels[self.edges[place] : self.edges[place + 1]]

    def or_none(self) -> LabelSets:
        """Give those without labels the label 0, so that each has one at least."""
        sizes = np.maximum(self.sizes, 1)
        edges = np.concatenate([[0], np.cumsum(sizes)])
        labels = np.full(int(edges[-1]), NO_LABEL)
        has = np.repeat(self.sizes > 0, sizes)
        labels[has] = self.labels
        return LabelSets(self.keys, edges, labels)

    @classmethod
    def joined(cls, several: Iterable[LabelSets]) -> LabelSets:
        """Put them behind one another."""
        parts = list(several)
        sizes = np.concatenate([part.sizes for part in parts])
        return cls(
            np.concatenate([part.keys for part in parts]),
            np.concatenate([[0], np.cumsum(sizes)]),
            np.concatenate([part.labels for part in parts]),
        )


def label_sets(
    fields: Numbers, ids: Numbers, table: RecordTable, damages: list[Damage]
) -> tuple[LabelSets, Numbers, Numbers]:
    """Find the combinations of the nodes `ids` by their label fields; `table` holds what is not in the fields.

    Gives the combinations, the place of each node's among them, and of each combination the first node's place with it.
    """
    found, edges, examples, places = distinct_labels(fields, ids, table, damages)
    labels = np.clip(found.labels, 0, _HIGHEST - 1) + 1
    keys = np.zeros(len(examples), np.uint64)
    some = np.flatnonzero(np.diff(edges))
    if len(some):
        keys[some] = np.add.reduceat(scrambled(labels.astype(np.uint64)), edges[some])
    own, one_of_each, again = np.unique(keys, return_index=True, return_inverse=True)
    sets = LabelSets(keys, edges, labels).chosen(one_of_each)
    first = np.full(len(own), len(fields))
    np.minimum.at(first, again, examples)
    return LabelSets(own, sets.edges, sets.labels), again[places], first


def label_sets_of_nodes(
    tables: Mapping[Store, RecordTable], ids: Numbers, damages: list[Damage]
) -> tuple[LabelSets, Numbers]:
    """Look up the combinations of nodes by their ids; gives them, and the place of each node's among them.

    A node that is not in use has no labels.
    """
    held = columns.nodes(tables[Store.NODE].at(ids))
    fields = np.where(held.used, held.labels, 0)
    sets, places, _ = label_sets(fields, ids, tables[Store.NODE_LABELS], damages)
    return sets, places
