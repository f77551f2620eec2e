"""What Neo4j derives from the records, held against them: counts, degrees, indexes and id files.

Only a store that was closed in order has them as of its records.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from neokeep.consistency.counts import check_counts
from neokeep.consistency.degrees import check_degrees
from neokeep.consistency.id_files import check_id_files
from neokeep.consistency.label_sets import LabelSets
from neokeep.consistency.property_indexes import check_property_index
from neokeep.consistency.property_values import Indexed
from neokeep.consistency.tallies import Tally
from neokeep.consistency.token_indexes import check_labels_index, check_types_index
from neokeep.consistency.tree_reading import LeftOut, Trees
from neokeep.neo4j.recovery.layout import Store
from neokeep.neo4j.store import records as columns
from neokeep.neo4j.store.index_keys import ONLINE, layout_of
from neokeep.neo4j.store.tree_layouts import LEGACY_TOKEN_FILES, TOKENS
from neokeep.workers import run_workers

if TYPE_CHECKING:
    from neokeep.consistency.state import State
    from neokeep.neo4j.store.graph import SchemaRule
    from neokeep.neo4j.store.pages import StorePages
    from neokeep.neo4j.store.tree import Layout, Tree
    from neokeep.progress import Progress

ENTITIES = {"NODE": Store.NODE, "RELATIONSHIP": Store.RELATIONSHIP}
_TOKENS_ONLINE = b"\x00"
_STRETCH = 256 * 1024
"""Relationships that a thread counts at a time."""
_WORTH_COMPILING = 4 * _STRETCH
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
    progress.begin("checking counts and indexes", table.count * table.geometry.record_bytes)
    try:
        labels = LabelSets(state.reader)
        return _Derived(Trees(state, files), labels, _tally(state, labels, jobs, progress)).check()
    finally:
        progress.end()


def _tally(state: State, labels: LabelSets, jobs: int, progress: Progress) -> Tally:
    """Count all relationships, a stretch at a time on each thread."""
    table, types = state.tables[Store.RELATIONSHIP], len(state.names(Store.TYPE))
    starts, taking, whole = iter(range(0, table.count, _STRETCH)), threading.Lock(), Tally()

    def work(stopping: threading.Event) -> None:
        own = Tally()
        while not stopping.is_set():
            with taking:
                start = next(starts, None)
            if start is None:
                break
            records = table.stretch(start, min(start + _STRETCH, table.count))
            if table.count < _WORTH_COMPILING or not own.add_stretch(labels, start, records, types):
                held = columns.relationships(records)
                ids = np.arange(start, start + len(records), dtype=np.int64)[held.used]
                own.add(labels, ids, held.type[held.used], held.node[0][held.used], held.node[1][held.used])
            progress.advance(records.size)
        with taking:
            whole.merge(own)

    run_workers(work, jobs)
    return whole


@dataclass(frozen=True, slots=True)
class _Derived:
    """The checks of what is derived, on their way."""

    trees: Trees
    labels: LabelSets
    tally: Tally

    def check(self) -> tuple[LeftOut, ...]:
        """Check everything."""
        check_counts(self.trees, self.labels, self.tally)
        check_degrees(self.trees)
        for rule in self.trees.state.reader.schema_rules([]):
            if str(rule.properties.get("schemaRuleType")) == "INDEX":
                self._check_index(rule)
        check_id_files(self.trees)
        return tuple(self.trees.left_out)

    def _check_index(self, rule: SchemaRule) -> None:
        said = {key: str(rule.properties.get(key)) for key in _SAID}
        kind, entity, provider, version, schema = said.values()
        folder = f"{provider}-{version}"
        name = f"schema/index/{folder}/{rule.id}/index-{rule.id}"
        tokens, keys = (_numbers(rule.properties.get(key)) for key in ("schemaEntityIds", "schemaPropertyIds"))
        layout = layout_of(folder, len(keys))
        if kind == "LOOKUP" and entity in ENTITIES:
            self._check_tokens(name, entity)
        elif layout is None or entity not in ENTITIES or schema != _ALL_OF or not tokens or not keys:
            named = rule.properties.get("name")
            self.trees.leave_out(f"index {named}", f"indexes of type {kind}, provider {folder}, are not read")
        else:
            self._check_properties(name, layout, Indexed(ENTITIES[entity], tokens, keys))

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

    def _check_properties(self, name: str, layout: Layout, indexed: Indexed) -> None:
        if indexed.store is Store.NODE and self.labels.damaged:
            self.trees.leave_out(name, "labels of some nodes cannot be read")
            return
        tree = self._online(name, layout, ONLINE)
        if tree is not None:
            check_property_index(self.trees, tree, self.labels, indexed)

    def _online(self, name: str, layout: Layout, online: bytes) -> Tree | None:
        tree = self.trees.open(name, layout)
        if tree is None or tree.header[:1] == online:
            return tree
        self.trees.leave_out(name, "it is not online")
        return None


def _numbers(value: Any) -> tuple[int, ...]:
    return tuple(int(number) for number in value.tolist()) if isinstance(value, np.ndarray) else ()
