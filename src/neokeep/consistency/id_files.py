"""Id files against the stores: an id that is marked as unused is given to the next record, whatever stands there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from neokeep.consistency.codes import Code
from neokeep.consistency.tree_reading import AT_ONCE, read_fixed
from neokeep.neo4j.recovery.layout import FILES, WITH_HEADER, Store
from neokeep.neo4j.recovery.meaning import records_in_use
from neokeep.neo4j.store.tree_layouts import IDS, free_ids, signed

if TYPE_CHECKING:
    from neokeep.consistency.tree_reading import Trees
    from neokeep.neo4j.store.pages import Bytes, Numbers
    from neokeep.neo4j.store.tree import Tree

ID_FILES = {store: f"{FILES[store]}.id" for store in Store}
_RANGES = AT_ONCE // 4


def check_id_files(trees: Trees) -> None:
    """Check the id file of each store."""
    for store, name in ID_FILES.items():
        tree = trees.open(name, IDS)
        if tree is not None:
            _check_free(trees, tree, store)
            _check_high(trees, tree, store)


def _check_free(trees: Trees, tree: Tree, store: Store) -> None:
    table = trees.state.tables[store]
    for entries in read_fixed(trees, tree, _range, most=_RANGES):
        rows, ids = free_ids(entries.keys, entries.values)
        held = ids >= int(store in WITH_HEADER)
        rows, ids = rows[held], ids[held]
        wrong = records_in_use(store, table.at(ids))
        trees.findings.add_each(
            Code.ID_FREE, tree.name, entries.pages[rows[wrong]], "record {0} is in use, and its id free", ids[wrong]
        )


def _check_high(trees: Trees, tree: Tree, store: Store) -> None:
    """Look for records in use behind the highest id that the file knows: new ones would be written over them."""
    high, table = int.from_bytes(tree.header[:8], "big"), trees.state.tables[store]
    if len(tree.header) < 8:
        return
    for batch in table.batches(start=high):
        above = batch.ids[records_in_use(store, batch.records)]
        trees.findings.add_each(
            Code.ID_HIGH, tree.name, np.full(len(above), tree.state.root),
            f"record {{0}} is in use, and the next new one is {high}", above,
        )  # fmt: skip


def _range(keys: Bytes) -> tuple[Numbers]:
    return (signed(keys),)
