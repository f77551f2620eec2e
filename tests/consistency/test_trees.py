"""Counts, degrees, indexes and id files of healthy stores agree with their records; what is broken in them is found."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.breaking_trees import TreeBreaker, TreeBreaking
from helpers.breakings import TREE_BREAKINGS
from helpers.breakings_of_tree_pages import PAGE_BREAKINGS
from helpers.breakings_of_trees import NODES
from helpers.flipped import FlippedPages
from helpers.indexed_store import QUICK, unpack
from helpers.properties import examples, one_of
from neokeep.consistency import property_indexes, token_indexes
from neokeep.consistency.codes import CODES, TREE_KINDS
from neokeep.consistency.derived import APPLIED, check_derived
from neokeep.consistency.label_sets import LabelSets
from neokeep.consistency.run import Checked, check_store
from neokeep.consistency.state import State, look_over
from neokeep.consistency.tallies import Tally
from neokeep.consistency.tree_reading import ascending
from neokeep.errors import IntegrityError
from neokeep.neo4j.recovery.layout import Store
from neokeep.neo4j.store import damage
from neokeep.neo4j.store.graph import GraphReader
from neokeep.neo4j.store.pages import DirectoryPages
from neokeep.neo4j.store.tree_layouts import COUNTS_FILE, DEGREES_FILE
from neokeep.neo4j.store.values import Kind
from neokeep.progress import Silent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from neokeep.neo4j.store.pages import StorePages

WAYS = [*TREE_BREAKINGS, *PAGE_BREAKINGS]


@pytest.fixture(scope="module", params=QUICK)
def pages(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DirectoryPages]:
    with DirectoryPages(unpack(str(request.param), tmp_path_factory.mktemp("indexed"))) as found:
        yield found


def check(pages: StorePages, *, derived: bool = True) -> Checked:
    return check_store(pages, aligned=True, derived=derived, progress=Silent())


def test_a_healthy_store_has_no_findings(pages: DirectoryPages) -> None:
    checked = check(pages)
    assert checked.findings.kept == []
    assert checked.nodes > 1000


@pytest.mark.parametrize("broken", one_of(4, WAYS), ids=lambda one: one.name)
def test_what_is_broken_is_found(pages: DirectoryPages, broken: TreeBreaking) -> None:
    breaker = TreeBreaker(pages)
    code, file, record = broken.apply(breaker)
    found = check(FlippedPages(pages, breaker.flips)).findings
    assert (code, file, record) in {(one.code, one.store, one.record) for one in found.kept}
    assert all("{" not in one.detail for one in found.kept)


def test_every_kind_of_finding_is_provoked(pages: DirectoryPages) -> None:
    assert {broken.apply(TreeBreaker(pages))[0] for broken in WAYS} == set(TREE_KINDS)


def test_a_store_whose_log_was_applied_is_not_judged_by_its_trees(pages: DirectoryPages) -> None:
    breaker = TreeBreaker(pages)
    for broken in WAYS:
        broken.apply(breaker)
    flips = {place: byte for place, byte in breaker.flips.items() if place[0] != NODES}
    checked = check(FlippedPages(pages, flips), derived=False)
    assert checked.findings.kept == []
    assert checked.left_out == APPLIED


def test_what_is_not_there_is_no_finding_and_is_told(pages: DirectoryPages) -> None:
    class Without:
        def size(self, name: str) -> int | None:
            return None if name.endswith(".id") or name in (COUNTS_FILE, DEGREES_FILE) else pages.size(name)

        def read(self, name: str, offset: int, length: int) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
            return pages.read(name, offset, length)

    checked = check(Without())
    assert checked.findings.kept == []
    told = {one.part: one.why for one in checked.left_out}
    assert told[COUNTS_FILE] == told[f"{NODES}.id"] == "it is not there"


def files_of_trees(pages: DirectoryPages) -> list[str]:
    breaker = TreeBreaker(pages)
    indexes = [breaker.property_index(name)[0] for name in ("typed_value", "typed_both", "bulk_key", "bulk_text")]
    return [COUNTS_FILE, DEGREES_FILE, f"{NODES}.id", NODES, breaker.token_index("NODE"), *indexes]


@examples(25)
@given(
    flips=st.dictionaries(
        st.tuples(st.integers(0, 8), st.integers(0, 12), st.integers(0, 300) | st.integers(0, 8191)),
        st.integers(0, 255),
        min_size=1,
        max_size=40,
    )
)
def test_no_damage_makes_a_check_crash_or_endless(
    pages: DirectoryPages, flips: dict[tuple[int, int, int], int]
) -> None:
    names = files_of_trees(pages)
    places = {(names[file], page * 8192 + at): byte for (file, page, at), byte in flips.items()}
    try:
        found = check(FlippedPages(pages, places)).findings
    except IntegrityError:
        return
    assert set(found.counts) <= set(CODES)


IN_PARTS = (
    "an index does not hold a node",
    "an index holds a node under another number",
    "an index holds a node twice",
    "a relationship has another value than in the index",
    "a node is not in the index of its label",
)


def test_indexes_that_differ_are_joined_in_parts_with_the_same_outcome(
    pages: DirectoryPages, monkeypatch: pytest.MonkeyPatch
) -> None:
    breaker = TreeBreaker(pages)
    for broken in WAYS:
        if broken.name in IN_PARTS:
            broken.apply(breaker)
    whole = check(FlippedPages(pages, breaker.flips)).findings
    monkeypatch.setattr(property_indexes, "_TOGETHER", 100)
    monkeypatch.setattr(token_indexes, "_TOGETHER", 1)
    monkeypatch.setattr(token_indexes, "AT_ONCE", 7)
    parts = check(FlippedPages(pages, breaker.flips)).findings
    assert whole.counts == parts.counts
    assert set(whole.kept) == set(parts.kept)
    assert len(whole.kept) >= len(IN_PARTS)


def retyped(breaker: TreeBreaker, kind: int) -> str:
    """Make a number that an index holds a value of another type; gives the file of the index."""
    found = list(breaker.keys("bulk_key"))[20]
    record = int(breaker.nodes.property[found.entity])
    (key,) = (token for token, name in breaker.reader.tokens(Store.PROPERTY_KEY).items() if name == "key")
    place = next(at for at in range(4) if int(breaker.properties.longs[record, at]) & 0xFFFFFF == key)
    breaker.block(record, place, lambda long: long & ~(15 << 24) | kind << 24)
    return found.file


def test_values_of_types_whose_keys_were_never_seen_are_not_compared(pages: DirectoryPages) -> None:
    breaker = TreeBreaker(pages)
    retyped(breaker, Kind.INTEGER)
    assert check(FlippedPages(pages, breaker.flips)).findings.kept == []


def test_an_index_whose_values_cannot_be_read_is_left_out(pages: DirectoryPages) -> None:
    breaker = TreeBreaker(pages)
    file = retyped(breaker, 15)
    checked = check(FlippedPages(pages, breaker.flips))
    assert set(checked.findings.counts) == {damage.Code.PROPERTY_VALUE}
    assert (file, "values that it has to hold cannot be read") in {(one.part, one.why) for one in checked.left_out}


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"indexProviderName": "../..", "indexProviderVersion": "\0"},
        {"schemaEntityType": "BOTH"},
        {"schemaEntityIds": np.array([1.5, np.nan])},
        {"schemaEntityIds": 7, "schemaPropertyIds": ("a", "b")},
        {"schemaPropertyIds": np.arange(4000)},
        {"indexProviderName": np.arange(3)},
    ],
)
def test_a_damaged_rule_of_an_index_is_left_out(
    pages: DirectoryPages, said: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = GraphReader(pages, aligned=True)
    state = State(reader, look_over(reader))
    rules = reader.schema_rules([])
    (rule,) = (one for one in rules if one.properties.get("name") == "bulk_key")
    broken = replace(rule, properties={**rule.properties, **said} if said else {"schemaRuleType": "INDEX"})
    monkeypatch.setattr(reader, "schema_rules", lambda _: [broken])
    left_out = check_derived(state, pages, jobs=1, progress=Silent())
    assert any(one.part.startswith("index ") or "layout is not known" in one.why for one in left_out)
    assert not any(one.store.startswith("schema/") for one in state.findings.kept)


def test_tallies_of_parts_are_those_of_the_whole(pages: DirectoryPages) -> None:
    reader = GraphReader(pages, aligned=True)
    labels = LabelSets(reader)
    whole, joined = Tally(), Tally()
    for batch in reader.relationships():
        whole.add(labels, batch.ids, batch.type, batch.start, batch.end)
        for part in (slice(100), slice(100, None)):
            tally = Tally()
            tally.add(labels, batch.ids[part], batch.type[part], batch.start[part], batch.end[part])
            joined.merge(tally)
    assert (whole.starts, whole.ends) == (joined.starts, joined.ends)
    assert np.array_equal(whole.sums, joined.sums)
    assert sum(whole.starts.values()) > 250


def test_label_sets_are_the_labels_of_all_nodes(pages: DirectoryPages) -> None:
    reader = GraphReader(pages, aligned=True)
    labels = LabelSets(reader)
    assert not labels.damaged
    for batch in reader.nodes():
        own: dict[int, list[int]] = {node: [] for node in batch.ids.tolist()}
        for row, label in zip(batch.labels.rows.tolist(), batch.labels.labels.tolist(), strict=True):
            own[int(batch.ids[row])].append(label)
        sets = [labels.sets[number] for number in labels.of(batch.ids).tolist()]
        assert sets == [tuple(found) for found in own.values()]
    assert labels.of(np.array([-1, 10**9])).tolist() == [0, 0]


@given(st.lists(st.tuples(st.integers(-3, 3), st.integers(-3, 3)), max_size=30))
def test_rows_ascend_where_their_tuples_do(rows: list[tuple[int, int]]) -> None:
    columns = np.array(rows, np.int64).reshape(-1, 2)
    expected = [one < other for one, other in itertools.pairwise(rows)]
    assert ascending([columns[:, 0], columns[:, 1]]).tolist() == expected
