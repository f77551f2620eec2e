"""Looking everything up finds the same, in the same order, with any number of threads and however a store is cut."""

from __future__ import annotations

import random
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.breaking import Breaker
from helpers.breakings import BREAKINGS
from helpers.flipped import FlippedPages
from neokeep.consistency import findings
from neokeep.consistency.findings import Findings
from neokeep.consistency.run import Checked, check_store
from neokeep.neo4j.recovery.layout import FILES, Store
from neokeep.neo4j.store import pages as reading
from neokeep.progress import Silent

if TYPE_CHECKING:
    from neokeep.neo4j.store.pages import DirectoryPages, Flags, Numbers

FEW, ALWAYS, NEVER = 100, 0, 1 << 60
DAMAGED = (Store.NODE, Store.RELATIONSHIP, Store.PROPERTY, Store.STRINGS, Store.GROUP, Store.NODE_LABELS)


def broken(pages: DirectoryPages, seed: int) -> FlippedPages:
    """Break a store in several ways, and put any bytes into some records."""
    chance, breaker = random.Random(seed), Breaker(pages)
    for way in chance.sample(BREAKINGS, 6):
        way.apply(breaker)
    for _ in range(chance.randrange(40)):
        breaker.put_in(FILES[chance.choice(DAMAGED)], chance.randrange(200, 4000), bytes([chance.randrange(256)]))
    return FlippedPages(pages, breaker.flips)


def check(pages: FlippedPages, jobs: int, worth_proving: int) -> Checked:
    return check_store(pages, aligned=True, derived=False, progress=Silent(), jobs=jobs, worth_proving=worth_proving)


@pytest.mark.parametrize("worth_proving", [ALWAYS, NEVER], ids=["compiled", "not compiled"])
@pytest.mark.parametrize("seed", range(4))
def test_findings_and_their_order_are_the_same_with_any_number_of_threads(
    pages: DirectoryPages, seed: int, worth_proving: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "RECORDS_AT_ONCE", FEW)
    damaged = broken(pages, seed)
    alone = check(damaged, 1, worth_proving)
    assert alone.findings.kept
    for jobs in (2, 5):
        assert check(damaged, jobs, worth_proving) == alone


@pytest.mark.parametrize("seed", range(4))
def test_findings_are_the_same_however_a_store_is_cut(
    pages: DirectoryPages, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    damaged = broken(pages, seed)
    whole = check(damaged, 2, NEVER)
    monkeypatch.setattr(reading, "RECORDS_AT_ONCE", FEW)
    parts = check(damaged, 2, NEVER)
    assert parts.findings.counts == whole.findings.counts
    assert set(parts.findings.kept) == set(whole.findings.kept)


NOTED = st.lists(st.tuples(st.sampled_from("ab"), st.lists(st.integers(0, 9), max_size=6)), max_size=12)


@given(batches=st.lists(NOTED, max_size=5), kept=st.integers(0, 7), explained=st.booleans())
def test_findings_that_are_merged_are_those_that_were_noted_one_after_the_other(
    batches: list[list[tuple[str, list[int]]]], kept: int, *, explained: bool
) -> None:
    def explains(_: Store, records: Numbers) -> Flags:
        return np.asarray(records % 2 == 0)

    whole, merged = (Findings(explains=explains if explained else None) for _ in range(2))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(findings, "KEPT", kept)
        for batch in batches:
            own = Findings(explains=merged.explains)
            for code, records in batch:
                for target in (whole, own):
                    target.add_each(code, Store.NODE, np.array(records, np.int64), "it is wrong")
            merged.merge(own)
    assert merged == whole
    assert sum(merged.counts.values()) == sum(len(records) for batch in batches for _, records in batch)
    assert all(count <= 2 * kept for count in Counter(one.code for one in merged.kept).values())
