"""What Neo4j derives from the records, held against them: counts, degrees, indexes and id files.

Only a store that was closed in order has them as of its records. What is needed of relationships is counted on the
pass that goes over them anyway.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from neokeep.consistency.counts import check_counts
from neokeep.consistency.degrees import check_degrees
from neokeep.consistency.id_files import check_id_files
from neokeep.consistency.label_sets import LabelSets
from neokeep.consistency.tallies import Tally
from neokeep.consistency.token_indexes import check_labels_index, check_types_index
from neokeep.consistency.tree_reading import LeftOut, Trees
from neokeep.neo4j.store.tree_layouts import LEGACY_TOKEN_FILES, TOKENS

if TYPE_CHECKING:
    from neokeep.consistency.state import State
    from neokeep.neo4j.store.graph import SchemaRule
    from neokeep.neo4j.store.pages import Numbers, StorePages
    from neokeep.neo4j.store.records import Relationships

_TOKENS_ONLINE = b"\x00"
APPLIED = (
    LeftOut(
        "counts, degrees, indexes and id files",
        "the log is not in them, and Neo4j puts it there or makes them anew when it starts",
    ),
)
"""What is not looked at where neokeep has applied the log itself."""


class Derived:
    """The checks of what is derived, on their way."""

    def __init__(self, state: State, files: StorePages) -> None:
        self.trees = Trees(state, files)
        self.labels = LabelSets(state.reader)
        self.tally = Tally()

    def relationships(self, held: Relationships, ids: Numbers) -> None:
        """Count relationships in use."""
        self.tally.add(self.labels, ids, held.type, *held.node)

    def check(self) -> tuple[LeftOut, ...]:
        """Check everything, after all records; gives what was not looked at."""
        check_counts(self.trees, self.labels, self.tally)
        check_degrees(self.trees)
        for rule in self.trees.state.reader.schema_rules([]):
            if str(rule.properties.get("schemaRuleType")) == "INDEX":
                self._check_index(rule)
        check_id_files(self.trees)
        return tuple(self.trees.left_out)

    def _check_index(self, rule: SchemaRule) -> None:
        kind, entity, provider, version = (
            str(rule.properties.get(key))
            for key in ("indexType", "schemaEntityType", "indexProviderName", "indexProviderVersion")
        )
        if kind != "LOOKUP" or entity not in LEGACY_TOKEN_FILES:
            self.trees.leave_out(f"index {rule.properties.get('name')}", f"indexes of type {kind} are not read")
            return
        name = f"schema/index/{provider}-{version}/{rule.id}/index-{rule.id}"
        if self.trees.files.size(name) is None and self.trees.files.size(LEGACY_TOKEN_FILES[entity]) is not None:
            name = LEGACY_TOKEN_FILES[entity]
        tree = self.trees.open(name, TOKENS)
        if tree is None:
            return
        if tree.header[:1] != _TOKENS_ONLINE:
            self.trees.leave_out(name, "it is not online")
        elif entity == "NODE":
            check_labels_index(self.trees, tree, self.labels)
        else:
            check_types_index(self.trees, tree, self.tally)
