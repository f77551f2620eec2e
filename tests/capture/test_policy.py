"""When a full backup is due: each rule alone, and all of them together."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.backups import new_repository
from helpers.chains import named
from helpers.manifests import NO_COST, NOW, full_manifest
from neokeep.capture.policy import LITTLE_LOG, ChainState, FullPolicy, state_of
from neokeep.errors import UsageError
from neokeep.repository.chains import Chain

DAY = 86_400

RULES = st.builds(
    FullPolicy,
    every=st.none() | st.integers(1, 30 * DAY),
    after=st.none() | st.integers(1, 50),
    at_log_share=st.none() | st.floats(0.01, 10),
)
STATES = st.builds(
    ChainState,
    age=st.integers(0, 60 * DAY).map(lambda seconds: timedelta(seconds=seconds)),
    incremental_backups=st.integers(0, 100),
    log_bytes=st.integers(0, 10**9),
    full_bytes=st.none() | st.integers(0, 10**8),
    damage_found=st.booleans(),
)


def state(**fields: Any) -> ChainState:
    usual: dict[str, Any] = {
        "age": timedelta(),
        "incremental_backups": 0,
        "log_bytes": 0,
        "full_bytes": 10**9,
        "damage_found": False,
    }
    return ChainState(**(usual | fields))


def test_without_a_rule_nothing_but_damage_makes_a_full_backup_due() -> None:
    old = state(age=timedelta(days=4000), incremental_backups=10**6, log_bytes=10**12)
    assert FullPolicy().due(old) == ""
    assert FullPolicy().due(state(damage_found=True)) == "a verification found damage since the newest full backup"


@pytest.mark.parametrize(
    ("policy", "before", "when", "reason"),
    [
        (
            FullPolicy(every=7 * DAY),
            {"age": timedelta(days=7, seconds=-1)},
            {"age": timedelta(days=7)},
            "the newest full backup is 7 days and 0 hours old",
        ),
        (
            FullPolicy(after=1),
            {"incremental_backups": 0},
            {"incremental_backups": 1},
            "the newest full backup has 1 incremental backup behind it",
        ),
        (
            FullPolicy(after=24),
            {"incremental_backups": 23},
            {"incremental_backups": 25},
            "the newest full backup has 25 incremental backups behind it",
        ),
        (
            FullPolicy(at_log_share=0.5),
            {"log_bytes": 499_999_999},
            {"log_bytes": 500_000_000},
            "the archived log has grown to 50% of the full backup, both compressed",
        ),
        (
            FullPolicy(at_log_share=1.5),
            {"log_bytes": 1_499_999_999},
            {"log_bytes": 2_000_000_000},
            "the archived log has grown to 200% of the full backup, both compressed",
        ),
    ],
)
def test_each_rule_has_its_moment_and_its_reason(
    policy: FullPolicy, before: dict[str, Any], when: dict[str, Any], reason: str
) -> None:
    assert policy.due(state(**before)) == ""
    assert policy.due(state(**when)) == reason


def test_a_little_log_asks_for_no_full_backup_however_small_the_store() -> None:
    policy = FullPolicy(at_log_share=1.0)
    assert policy.due(state(log_bytes=LITTLE_LOG - 1, full_bytes=1000)) == ""
    assert policy.due(state(log_bytes=LITTLE_LOG, full_bytes=1000)) != ""


@pytest.mark.parametrize("full_bytes", [None, 0])
def test_the_log_is_not_compared_with_a_full_backup_of_unknown_size(full_bytes: int | None) -> None:
    assert FullPolicy(at_log_share=0.01).due(state(log_bytes=10**9, full_bytes=full_bytes)) == ""


@given(RULES, STATES)
def test_a_full_backup_is_due_as_soon_as_one_of_the_rules_says_so(policy: FullPolicy, found: ChainState) -> None:
    alone = (
        FullPolicy(every=policy.every),
        FullPolicy(after=policy.after),
        FullPolicy(at_log_share=policy.at_log_share),
    )
    reasons = [one.due(found) for one in alone]
    assert policy.due(found) == next((reason for reason in reasons if reason), "")


@given(RULES, STATES, st.integers(0, 10**6), st.integers(0, 50), st.integers(0, 10**6))
def test_what_is_due_stays_due_while_the_chain_grows(
    policy: FullPolicy, found: ChainState, seconds: int, backups: int, log: int
) -> None:
    later = ChainState(
        found.age + timedelta(seconds=seconds),
        found.incremental_backups + backups,
        found.log_bytes + log,
        found.full_bytes,
        found.damage_found,
    )
    assert not policy.due(found) or policy.due(later)


@pytest.mark.parametrize("rules", [{"every": 0}, {"after": 0}, {"after": -3}, {"at_log_share": 0.0}])
def test_a_rule_that_would_always_hold_is_refused(rules: dict[str, Any]) -> None:
    (name,) = rules
    with pytest.raises(UsageError, match=f"full_{name}=.* is not above zero"):
        FullPolicy(**rules)


def test_a_chain_is_judged_by_its_manifests_and_by_the_stored_size_of_its_segments() -> None:
    repository, _ = new_repository()
    finished = NOW - timedelta(days=2000)
    cost = msgspec.structs.replace(NO_COST, compressed_bytes=5000, stored_bytes=7, size_bytes=90_000)
    base = full_manifest("a", finished_at=finished, statistics=cost)
    backups = [
        base,
        *(full_manifest(f"{on}-{at}", type="incremental", base=on) for on in ("a", "b") for at in range(3)),
    ]
    chain = Chain(base, tuple(named(at, at, size=10) for at in range(2, 12)))
    wanted = ChainState(timedelta(hours=2), 3, 100, 5000, damage_found=False)
    assert state_of(repository, chain, backups, finished + timedelta(hours=2)) == wanted
    repository.mark_damaged(bytes(32))
    assert state_of(repository, chain, backups, finished).damage_found
