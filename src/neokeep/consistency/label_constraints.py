"""Constraints on labels: that a node with one label has another too, that an end of a relationship has a label.

Neo4j 2026 keeps such rules; only its Enterprise edition makes them. Which labels each node has is kept in memory for
them, as for what is derived from the records: one to four bytes a node.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from neokeep.consistency.codes import Code
from neokeep.consistency.label_sets import LabelSets
from neokeep.consistency.tree_reading import LeftOut
from neokeep.neo4j.recovery.layout import Store
from neokeep.neo4j.store import records as columns
from neokeep.neo4j.store.pages import RECORDS_AT_ONCE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from neokeep.consistency.state import State
    from neokeep.neo4j.store.graph import SchemaRule
    from neokeep.progress import Progress

_OF_NODES, _OF_ENDS = ("NODE_LABEL_EXISTENCE", "NODE"), ("RELATIONSHIP_ENDPOINT_LABEL", "RELATIONSHIP")
REQUIRED = {_OF_NODES: "requiredLabelId", _OF_ENDS: "endpointLabelId"}
"""Kinds of constraints with what they are on, and the key of the label that they demand."""
_ENDS = {"START": 0, "END": 1}


@dataclass(frozen=True, slots=True)
class LabelConstraint:
    """A rule that demands a label: of nodes with the label `token`, or at an end of relationships of that type.

    `end` is 0 or 1, the start or the end; None of nodes.
    """

    name: str
    token: int
    required: int
    end: int | None

    @classmethod
    def of(cls, rule: SchemaRule) -> LabelConstraint | None:
        """Read a rule; None for what is no constraint on labels, or cannot be judged."""
        said = rule.properties
        # Of a damaged rule any of these may be an array.
        if str(said.get("schemaRuleType")) != "CONSTRAINT":
            return None
        kind = (str(said.get("constraintRuleType")), str(said.get("schemaEntityType")))
        tokens, required = said.get("schemaEntityIds"), said.get(REQUIRED.get(kind, ""))
        end = _ENDS.get(str(said.get("endpointType"))) if kind == _OF_ENDS else None
        if not isinstance(tokens, np.ndarray) or tokens.dtype.kind not in "iu" or len(tokens) != 1:
            return None
        if not isinstance(required, int) or (kind == _OF_ENDS and end is None):
            return None
        return cls(str(said.get("name")), int(tokens[0]), required, end)


def check_label_constraints(state: State, rules: Sequence[SchemaRule], progress: Progress) -> tuple[LeftOut, ...]:
    """Check all constraints on labels that are among the rules; gives what was not looked at."""
    found = [one for one in map(LabelConstraint.of, rules) if one is not None]
    if not found:
        return ()
    labels = LabelSets(state.reader)
    if labels.damaged:
        return tuple(LeftOut(f"constraint {one.name}", "labels of some nodes cannot be read") for one in found)
    for rule in found:
        if rule.end is None:
            _check_nodes(state, rule, labels)
    of_ends = [rule for rule in found if rule.end is not None]
    if of_ends:
        _check_ends(state, of_ends, labels, progress)
    return ()


def _check_nodes(state: State, rule: LabelConstraint, labels: LabelSets) -> None:
    wrong = labels.with_label(rule.token) & ~labels.with_label(rule.required)
    text = "it has no label {}, which {} demands".format(*_named(state, rule))
    for begin in range(0, len(labels.numbers) if wrong.any() else 0, RECORDS_AT_ONCE):
        nodes = np.flatnonzero(wrong[labels.numbers[begin : begin + RECORDS_AT_ONCE]]) + begin
        state.findings.add_each(Code.CONSTRAINT_LABEL, Store.NODE, nodes, text)


def _check_ends(state: State, rules: Sequence[LabelConstraint], labels: LabelSets, progress: Progress) -> None:
    table = state.tables[Store.RELATIONSHIP]
    progress.begin(f"checking constraints on labels at {table.name}", table.count * table.geometry.record_bytes)
    try:
        for batch in table.batches():
            held = columns.relationships(batch.records)
            for rule in rules:
                rows = np.flatnonzero(held.used & (held.type == rule.token))
                nodes = held.node[rule.end or 0][rows]
                wrong = ~labels.with_label(rule.required)[labels.of(nodes)]
                text = "node {{0}} at its {} has no label {}, which {} demands".format(
                    "end" if rule.end else "start", *_named(state, rule)
                )
                ties = batch.ids[rows[wrong]]
                state.findings.add_each(Code.CONSTRAINT_LABEL, Store.RELATIONSHIP, ties, text, nodes[wrong])
            progress.advance(batch.records.size)
    finally:
        progress.end()


def _named(state: State, rule: LabelConstraint) -> tuple[str, str]:
    """Name the label that is demanded, and the constraint, for `Findings.add_each`, which takes braces for places."""
    label = state.reader.tokens(Store.LABEL).get(rule.required, rule.required)
    shown = (repr(label), f"constraint {rule.name!r}")
    first, second = (text.replace("{", "{{").replace("}", "}}") for text in shown)
    return first, second
