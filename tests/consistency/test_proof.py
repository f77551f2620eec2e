"""A store that is whole is proven to be, one that is not never is, and it matters to nobody how the work is cut."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from helpers.breaking import Breaker
from helpers.breakings import BREAKINGS, Breaking
from helpers.flipped import FlippedPages
from helpers.properties import examples, one_of
from neokeep.consistency.claims import Claims, fingerprints
from neokeep.consistency.marks import PagesTaken
from neokeep.consistency.proof import chains, windows
from neokeep.consistency.proof.part import prove_part
from neokeep.consistency.proof.plan import plan
from neokeep.consistency.proof.prove import Proof, prove
from neokeep.consistency.proof.windows import Window
from neokeep.consistency.run import check_store
from neokeep.consistency.state import MET_STORES, State, look_over
from neokeep.errors import IntegrityError
from neokeep.neo4j.recovery.layout import FILES, Store
from neokeep.neo4j.store import records as columns
from neokeep.neo4j.store.arrays import NotAnArray, stored_array
from neokeep.neo4j.store.blocks import Decoder, blocks_of
from neokeep.neo4j.store.graph import GraphReader
from neokeep.neo4j.store.values import Kind
from neokeep.neo4j.store.zones import zone_names
from neokeep.progress import Silent

if TYPE_CHECKING:
    from random import Random

    from neokeep.neo4j.store.damage import Damage
    from neokeep.neo4j.store.pages import DirectoryPages, Numbers, StorePages

LARGEST_FILE = 4 * 8192
PAGE = 8192


AGAINST_CONSTRAINTS = ("two people have one number", "a person lacks a number that it has to have")
BROKEN_RECORDS = [one for one in BREAKINGS if one.name not in AGAINST_CONSTRAINTS]
"""What a proof is of: constraints are judged apart."""


def claiming(pages: StorePages) -> State:
    reader = GraphReader(pages, aligned=True)
    return State(reader, look_over(reader), claiming=True)


def proof_of(pages: StorePages, *, at_once: int = PAGE, jobs: int = 1) -> Proof:
    state = claiming(pages)
    return prove(state, plan(state.tables, at_once), jobs=jobs, progress=Silent())


def test_a_healthy_store_is_proven_to_be_whole(pages: DirectoryPages) -> None:
    proof, checked = proof_of(pages), check_store(pages, aligned=True, derived=False, progress=Silent())
    assert proof.holds()
    assert (proof.nodes, proof.relationships) == (checked.nodes, checked.relationships)


@pytest.mark.parametrize("broken", one_of(2, BROKEN_RECORDS), ids=lambda one: one.name)
def test_what_is_broken_is_not_proven(pages: DirectoryPages, broken: Breaking) -> None:
    breaker = Breaker(pages)
    broken.apply(breaker)
    assert not proof_of(FlippedPages(pages, breaker.flips)).holds()


@examples(60)
@given(
    flips=st.dictionaries(
        st.tuples(st.sampled_from(sorted(FILES.values())), st.integers(0, LARGEST_FILE)),
        st.integers(0, 255),
        max_size=3,
    ),
    jobs=st.integers(1, 3),
)
@example(flips={("neostore.propertystore.db", 611): 28}, jobs=1)
def test_a_proof_holds_where_nothing_is_found_and_only_there(
    pages: DirectoryPages, flips: dict[tuple[str, int], int], jobs: int
) -> None:
    flipped = FlippedPages(pages, flips)
    try:
        found = check_store(flipped, aligned=True, derived=False, progress=Silent()).findings
    except IntegrityError:
        return
    assert proof_of(flipped, jobs=jobs).holds() == (not found.counts)
    proven = check_store(flipped, aligned=True, derived=False, progress=Silent(), jobs=jobs, worth_proving=0).findings
    assert (proven.counts, proven.kept) == (found.counts, found.kept)


@examples(60)
@given(
    flips=st.dictionaries(
        st.tuples(
            st.sampled_from([FILES[store] for store in (Store.NODE, Store.RELATIONSHIP, Store.GROUP)]),
            st.integers(0, LARGEST_FILE),
        ),
        st.integers(0, 255),
        min_size=1,
        max_size=4,
    )
)
def test_only_those_whose_claims_differ_need_be_looked_up(
    pages: DirectoryPages, flips: dict[tuple[str, int], int]
) -> None:
    flipped = FlippedPages(pages, flips)
    found = check_store(flipped, aligned=True, derived=False, progress=Silent()).findings
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Claims, "doubtful", lambda _, owners: np.ones(len(owners), np.bool_))
        everything = check_store(flipped, aligned=True, derived=False, progress=Silent()).findings
    assert found == everything


@given(at_once=st.integers(1, 5 * PAGE), order=st.randoms(use_true_random=False), shared=st.booleans())
def test_any_cut_and_any_order_of_parts_say_the_same(
    pages: DirectoryPages, at_once: int, order: Random, shared: bool
) -> None:
    whole, state = proof_of(pages, at_once=1 << 30), claiming(pages)
    if shared:
        state.pages_taken = PagesTaken({store: state.tables[store].page_count for store in MET_STORES})
    work = list(plan(state.tables, at_once))
    order.shuffle(work)
    proof = Proof(state)
    proof.begin()
    for some in work:
        proof.add(prove_part(state, some))
    assert state.claims.sums == whole.state.claims.sums
    assert (state.group_degrees == whole.state.group_degrees).all()
    assert proof.holds()


@given(
    counts=st.lists(st.integers(0, 10**7), min_size=len(Store), max_size=len(Store)), at_once=st.integers(1, 1 << 24)
)
@examples(30)
def test_a_plan_takes_every_record_once(pages: DirectoryPages, counts: list[int], at_once: int) -> None:
    reader = GraphReader(pages, aligned=True)
    tables = {
        store: type(table)(pages, store, table.geometry, count)
        for (store, table), count in zip(reader.tables.items(), counts, strict=True)
    }
    reached: dict[tuple[Store, bool], int] = {}
    for some in plan(tables, at_once):
        begin = 1 if some.used and some.store is not Store.PROPERTY else 0
        assert some.start == reached.get((some.store, some.used), begin)
        assert some.start < some.stop
        reached[some.store, some.used] = some.stop
    expected = {(store, False): tables[store].count for store in (Store.NODE, Store.RELATIONSHIP)}
    expected |= {(store, True): tables[store].count for store in MET_STORES if store is not Store.GROUP}
    assert reached == {key: count for key, count in expected.items() if count > key[1] * (key[0] is not Store.PROPERTY)}


def test_chains_far_from_one_another_are_gathered(pages: DirectoryPages, monkeypatch: pytest.MonkeyPatch) -> None:
    along = proof_of(pages).state.claims.sums
    monkeypatch.setattr(windows, "_along", lambda _table, heads, _follow, _look: heads)
    monkeypatch.setattr(windows, "GATHERED", 200)
    proof = proof_of(pages)
    assert proof.state.claims.sums == along
    assert proof.holds()


@pytest.mark.parametrize("broken", one_of(6, BROKEN_RECORDS), ids=lambda one: one.name)
def test_what_is_broken_is_not_proven_where_chains_are_gathered(
    pages: DirectoryPages, broken: Breaking, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(windows, "_along", lambda _table, heads, _follow, _look: heads)
    breaker = Breaker(pages)
    broken.apply(breaker)
    assert not proof_of(FlippedPages(pages, breaker.flips)).holds()


def numbers(count: int) -> Numbers:
    return np.zeros(count, np.int64)


@given(st.lists(st.tuples(st.integers(0, 15), st.integers(0, (1 << 36) - 1)), min_size=4, max_size=4), st.data())
def test_values_that_can_be_read_are_those_that_are_decoded(
    pages: DirectoryPages, heads: list[tuple[int, int]], data: st.DataObject
) -> None:
    """Each long is a block of its own key, or what the block before it needs."""
    longs = [value << 28 | kind << 24 | key for key, (kind, value) in enumerate(heads)]
    longs[0] |= data.draw(st.sampled_from(list(Kind))) << 24 if not longs[0] >> 24 & 15 else 0
    record = bytes(1) + b"\xff" * 8 + b"".join(long.to_bytes(8, "big") for long in longs)
    raw = np.frombuffer(record, np.uint8)
    damages: list[Damage] = []
    rows = numbers(1)
    blocks = blocks_of(rows, rows, columns.properties(raw.reshape(1, -1)).longs, damages)
    plain = blocks[~np.isin(blocks.kind, (Kind.STRING, Kind.ARRAY))]
    list(Decoder(GraphReader(pages, aligned=True).tables).columns(plain, damages))
    named = (blocks.key < 4).all() and len(set(blocks.key.tolist())) == len(blocks)
    outcome = chains.property_chains(
        raw, len(raw), 0, rows, rows, np.array([1, 1, 1, 1, 0], np.uint8), numbers(5), len(zone_names()),
        numbers(4), numbers(4), numbers(1), numbers(0), numbers(5), numbers(5),
    )  # fmt: skip
    assert (outcome == chains.WHOLE) == (named and not damages)


def value_outcome(store: Store, content: bytes, size: int) -> tuple[int, int]:
    """Follow one value that is cut into records of a size: the outcome, and whether it was left to Python."""
    parts = [content[at : at + size] for at in range(0, len(content), size)] or [b""]
    records = b""
    for number, part in enumerate(parts):
        head = 1 << 28 | (0 if number == 0 else 1 << 31) | len(part)
        following = number + 1 if number + 1 < len(parts) else 0xFFFFFFFF
        records += head.to_bytes(4, "big") + following.to_bytes(4, "big") + part.ljust(size, b"\0")
    used = numbers(4)
    outcome = chains.value_chains(
        np.frombuffer(records, np.uint8), size + 8, 0, numbers(0), numbers(1), store, numbers(1), numbers(1),
        numbers(0), numbers(5), used,
    )  # fmt: skip
    return outcome, int(used[chains.ARRAYS])


@given(st.one_of(st.binary(max_size=40), st.text(max_size=30).map(str.encode)), st.integers(1, 9))
@example(b"\xed\xa0\x80", 2)
@example("\U0010ffff".encode(), 1)
@example(b"\xf4\x90\x80\x80", 3)
@example(b"\xc0\x80", 1)
def test_long_texts_are_looked_at_as_python_decodes_them(content: bytes, size: int) -> None:
    try:
        content.decode()
        whole = True
    except UnicodeDecodeError:
        whole = False
    assert (value_outcome(Store.STRINGS, content, size)[0] == chains.WHOLE) == whole


@given(
    st.tuples(st.integers(0, 16), st.integers(0, 10), st.integers(0, 70)).map(bytes), st.binary(max_size=30),
    st.integers(1, 9), st.integers(0, 3),
)  # fmt: skip
def test_arrays_are_either_whole_or_left_to_be_decoded(head: bytes, rest: bytes, size: int, cut: int) -> None:
    content = head[: 3 - cut] if cut else head + rest
    outcome, left = value_outcome(Store.ARRAYS, content, size)
    assert outcome == chains.WHOLE
    if not left:
        stored_array(content)
    elif content and 1 <= content[0] <= Kind.DOUBLE:
        with pytest.raises(NotAnArray):
            stored_array(content)


@given(st.lists(st.tuples(*[st.integers(0, (1 << 62) - 1)] * 2), min_size=1, max_size=5))
def test_compiled_code_makes_the_same_fingerprints(rows: list[tuple[int, int]]) -> None:
    """Records in use claim their id and their store: see chains.in_use."""
    sums, total = numbers(5), 0
    for first, store in rows:
        record = np.ones(1, np.uint8)
        chains.in_use(record, 1, 1, 1, record, first, first + 1, 0, 1, store, sums)
        total -= int(fingerprints(np.array([first]), store)[0])
    assert int(sums[chains.MET]) & (1 << 64) - 1 == total & (1 << 64) - 1


def test_a_window_that_a_chain_leaves_says_nothing_of_it() -> None:
    left, sums, used = numbers(1), numbers(5), numbers(4)
    record = (1 << 28 | 1).to_bytes(4, "big") + (7).to_bytes(4, "big") + b"a"
    window = Window(np.frombuffer(record, np.uint8), 9, 3, numbers(0))
    outcome = chains.value_chains(
        window.pages,
        9,
        window.first,
        window.ids,
        np.array([3]),
        Store.STRINGS,
        numbers(1),
        left,
        numbers(0),
        sums,
        used,
    )
    assert (outcome, int(used[chains.LEFT]), int(left[0])) == (chains.WHOLE, 1, 3)
    assert not sums.any()
