"""Nodes and relationships of a range of records, and which table each belongs to.

A table is a label set (the labels' ids in order) of nodes, or a type of relationships (one id).
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

import numpy as np

from neokeep.neo4j.recovery.layout import ID_BITS, Store
from neokeep.neo4j.store.kernels import nodes_in_use, relationships_in_use
from neokeep.neo4j.store.labels import distinct_labels

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from neokeep.neo4j.store.damage import Damage
    from neokeep.neo4j.store.pages import Bytes, Numbers, RecordTable

Tokens = tuple[int, ...]
_TYPE_BITS = ID_BITS[Store.TYPE]


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
    table = tables[side.store]
    first = start // table.geometry.per_page * table.geometry.per_page
    where = (table.pages_with(start, stop), table.geometry.page_bytes, first, start, min(stop, table.count))
    count = max(0, stop - start)
    read = _nodes if side is Side.NODES else _relationships
    return read(tables, where, count, damages)


_Where = tuple["Bytes", int, int, int, int]


def _relationships(_: Mapping[Store, RecordTable], where: _Where, count: int, __: list[Damage]) -> Entities:
    columns = [np.empty(count, np.int64) for _ in range(5)]
    used = relationships_in_use(*where, *columns)
    ids, start, end, kinds, heads = (column[:used] for column in columns)
    marks = np.zeros(1 << _TYPE_BITS, np.bool_)
    marks[kinds] = True
    distinct = np.flatnonzero(marks)
    places = np.zeros(1 << _TYPE_BITS, np.int64)
    places[distinct] = np.arange(len(distinct))
    return Entities(ids, (start, end), heads, places[kinds], tuple((kind,) for kind in distinct.tolist()))


def _nodes(tables: Mapping[Store, RecordTable], where: _Where, count: int, damages: list[Damage]) -> Entities:
    columns = [np.empty(count, np.int64) for _ in range(3)]
    used = nodes_in_use(*where, *columns)
    ids, fields, heads = (column[:used] for column in columns)
    labels, edges, _, inverse = distinct_labels(fields, ids, tables[Store.NODE_LABELS], damages)
    own = labels.labels.tolist()
    sets = [tuple(own[begin:end]) for begin, end in itertools.pairwise(edges.tolist())]
    places: dict[Tokens, int] = {}
    groups = np.array([places.setdefault(one, len(places)) for one in sets], np.int64)
    return Entities(ids, (), heads, groups[inverse], tuple(places))


def ranges(table: RecordTable, most: int) -> Iterator[tuple[int, int]]:
    """Part the records of a store in ranges of whole pages, so many records each at most."""
    step = max(1, most // table.geometry.per_page) * table.geometry.per_page
    for start in range(0, table.count, step):
        yield start, min(start + step, table.count)
