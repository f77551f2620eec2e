"""Which labels each node has, in one to four bytes a node: the number of its set of labels.

Graphs have few sets, however many nodes they have. Set 0 has no labels; a node that is not in use is in it too.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from neokeep.consistency.claims import fingerprints
from neokeep.neo4j.recovery.layout import Store
from neokeep.neo4j.store import records as columns
from neokeep.neo4j.store.labels import labels_of
from neokeep.parallel import in_order

if TYPE_CHECKING:
    from neokeep.consistency.claims import Fingerprints
    from neokeep.neo4j.store.damage import Damage
    from neokeep.neo4j.store.graph import GraphReader
    from neokeep.neo4j.store.pages import Flags, Numbers, RecordTable

Set = tuple[int, ...]


class LabelSets:
    """The sets of labels of the nodes of a store; `counts` and `sums` tell the nodes of each set in use.

    `sums` are those of the fingerprints of node ids. `damaged` says that the labels of some node cannot be read, which
    is then in set 0.
    """

    def __init__(self, reader: GraphReader, jobs: int = 1) -> None:
        """Read the labels of all nodes, on so many threads."""
        table = reader.tables[Store.NODE]
        self.sets: list[Set] = [()]
        self.numbers = np.zeros(table.count, np.uint8)
        self.damaged = False
        self._known: dict[Set, int] = {(): 0}
        self._fields, self._of_field = np.zeros(1, np.int64), np.zeros(1, np.int64)
        self._with_label: dict[int, Flags] = {}
        self.counts, self.sums = np.zeros(1, np.int64), np.zeros(1, np.uint64)
        for batch in in_order((partial(_fields_of, table, *own) for own in table.stretches()), jobs):
            self._add(reader, *batch)

    def of(self, nodes: Numbers) -> Numbers:
        """Tell the set of each node; 0 for ids that no node can have."""
        inside = (nodes >= 0) & (nodes < len(self.numbers))
        return np.where(inside, self.numbers[np.where(inside, nodes, 0)] if len(self.numbers) else 0, 0)

    def with_label(self, label: int) -> Flags:
        """Tell which sets have a label."""
        if label not in self._with_label:
            self._with_label[label] = np.array([label in one for one in self.sets], np.bool_)
        return self._with_label[label]

    def _add(self, reader: GraphReader, ids: Numbers, fields: Numbers, prints: Fingerprints) -> None:
        sets = np.zeros(len(ids), np.int64)
        # Fields of a node with its labels elsewhere lead to records of that node alone.
        elsewhere = fields >> 39 & 1 != 0
        rows = np.flatnonzero(elsewhere)
        sets[~elsewhere] = self._of_fields(reader, fields[~elsewhere] if len(rows) else fields)
        sets[rows] = self._read(reader, fields[rows], ids[rows])
        if len(self.sets) > np.iinfo(self.numbers.dtype).max:
            self.numbers = self.numbers.astype(np.uint16 if len(self.sets) < 1 << 16 else np.uint32)
        self.numbers[ids] = sets
        grown = len(self.sets) - len(self.counts)
        self.counts = np.pad(self.counts, (0, grown)) + np.bincount(sets, minlength=len(self.sets))
        self.sums = np.pad(self.sums, (0, grown))
        np.add.at(self.sums, sets, prints)

    def _of_fields(self, reader: GraphReader, fields: Numbers) -> Numbers:
        """Tell the sets of fields; there are few different ones, of which most batches have no new one."""
        places = self._places(fields)
        unknown = self._fields[places] != fields
        if unknown.any():
            new = np.unique(fields[unknown])
            at = np.searchsorted(self._fields, new)
            self._of_field = np.insert(self._of_field, at, self._read(reader, new, new))
            self._fields = np.insert(self._fields, at, new)
            places = self._places(fields)
        return self._of_field[places]

    def _places(self, fields: Numbers) -> Numbers:
        return np.minimum(np.searchsorted(self._fields, fields), len(self._fields) - 1)

    def _read(self, reader: GraphReader, fields: Numbers, ids: Numbers) -> Numbers:
        damages: list[Damage] = []
        found = labels_of(fields, ids, reader.tables[Store.NODE_LABELS], damages)
        self.damaged |= bool(damages)
        labels = np.split(found.labels, np.searchsorted(found.rows, np.arange(1, len(fields))))
        return np.array([self._number(tuple(own.tolist())) for own in labels[: len(fields)]], np.int64)

    def _number(self, labels: Set) -> int:
        number = self._known.setdefault(labels, len(self.sets))
        if number == len(self.sets):
            self.sets.append(labels)
        return number


def _fields_of(table: RecordTable, start: int, stop: int) -> tuple[Numbers, Numbers, Fingerprints]:
    """Read nodes in use: their ids, their fields of labels, and the fingerprints of their ids."""
    records = table.stretch(start, stop)
    rows = np.flatnonzero(columns.nodes_in_use(records)[0])
    return start + rows, columns.node_labels(records)[rows], fingerprints(start + rows)
