"""Which combination of labels each node has, in two bytes a node (four where there are more than 65,000 of them).

Class 0 is that of nodes that are not in use, and of ids that are none. Nodes whose combination is not among those that
were kept, since there are too many, have to be looked up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from neokeep.neo4j.recovery.layout import Store
from neokeep.neo4j.store import records as columns
from neokeep.statistics.label_sets import LabelSets, label_sets, label_sets_of_nodes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    from neokeep.neo4j.store.pages import Batch, Flags, Numbers, RecordTable
    from neokeep.statistics.tally import Tally

NOT_IN_USE = 0
_AT_ONCE = 1 << 16


@dataclass(frozen=True, slots=True, eq=False)
class Classes:
    """`of_nodes` has the class of each node by its id; `sets` the labels of each class, of which 0 has none.

    The class `look_up` is the number of sets.
    """

    tables: Mapping[Store, RecordTable]
    sets: LabelSets
    of_nodes: NDArray[np.uint16] | NDArray[np.uint32]

    @property
    def look_up(self) -> int:
        """The class of nodes whose labels have to be looked up."""
        return len(self.sets)

    @classmethod
    def of(cls, tables: Mapping[Store, RecordTable], combinations: Tally) -> Classes:
        """Number the combinations, and make room for the nodes."""
        none = LabelSets(np.zeros(1, np.uint64), np.zeros(2, np.int64), np.zeros(0, np.int64))
        parts = [none]
        for begin in range(0, len(combinations.keys), _AT_ONCE):
            sets, places = label_sets_of_nodes(tables, combinations.first[begin : begin + _AT_ONCE], [])
            parts.append(sets.chosen(places))
        sets = LabelSets.joined(parts)
        nodes = tables[Store.NODE].count
        small = len(sets) < np.iinfo(np.uint16).max
        return cls(tables, sets, np.zeros(nodes, np.uint16) if small else np.zeros(nodes, np.uint32))

    def classify(self, batches: Iterable[Batch]) -> None:
        """Note the classes of the nodes of some batches. Threads may do so for different ones."""
        keys = self.sets.keys[1:]
        for batch in batches:
            held = columns.nodes(batch.records)
            ids = batch.ids[held.used]
            sets, places, _ = label_sets(held.labels[held.used], ids, self.tables[Store.NODE_LABELS], [])
            rows = np.minimum(np.searchsorted(keys, sets.keys), max(0, len(keys) - 1))
            known = keys[rows] == sets.keys if len(keys) else np.zeros(len(sets), np.bool_)
            self.of_nodes[ids] = np.where(known, rows + 1, self.look_up)[places]

    def at(self, nodes: Numbers) -> Numbers:
        """Give the classes of nodes by their ids."""
        inside = (nodes >= 0) & (nodes < len(self.of_nodes))
        found: Numbers = np.where(inside, self.of_nodes[np.where(inside, nodes, 0)], NOT_IN_USE).astype(np.int64)
        return found

    def labels_of(self, node: int) -> Numbers:
        """Give the labels of a node."""
        place = int(self.of_nodes[node])
        if place != self.look_up:
            return self.sets.of(place)
        return label_sets_of_nodes(self.tables, np.array([node]), [])[0].of(0)

    def in_use(self, start: int, stop: int) -> Flags:
        """Tell which nodes of a range are in use."""
        found: Flags = self.of_nodes[start:stop] != NOT_IN_USE
        return found
