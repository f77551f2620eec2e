"""Nodes and relationships of a range of records, and which table each belongs to.

A table is a label set (the labels' ids in order) of nodes, or a type of relationships (one id).
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

import numpy as np

from neokeep.neo4j.recovery.layout import Store
from neokeep.neo4j.store import records
from neokeep.neo4j.store.labels import distinct_labels

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from neokeep.neo4j.store.damage import Damage
    from neokeep.neo4j.store.pages import Numbers, RecordTable

Tokens = tuple[int, ...]


class Side(Enum):
    """Nodes or relationships; the value is the folder that their tables are in."""

    NODES = "nodes"
    RELATIONSHIPS = "relationships"

    @property
    def store(self) -> Store:
        """The store of their records."""
        return Store.NODE if self is Side.NODES else Store.RELATIONSHIP

    @property
    def tokens(self) -> Store:
        """The store of what tables are called after."""
        return Store.LABEL if self is Side.NODES else Store.TYPE


@dataclass(frozen=True, slots=True)
class Entities:
    """Nodes or relationships in use; `groups` are their places in `tables`, `heads` their first property records.

    `ends` are the first and the second node of relationships, nothing of nodes.
    """

    ids: Numbers
    ends: tuple[Numbers, ...]
    heads: Numbers
    groups: Numbers
    tables: tuple[Tokens, ...]


def read_entities(
    tables: Mapping[Store, RecordTable], side: Side, start: int, stop: int, damages: list[Damage]
) -> Entities:
    """Read the records from `start` to before `stop`; what is damaged of labels is told."""
    batches = list(tables[side.store].batches(stop - start, start=start, stop=stop))
    content = np.concatenate([batch.records for batch in batches])
    ids = np.concatenate([batch.ids for batch in batches])
    read = _nodes if side is Side.NODES else _relationships
    return read(tables, content, ids, damages)


def _relationships(_: Mapping[Store, RecordTable], content: np.ndarray, ids: Numbers, __: list[Damage]) -> Entities:
    held = records.relationships(content)
    used = held.used
    kinds, groups = np.unique(held.type[used], return_inverse=True)
    ends = tuple(node[used] for node in held.node)
    return Entities(ids[used], ends, held.property[used], groups, tuple((kind,) for kind in kinds.tolist()))


def _nodes(tables: Mapping[Store, RecordTable], content: np.ndarray, ids: Numbers, damages: list[Damage]) -> Entities:
    held = records.nodes(content)
    used, ids = held.used, ids[held.used]
    labels, edges, _, inverse = distinct_labels(held.labels[used], ids, tables[Store.NODE_LABELS], damages)
    own = labels.labels.tolist()
    sets = [tuple(own[begin:end]) for begin, end in itertools.pairwise(edges.tolist())]
    places: dict[Tokens, int] = {}
    groups = np.array([places.setdefault(one, len(places)) for one in sets], np.int64)
    return Entities(ids, (), held.property[used], groups[inverse], tuple(places))


def ranges(table: RecordTable, most: int) -> Iterator[tuple[int, int]]:
    """Part the records of a store in ranges of whole pages, so many records each at most."""
    step = max(1, most // table.geometry.per_page) * table.geometry.per_page
    for start in range(0, table.count, step):
        yield start, min(start + step, table.count)
