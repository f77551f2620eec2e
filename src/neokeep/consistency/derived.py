"""What Neo4j derives from the records, held against them: counts, degrees, indexes and id files.

Only a store that was closed in order has them as of its records.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from neokeep.consistency.counts import check_counts
from neokeep.consistency.degrees import check_degrees
from neokeep.consistency.id_files import ID_FILES, check_id_files
from neokeep.consistency.label_sets import LabelSets
from neokeep.consistency.property_indexes import PropertyIndex, check_property_indexes
from neokeep.consistency.property_values import Indexed
from neokeep.consistency.tallies import WORTH_COMPILING, Tally
from neokeep.consistency.token_indexes import check_labels_index, check_types_index
from neokeep.consistency.tree_reading import LeftOut, Trees
from neokeep.neo4j.recovery.layout import Store
from neokeep.neo4j.store import records as columns
from neokeep.neo4j.store.index_keys import ONLINE, layout_of
from neokeep.neo4j.store.tree_layouts import COUNTS_FILE, DEGREES_FILE, LEGACY_TOKEN_FILES, TOKENS
from neokeep.parallel import in_order

if TYPE_CHECKING:
    from neokeep.consistency.state import State
    from neokeep.neo4j.store.graph import SchemaRule
    from neokeep.neo4j.store.pages import RecordTable, StorePages
    from neokeep.neo4j.store.tree import Layout, Tree
    from neokeep.progress import Progress

ENTITIES = {"NODE": Store.NODE, "RELATIONSHIP": Store.RELATIONSHIP}
_TOKEN_PROVIDER, _TOKENS_ONLINE = "token-lookup-1.0", b"\x00"
_STRETCH = 256 * 1024
"""Relationships that a thread counts at a time."""
_SAID = ("indexType", "schemaEntityType", "indexProviderName", "indexProviderVersion", "schemaPropertySchemaType")
_ALL_OF = "COMPLETE_ALL_TOKENS"
"""How rules say that an index holds what has all of the properties."""
APPLIED = (
    LeftOut(
        "counts, degrees, indexes and id files",
        "the log is not in them, and Neo4j puts it there or makes them anew when it starts",
    ),
)
"""What is not looked at where neokeep has applied the log itself."""


def check_derived(state: State, files: StorePages, *, jobs: int, progress: Progress) -> tuple[LeftOut, ...]:
    """Check everything, after the relationships of groups were counted; gives what was not looked at."""
    table = state.tables[Store.RELATIONSHIP]
    progress.begin("counting relationships", table.count * table.geometry.record_bytes)
    try:
        labels = LabelSets(state.reader, jobs)
        return _Derived(Trees(state, files, progress), labels, _tally(state, labels, jobs, progress)).check()
    finally:
        progress.end()


def _tally(state: State, labels: LabelSets, jobs: int, progress: Progress) -> Tally:
    """Count all relationships, a stretch at a time on each thread."""
    table, whole = state.tables[Store.RELATIONSHIP], Tally()
    types = len(state.names(Store.TYPE))
    work = (partial(_of_stretch, table, labels, types, *own) for own in table.stretches(_STRETCH))
    for size, own in in_order(work, jobs):
        whole.merge(own)
        progress.advance(size)
    return whole


def _of_stretch(table: RecordTable, labels: LabelSets, types: int, start: int, stop: int) -> tuple[int, Tally]:
    """Count the relationships of one stretch; gives its bytes too."""
    records, own = table.stretch(start, stop), Tally()
    if table.count < WORTH_COMPILING or not own.add_stretch(labels, start, records, types):
        held = columns.relationships(records)
        ids = np.arange(start, start + len(records), dtype=np.int64)[held.used]
        own.add(labels, ids, held.type[held.used], held.node[0][held.used], held.node[1][held.used])
    return records.size, own


@dataclass(frozen=True, slots=True)
class _Derived:
    """The checks of what is derived, on their way."""

    trees: Trees
    labels: LabelSets
    tally: Tally

    def check(self) -> tuple[LeftOut, ...]:
        """Check everything; gives what was not looked at."""
        rules = [
            rule
            for rule in self.trees.state.reader.schema_rules([])
            if str(rule.properties.get("schemaRuleType")) == "INDEX"
        ]
        lookups = [_file_of(_TOKEN_PROVIDER, rule) for rule in rules]
        names = [COUNTS_FILE, DEGREES_FILE, *LEGACY_TOKEN_FILES.values(), *lookups, *ID_FILES.values()]
        sizes = sum(self.trees.files.size(name) or 0 for name in names)
        self.trees.progress.begin("checking counts, indexes and id files", sizes)
        check_counts(self.trees, self.labels, self.tally)
        check_degrees(self.trees)
        check_id_files(self.trees)
        found = [self._check_index(rule) for rule in rules]
        for store in ENTITIES.values():
            indexes = [one for one in found if one is not None and one.indexed.store is store]
            if indexes:
                table = self.trees.state.tables[store]
                size = sum(self.trees.files.size(one.tree.name) or 0 for one in indexes)
                self.trees.progress.begin(
                    f"checking indexes of {store.name.lower()}s", size + table.count * table.geometry.record_bytes
                )
                check_property_indexes(self.trees, self.labels, indexes)
        return tuple(self.trees.left_out)

    def _check_index(self, rule: SchemaRule) -> PropertyIndex | None:
        """Check an index of tokens; gives one of properties that is to be checked."""
        said = {key: str(rule.properties.get(key)) for key in _SAID}
        kind, entity, provider, version, schema = said.values()
        folder = f"{provider}-{version}"
        tokens, keys = (_numbers(rule.properties.get(key)) for key in ("schemaEntityIds", "schemaPropertyIds"))
        layout = layout_of(folder, len(keys))
        if folder == _TOKEN_PROVIDER and entity in ENTITIES:
            self._check_tokens(_file_of(folder, rule), entity)
        elif layout is None or entity not in ENTITIES or schema != _ALL_OF or not tokens or not keys:
            named = rule.properties.get("name")
            self.trees.leave_out(f"index {named}", f"indexes of type {kind}, provider {folder}, are not read")
        else:
            return self._of_properties(_file_of(folder, rule), layout, Indexed(ENTITIES[entity], tokens, keys))
        return None

    def _check_tokens(self, name: str, entity: str) -> None:
        legacy = LEGACY_TOKEN_FILES[entity]
        if self.trees.files.size(name) is None and self.trees.files.size(legacy) is not None:
            name = legacy
        tree = self._online(name, TOKENS, _TOKENS_ONLINE)
        if tree is None:
            return
        if ENTITIES[entity] is Store.NODE:
            check_labels_index(self.trees, tree, self.labels)
        else:
            check_types_index(self.trees, tree, self.tally)

    def _of_properties(self, name: str, layout: Layout, indexed: Indexed) -> PropertyIndex | None:
        if indexed.store is Store.NODE and self.labels.damaged:
            self.trees.leave_out(name, "labels of some nodes cannot be read")
            return None
        tree = self._online(name, layout, ONLINE)
        return None if tree is None else PropertyIndex(tree, indexed)

    def _online(self, name: str, layout: Layout, online: bytes) -> Tree | None:
        tree = self.trees.open(name, layout)
        if tree is None or tree.header[:1] == online:
            return tree
        self.trees.leave_out(name, "it is not online")
        return None


def _file_of(folder: str, rule: SchemaRule) -> str:
    return f"schema/index/{folder}/{rule.id}/index-{rule.id}"


def _numbers(value: Any) -> tuple[int, ...]:
    # What a damaged rule says may be of any type.
    is_whole = isinstance(value, np.ndarray) and value.dtype.kind in "iu"
    return tuple(value.tolist()) if is_whole else ()
