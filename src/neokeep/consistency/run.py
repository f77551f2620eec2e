"""A check of one store: its passes in the order in which one needs what another has found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from neokeep.consistency.derived import APPLIED, Derived
from neokeep.consistency.groups import check_groups, find_groups
from neokeep.consistency.nodes import check_nodes, find_nodes
from neokeep.consistency.properties import check_orphans, check_properties
from neokeep.consistency.relationships import check_relationships, find_relationships
from neokeep.consistency.schema import check_schema, check_tokens
from neokeep.consistency.state import State
from neokeep.neo4j.recovery.layout import Store
from neokeep.neo4j.store.graph import GraphReader

if TYPE_CHECKING:
    from neokeep.consistency.findings import Findings
    from neokeep.consistency.tree_reading import LeftOut
    from neokeep.neo4j.store.pages import RecordTable, StorePages
    from neokeep.progress import Progress


@dataclass(frozen=True, slots=True)
class Checked:
    """What was looked at, and what was found; `left_out` is what was not looked at, and why."""

    nodes: int
    relationships: int
    findings: Findings
    left_out: tuple[LeftOut, ...]


def check_store(pages: StorePages, *, aligned: bool, derived: bool, progress: Progress) -> Checked:
    """Check all records of a clean store in format `aligned` or `standard`.

    With `derived` counts, degrees, indexes and id files too: where they were written with the last of the records.

    Raises:
        IntegrityError: a store file is missing, or does not say how large its records are.
    """
    state = State(GraphReader(pages, aligned=aligned))
    trees = Derived(state, pages, progress) if derived else None
    nodes, relationships = state.tables[Store.NODE], state.tables[Store.RELATIONSHIP]
    progress.begin("checking the graph", _bytes(relationships) + _bytes(nodes))
    try:
        check_tokens(state)
        check_schema(state)
        known_relationships = known_nodes = 0
        for batch in relationships.batches():
            held, ids = check_relationships(state, batch)
            if trees is not None:
                trees.relationships(held, ids)
            check_properties(state, ids, held.property, "relationship")
            known_relationships += len(ids)
            progress.advance(batch.records.size)
        for batch in nodes.batches():
            ids, heads = check_nodes(state, batch)
            check_properties(state, ids, heads, "node")
            known_nodes += len(ids)
            progress.advance(batch.records.size)
        check_groups(state)
        check_orphans(state)
        if not state.claims.agree:
            _find(state)
        left_out = APPLIED if trees is None else trees.check()
    finally:
        progress.end()
    return Checked(known_nodes, known_relationships, state.findings, left_out)


def _find(state: State) -> None:
    """Find the records that do not agree on the chains of relationships: slower, so only where some do not."""
    for batch in state.tables[Store.RELATIONSHIP].batches():
        find_relationships(state, batch)
    for batch in state.tables[Store.NODE].batches():
        find_nodes(state, batch)
    find_groups(state)


def _bytes(table: RecordTable) -> int:
    return table.count * table.geometry.record_bytes
