"""A graph as its record stores hold it, in batches of columns: nodes with labels, relationships, and their properties.

Memory is bounded by the size of a batch, and by what the values in it take. Damage is told with each batch, by record;
whatever else is whole is given all the same. The store has to be clean, or its log applied first.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from neokeep.neo4j.recovery.layout import Store
from neokeep.neo4j.store import records as columns
from neokeep.neo4j.store.blocks import Blocks, Column, Decoder, blocks_of_chains
from neokeep.neo4j.store.chains import dynamic_values
from neokeep.neo4j.store.damage import Code, Damage
from neokeep.neo4j.store.labels import Labels, labels_of
from neokeep.neo4j.store.pages import open_tables

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from neokeep.neo4j.store.pages import Numbers, RecordTable, StorePages

TOKEN_STORES = {
    Store.LABEL: Store.LABEL_NAMES,
    Store.TYPE: Store.TYPE_NAMES,
    Store.PROPERTY_KEY: Store.PROPERTY_KEY_NAMES,
}
"""Each store of tokens, and the one with their names."""

_RULE = "__org.neo4j.SchemaRule."


@dataclass(frozen=True, slots=True)
class Properties:
    """Properties of the entities of a batch: `blocks.chain` is the place of the entity there."""

    blocks: Blocks
    columns: tuple[Column, ...]

    def by_row(self, count: int) -> list[dict[int, Any]]:
        """Give the values of each entity by their keys."""
        found: list[dict[int, Any]] = [{} for _ in range(count)]
        for column in self.columns:
            chains, keys = self.blocks.chain[column.rows].tolist(), self.blocks.key[column.rows].tolist()
            values = column.values.tolist() if column.values.dtype != np.object_ else column.values
            for chain, key, value in zip(chains, keys, values, strict=True):
                found[chain].setdefault(key, value)
        return found


@dataclass(frozen=True, slots=True)
class NodeBatch:
    """Nodes in use: their ids, labels (by their places in `ids`) and properties, and the damage that was met."""

    ids: Numbers
    labels: Labels
    properties: Properties
    damages: tuple[Damage, ...]


@dataclass(frozen=True, slots=True)
class RelationshipBatch:
    """Relationships in use: their ids, first and second nodes, types and properties, and the damage that was met."""

    ids: Numbers
    start: Numbers
    end: Numbers
    type: Numbers
    properties: Properties
    damages: tuple[Damage, ...]


@dataclass(frozen=True, slots=True)
class SchemaRule:
    """A rule of the schema: its id, and what its properties say, by their names without Neo4j's prefix."""

    id: int
    properties: Mapping[str, Any]


class GraphReader:
    """Reads the graph of one store.

    Raises:
        IntegrityError: a store file is missing, or does not say how large its records are.
    """

    def __init__(self, pages: StorePages, *, aligned: bool) -> None:
        self.tables: Mapping[Store, RecordTable] = open_tables(pages, aligned=aligned)
        self._decoder = Decoder(self.tables)
        self._names: dict[Store, Mapping[int, str]] = {}
        self.token_damages: list[Damage] = []

    def tokens(self, store: Store) -> Mapping[int, str]:
        """Name the labels, relationship types or property keys by their ids, those of Neo4j's own too.

        What is wrong with one is added to `token_damages`, and it is not named.
        """
        if store not in self._names:
            found: dict[int, str] = {}
            for batch in self.tables[store].batches():
                held = columns.tokens(batch.records)
                ids, heads = batch.ids[held.used], held.name[held.used]
                names = dynamic_values(self.tables[TOKEN_STORES[store]], heads, self.token_damages)
                for number, name in zip(ids.tolist(), names, strict=True):
                    if name is not None:
                        self._name(found, store, number, name)
            self._names[store] = found
        return self._names[store]

    def _name(self, found: dict[int, str], store: Store, number: int, name: bytes) -> None:
        try:
            found[number] = name.decode()
        except UnicodeDecodeError:
            self.token_damages.append(Damage(Code.UNREADABLE_NAME, store, number, "its name is not UTF-8"))

    def nodes(self, most: int | None = None, *, start: int = 0, stop: int | None = None) -> Iterator[NodeBatch]:
        """Read the nodes with ids from `start` to before `stop`, so many records at a time at most."""
        for batch in self.tables[Store.NODE].batches(most, start=start, stop=stop):
            damages: list[Damage] = []
            held = columns.nodes(batch.records)
            ids = batch.ids[held.used]
            labels = labels_of(held.labels[held.used], ids, self.tables[Store.NODE_LABELS], damages)
            properties = self.properties(held.property[held.used], damages)
            yield NodeBatch(ids, labels, properties, tuple(damages))

    def relationships(
        self, most: int | None = None, *, start: int = 0, stop: int | None = None
    ) -> Iterator[RelationshipBatch]:
        """Read the relationships with ids from `start` to before `stop`, so many records at a time at most."""
        for batch in self.tables[Store.RELATIONSHIP].batches(most, start=start, stop=stop):
            damages: list[Damage] = []
            held = columns.relationships(batch.records)
            used = held.used
            properties = self.properties(held.property[used], damages)
            yield RelationshipBatch(
                batch.ids[used], held.node[0][used], held.node[1][used], held.type[used], properties, tuple(damages)
            )

    def properties(self, heads: Numbers, damages: list[Damage]) -> Properties:
        """Read the properties of entities by their first property records (-1: none)."""
        blocks = blocks_of_chains(self.tables[Store.PROPERTY], heads, damages)
        return Properties(blocks, tuple(self._decoder.columns(blocks, damages)))

    def schema_rules(self, damages: list[Damage]) -> list[SchemaRule]:
        """Read the rules of the schema; there are never many."""
        found = []
        for batch in self.tables[Store.SCHEMA].batches():
            held = columns.schema_rules(batch.records)
            # What stands at 0 is never a rule.
            used = held.used & (batch.ids > 0)
            values = self.properties(held.property[used], damages).by_row(int(used.sum()))
            for number, own in zip(batch.ids[used].tolist(), values, strict=True):
                found.append(SchemaRule(number, {self._key(key): value for key, value in own.items()}))
        return found

    @cached_property
    def _keys(self) -> Mapping[int, str]:
        return self.tokens(Store.PROPERTY_KEY)

    def _key(self, key: int) -> str:
        return self._keys.get(key, f"key {key}").removeprefix(_RULE)
