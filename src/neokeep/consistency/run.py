"""A check of one store: its passes in the order in which one needs what another has found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from neokeep.consistency.constraints import check_constraints
from neokeep.consistency.groups import check_groups, find_groups
from neokeep.consistency.nodes import check_nodes, find_nodes
from neokeep.consistency.properties import check_orphans, check_properties
from neokeep.consistency.relationships import check_relationships, find_relationships
from neokeep.consistency.schema import check_schema, check_tokens
from neokeep.consistency.state import State
from neokeep.neo4j.recovery.layout import Store
from neokeep.neo4j.store.graph import GraphReader

if TYPE_CHECKING:
    from pathlib import Path

    from neokeep.consistency.findings import Explains, Findings
    from neokeep.neo4j.store.pages import RecordTable, StorePages
    from neokeep.progress import Progress


@dataclass(frozen=True, slots=True)
class Checked:
    """What was looked at, and what was found."""

    nodes: int
    relationships: int
    findings: Findings


def check_store(
    pages: StorePages,
    *,
    aligned: bool,
    progress: Progress,
    explains: Explains | None = None,
    scratch: Path | None = None,
) -> Checked:
    """Check all records of a store in format `aligned` or `standard`: a clean one, or with what explains findings.

    What constraints need and memory does not hold lies below `scratch`, or where the system keeps temporary files.

    Raises:
        IntegrityError: a store file is missing, or does not say how large its records are.
        SpaceError, AccessError, RepositoryError: scratch does not take what is needed.
    """
    state = State(GraphReader(pages, aligned=aligned))
    state.findings.explains = explains
    nodes, relationships = state.tables[Store.NODE], state.tables[Store.RELATIONSHIP]
    progress.begin("checking the graph", _bytes(relationships) + _bytes(nodes))
    try:
        check_tokens(state)
        check_schema(state)
        known_relationships = known_nodes = 0
        for batch in relationships.batches():
            held, ids = check_relationships(state, batch)
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
    finally:
        progress.end()
    check_constraints(state, scratch=scratch, progress=progress)
    return Checked(known_nodes, known_relationships, state.findings)


def _find(state: State) -> None:
    """Find the records that do not agree on the chains of relationships: slower, so only where some do not."""
    for batch in state.tables[Store.RELATIONSHIP].batches():
        find_relationships(state, batch)
    for batch in state.tables[Store.NODE].batches():
        find_nodes(state, batch)
    find_groups(state)


def _bytes(table: RecordTable) -> int:
    return table.count * table.geometry.record_bytes
