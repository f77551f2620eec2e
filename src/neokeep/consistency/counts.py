"""The counts store against the graph: nodes by label, relationships by type and by the label of their start or end."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from neokeep.consistency.codes import Code
from neokeep.consistency.tallies import TYPE_BITS
from neokeep.consistency.tree_reading import read_fixed
from neokeep.neo4j.recovery.layout import Store
from neokeep.neo4j.store.tree_layouts import COUNTS, COUNTS_FILE, NODES, RELATIONSHIPS, counts_key, signed

if TYPE_CHECKING:
    from neokeep.consistency.label_sets import LabelSets
    from neokeep.consistency.tallies import Tally
    from neokeep.consistency.tree_reading import Trees

ANY = -1
_HIGH = 32
_LOW = (1 << _HIGH) - 1

Key = tuple[int, int, int]


def check_counts(trees: Trees, labels: LabelSets, tally: Tally) -> None:
    """Compare all counts, those of nothing too."""
    if labels.damaged:
        trees.leave_out(COUNTS_FILE, "labels of some nodes cannot be read")
        return
    tree = trees.open(COUNTS_FILE, COUNTS)
    if tree is None:
        return
    expected = _counted(labels, tally)
    for entries in read_fixed(trees, tree, counts_key):
        rows = zip(
            *(column.tolist() for column in entries.columns),
            signed(entries.values).tolist(),
            entries.pages.tolist(),
            strict=True,
        )
        for *key, said, page in rows:
            counted = expected.pop((key[0], key[1], key[2]), 0)
            if said != counted:
                _tell(trees, page, (key[0], key[1], key[2]), said, counted)
    for missing, counted in expected.items():
        _tell(trees, tree.state.root, missing, 0, counted)


def _counted(labels: LabelSets, tally: Tally) -> Counter[Key]:
    found: Counter[Key] = Counter()
    for number, count in enumerate(labels.counts.tolist()):
        for label in (ANY, *labels.sets[number]):
            found[NODES, label, 0] += count
    for side, counted in ((0, tally.starts), (1, tally.ends)):
        for key, count in counted.items():
            kind = key & (1 << TYPE_BITS) - 1
            # Those of any label are the same from both sides.
            of_set = labels.sets[key >> TYPE_BITS]
            for label in of_set if side else (ANY, *of_set):
                start, end = (ANY, label) if side else (label, ANY)
                for named in (ANY, kind):
                    found[RELATIONSHIPS, start << _HIGH | named & _LOW, end] += count
    return +found


def _tell(trees: Trees, page: int, key: Key, said: int, counted: int) -> None:
    trees.findings.add(
        Code.COUNT, COUNTS_FILE, page, f"it says that there are {said} {_named(trees, key)}, and there are {counted}"
    )


def _named(trees: Trees, key: Key) -> str:
    kind, first, second = key
    if kind == NODES:
        return f"nodes with {_label(trees, first)}"
    if kind != RELATIONSHIPS:
        return f"of an unknown kind {kind}"
    low = first & _LOW
    name = "any type" if low == _LOW else f"type {trees.state.reader.tokens(Store.TYPE).get(low, low)!r}"
    return f"relationships of {name} from {_label(trees, first >> _HIGH)} to {_label(trees, second)}"


def _label(trees: Trees, label: int) -> str:
    return "any label" if label == ANY else f"label {trees.state.reader.tokens(Store.LABEL).get(label, label)!r}"
