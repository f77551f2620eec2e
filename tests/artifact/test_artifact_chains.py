"""Artifacts in order: what goes on with what, and what is missing between."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from helpers.artifacts import METADATA, differential
from neokeep.artifact.chains import order_chains

FULL = ("full", METADATA)


def test_differential_artifacts_follow_their_full_one_in_order() -> None:
    (chain,) = order_chains(
        [("second", differential(101, 120, 14)), ("first", differential(82, 100)), FULL, ("empty", differential(0, 0))]
    )
    assert (chain.full, chain.differentials) == ("full", ("empty", "first", "second"))
    assert (chain.last_tx, chain.gaps) == (120, ())


def test_a_missing_one_is_a_gap_and_ends_what_is_whole() -> None:
    (chain,) = order_chains([FULL, ("late", differential(101, 120, 14)), ("later", differential(121, 130, 15))])
    assert chain.last_tx == 81
    assert chain.gaps == ("transactions 82 to 100 are missing before late",)
    assert chain.differentials == ("late", "later")


def test_the_first_behind_a_full_one_may_begin_earlier() -> None:
    second = replace(METADATA, highest=110, time=METADATA.time.replace(hour=14))
    chains = order_chains([FULL, ("d1", differential(82, 100)), ("full 2", second), ("d2", differential(101, 120, 15))])
    assert [(chain.full, chain.differentials, chain.last_tx) for chain in chains] == [
        ("full", ("d1",), 100),
        ("full 2", ("d2",), 120),
    ]
    assert not any(chain.gaps for chain in chains)


def test_without_a_full_one_nothing_can_be_restored() -> None:
    (chain,) = order_chains([("d1", differential(82, 100))])
    assert (chain.full, chain.last_tx) == (None, None)
    assert chain.gaps == ("the full artifact before d1 is missing",)


def test_databases_are_kept_apart_by_their_ids() -> None:
    other = replace(METADATA, database_id=UUID(int=8))
    chains = order_chains([FULL, ("other", other), ("d", replace(differential(82, 100), database_id=UUID(int=8)))])
    assert [(chain.full, chain.differentials) for chain in chains] == [("full", ()), ("other", ("d",))]


@given(st.permutations(range(6)), st.sets(st.integers(1, 5)))
def test_whatever_the_order_and_whatever_is_missing_the_chain_says_how_far_it_is_whole(
    order: list[int], missing: set[int]
) -> None:
    each = {0: FULL} | {n: (f"d{n}", differential(72 + 10 * n, 81 + 10 * n, 12 + n)) for n in range(1, 6)}
    (chain,) = order_chains([each[number] for number in order if number not in missing])
    there = [number for number in range(6) if number not in missing]
    whole = next((at for at in range(6) if at + 1 not in there), 5)
    assert chain.differentials == tuple(f"d{number}" for number in there[1:])
    assert chain.last_tx == 81 + 10 * whole
    assert len(chain.gaps) == sum(after > before + 1 for before, after in pairwise(there))
