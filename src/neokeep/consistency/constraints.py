"""The pass over what constraints demand: that values are unique, that properties are there, that they are of a type.

Only entities with the label or the type of a constraint are read again. Of values that have to be unique a number of 64
bits each is kept, see `repeated`; where numbers repeat, the values themselves are compared, of those entities alone.
Constraints on labels are looked at in label_constraints.py. A rule that is none of these is named as not looked at.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from neokeep.consistency.claims import fingerprints
from neokeep.consistency.codes import Code
from neokeep.consistency.equality import canonical, fingerprints_of, is_like_itself
from neokeep.consistency.label_constraints import LabelConstraint, check_label_constraints
from neokeep.consistency.repeated import Numbered, keep_bounded
from neokeep.consistency.tree_reading import LeftOut
from neokeep.consistency.value_types import KNOWN, allowed
from neokeep.neo4j.recovery.layout import Store
from neokeep.neo4j.store import records as columns
from neokeep.neo4j.store.blocks import Blocks, Column, Decoder, blocks_of_chains
from neokeep.neo4j.store.labels import labels_of

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Mapping
    from pathlib import Path

    from neokeep.consistency.claims import Fingerprints
    from neokeep.consistency.state import State
    from neokeep.neo4j.store.graph import SchemaRule
    from neokeep.neo4j.store.pages import Batch, Flags, Numbers
    from neokeep.progress import Progress

_AT_ONCE = 16 * 1024
"""Entities whose values are held in memory together."""

COMPARED_AT_ONCE = 1 << 20
"""Repeated numbers whose values are compared in one reading."""

_UNIQUE, _EXIST, _TYPED = ("UNIQUE", "UNIQUE_EXISTS"), ("EXISTS", "UNIQUE_EXISTS"), ("PROPERTY_TYPE",)
_STORES = {"NODE": Store.NODE, "RELATIONSHIP": Store.RELATIONSHIP}


@dataclass(frozen=True, slots=True)
class Constraint:
    """What a rule of the schema demands of the entities of a store that have a label or a type (`token`)."""

    name: str
    kind: str
    store: Store
    token: int
    keys: tuple[int, ...]
    types: frozenset[str] = frozenset()

    @classmethod
    def of(cls, rule: SchemaRule) -> Constraint | None:
        """Read a rule; None for what is no constraint on properties, or cannot be judged."""
        said = rule.properties
        names = ("schemaRuleType", "constraintRuleType", "schemaEntityType")
        what, kind, entity = (_word(said.get(name)) for name in names)
        store = _STORES.get(entity)
        tokens, keys = (_numbers(said.get(name)) for name in ("schemaEntityIds", "schemaPropertyIds"))
        known = kind in (*_UNIQUE, *_EXIST, *_TYPED) and what == "CONSTRAINT"
        if not known or store is None or len(tokens) != 1 or not keys:
            return None
        types = said.get("propertyType")
        named = frozenset(map(str, types)) if isinstance(types, tuple) else frozenset[str]()
        if kind in _TYPED and not (named and named <= KNOWN):
            return None
        return cls(str(said.get("name")), kind, store, tokens[0], keys, named)


@dataclass(frozen=True, slots=True)
class _Chunk:
    """Entities that are looked at together: their ids, the places of those with each token, their blocks and values."""

    ids: Numbers
    members: Mapping[int, Numbers]
    blocks: Blocks
    columns: tuple[Column, ...]

    def numbers(self, keys: tuple[int, ...]) -> tuple[Fingerprints, Flags]:
        """Give a number for the values of some keys together, and which entities have all of them, to compare."""
        of_blocks, decoded = np.zeros(len(self.blocks), np.uint64), np.zeros(len(self.blocks), np.bool_)
        for column in self.columns:
            of_blocks[column.rows], decoded[column.rows] = fingerprints_of(column), is_like_itself(column)
        parts, whole = [], np.ones(len(self.ids), np.bool_)
        for key in keys:
            rows = np.flatnonzero(decoded & (self.blocks.key == key))
            part, there = np.zeros(len(self.ids), np.uint64), np.zeros(len(self.ids), np.bool_)
            part[self.blocks.chain[rows]], there[self.blocks.chain[rows]] = of_blocks[rows], True
            parts.append(part.view(np.int64))
            whole &= there
        return fingerprints(*parts), whole

    def values(self, keys: tuple[int, ...], entities: Numbers) -> list[tuple[Hashable, ...]]:
        """Give the values of some keys of some entities, which have all of them, as they are compared."""
        chosen = np.zeros(len(self.ids), np.bool_)
        chosen[entities] = True
        found: dict[tuple[int, int], Hashable] = {}
        for column in self.columns:
            wanted = np.flatnonzero(chosen[self.blocks.chain[column.rows]])
            rows = column.rows[wanted]
            places, names = self.blocks.chain[rows].tolist(), self.blocks.key[rows].tolist()
            for place, key, value in zip(places, names, column.values[wanted], strict=True):
                found[place, key] = canonical(value)
        return [tuple(found[place, key] for key in keys) for place in entities.tolist()]


def check_constraints(state: State, *, scratch: Path | None, progress: Progress) -> tuple[LeftOut, ...]:
    """Check all constraints that the schema has; gives what was not looked at.

    Raises:
        SpaceError, AccessError, RepositoryError: scratch does not take what is not held in memory.
    """
    everything = state.reader.schema_rules([])
    rules = [rule for rule in everything if _word(rule.properties.get("schemaRuleType")) == "CONSTRAINT"]
    judged = [(rule, Constraint.of(rule)) for rule in rules]
    known = [constraint for _, constraint in judged if constraint is not None]
    check_rules(state, known, scratch=scratch, progress=progress)
    others = [rule for rule, constraint in judged if constraint is None]
    unknown = tuple(
        LeftOut(f"constraint {rule.properties.get('name')}", "what it demands is not known")
        for rule in others
        if LabelConstraint.of(rule) is None
    )
    return unknown + check_label_constraints(state, others, progress)


def check_rules(state: State, rules: list[Constraint], *, scratch: Path | None, progress: Progress) -> None:
    """Check some constraints; errors as of check_constraints."""
    for store in _STORES.values():
        own = [rule for rule in rules if rule.store == store]
        if own:
            _check_store(state, store, own, scratch, progress)


def _check_store(state: State, store: Store, rules: list[Constraint], scratch: Path | None, progress: Progress) -> None:
    unique = [(rule, Numbered(scratch)) for rule in rules if rule.kind in _UNIQUE]
    table = state.tables[store]
    progress.begin(f"checking constraints on {table.name}", table.count * table.geometry.record_bytes)
    try:
        for chunk in _chunks(state, store, rules, progress):
            for rule in rules:
                if rule.kind in _EXIST:
                    _check_existence(state, rule, chunk)
                if rule.kind in _TYPED:
                    _check_types(state, rule, chunk)
            for rule, numbers in unique:
                numbers.add(_numbers_of(rule, chunk)[1])
            keep_bounded([numbers for _, numbers in unique])
        for rule, numbers in unique:
            for repeated in _gathered(numbers.repeated()):
                _compare(state, rule, repeated, progress)
    finally:
        progress.end()
        for _, numbers in unique:
            numbers.close()


def _gathered(parts: Iterator[Fingerprints]) -> Iterator[Fingerprints]:
    """Put parts of repeated numbers together: each costs a reading of the store."""
    held: list[Fingerprints] = []
    count = 0
    for part in parts:
        held.append(part)
        count += len(part)
        if count >= COMPARED_AT_ONCE:
            yield np.concatenate(held)
            held, count = [], 0
    if count:
        yield np.concatenate(held)


def _chunks(state: State, store: Store, rules: list[Constraint], progress: Progress) -> Iterator[_Chunk]:
    """Read the entities that some constraints are on, and of their properties what the constraints are on."""
    tokens = {rule.token for rule in rules}
    keys = {key for rule in rules for key in rule.keys}
    decoder = Decoder(state.tables)
    for batch in state.tables[store].batches():
        ids, heads, rows, held = _entities(state, store, batch)
        known = np.isin(held, list(tokens))
        rows, held = rows[known], held[known]
        entities = np.unique(rows)
        for begin in range(0, len(entities), _AT_ONCE):
            some = entities[begin : begin + _AT_ONCE]
            inside = (rows >= some[0]) & (rows <= some[-1])
            places = np.searchsorted(some, rows[inside])
            # What is damaged was told by the pass over properties.
            blocks = blocks_of_chains(state.tables[Store.PROPERTY], heads[some], [], keys)
            members = {token: np.unique(places[held[inside] == token]) for token in tokens}
            yield _Chunk(ids[some], members, blocks, tuple(decoder.columns(blocks, [])))
        progress.advance(batch.records.size)


def _entities(state: State, store: Store, batch: Batch) -> tuple[Numbers, Numbers, Numbers, Numbers]:
    """Give ids and first properties of the entities of a batch; then places and tokens, a row for each that one has."""
    if store == Store.RELATIONSHIP:
        ties = columns.relationships(batch.records)
        ids = batch.ids[ties.used]
        return ids, ties.property[ties.used], np.arange(len(ids)), ties.type[ties.used]
    nodes = columns.nodes(batch.records)
    ids = batch.ids[nodes.used]
    labels = labels_of(nodes.labels[nodes.used], ids, state.tables[Store.NODE_LABELS], [])
    return ids, nodes.property[nodes.used], labels.rows, labels.labels


def _numbers_of(rule: Constraint, chunk: _Chunk) -> tuple[Numbers, Fingerprints]:
    """Give the places of what has all values of a uniqueness constraint, and a number for each."""
    numbers, whole = chunk.numbers(rule.keys)
    places = chunk.members[rule.token]
    places = places[whole[places]]
    return places, numbers[places]


def _check_existence(state: State, rule: Constraint, chunk: _Chunk) -> None:
    places = chunk.members[rule.token]
    for key in rule.keys:
        there = np.zeros(len(chunk.ids), np.bool_)
        there[chunk.blocks.chain[chunk.blocks.key == key]] = True
        lacking = chunk.ids[places[~there[places]]]
        text = _text(state, rule, "it has no {}, which {} demands", key)
        state.findings.add_each(Code.CONSTRAINT_EXISTENCE, rule.store, lacking, text)


def _check_types(state: State, rule: Constraint, chunk: _Chunk) -> None:
    member = np.zeros(len(chunk.ids), np.bool_)
    member[chunk.members[rule.token]] = True
    text = _text(state, rule, "its {} is of a type that {} does not allow", rule.keys[0])
    for column in chunk.columns:
        ours = member[chunk.blocks.chain[column.rows]] & (chunk.blocks.key[column.rows] == rule.keys[0])
        own = Column(column.kind, column.rows[ours], column.values[ours])
        wrong = own.rows[~allowed(own, rule.types)]
        state.findings.add_each(Code.CONSTRAINT_TYPE, rule.store, chunk.ids[chunk.blocks.chain[wrong]], text)


def _compare(state: State, rule: Constraint, repeated: Fingerprints, progress: Progress) -> None:
    """Compare the values themselves of the entities whose numbers come more than once."""
    first: dict[tuple[Hashable, ...], int] = {}
    text = _text(state, rule, "it has the same {} as {{0}}, which {} does not allow", *rule.keys)
    for chunk in _chunks(state, rule.store, [rule], progress):
        places, numbers = _numbers_of(rule, chunk)
        places = places[np.isin(numbers, repeated)]
        again, others = [], []
        for place, values in zip(places.tolist(), chunk.values(rule.keys, places), strict=True):
            number = int(chunk.ids[place])
            other = first.setdefault(values, number)
            if other != number:
                again.append(number)
                others.append(other)
        records = np.array(again, np.int64)
        state.findings.add_each(Code.CONSTRAINT_UNIQUE, rule.store, records, text, np.array(others, np.int64))


def _text(state: State, rule: Constraint, text: str, *keys: int) -> str:
    """Put the names of keys and of the constraint into a text; braces in them are not to be filled in."""
    names = state.reader.tokens(Store.PROPERTY_KEY)
    shown = (" and ".join(repr(names.get(key, f"key {key}")) for key in keys), f"constraint {rule.name!r}")
    return text.format(*(name.replace("{", "{{").replace("}", "}}") for name in shown))


def _word(value: Any) -> str:
    """Take a word of a rule; empty where damage has put something else there."""
    return value if isinstance(value, str) else ""


def _numbers(value: Any) -> tuple[int, ...]:
    return tuple(int(number) for number in value.tolist()) if isinstance(value, np.ndarray) else ()
