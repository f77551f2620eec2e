"""The passes over tokens and over the rules of the schema."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from neokeep.consistency.codes import Code
from neokeep.consistency.label_constraints import REQUIRED
from neokeep.consistency.properties import check_properties
from neokeep.neo4j.recovery.layout import Store
from neokeep.neo4j.store import records as columns
from neokeep.neo4j.store.chains import dynamic_values
from neokeep.neo4j.store.graph import TOKEN_STORES

if TYPE_CHECKING:
    from neokeep.consistency.state import State
    from neokeep.neo4j.store.damage import Damage
    from neokeep.neo4j.store.graph import SchemaRule

_KINDS = {"INDEX", "CONSTRAINT"}
_ENTITIES = {"NODE": Store.LABEL, "RELATIONSHIP": Store.TYPE}
_WITHOUT_INDEX = {"EXISTS", "PROPERTY_TYPE"}
"""Kinds of constraints that no index belongs to."""


def check_tokens(state: State) -> None:
    """Check labels, relationship types and property keys, and that no name is there twice."""
    for store, names in TOKEN_STORES.items():
        for batch in state.tables[store].batches():
            held = columns.tokens(batch.records)
            damages: list[Damage] = []
            dynamic_values(state.tables[names], held.name[held.used], damages, met=state.meet)
            state.findings.add_damages(damages)
        found = state.reader.tokens(store)
        # Names of the schema's own keys stand apart from those of users.
        times = Counter(found.values())
        for number, name in found.items():
            if times[name] > 1:
                state.findings.add(Code.NAME_TWICE, store, number, f"its name is {name!r}")
    state.findings.add_damages(damage for damage in state.reader.token_damages if damage.store in TOKEN_STORES)


def check_schema(state: State) -> None:
    """Check the rules of the schema: that they can be read, and that what they name is there."""
    for batch in state.tables[Store.SCHEMA].batches(start=1):
        held = columns.schema_rules(batch.records)
        check_properties(state, batch.ids[held.used], held.property[held.used], "rule")
    rules = {rule.id: rule for rule in state.reader.schema_rules([])}
    for rule in rules.values():
        _check_rule(state, rule, rules)


def _check_rule(state: State, rule: SchemaRule, rules: dict[int, SchemaRule]) -> None:
    said = rule.properties
    kind, entity = said.get("schemaRuleType"), said.get("schemaEntityType")
    # Of a damaged rule any of them may be an array.
    needed = (kind, entity, said.get("name"), said.get("constraintRuleType") if "ownedIndex" in said else "")
    if not all(isinstance(word, str) for word in needed) or kind not in _KINDS or entity not in _ENTITIES:
        state.findings.add(Code.RULE, Store.SCHEMA, rule.id, f"its kind is {kind!r}, of {entity!r}")
        return
    for key, store in (("schemaEntityIds", _ENTITIES[entity]), ("schemaPropertyIds", Store.PROPERTY_KEY)):
        for token in _numbers(said.get(key)):
            if token not in state.reader.tokens(store):
                detail = f"rule {said['name']!r} names {store.name.lower().replace('_', ' ')} {token}"
                state.findings.add(Code.RULE_REFERENCE, Store.SCHEMA, rule.id, detail)
    for key in REQUIRED.values():
        label = said.get(key)
        if label is not None and (not isinstance(label, int) or label not in state.reader.tokens(Store.LABEL)):
            detail = f"rule {said['name']!r} demands label {label}"
            state.findings.add(Code.RULE_REFERENCE, Store.SCHEMA, rule.id, detail)
    for mine, theirs in (("ownedIndex", "owningConstraint"), ("owningConstraint", "ownedIndex")):
        other = said.get(mine)
        if other is not None and not _is_of(rules, other, theirs, rule.id):
            detail = f"rule {said['name']!r} belongs together with {other}, which does not say so"
            state.findings.add(Code.RULE_INDEX, Store.SCHEMA, rule.id, detail)
    _check_owner(state, rule, rules)


def _check_owner(state: State, rule: SchemaRule, rules: dict[int, SchemaRule]) -> None:
    """An index that a constraint owns is of a constraint that has one."""
    number = rule.properties.get("owningConstraint")
    # Of a damaged rule it may be an array.
    owner = rules.get(number) if isinstance(number, int) else None
    kind = None if owner is None else owner.properties.get("constraintRuleType")
    if owner is not None and isinstance(kind, str) and kind in _WITHOUT_INDEX:
        detail = f"rule {rule.properties['name']!r} is the index of constraint {owner.id}, of a kind that has none"
        state.findings.add(Code.RULE_INDEX, Store.SCHEMA, rule.id, detail)


def _is_of(rules: dict[int, SchemaRule], other: Any, theirs: str, rule: int) -> bool:
    if not isinstance(other, int) or other not in rules:
        return False
    back = rules[other].properties.get(theirs)
    return back is None or (isinstance(back, int) and back == rule)


def _numbers(value: Any) -> list[int]:
    is_whole = isinstance(value, np.ndarray) and value.dtype.kind in "iu"
    return [int(number) for number in value.tolist()] if is_whole else []
