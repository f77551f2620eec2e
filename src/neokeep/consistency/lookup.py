"""Looking at everything in a store, to name what is not whole, once a proof has failed or where none is worth it.

Threads read and judge a batch of records each; what depends on what others met before is done here, batch by batch in
the order of the file. So the findings, and their order, are the same with any number of threads.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from neokeep.consistency.groups import check_groups, find_groups
from neokeep.consistency.nodes import check_nodes, find_nodes
from neokeep.consistency.properties import check_each, find_orphans, note, seen_of
from neokeep.consistency.relationships import check_relationships, find_relationships
from neokeep.consistency.schema import check_schema, check_tokens
from neokeep.neo4j.recovery.layout import DYNAMIC, WITH_HEADER, Store
from neokeep.neo4j.store.graph import TOKEN_STORES
from neokeep.neo4j.store.pages import Batch
from neokeep.parallel import in_order

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from neokeep.consistency.state import Aside, State
    from neokeep.neo4j.store.pages import Numbers, RecordTable
    from neokeep.progress import Progress


@dataclass(frozen=True, slots=True)
class _Looked:
    """A batch that was looked at: what was found, and whose properties begin where; `seen` proves them to be whole."""

    aside: Aside
    ids: Numbers
    heads: Numbers
    seen: Mapping[Store, Numbers] | None
    bytes: int


def look_up(state: State, *, jobs: int, progress: Progress) -> tuple[int, int]:
    """Look at everything, and say what is not whole; gives how many nodes and relationships there are."""
    check_tokens(state)
    check_schema(state)
    # What threads share has to be there before them.
    for store in TOKEN_STORES:
        state.names(store)
    relationships = _look_at(state, Store.RELATIONSHIP, check_relationships, "relationship", jobs, progress)
    nodes = _look_at(state, Store.NODE, check_nodes, "node", jobs, progress)
    check_groups(state)
    for store in (Store.PROPERTY, *DYNAMIC):
        _find(state, store, partial(find_orphans, store), jobs, start=int(store in WITH_HEADER))
    if not state.claims.agree:
        # Slower, so only where some do not agree on the chains of relationships.
        _find(state, Store.RELATIONSHIP, find_relationships, jobs)
        _find(state, Store.NODE, find_nodes, jobs)
        find_groups(state)
    return nodes, relationships


def _look_at(
    state: State,
    store: Store,
    look: Callable[[State, Batch], tuple[Numbers, Numbers]],
    what: str,
    jobs: int,
    progress: Progress,
) -> int:
    """Look at all records of a store, and at their properties; gives how many are in use."""
    table, count = state.tables[store], 0
    work = (partial(_look_at_batch, state.aside(), table, look, *own) for own in table.stretches())
    for looked in in_order(work, jobs):
        state.take(looked.aside)
        if not note(state, looked.seen):
            check_each(state, looked.ids, looked.heads, what)
        count += len(looked.ids)
        progress.advance(looked.bytes)
    return count


def _look_at_batch(
    aside: Aside, table: RecordTable, look: Callable[[State, Batch], tuple[Numbers, Numbers]], start: int, stop: int
) -> _Looked:
    records = table.stretch(start, stop)
    ids, heads = look(aside, Batch(start, records))
    return _Looked(aside, ids, heads, seen_of(aside, heads), records.size)


def _find(state: State, store: Store, look: Callable[[State, Batch], None], jobs: int, *, start: int = 0) -> None:
    """Find what is wrong with records of a store when all was met and claimed."""
    table = state.tables[store]
    work = (
        partial(_find_in_batch, state.aside(asking=True), table, look, *own) for own in table.stretches(start=start)
    )
    for aside in in_order(work, jobs):
        state.take(aside)


def _find_in_batch(
    aside: Aside, table: RecordTable, look: Callable[[State, Batch], None], start: int, stop: int
) -> Aside:
    look(aside, Batch(start, table.stretch(start, stop)))
    return aside
