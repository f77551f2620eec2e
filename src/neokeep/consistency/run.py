"""A check of one store: it is proven to be whole, or else everything is looked up to say what is not.

The proof reads a large store once, in parts, with compiled code (proof/). What it cannot prove, and a store that is
smaller than the machine code takes to load, is looked up pass by pass, in the order in which one needs what another has
found. So findings are the same however many workers there are.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from neokeep.consistency.constraints import check_constraints
from neokeep.consistency.derived import APPLIED, check_derived
from neokeep.consistency.lookup import look_up
from neokeep.consistency.proof.plan import plan
from neokeep.consistency.state import State, look_over
from neokeep.neo4j.recovery.layout import Store
from neokeep.neo4j.store.graph import GraphReader

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from neokeep.consistency.findings import Explains, Findings
    from neokeep.consistency.proof.prove import Proof
    from neokeep.consistency.tree_reading import LeftOut
    from neokeep.neo4j.store.pages import RecordTable, StorePages
    from neokeep.progress import Progress

WORTH_PROVING = 32 << 20
"""Bytes of records from which on a proof is quicker."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What was looked at, and what was found; `left_out` is what was not looked at, and why."""

    nodes: int
    relationships: int
    findings: Findings
    left_out: tuple[LeftOut, ...]


@dataclass(frozen=True, slots=True)
class _Graph:
    """The records of a graph, once all were looked at."""

    state: State
    nodes: int
    relationships: int


def check_store(
    pages: StorePages,
    *,
    aligned: bool,
    derived: bool,
    progress: Progress,
    jobs: int = 1,
    scheduler: str | None = None,
    explains: Explains | None = None,
    scratch: Path | None = None,
    worth_proving: int = WORTH_PROVING,
) -> Checked:
    """Check all records of a store in format `aligned` or `standard`: a clean one, or with what explains findings.

    With `derived` counts, degrees, indexes and id files too: where they were written with the last of the records.
    The records are proven to be whole on so many threads, or by the workers of a dask scheduler (see proof/spread.py,
    which says what that raises too). What constraints need and memory does not hold lies below `scratch`, or where the
    system keeps temporary files.

    Raises:
        IntegrityError: a store file is missing, or does not say how large its records are.
        SpaceError, AccessError, RepositoryError: scratch does not take what is needed.
    """
    reader = GraphReader(pages, aligned=aligned)
    prover: Callable[..., Proof] | None = None
    # Compiled code takes a moment to load, which a small store need not wait for.
    if scheduler is not None:
        from neokeep.consistency.proof.spread import prove_on, shared

        prover = partial(prove_on, scheduler, shared(pages, aligned=aligned))
    elif sum(map(_bytes, reader.tables.values())) >= worth_proving:
        from neokeep.consistency.proof.prove import prove

        prover = partial(prove, jobs=jobs)
    graph = _check_graph(reader, prover, explains, jobs, progress)
    # What says something of the graph in other places is compared here: `graph.state` has what is known of it, and
    # takes the findings, whether the graph was proven to be whole or looked up.
    left_out = check_constraints(graph.state, scratch=scratch, progress=progress)
    left_out += check_derived(graph.state, pages, jobs=jobs, progress=progress) if derived else APPLIED
    return Checked(graph.nodes, graph.relationships, graph.state.findings, left_out)


def _check_graph(
    reader: GraphReader,
    prover: Callable[..., Proof] | None,
    explains: Explains | None,
    jobs: int,
    progress: Progress,
) -> _Graph:
    known = look_over(reader)
    proven = None if prover is None else _prove(State(reader, known, claiming=True), prover, progress)
    if proven is not None:
        proven.state.findings.explains = explains
        return proven
    state = State(reader, known)
    state.compiled = prover is not None
    state.findings.explains = explains
    return _look_up(state, jobs, progress)


def _prove(state: State, prover: Callable[..., Proof], progress: Progress) -> _Graph | None:
    """Prove that a store is whole; None where it cannot be."""
    work = list(plan(state.tables))
    progress.begin("checking the graph", sum(some.bytes for some in work))
    try:
        proof = prover(state, work, progress=progress)
        if not proof.holds():
            progress.say("the graph is not whole: everything is looked up, which takes longer")
            return None
    finally:
        progress.end()
    return _Graph(state, proof.nodes, proof.relationships)


def _look_up(state: State, jobs: int, progress: Progress) -> _Graph:
    """Look at everything, and say what is not whole."""
    progress.begin("checking the graph", sum(_bytes(state.tables[one]) for one in (Store.NODE, Store.RELATIONSHIP)))
    try:
        return _Graph(state, *look_up(state, jobs=jobs, progress=progress))
    finally:
        progress.end()


def _bytes(table: RecordTable) -> int:
    return table.count * table.geometry.record_bytes
