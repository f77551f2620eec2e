"""How tables and columns are called: no two of a kind alike, and no part of the values taken for all of them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from neokeep.export.entities import Side
from neokeep.export.kinds import EMPTY_LIST, LIST, Type
from neokeep.export.plan import OWN, plan_columns, plan_side, stem_of
from neokeep.export.survey import Surveyed

KEYS = {0: "age", 1: "id", 2: "Age", 3: "tags"}
TAKEN = OWN[Side.NODES]
kinds = st.sampled_from([*Type, EMPTY_LIST, *(LIST + one for one in Type if one is not Type.BYTES)])


def names(values: dict[tuple[int, int], int]) -> dict[str, int]:
    return {column.name: column.values for column in plan_columns(values, KEYS, TAKEN)}


def test_a_key_of_one_type_has_a_column_with_its_name() -> None:
    assert names({(0, Type.INTEGER): 3}) == {"age": 3}


def test_a_key_of_several_types_has_a_column_for_each_and_none_with_its_name() -> None:
    assert names({(0, Type.INTEGER): 3, (0, Type.STRING): 1}) == {"age__integer": 3, "age__string": 1}


def test_empty_lists_stand_with_the_other_lists_of_their_key() -> None:
    assert names({(3, EMPTY_LIST): 2, (3, LIST + Type.STRING): 5}) == {"tags": 7}
    assert names({(3, EMPTY_LIST): 2}) == {"tags": 2}
    assert names({(3, EMPTY_LIST): 2, (3, Type.STRING): 1}) == {"tags__string": 1, "tags__list_empty": 2}


def test_a_property_called_as_a_column_of_the_table_has_another_name() -> None:
    assert names({(1, Type.INTEGER): 3}) == {"id__property": 3}


def test_keys_that_differ_in_case_alone_have_columns_that_differ_in_more() -> None:
    assert names({(0, Type.INTEGER): 3, (2, Type.INTEGER): 4}) == {"Age": 4, "age__property": 3}


@given(
    st.dictionaries(st.tuples(st.integers(0, 5), kinds), st.integers(1, 9)),
    st.dictionaries(st.integers(0, 5), st.text()),
)
def test_every_value_has_one_column_and_no_two_columns_have_one_name(
    values: dict[tuple[int, int], int], keys: dict[int, str]
) -> None:
    columns = plan_columns(values, keys, TAKEN)
    held = [(column.key, kind) for column in columns for kind in column.kinds]
    assert sorted(held) == sorted(set(held))
    assert set(values) <= set(held)
    assert sum(column.values for column in columns) == sum(values.values())
    lowered = [column.name.lower() for column in columns]
    assert len({*lowered, *TAKEN}) == len(lowered) + len(TAKEN)


@given(st.lists(st.lists(st.text(), max_size=3).map(tuple), unique=True, max_size=6))
def test_no_two_tables_share_a_file_and_names_are_those_of_files(labels: list[tuple[str, ...]]) -> None:
    numbers = {name: number for number, name in enumerate(sorted({name for one in labels for name in one}))}
    surveyed = {tuple(sorted({numbers[name] for name in one})): Surveyed(1, {}) for one in labels}
    layout = plan_side(Side.NODES, surveyed, {number: name for name, number in numbers.items()}, {})
    stems = [table.stem for table in layout.tables]
    assert len({stem.lower() for stem in stems}) == len(surveyed)
    for stem in stems:
        assert not set(stem) & set("/\0.*?") or stem.startswith("no.labels")
        assert 0 < len(stem.encode()) < 240


def test_files_are_called_after_labels() -> None:
    assert stem_of(()) == "no.labels"
    assert stem_of(("Person",)) == "Person"
    assert stem_of(("A/B", "C D", "größe")) == "A%2FB~C%20D~größe"
