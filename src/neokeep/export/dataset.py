"""A graph as datasets of Arrow, which are read when a query asks, and only the columns that it asks for.

DuckDB asks a dataset for a scanner with the columns and the filter of a query. Each scan reads the store anew, batch by
batch; nothing of the graph is kept.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pyarrow import dataset

from neokeep.export.batches import read_parts
from neokeep.export.entities import Side, Tokens
from neokeep.export.plan import Layout, plan_view
from neokeep.neo4j.recovery.layout import Store
from neokeep.progress import Silent

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from neokeep.export.survey import Surveyed
    from neokeep.neo4j.store.damage import Damage
    from neokeep.neo4j.store.graph import GraphReader


@dataclass(slots=True)
class Met:
    """What was met while a query ran: damage, and what ended a scan; DuckDB would only tell the text of it."""

    damages: list[Damage] = field(default_factory=list)
    failures: list[Exception] = field(default_factory=list)


class GraphDataset(dataset.Dataset):  # type: ignore[misc]
    """One view of a graph: a layout with one table."""

    def __init__(self, reader: GraphReader, layout: Layout, jobs: int, met: Met) -> None:
        self._reader = reader
        self._layout = layout
        self._jobs = jobs
        self._met = met

    @property
    def schema(self) -> pa.Schema:
        """The columns."""
        return self._layout.tables[0].schema

    def scanner(self, columns: Sequence[str] | None = None, filter: Any = None, **_: Any) -> Any:  # noqa: A002
        """Give a scanner of some columns, and of rows that a filter lets through; see pyarrow.dataset.Dataset."""
        wanted = None if columns is None else frozenset([*columns, *_fields_of(filter, self.schema)])
        names = [name for name in self.schema.names if wanted is None or name in wanted or name == "id"]
        schema = pa.schema([self.schema.field(name) for name in names])
        batches = self._batches(None if wanted is None else frozenset(names))
        return dataset.Scanner.from_batches(batches, schema=schema, columns=columns, filter=filter)

    def _batches(self, columns: frozenset[str] | None) -> Iterator[pa.RecordBatch]:
        parts = read_parts(
            self._reader, self._layout, self._met.damages, jobs=self._jobs, progress=Silent(), columns=columns
        )
        try:
            for part in parts:
                yield part.rows
        except Exception as problem:
            self._met.failures.append(problem)
            raise


def _fields_of(filter_: Any, schema: pa.Schema) -> Iterator[str]:
    """List the columns that a filter may look at: those whose names its text has, which is never too few."""
    text = "" if filter_ is None else str(filter_)
    return (name for name in schema.names if name in text)


def views_of(reader: GraphReader, surveyed: Mapping[Side, Mapping[Tokens, Surveyed]]) -> Iterator[tuple[str, Layout]]:
    """Name all nodes, all relationships, and those of each label (whatever else they have) and of each type.

    A type that is called as a label, but for upper and lower case, is `name__relationship`.
    """
    keys, used = reader.tokens(Store.PROPERTY_KEY), {side.value for side in Side}
    for side, tables in surveyed.items():
        names = reader.tokens(side.tokens)
        yield side.value, plan_view(side, side.value, tables, names, keys)
        by_token: dict[int, dict[Tokens, Surveyed]] = {}
        for tokens, one in tables.items():
            for token in tokens:
                by_token.setdefault(token, {})[tokens] = one
        for token, own in sorted(by_token.items()):
            name = names.get(token, f"token {token}")
            while name.lower() in used:
                name += "__label" if side is Side.NODES else "__relationship"
            used.add(name.lower())
            yield name, plan_view(side, name, own, names, keys)
