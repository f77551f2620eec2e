"""Which labels each node has, in one to four bytes a node: the number of its set of labels.

Graphs have few sets, however many nodes they have. Set 0 has no labels; a node that is not in use is in it too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from neokeep.consistency.claims import fingerprints
from neokeep.neo4j.recovery.layout import Store
from neokeep.neo4j.store import records as columns
from neokeep.neo4j.store.labels import labels_of

if TYPE_CHECKING:
    from neokeep.neo4j.store.damage import Damage
    from neokeep.neo4j.store.graph import GraphReader
    from neokeep.neo4j.store.pages import Flags, Numbers

Set = tuple[int, ...]


class LabelSets:
    """The sets of labels of the nodes of a store; `counts` and `sums` tell the nodes of each set in use.

    `sums` are those of the fingerprints of node ids. `damaged` says that the labels of some node cannot be read, which
    is then in set 0.
    """

    def __init__(self, reader: GraphReader) -> None:
        table = reader.tables[Store.NODE]
        self.sets: list[Set] = [()]
        self.numbers = np.zeros(table.count, np.uint8)
        self.damaged = False
        self._known: dict[Set, int] = {(): 0}
        self._fields: dict[int, int] = {0: 0}
        self._with_label: dict[int, Flags] = {}
        self.counts, self.sums = np.zeros(1, np.int64), np.zeros(1, np.uint64)
        for batch in table.batches():
            held = columns.nodes(batch.records)
            self._add(reader, batch.ids[held.used], held.labels[held.used])

    def of(self, nodes: Numbers) -> Numbers:
        """Tell the set of each node; 0 for ids that no node can have."""
        inside = (nodes >= 0) & (nodes < len(self.numbers))
        return np.where(inside, self.numbers[np.where(inside, nodes, 0)] if len(self.numbers) else 0, 0)

    def with_label(self, label: int) -> Flags:
        """Tell which sets have a label."""
        if label not in self._with_label:
            self._with_label[label] = np.array([label in one for one in self.sets], np.bool_)
        return self._with_label[label]

    def _add(self, reader: GraphReader, ids: Numbers, fields: Numbers) -> None:
        sets = np.zeros(len(ids), np.int64)
        # Fields of a node with its labels elsewhere lead to records of that node alone.
        elsewhere = fields >> 39 & 1 != 0
        distinct, places = np.unique(fields[~elsewhere], return_inverse=True)
        sets[~elsewhere] = self._of_fields(reader, distinct)[places]
        rows = np.flatnonzero(elsewhere)
        sets[rows] = self._read(reader, fields[rows], ids[rows])
        if len(self.sets) > np.iinfo(self.numbers.dtype).max:
            self.numbers = self.numbers.astype(np.uint16 if len(self.sets) < 1 << 16 else np.uint32)
        self.numbers[ids] = sets
        grown = len(self.sets) - len(self.counts)
        self.counts = np.pad(self.counts, (0, grown)) + np.bincount(sets, minlength=len(self.sets))
        self.sums = np.pad(self.sums, (0, grown))
        np.add.at(self.sums, sets, fingerprints(ids) if len(ids) else np.zeros(0, np.uint64))

    def _of_fields(self, reader: GraphReader, fields: Numbers) -> Numbers:
        new = np.array([field for field in fields.tolist() if field not in self._fields], np.int64)
        for field, number in zip(new.tolist(), self._read(reader, new, new).tolist(), strict=True):
            self._fields[field] = number
        return np.array([self._fields[field] for field in fields.tolist()], np.int64)

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
