"""Gathering all statistics of a store: each pass is split in ranges of pages that threads take, and merged.

Memory: ten bytes for each place of a node record (fourteen where many nodes have loops; two more where there are more
than 65,000 combinations of labels), and for each thread a batch and tallies, which are bounded.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from neokeep.neo4j.recovery.layout import Store
from neokeep.statistics.classes import Classes
from neokeep.statistics.degrees import Degrees, Distribution
from neokeep.statistics.fill import Fill, FillPart, fill_of, fill_part
from neokeep.statistics.nodes import NodePart, node_part
from neokeep.statistics.relationships import RelationshipPart, relationship_part
from neokeep.statistics.tally import MOST_KEYS
from neokeep.workers import run_workers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from neokeep.neo4j.store.graph import GraphReader
    from neokeep.neo4j.store.pages import Batch, RecordTable
    from neokeep.progress import Progress

_Part = TypeVar("_Part")

RECORDS_OF_A_RANGE = 512 * 1024
RECORDS_OF_A_BATCH = 64 * 1024
MOST_RANGES = 1024


@dataclass(frozen=True, slots=True, eq=False)
class Gathered:
    """All that is known of a graph."""

    nodes: NodePart
    relationships: RelationshipPart
    classes: Classes
    outgoing: Distribution
    incoming: Distribution
    every: Distribution
    fills: tuple[Fill, ...]


@dataclass(frozen=True, slots=True)
class Passes:
    """How passes over stores are made: on how many threads, and in which portions."""

    jobs: int
    progress: Progress
    range_records: int = RECORDS_OF_A_RANGE
    batch_records: int = RECORDS_OF_A_BATCH
    most_keys: int = MOST_KEYS

    def over(
        self,
        table: RecordTable,
        look: Callable[[Iterable[Batch]], _Part],
        join: Callable[[Iterable[_Part]], _Part],
    ) -> _Part:
        """Look at all records of a store, a range at a time, and put the parts together."""
        # Of a large store ranges are larger: each ends with joining parts, which takes its time where they are large.
        several = max(self.range_records, table.count // MOST_RANGES)
        ranges = iter(range(0, table.count, several))
        lock, parts = threading.Lock(), [look(())]

        def work(stopping: threading.Event) -> None:
            own: list[_Part] = []
            while not stopping.is_set():
                with lock:
                    start = next(ranges, None)
                if start is None:
                    break
                # Joined at once, so that a thread holds two parts at most.
                own = [join([*own, look(self._batches(table, start, start + several, stopping))])]
            with lock:
                parts.extend(own)

        run_workers(work, max(1, min(self.jobs, -(-table.count // several))))
        return join(parts)

    def _batches(self, table: RecordTable, start: int, stop: int, stopping: threading.Event) -> Iterator[Batch]:
        for batch in table.batches(self.batch_records, start=start, stop=stop):
            if stopping.is_set():
                return
            yield batch
            self.progress.advance(batch.records.size)


def gather(reader: GraphReader, passes: Passes) -> Gathered:
    """Gather the statistics of a store that is clean, or whose log was applied."""
    tables = reader.tables
    nodes, relationships = tables[Store.NODE], tables[Store.RELATIONSHIP]
    # Files are opened, and what is fetched on demand begun, before threads do so at once.
    for table in tables.values():
        table.pages.read(table.name, 0, 1)
    try:
        passes.progress.begin("reading nodes and their properties", _bytes(nodes))
        of_nodes = passes.over(
            nodes, lambda batches: node_part(tables, batches, most=passes.most_keys), NodePart.joined
        )
        passes.progress.begin("reading labels", _bytes(nodes))
        classes = Classes.of(tables, of_nodes.combinations)
        passes.over(nodes, classes.classify, lambda _: None)
        passes.progress.begin("reading relationships and their properties", _bytes(relationships))
        degrees = Degrees(nodes.count)
        of_relationships = passes.over(
            relationships,
            lambda batches: relationship_part(tables, classes, degrees, batches, most=passes.most_keys),
            RelationshipPart.joined,
        )
        # Of these the passes before have counted the records too.
        parts = {
            Store.NODE: FillPart(of_nodes.count, of_nodes.highest, 0),
            Store.RELATIONSHIP: FillPart(of_relationships.count, of_relationships.highest, 0),
        }
        others = [table for store, table in tables.items() if store not in parts]
        passes.progress.begin("reading how full stores are", sum(map(_bytes, others)))
        parts |= {table.store: _fill(passes, table) for table in others}
    finally:
        passes.progress.end()
    longs = of_nodes.property_longs + of_relationships.property_longs
    outgoing, incoming, every = degrees.distributions(classes)
    return Gathered(
        nodes=of_nodes,
        relationships=of_relationships,
        classes=classes,
        outgoing=outgoing,
        incoming=incoming,
        every=every,
        fills=tuple(fill_of(tables[store], parts[store], property_longs=longs) for store in Store),
    )


def _fill(passes: Passes, table: RecordTable) -> FillPart:
    return passes.over(table, lambda batches: fill_part(table.store, batches), FillPart.joined)


def _bytes(table: RecordTable) -> int:
    return table.count * table.geometry.record_bytes
