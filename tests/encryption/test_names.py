"""Names: what is stored tells nothing, and only what was named with the key is seen."""

from __future__ import annotations

import os
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neokeep.encryption.names import LONGEST_LEVEL, Names, is_plain
from neokeep.storage.base import LONGEST_NAME

NAMES = Names(os.urandom(64))
LEVEL = st.from_regex(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,100}", fullmatch=True)
LABEL = "a" * 63 + "-20261122-173015F_20261122-180000I"
SEGMENT = f"{1:020}-{2:020}-{'0' * 64}"


@given(st.lists(LEVEL, min_size=1, max_size=3).map("/".join))
def test_a_stored_name_gives_the_name_back(name: str) -> None:
    try:
        stored = NAMES.stored(name)
    except ValueError:
        assert name.count("/") > 1
        return
    assert NAMES.logical(stored) == name
    assert stored.partition("/")[0] == name.partition("/")[0]
    assert NAMES.stored(name) == stored


@pytest.mark.parametrize("name", [f"backups/{LABEL}", f"segments/{LABEL}/{SEGMENT}", f"holds/{LABEL}/{'0' * 64}"])
def test_the_longest_names_of_neokeep_fit_files_and_storages(name: str) -> None:
    stored = NAMES.stored(name)
    assert len(stored) <= LONGEST_NAME
    assert all(len(level) < 255 for level in stored.split("/"))
    assert re.fullmatch(r"[a-z]+(/[a-z2-7]+)+", stored)


def test_lengths_do_not_tell_databases_or_kinds_of_backups_apart() -> None:
    labels = ("a-20261122-173015F", "neo4j-20261122-173015F", "customers-20261122-173015F_20261122-180000I")
    assert len({len(NAMES.stored(f"backups/{label}")) for label in labels}) == 1


def test_a_level_looks_different_at_another_place() -> None:
    backups, segments = NAMES.stored("backups/LABEL"), NAMES.stored("segments/LABEL")
    assert backups.split("/")[1] != segments.split("/")[1]


def test_names_below_a_level_begin_with_its_stored_name() -> None:
    assert NAMES.stored(f"segments/{LABEL}/1").startswith(f"{NAMES.stored(f'segments/{LABEL}')}/")


@pytest.mark.parametrize("name", ["config", "keys/0", "packs/ab/abcd", "probe/1", "tmp/1"])
def test_what_needs_no_key_keeps_its_name(name: str) -> None:
    assert is_plain(name)
    assert NAMES.stored(name) == NAMES.logical(name) == name


@given(st.data())
def test_a_name_that_was_changed_anywhere_is_not_seen(data: st.DataObject) -> None:
    stored = NAMES.stored("segments/LABEL/1-2")
    at = data.draw(st.integers(len("segments/"), len(stored) - 1))
    other = data.draw(st.sampled_from("abcdefghijklmnopqrstuvwxyz234567AB01/"))
    changed = stored[:at] + other + stored[at + 1 :]
    assert NAMES.logical(changed) == ("segments/LABEL/1-2" if changed == stored else None)


@given(LEVEL, st.binary(min_size=64, max_size=64))
def test_names_of_another_key_are_not_seen(level: str, key: bytes) -> None:
    assert NAMES.logical(Names(key).stored(f"backups/{level}")) is None


@given(st.text(max_size=300))
def test_no_text_makes_it_fail(text: str) -> None:
    NAMES.logical(f"backups/{text}")


def test_a_level_that_is_too_long_is_no_name() -> None:
    with pytest.raises(ValueError, match="not an object name"):
        NAMES.stored(f"backups/{'x' * (LONGEST_LEVEL + 1)}")
