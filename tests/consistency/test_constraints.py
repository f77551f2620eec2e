"""Constraints are judged by the data as Neo4j judges them, however many entities they are on."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.small_store import PEOPLE
from neokeep.consistency import constraints, repeated
from neokeep.consistency.codes import Code
from neokeep.consistency.constraints import Constraint, check_rules
from neokeep.consistency.equality import canonical, fingerprints_of, is_like_itself
from neokeep.consistency.repeated import Numbered, keep_bounded
from neokeep.consistency.state import State, look_over
from neokeep.consistency.value_types import allowed
from neokeep.errors import RepositoryError
from neokeep.neo4j.recovery.layout import Store
from neokeep.neo4j.store.blocks import Column
from neokeep.neo4j.store.graph import GraphReader, SchemaRule
from neokeep.neo4j.store.values import Date, DateTime, Duration, Kind, LocalDateTime, Point, Time
from neokeep.progress import Silent

if TYPE_CHECKING:
    from pathlib import Path

    from neokeep.neo4j.store.pages import DirectoryPages

NAN = float("nan")
HOUR = 3600
NOON = 12 * HOUR * 10**9

# What three versions of Neo4j said to two nodes with these values under a uniqueness constraint.
ALIKE: list[tuple[Any, Any]] = [
    (1, 1.0),
    (1, 1),
    (2**53, 2.0**53),
    (True, True),
    ("a", "a"),
    ("", ""),
    (np.array([1, 2]), np.array([1.0, 2.0])),
    (("a",), ("a",)),
    (np.array([True]), np.array([True])),
    (Date(18262), Date(18262)),
    (Time(NOON, HOUR), Time(NOON, HOUR)),
    (Duration(0, 0, 60, 0), Duration(0, 0, 60, 0)),
    (Point(7203, (1.0, 2.0)), Point(7203, (1.0, 2.0))),
    ((Date(18262),), (Date(18262),)),
    (1.5, 1.5),
]
UNLIKE: list[tuple[Any, Any]] = [
    (0.0, -0.0),
    (0, -0.0),
    (2**53 + 1, 2.0**53),
    (2**63 - 1, 2.0**63),
    (True, 1),
    ("a", "A"),
    ("1", 1),
    (("a",), "a"),
    (np.array([1]), 1),
    (np.array([0.0]), np.array([-0.0])),
    (np.array([2**53 + 1]), np.array([2.0**53])),
    (np.array([1]), np.array([True])),
    (Date(18262), LocalDateTime(18262 * 86400, 0)),
    (Time(NOON, HOUR), Time(NOON - HOUR * 10**9, 0)),
    (DateTime(0, 0, HOUR), DateTime(0, 0, 0)),
    (DateTime(0, 0, "Europe/Paris"), DateTime(0, 0, "Europe/Berlin")),
    (DateTime(0, 0, HOUR), DateTime(0, 0, "Europe/Berlin")),
    (Duration(1, 0, 0, 0), Duration(0, 30, 0, 0)),
    (Point(7203, (0.0, 2.0)), Point(7203, (-0.0, 2.0))),
    (Point(7203, (1.0, 2.0)), Point(4326, (1.0, 2.0))),
    ("é", "e\u0301"),
]
KINDS: dict[type, Kind] = {bool: Kind.BOOLEAN, int: Kind.LONG, float: Kind.DOUBLE, str: Kind.STRING, Point: Kind.POINT}


def column_of(value: Any) -> Column:
    kind = KINDS.get(type(value), Kind.ARRAY if isinstance(value, tuple | np.ndarray) else Kind.TEMPORAL)
    values = np.empty(1, np.object_)
    values[0] = value
    return Column(kind, np.zeros(1, np.int64), np.array([value]) if isinstance(value, bool | int | float) else values)


@pytest.mark.parametrize(("one", "other"), ALIKE)
def test_values_that_are_one_to_neo4j_are_one_here(one: Any, other: Any) -> None:
    assert canonical(one) == canonical(other)
    assert fingerprints_of(column_of(one)) == fingerprints_of(column_of(other))


@pytest.mark.parametrize(("one", "other"), UNLIKE)
def test_values_that_are_two_to_neo4j_are_two_here(one: Any, other: Any) -> None:
    assert canonical(one) != canonical(other)
    assert fingerprints_of(column_of(one)) != fingerprints_of(column_of(other))


def test_nan_is_like_nothing_but_in_arrays() -> None:
    assert is_like_itself(column_of(1.5)).all()
    assert not is_like_itself(column_of(NAN)).any()
    assert canonical(np.array([NAN])) == canonical(np.array([float("nan")]))


VALUES = st.one_of(
    st.integers(-(1 << 63), (1 << 63) - 1),
    st.floats(allow_nan=False),
    st.sampled_from([0.0, -0.0, 2.0**53, 2.0**63, -(2.0**63), 1e300]),
    st.integers(-5, 5),
)


@given(VALUES, VALUES)
def test_numbers_have_one_fingerprint_where_they_are_one(one: float, other: float) -> None:
    same = canonical(one) == canonical(other)
    assert (fingerprints_of(column_of(one)) == fingerprints_of(column_of(other))).all() == same


@given(
    batches=st.lists(st.tuples(st.integers(0, 1), st.lists(st.integers(0, 40), max_size=30)), max_size=12),
    most=st.integers(0, 60),
)
def test_what_comes_more_than_once_is_found_with_any_memory(
    tmp_path_factory: pytest.TempPathFactory, batches: list[tuple[int, list[int]]], most: int
) -> None:
    scratch, held = tmp_path_factory.mktemp("scratch"), [0, 0]
    sets, counted = [Numbered(scratch), Numbered(scratch)], [Counter[int](), Counter[int]()]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(repeated, "MOST_HELD", most)
        for which, numbers in batches:
            # Spread over all parts.
            sets[which].add(np.array(numbers, np.uint64) * np.uint64(0x0666_6666_6666_6666))
            counted[which].update(numbers)
            keep_bounded(sets)
            held.append(sum(one.held for one in sets))
    assert max(held) <= most
    for one, times in zip(sets, counted, strict=True):
        found = [int(number) // 0x0666_6666_6666_6666 for part in one.repeated() for number in part]
        assert found == sorted(number for number, count in times.items() if count > 1)
        one.close()
    assert list(scratch.iterdir()) == []


def test_scratch_that_is_not_there_is_told(tmp_path: Path) -> None:
    numbers = Numbered(tmp_path / "nowhere")
    numbers.add(np.zeros(3, np.uint64))
    with pytest.raises(RepositoryError, match="cannot write below"):
        numbers.spill()


@pytest.fixture
def state(pages: DirectoryPages) -> State:
    reader = GraphReader(pages, aligned=True)
    return State(reader, look_over(reader))


def key(state: State, name: str) -> int:
    return next(number for number, own in state.reader.tokens(Store.PROPERTY_KEY).items() if own == name)


def constraint(state: State, kind: str, on: str, *keys: str, types: tuple[str, ...] = ()) -> Constraint:
    """A constraint that nobody made, on a label or a type of the small store."""
    store = next(one for one in (Store.LABEL, Store.TYPE) if on in state.reader.tokens(one).values())
    token = next(number for number, name in state.reader.tokens(store).items() if name == on)
    entity = Store.NODE if store == Store.LABEL else Store.RELATIONSHIP
    return Constraint("a{b}", kind, entity, token, tuple(key(state, name) for name in keys), frozenset(types))


def found(state: State, *rules: Constraint, scratch: Path | None = None) -> dict[str, int]:
    check_rules(state, list(rules), scratch=scratch, progress=Silent())
    return dict(state.findings.counts)


def test_a_unique_property_of_a_healthy_store_is_unique(state: State) -> None:
    assert found(state, constraint(state, "UNIQUE", "Person", "number")) == {}


def test_values_that_repeat_are_each_told_with_the_first(state: State) -> None:
    # Each person knows two others since its own number.
    rule = constraint(state, "UNIQUE", "KNOWS", "since")
    since = Counter(
        values[key(state, "since")]
        for batch in state.reader.relationships()
        for values in batch.properties.by_row(len(batch.ids))
        if key(state, "since") in values
    )
    assert found(state, rule) == {Code.CONSTRAINT_UNIQUE: sum(count - 1 for count in since.values())}
    assert state.findings.kept[0].store == "neostore.relationshipstore.db"
    assert "it has the same 'since' as 0, which constraint 'a{b}' does not allow" in state.findings.kept[0].detail


def test_several_properties_are_compared_together(state: State) -> None:
    assert found(state, constraint(state, "UNIQUE", "Person", "number", "name")) == {}
    assert found(state, constraint(state, "UNIQUE", "KNOWS", "since")) != {}


def test_what_lacks_one_of_the_properties_is_not_covered(state: State) -> None:
    # Of X only some have an i, and none has a name.
    assert found(state, constraint(state, "UNIQUE", "X", "i")) == {}
    assert found(state, constraint(state, "UNIQUE", "X", "i", "name")) == {}


def test_a_key_demands_that_properties_are_there(state: State) -> None:
    assert found(state, constraint(state, "UNIQUE_EXISTS", "Person", "number", "name")) == {}
    lacking = found(state, constraint(state, "UNIQUE_EXISTS", "Person", "number", "i"))
    assert lacking == {Code.CONSTRAINT_EXISTENCE: PEOPLE}
    assert "it has no 'i', which constraint 'a{b}' demands" in state.findings.kept[0].detail


def test_long_values_are_compared_too(state: State) -> None:
    assert found(state, constraint(state, "UNIQUE", "Person", "about")) == {}


@pytest.mark.parametrize(
    ("name", "types", "good"),
    [
        ("number", ("INTEGER",), True),
        ("number", ("STRING", "FLOAT"), False),
        ("number", ("STRING", "INTEGER"), True),
        ("name", ("STRING",), True),
        ("about", ("STRING",), True),
        ("about", ("LIST_STRING",), False),
    ],
)
def test_types_are_those_that_a_constraint_names(
    state: State, name: str, types: tuple[str, ...], *, good: bool
) -> None:
    rule = constraint(state, "PROPERTY_TYPE", "Person", name, types=types)
    assert found(state, rule) == ({} if good else {Code.CONSTRAINT_TYPE: PEOPLE})


EVERY = {
    "yes": "BOOLEAN", "small": "INTEGER", "float": "FLOAT", "long": "STRING", "empty": "STRING", "date": "DATE",
    "clock": "LOCAL_TIME", "time": "ZONED_TIME", "local": "LOCAL_DATETIME", "offset": "ZONED_DATETIME",
    "zone": "ZONED_DATETIME", "duration": "DURATION", "flat": "POINT", "booleans": "LIST_BOOLEAN",
    "ints": "LIST_INTEGER", "many": "LIST_INTEGER", "floats": "LIST_FLOAT", "texts": "LIST_STRING",
    "points": "LIST_POINT", "dates": "LIST_DATE", "bytes": "LIST_INTEGER",
}  # fmt: skip


@pytest.mark.parametrize("name", EVERY)
def test_every_type_is_told_from_all_others(state: State, name: str) -> None:
    others = tuple({*EVERY.values()} - {EVERY[name]})
    assert found(state, constraint(state, "PROPERTY_TYPE", "Every", name, types=(EVERY[name],))) == {}
    wrong = found(state, constraint(state, "PROPERTY_TYPE", "Every", name, types=others))
    assert wrong == {Code.CONSTRAINT_TYPE: 1}


def test_an_empty_list_is_of_every_type_of_list(state: State) -> None:
    assert found(state, constraint(state, "PROPERTY_TYPE", "Every", "none", types=("LIST_DATE",))) == {}
    wrong = found(state, constraint(state, "PROPERTY_TYPE", "Every", "none", types=("DATE",)))
    assert wrong == {Code.CONSTRAINT_TYPE: 1}
    assert allowed(column_of(np.zeros(0)), frozenset({"LIST_STRING"})).all()


def test_many_that_repeat_are_compared_in_several_readings(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = found(state, constraint(state, "UNIQUE", "KNOWS", "since"))
    monkeypatch.setattr(repeated, "MOST_HELD", 3)
    monkeypatch.setattr(constraints, "COMPARED_AT_ONCE", 5)
    again = State(state.reader, state.known)
    assert found(again, constraint(state, "UNIQUE", "KNOWS", "since")) == expected


RULE = {
    "schemaRuleType": "CONSTRAINT",
    "constraintRuleType": "UNIQUE",
    "schemaEntityType": "RELATIONSHIP",
    "schemaEntityIds": np.array([3], np.int32),
    "schemaPropertyIds": np.array([7, 5], np.int32),
    "name": "both",
}


def test_a_rule_says_what_is_demanded() -> None:
    assert Constraint.of(SchemaRule(1, RULE)) == Constraint("both", "UNIQUE", Store.RELATIONSHIP, 3, (7, 5))
    typed = RULE | {"constraintRuleType": "PROPERTY_TYPE", "propertyType": ("STRING", "LIST_DATE")}
    made = Constraint.of(SchemaRule(1, typed))
    assert made is not None
    assert made.types == {"STRING", "LIST_DATE"}


@pytest.mark.parametrize(
    "other",
    [
        {"schemaRuleType": "INDEX"},
        {"constraintRuleType": "NODE_LABEL_EXISTENCE"},
        {"constraintRuleType": None},
        {"schemaEntityType": "BOTH"},
        {"schemaEntityType": np.array([1, 2])},
        {"constraintRuleType": np.array([1, 2])},
        {"schemaRuleType": np.array([1, 2])},
        {"schemaEntityIds": np.zeros(0, np.int32)},
        {"schemaPropertyIds": "7"},
        {"constraintRuleType": "PROPERTY_TYPE"},
        {"constraintRuleType": "PROPERTY_TYPE", "propertyType": "STRING"},
        {"constraintRuleType": "PROPERTY_TYPE", "propertyType": ("VECTOR",)},
    ],
)
def test_what_cannot_be_judged_is_left_to_others(other: dict[str, Any]) -> None:
    assert Constraint.of(SchemaRule(1, RULE | other)) is None
