"""A check finds nothing in a healthy store, and what is wrong in a broken one: the kind and the record."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from helpers.breaking import Breaker
from helpers.breakings import BREAKINGS, Breaking
from helpers.flipped import FlippedPages
from helpers.mixtures import BY_NAME, HIDES, mixed
from helpers.properties import examples, one_of
from neokeep.consistency.claims import Claims, fingerprints
from neokeep.consistency.codes import CODES, TREE_KINDS, Code
from neokeep.consistency.findings import KEPT, Findings
from neokeep.consistency.marks import Marks
from neokeep.consistency.run import Checked, check_store
from neokeep.errors import IntegrityError
from neokeep.neo4j.recovery.layout import FILES, Store
from neokeep.neo4j.store import damage
from neokeep.progress import Silent

if TYPE_CHECKING:
    from random import Random

    from neokeep.neo4j.store.pages import DirectoryPages, StorePages

LARGEST_FILE = 4 * 8192


def check(pages: StorePages) -> Checked:
    return check_store(pages, aligned=True, derived=True, progress=Silent())


def test_a_healthy_store_has_no_findings(pages: DirectoryPages) -> None:
    checked = check(pages)
    assert checked.findings.kept == []
    assert checked.nodes > 150
    assert checked.relationships > 250


@pytest.mark.parametrize("broken", one_of(3, BREAKINGS), ids=lambda one: one.name)
def test_what_is_broken_is_found(pages: DirectoryPages, broken: Breaking) -> None:
    breaker = Breaker(pages)
    code, store, record = broken.apply(breaker)
    found = check(FlippedPages(pages, breaker.flips)).findings
    assert (code, FILES[store], record) in {(one.code, one.store, one.record) for one in found.kept}
    assert all("{" not in one.detail for one in found.kept)


@examples(120)
@given(st.lists(st.sampled_from(BREAKINGS), min_size=2, max_size=7, unique_by=lambda way: way.name))
def test_of_several_breaks_at_once_each_is_named(pages: DirectoryPages, ways: list[Breaking]) -> None:
    mixture = mixed(pages, ways)
    assume(mixture is not None)
    assert mixture is not None
    flips, expected = mixture
    found = {(one.code, one.store, one.record) for one in check(FlippedPages(pages, flips)).findings.kept}
    assert {(code, FILES[store], record) for code, store, record in expected} <= found


def test_every_break_that_may_hide_another_is_known() -> None:
    assert {*HIDES, *(name for hidden in HIDES.values() for name in hidden)} <= BY_NAME.keys()


def test_every_kind_of_finding_is_provoked(pages: DirectoryPages) -> None:
    provoked = {broken.apply(Breaker(pages))[0] for broken in BREAKINGS}
    # Those of trees are provoked in test_trees.py, those of constraints on labels in test_label_constraints.py.
    assert provoked == {*CODES} - {*TREE_KINDS, Code.CONSTRAINT_LABEL}


def test_every_kind_of_finding_is_explained() -> None:
    assert set(CODES) == {*Code, *damage.Code, *damage.TreeCode}
    page = (Path(__file__).parent.parent.parent / "docs" / "consistency.md").read_text(encoding="utf-8")
    for code, meaning in CODES.items():
        assert f"| `{code}` | {meaning.what} | {meaning.consequence} |" in page


@pytest.mark.parametrize("word", ["schemaRuleType", "schemaEntityType", "ownedIndex", "constraintRuleType"])
def test_a_rule_that_says_numbers_where_a_word_belongs_is_told(pages: DirectoryPages, word: str) -> None:
    breaker = Breaker(pages)
    keys = {name: token for token, name in breaker.reader.tokens(Store.PROPERTY_KEY).items()}
    wanted, array = keys[f"__org.neo4j.SchemaRule.{word}"], keys["__org.neo4j.SchemaRule.schemaPropertyIds"]
    heads = breaker.properties.longs & 0xFFFFFF
    for key, other in ((wanted, keys["yes"]), (array, wanted)):
        for record, place in np.argwhere(breaker.properties.used[:, None] & (heads == key)).tolist():
            long = int(breaker.properties.longs[record, place])
            breaker.put(Store.PROPERTY, record, 9 + 8 * place, (long & ~0xFFFFFF | other).to_bytes(8, "big"))
    assert check(FlippedPages(pages, breaker.flips)).findings.counts.total()


@examples(60)
@given(
    flips=st.dictionaries(
        st.tuples(st.sampled_from(sorted(FILES.values())), st.integers(0, LARGEST_FILE)),
        st.integers(0, 255),
        min_size=1,
        max_size=40,
    )
)
def test_no_damage_makes_a_check_crash_or_endless(pages: DirectoryPages, flips: dict[tuple[str, int], int]) -> None:
    try:
        found = check(FlippedPages(pages, flips)).findings
    except IntegrityError:
        return
    assert set(found.counts) <= set(CODES)
    assert found.counts.total() >= len(found.kept)


def test_findings_are_all_counted_and_not_all_kept() -> None:
    found = Findings()
    found.add_each("node-label", Store.NODE, np.arange(KEPT + 5), "it has {0}", np.arange(KEPT + 5) * 2)
    found.add("node-label", Store.NODE, 7, "one more")
    assert found.counts == {"node-label": KEPT + 6}
    assert len(found.kept) == KEPT
    assert found.kept[3].detail == "it has 6"


@given(st.lists(st.lists(st.integers(-3, 70), max_size=30), max_size=6))
def test_marks_are_a_set(several: list[list[int]]) -> None:
    marks, known = Marks(64), set[int]()
    for ids in several:
        inside = [number for number in ids if 0 <= number < 64]
        again = {number for number in inside if number in known or inside.count(number) > 1}
        assert set(marks.mark(np.array(ids, np.int64)).tolist()) == again
        known |= set(inside)
        everything = np.arange(-5, 80)
        assert set(everything[marks.has(everything)].tolist()) == known


@given(st.lists(st.tuples(st.integers(-1, 5), st.integers(-1, 1 << 40)), max_size=20), st.randoms())
def test_claims_agree_only_where_they_are_the_same(rows: list[tuple[int, int]], random: Random) -> None:
    shuffled = random.sample(rows, len(rows))
    assert claims_of(rows, shuffled).agree
    assert not claims_of([*rows, (7, 8)], shuffled).agree
    assert not claims_of([*rows, (7, 8)], [*shuffled, (8, 7)]).agree
    # What is there twice on one side is not there once and something else once.
    assert not claims_of([*rows, (7, 8), (7, 8)], [*shuffled, (7, 8), (7, 9)]).agree


@given(st.integers(1, 9), st.data())
def test_a_fingerprint_depends_on_each_column(count: int, data: st.DataObject) -> None:
    row = data.draw(st.lists(st.integers(-(1 << 63), (1 << 63) - 1), min_size=count, max_size=count))
    place = data.draw(st.integers(0, count - 1))
    other = row.copy()
    other[place] = data.draw(st.integers(-(1 << 63), (1 << 63) - 1).filter(lambda number: number != row[place]))
    one, another = (fingerprints(*(np.array([number], np.int64) for number in numbers)) for numbers in (row, other))
    assert one != another


def claims_of(one: list[tuple[int, int]], other: list[tuple[int, int]]) -> Claims:
    claims = Claims()
    for rows, add in ((one, claims.one), (other, claims.other)):
        columns = np.array(rows, np.int64).reshape(-1, 2)
        add("link", columns[:, 0], columns[:, 1])
    return claims
