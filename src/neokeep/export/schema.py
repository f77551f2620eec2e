"""Constraints and indexes as Cypher that Neo4j takes, made of the rules of the schema. Pure.

The index of a constraint comes with the constraint. What this cannot write is a comment, and counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from neokeep.neo4j.store.graph import SchemaRule

_WORDS = {"BTREE": "", "RANGE": "", "TEXT": "TEXT ", "POINT": "POINT ", "FULLTEXT": "FULLTEXT ", "VECTOR": "VECTOR "}
_WITH_OPTIONS = {"POINT", "FULLTEXT", "VECTOR"}
"""Kinds of indexes that are made with their configuration; that of a BTREE says nothing that RANGE knows."""
_CONFIG = "IndexConfig."
_DEMANDS = {
    ("UNIQUE", "NODE"): "IS UNIQUE",
    ("UNIQUE", "RELATIONSHIP"): "IS UNIQUE",
    ("EXISTS", "NODE"): "IS NOT NULL",
    ("EXISTS", "RELATIONSHIP"): "IS NOT NULL",
    ("UNIQUE_EXISTS", "NODE"): "IS NODE KEY",
    ("UNIQUE_EXISTS", "RELATIONSHIP"): "IS RELATIONSHIP KEY",
}


@dataclass(frozen=True, slots=True)
class Names:
    """Names of labels, relationship types and property keys by their ids."""

    labels: Mapping[int, str]
    types: Mapping[int, str]
    keys: Mapping[int, str]


@dataclass(frozen=True, slots=True)
class Statements:
    """What makes the schema anew: constraints, then indexes; `not_written` are names of rules."""

    constraints: tuple[str, ...]
    indexes: tuple[str, ...]
    not_written: tuple[str, ...]

    @property
    def text(self) -> str:
        """The file schema.cypher."""
        left = [f"// {quoted(name)} cannot be written as Cypher here\n" for name in self.not_written]
        return "".join([*(f"{one};\n" for one in (*self.constraints, *self.indexes)), *left])


def statements_of(rules: Sequence[SchemaRule], names: Names) -> Statements:
    """Write the rules as Cypher, each so that it does nothing where it is there already."""
    constraints: list[str] = []
    indexes: list[str] = []
    left: list[str] = []
    for rule in sorted(rules, key=lambda rule: rule.id):
        said = rule.properties
        name = str(said.get("name", f"rule {rule.id}"))
        if said.get("schemaRuleType") == "CONSTRAINT":
            kept, text = constraints, _constraint(name, said, names)
        elif "owningConstraint" in said:
            continue
        else:
            kept, text = indexes, _index(name, said, names)
        if text is None:
            left.append(name)
        else:
            kept.append(text)
    return Statements(tuple(constraints), tuple(indexes), tuple(left))


def quoted(name: str) -> str:
    """Quote a name for Cypher."""
    return f"`{name.replace('`', '``')}`"


def _constraint(name: str, said: Mapping[str, Any], names: Names) -> str | None:
    demand = _DEMANDS.get((str(said.get("constraintRuleType")), str(said.get("schemaEntityType"))))
    pattern, keys = _pattern(said, names), _keys(said, names)
    if demand is None or pattern is None or not keys:
        return None
    listed = keys[0] if len(keys) == 1 else f"({', '.join(keys)})"
    return f"CREATE CONSTRAINT {quoted(name)} IF NOT EXISTS FOR {pattern} REQUIRE {listed} {demand}"


def _index(name: str, said: Mapping[str, Any], names: Names) -> str | None:
    kind = str(said.get("indexType"))
    begin = f"INDEX {quoted(name)} IF NOT EXISTS FOR"
    if kind == "LOOKUP":
        of = "(e) ON EACH labels(e)" if said.get("schemaEntityType") == "NODE" else "()-[e]-() ON EACH type(e)"
        return f"CREATE LOOKUP {begin} {of}"
    pattern, keys = _pattern(said, names), _keys(said, names)
    if kind not in _WORDS or pattern is None or not keys or (kind == "VECTOR" and len(keys) > 1):
        return None
    listed = f"EACH [{', '.join(keys)}]" if kind == "FULLTEXT" else f"({', '.join(keys)})"
    options = _options(said) if kind in _WITH_OPTIONS else ""
    return f"CREATE {_WORDS[kind]}{begin} {pattern} ON {listed}{options}"


def _pattern(said: Mapping[str, Any], names: Names) -> str | None:
    of_nodes = said.get("schemaEntityType") == "NODE"
    known, found = names.labels if of_nodes else names.types, _numbers(said.get("schemaEntityIds"))
    if not found or any(one not in known for one in found):
        return None
    listed = "|".join(quoted(known[one]) for one in found)
    return f"(e:{listed})" if of_nodes else f"()-[e:{listed}]-()"


def _keys(said: Mapping[str, Any], names: Names) -> list[str]:
    found = _numbers(said.get("schemaPropertyIds"))
    return [f"e.{quoted(names.keys[one])}" for one in found] if all(one in names.keys for one in found) else []


def _options(said: Mapping[str, Any]) -> str:
    own = {key.removeprefix(_CONFIG): value for key, value in sorted(said.items()) if key.startswith(_CONFIG)}
    settings = ", ".join(f"{quoted(key)}: {_literal(value)}" for key, value in own.items())
    return f" OPTIONS {{indexConfig: {{{settings}}}}}" if own else ""


def _literal(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"[{', '.join(_literal(one) for one in value.tolist())}]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    text = str(value).replace("\\", "\\\\").replace("'", "\\'")
    return f"'{text}'"


def _numbers(value: Any) -> list[int]:
    return [int(number) for number in value.tolist()] if isinstance(value, np.ndarray) else []
