"""Lists of what is to be deleted: one that is not as it was written counts for nobody."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from helpers.storages import MemoryStorage
from helpers.txlog import flipped
from neokeep.repository.condemned import condemn, condemned_packs, list_condemned

if TYPE_CHECKING:
    from collections.abc import Sequence

IDS = st.lists(st.binary(min_size=32, max_size=32), max_size=5)


@given(IDS, st.lists(st.text(min_size=1), max_size=3))
def test_a_list_is_read_as_it_was_written(packs: Sequence[bytes], segments: Sequence[str]) -> None:
    storage = MemoryStorage()
    condemn(storage, packs, segments)
    (found,) = list_condemned(storage)
    assert (found.packs, found.segments) == (tuple(packs), tuple(segments))
    assert condemned_packs(storage) == set(packs)


def test_a_flipped_byte_anywhere_is_noticed() -> None:
    storage = MemoryStorage()
    name = condemn(storage, [bytes(range(32)), bytes(32)], ["segments/one"])
    data = storage.read(name)
    for at in range(len(data)):
        storage.replace(name, flipped(data, at))
        assert list_condemned(storage) == []


def test_a_whole_list_under_the_name_of_another_is_not_believed() -> None:
    storage = MemoryStorage()
    name, other = condemn(storage, [bytes(32)], []), condemn(storage, [bytes([7]) * 32], [])
    storage.replace(name, storage.read(other))
    assert [found.name for found in list_condemned(storage)] == [other]
