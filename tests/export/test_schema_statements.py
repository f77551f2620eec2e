"""Rules of the schema as Cypher: what each kind becomes, and that any name stays a name."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neokeep.export.schema import Names, Statements, quoted, statements_of
from neokeep.neo4j.store.graph import SchemaRule

NAMES = Names({0: "Person", 1: "Film"}, {0: "KNOWS"}, {0: "name", 1: "born in"})


OPTIONS = " OPTIONS {{indexConfig: {{{}}}}}"


def rule(number: int, **said: Any) -> SchemaRule:
    ids = {name: np.array(said.pop(name, [0]), np.int32) for name in ("schemaEntityIds", "schemaPropertyIds")}
    return SchemaRule(number, {"name": f"r{number}", "schemaEntityType": "NODE", **ids, **said})


def index(number: int, kind: str, **said: Any) -> SchemaRule:
    config = said.pop("config", {})
    settings = {f"IndexConfig.{key}": value for key, value in config.items()}
    return rule(number, schemaRuleType="INDEX", indexType=kind, **settings, **said)


def constraint(number: int, kind: str, **said: Any) -> SchemaRule:
    return rule(number, schemaRuleType="CONSTRAINT", constraintRuleType=kind, **said)


def written(*rules: SchemaRule) -> Statements:
    return statements_of(rules, NAMES)


@pytest.mark.parametrize(
    ("one", "text"),
    [
        (index(1, "RANGE", schemaPropertyIds=[0, 1]), "INDEX FOR (e:`Person`) ON (e.`name`, e.`born in`)"),
        (index(1, "BTREE", config={"spatial.cartesian.min": np.zeros(2)}), "INDEX FOR (e:`Person`) ON (e.`name`)"),
        (index(1, "TEXT", schemaEntityType="RELATIONSHIP"), "TEXT INDEX FOR ()-[e:`KNOWS`]-() ON (e.`name`)"),
        (
            index(1, "FULLTEXT", schemaEntityIds=[0, 1], config={"fulltext.analyzer": "it's", "fulltext.x": True}),
            "FULLTEXT INDEX FOR (e:`Person`|`Film`) ON EACH [e.`name`]"
            + OPTIONS.format("`fulltext.analyzer`: 'it\\'s', `fulltext.x`: true"),
        ),
        (
            index(1, "POINT", config={"spatial.cartesian.min": np.array([-1.0, 2.5])}),
            "POINT INDEX FOR (e:`Person`) ON (e.`name`)" + OPTIONS.format("`spatial.cartesian.min`: [-1.0, 2.5]"),
        ),
        (index(1, "LOOKUP", schemaEntityIds=[]), "LOOKUP INDEX FOR (e) ON EACH labels(e)"),
    ],
)  # fmt: skip
def test_an_index_is_made_anew(one: SchemaRule, text: str) -> None:
    assert written(one).indexes == (f"CREATE {text.replace('INDEX', 'INDEX `r1` IF NOT EXISTS')}",)


@pytest.mark.parametrize(
    ("kind", "demand"), [("UNIQUE", "IS UNIQUE"), ("EXISTS", "IS NOT NULL"), ("UNIQUE_EXISTS", "IS NODE KEY")]
)
def test_a_constraint_is_made_anew(kind: str, demand: str) -> None:
    expected = f"CREATE CONSTRAINT `r2` IF NOT EXISTS FOR (e:`Person`) REQUIRE e.`name` {demand}"
    assert written(constraint(2, kind)).constraints == (expected,)


def test_the_index_of_a_constraint_is_made_with_it() -> None:
    found = written(index(1, "RANGE", owningConstraint=2), constraint(2, "UNIQUE", ownedIndex=1))
    assert (len(found.constraints), found.indexes) == (1, ())


@pytest.mark.parametrize(
    "one", [constraint(3, "PROPERTY_TYPE"), index(3, "NEW"), index(3, "RANGE", schemaEntityIds=[9]), rule(3)]
)
def test_what_cannot_be_written_is_told(one: SchemaRule) -> None:
    found = written(one)
    assert found.not_written == ("r3",)
    assert found.text == "// `r3` cannot be written as Cypher here\n"


@given(st.text())
def test_a_name_ends_where_it_is_to_end(name: str) -> None:
    inner = quoted(name)[1:-1]
    assert "`" not in inner.replace("``", "")
    assert inner.replace("``", "`") == name
