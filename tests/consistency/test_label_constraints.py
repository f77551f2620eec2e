"""Constraints on labels, which only Enterprise makes, are judged by the labels that nodes have."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from helpers.breaking import Breaker
from helpers.flipped import FlippedPages
from helpers.small_store import PEOPLE
from neokeep.consistency.codes import Code
from neokeep.consistency.constraints import check_constraints
from neokeep.consistency.label_constraints import LabelConstraint, check_label_constraints
from neokeep.consistency.schema import check_schema
from neokeep.consistency.state import State, look_over
from neokeep.neo4j.recovery.layout import FILES, Store
from neokeep.neo4j.store.graph import GraphReader, SchemaRule
from neokeep.progress import Silent

if TYPE_CHECKING:
    from neokeep.neo4j.store.pages import DirectoryPages, StorePages


def state_of(pages: StorePages) -> State:
    reader = GraphReader(pages, aligned=True)
    return State(reader, look_over(reader))


def token(state: State, store: Store, name: str) -> int:
    return next(number for number, own in state.reader.tokens(store).items() if own == name)


def node_rule(state: State, having: str, required: str, **other: Any) -> SchemaRule:
    said = {
        "schemaRuleType": "CONSTRAINT",
        "constraintRuleType": "NODE_LABEL_EXISTENCE",
        "schemaEntityType": "NODE",
        "schemaEntityIds": np.array([token(state, Store.LABEL, having)], np.int32),
        "schemaPropertyIds": np.zeros(0, np.int32),
        "requiredLabelId": token(state, Store.LABEL, required),
        "name": "a{b}",
    }
    return SchemaRule(77, said | other)


def end_rule(state: State, kind: str, end: str, required: str, **other: Any) -> SchemaRule:
    said = {
        "constraintRuleType": "RELATIONSHIP_ENDPOINT_LABEL",
        "schemaEntityType": "RELATIONSHIP",
        "schemaEntityIds": np.array([token(state, Store.TYPE, kind)], np.int32),
        "endpointType": end,
        "endpointLabelId": token(state, Store.LABEL, required),
    }
    return node_rule(state, required, required, **(said | other))


def found(state: State, *rules: SchemaRule) -> dict[str, int]:
    assert check_label_constraints(state, rules, Silent()) == ()
    return dict(state.findings.counts)


def test_a_store_that_keeps_to_them_has_no_findings(pages: DirectoryPages) -> None:
    state = state_of(pages)
    rules = [
        node_rule(state, "Many3", "Many19"),
        end_rule(state, "KNOWS", "START", "Person"),
        end_rule(state, "KNOWS", "END", "Person"),
        end_rule(state, "A", "START", "Hub"),
        end_rule(state, "B", "START", "X"),
    ]
    assert found(state, *rules) == {}


def test_nodes_without_a_label_that_another_demands_are_told(pages: DirectoryPages) -> None:
    state = state_of(pages)
    assert found(state, node_rule(state, "Person", "Hub")) == {Code.CONSTRAINT_LABEL: PEOPLE}
    assert state.findings.kept[0].detail == "it has no label 'Hub', which constraint 'a{b}' demands"


@pytest.mark.parametrize(("end", "wrong"), [("START", True), ("END", False)])
def test_the_ends_of_relationships_are_told_apart(pages: DirectoryPages, end: str, *, wrong: bool) -> None:
    state = state_of(pages)
    told = found(state, end_rule(state, "A", end, "X"))
    assert bool(told) == wrong
    assert all(one.store == FILES[Store.RELATIONSHIP] and "at its start" in one.detail for one in state.findings.kept)


def test_a_node_that_lost_a_label_is_told_where_it_was_demanded(pages: DirectoryPages) -> None:
    breaker = Breaker(pages)
    hub = breaker.labelled("Hub")
    label = token(state_of(pages), Store.LABEL, "Person")
    breaker.put(Store.NODE, hub, 9, struct.pack(">IB", label, 0x10))
    state = state_of(FlippedPages(pages, breaker.flips))
    ties = breaker.relationships
    kind = token(state, Store.TYPE, "A")
    expected = np.flatnonzero(ties.used & (ties.type == kind) & (ties.node[0] == hub)).tolist()
    found(state, end_rule(state, "A", "START", "Hub"), node_rule(state, "Person", "Hub"))
    assert [one.record for one in state.findings.kept if one.store == FILES[Store.RELATIONSHIP]] == expected
    assert hub in {one.record for one in state.findings.kept if one.store == FILES[Store.NODE]}
    assert len(expected) > 10


def test_without_readable_labels_they_are_named_as_not_looked_at(pages: DirectoryPages) -> None:
    breaker = Breaker(pages)
    breaker.put(Store.NODE, breaker.labelled("Hub"), 13, b"\xff")
    state = state_of(FlippedPages(pages, breaker.flips))
    (left_out,) = check_label_constraints(state, [node_rule(state, "Person", "Hub")], Silent())
    assert left_out.part == "constraint a{b}"
    assert state.findings.kept == []


@pytest.mark.parametrize(
    "other",
    [
        {"schemaRuleType": "INDEX"},
        {"schemaRuleType": np.array([1, 2])},
        {"constraintRuleType": "TO_COME"},
        {"constraintRuleType": np.array([1, 2])},
        {"schemaEntityType": "NODE"},
        {"schemaEntityIds": np.zeros(0, np.int32)},
        {"schemaEntityIds": 7},
        {"schemaEntityIds": np.array([1.5])},
        {"endpointType": "MIDDLE"},
        {"endpointType": None},
        {"endpointLabelId": "7"},
        {"endpointLabelId": None},
    ],
)
def test_what_cannot_be_judged_is_left_to_others(pages: DirectoryPages, other: dict[str, Any]) -> None:
    state = state_of(pages)
    assert LabelConstraint.of(end_rule(state, "A", "START", "Hub")) is not None
    assert LabelConstraint.of(end_rule(state, "A", "START", "Hub", **other)) is None


def test_a_constraint_that_is_not_known_is_named_as_not_looked_at(
    pages: DirectoryPages, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = state_of(pages)
    rules = [
        node_rule(state, "Person", "Hub"),
        node_rule(state, "Person", "Hub", constraintRuleType="TO_COME", name="c"),
    ]
    monkeypatch.setattr(state.reader, "schema_rules", lambda _: rules)
    (left_out,) = check_constraints(state, scratch=None, progress=Silent())
    assert (left_out.part, left_out.why) == ("constraint c", "what it demands is not known")
    assert state.findings.counts == {Code.CONSTRAINT_LABEL: PEOPLE}


@pytest.mark.parametrize("label", [4711, "Hub", np.arange(3)])
def test_a_rule_that_demands_a_label_that_is_none_is_told(
    pages: DirectoryPages, label: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = state_of(pages)
    rules = [node_rule(state, "Person", "Hub"), node_rule(state, "Person", "Hub", requiredLabelId=label)]
    for rule, count in zip(rules, (0, 1), strict=True):
        monkeypatch.setattr(state.reader, "schema_rules", lambda _, rule=rule: [rule])
        check_schema(state)
        assert state.findings.counts[Code.RULE_REFERENCE] == count
