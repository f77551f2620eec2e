"""Two stores are the same when all records in use are: what is left over from earlier does not count."""

from __future__ import annotations

import random
import shutil
import struct
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.database import neostore_bytes
from helpers.redo_model import SIZES, WITH_SIZE
from neokeep.lab import compare_stores as comparing
from neokeep.lab.compare_stores import Difference, compare_stores, token_names
from neokeep.neo4j.recovery.layout import FILES, Store
from neokeep.neo4j.recovery.meaning import block_longs
from neokeep.neo4j.recovery.pages import geometries

if TYPE_CHECKING:
    from pathlib import Path

PAGE = 8192


class Pair:
    """Two store directories, alike to begin with."""

    def __init__(self, directory: Path) -> None:
        self.first, self.second = directory / "first", directory / "second"
        self.first.mkdir(parents=True)
        for store, size in SIZES.items():
            head = struct.pack(">I", size) if store in WITH_SIZE else struct.pack(">I", 50 << 24)
            (self.first / FILES[store]).write_bytes((head if store in WITH_SIZE else b"").ljust(PAGE, b"\0"))
        (self.first / "neostore").write_bytes(neostore_bytes(20))
        shutil.copytree(self.first, self.second)

    def put(self, store: Store, number: int, record: bytes, *sides: Path) -> None:
        size = SIZES[store]
        assert len(record) <= size
        for side in sides or (self.first, self.second):
            path = side / FILES[store]
            content = bytearray(path.read_bytes())
            at = number // (PAGE // size) * PAGE + number % (PAGE // size) * size
            content.extend(bytes(max(0, (at // PAGE + 1) * PAGE - len(content))))
            content[at : at + size] = record.ljust(size, b"\0")
            path.write_bytes(content)

    def compare(self) -> comparing.Comparison:
        return compare_stores(self.first, self.second, aligned=True)


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return Pair(tmp_path)


def dynamic(data: bytes, *, used: bool = True, behind: bytes = b"") -> bytes:
    return struct.pack(">II", 1 << 31 | used << 28 | len(data), 0xFFFFFFFF) + data + behind


def properties(*longs: int) -> bytes:
    return struct.pack(">BII", 0, 0xFFFFFFFF, 0xFFFFFFFF) + struct.pack(f">{len(longs)}Q", *longs)


def test_the_same_files_are_the_same(pair: Pair) -> None:
    pair.put(Store.NODE, 7, b"\x01" + bytes(14))
    pair.put(Store.PROPERTY, 400, properties(5 << 24 | 3))
    found = pair.compare()
    assert found.same
    assert found.in_use["neostore.nodestore.db"] == found.in_use["neostore.propertystore.db"] == 1
    assert found.different == {}


@pytest.mark.parametrize("store", [store for store in Store if store is not Store.PROPERTY])
def test_a_byte_of_a_record_in_use_is_told_with_both_images(pair: Pair, store: Store) -> None:
    used = b"\x91" if store not in SIZES or store in WITH_SIZE else b"\x01"
    size = SIZES[store]
    first = (used + b"\0\0\x04").ljust(size, b"\0")
    second = first[:-1] + b"\x05" if store not in WITH_SIZE else first[:9] + b"\x05" + first[10:]
    pair.put(store, 3, first)
    pair.put(store, 3, second, pair.second)
    found = pair.compare()
    assert Difference(FILES[store], 3, first, second) in found.differences
    assert found.different == {FILES[store]: 1}


@pytest.mark.parametrize("store", [Store.NODE, Store.RELATIONSHIP, Store.GROUP, Store.SCHEMA, Store.LABEL])
def test_what_is_free_does_not_count(pair: Pair, store: Store) -> None:
    pair.put(store, 5, b"\x02" + b"\x77" * (SIZES[store] - 1), pair.first)
    assert pair.compare().same


def test_a_record_that_only_one_has_is_told(pair: Pair) -> None:
    pair.put(Store.NODE, 2000, b"\x01" + bytes(14), pair.second)
    (found,) = pair.compare().differences
    assert (found.store, found.id, found.first) == ("neostore.nodestore.db", 2000, None)
    assert str(found) == f"neostore.nodestore.db 2000: not in use / 01{'00' * 14}"


def test_bytes_behind_the_end_of_a_dynamic_record_do_not_count(pair: Pair) -> None:
    pair.put(Store.STRINGS, 4, dynamic(b"text", behind=b"old"), pair.first)
    pair.put(Store.STRINGS, 4, dynamic(b"text"), pair.second)
    assert pair.compare().same
    pair.put(Store.STRINGS, 4, dynamic(b"tex"), pair.second)
    assert pair.compare().different == {"neostore.propertystore.db.strings": 1}


def test_longs_behind_the_last_block_do_not_count(pair: Pair) -> None:
    double = 8 << 24 | 2
    pair.put(Store.PROPERTY, 4, properties(double, 99, 0, 12345), pair.first)
    pair.put(Store.PROPERTY, 4, properties(double, 99), pair.second)
    assert pair.compare().same
    pair.put(Store.PROPERTY, 4, properties(double, 98), pair.second)
    assert pair.compare().different == {"neostore.propertystore.db": 1}


def test_a_record_size_that_differs_is_a_difference(pair: Pair) -> None:
    (pair.second / FILES[Store.ARRAYS]).write_bytes(struct.pack(">I", 64).ljust(PAGE, b"\0"))
    assert pair.compare().different == {FILES[Store.ARRAYS]: 1}


def test_slots_of_neostore_are_compared(pair: Pair) -> None:
    content = bytearray((pair.second / "neostore").read_bytes())
    content[9 * 6] = 1
    content[9 * 6 + 8] ^= 1
    (pair.second / "neostore").write_bytes(content)
    (found,) = pair.compare().differences
    assert (found.store, found.id) == ("neostore", 6)


def test_names_of_tokens_are_read_over_their_chain(pair: Pair) -> None:
    pair.put(Store.LABEL, 0, b"\x01" + struct.pack(">I", 3))
    pair.put(Store.LABEL_NAMES, 3, struct.pack(">II", 1 << 31 | 1 << 28 | 30, 9) + b"a" * 30)
    pair.put(Store.LABEL_NAMES, 9, dynamic(b"bcd"))
    assert token_names(pair.first, Store.LABEL, geometries(pair.first, aligned=True)) == {0: b"a" * 30 + b"bcd"}
    pair.put(Store.LABEL_NAMES, 9, dynamic(b"bce"), pair.second)
    assert "names of neostore.labeltokenstore.db" in {found.store for found in pair.compare().differences}


def test_a_chain_of_names_without_an_end_is_no_endless_loop(pair: Pair) -> None:
    pair.put(Store.LABEL, 0, b"\x01" + struct.pack(">I", 3))
    pair.put(Store.LABEL_NAMES, 3, struct.pack(">II", 1 << 31 | 1 << 28 | 1, 3) + b"a")
    assert pair.compare().same


def test_pieces_smaller_than_the_files_find_the_same(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    noise = random.Random(1)
    for _ in range(60):
        number, record = noise.randrange(6000), b"\x01" + noise.randbytes(14)
        pair.put(Store.NODE, number, record)
        if noise.random() < 0.3:
            pair.put(Store.NODE, number, b"\x01" + noise.randbytes(14), pair.second)
    whole = pair.compare()
    assert whole.different
    monkeypatch.setattr(comparing, "PAGES_AT_ONCE", 1)
    assert pair.compare() == whole


def test_only_the_first_differences_of_a_store_are_told(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparing, "SHOWN", 4)
    monkeypatch.setattr(comparing, "PAGES_AT_ONCE", 1)
    for number in range(0, 3000, 100):
        pair.put(Store.NODE, number, b"\x01" + bytes(14), pair.first)
    found = pair.compare()
    assert [each.id for each in found.differences] == [0, 100, 200, 300]
    assert found.different == {"neostore.nodestore.db": 30}


@pytest.mark.parametrize(
    ("first", "longs"),
    [
        (1 << 24, 1),
        (5 << 24 | 7 << 28, 1),
        (6 << 24 | 1 << 28, 1),
        (6 << 24, 2),
        (8 << 24, 2),
        (9 << 24, 1),
        (10 << 24, 1),
        (11 << 24 | (1 | 6 << 5) << 28, 1),
        (11 << 24 | (1 | 7 << 5) << 28, 2),
        (11 << 24 | (10 | 27 << 5) << 28, 4),
        (12 << 24 | (6 | 2 << 4 | 10 << 10) << 28, 1),
        (12 << 24 | (6 | 3 << 4 | 0 << 10) << 28, 4),
        (13 << 24 | (1 | 2 << 4) << 28, 3),
        (13 << 24 | (1 | 3 << 4) << 28, 4),
        (14 << 24 | (1 | 1 << 4) << 28, 1),
        (14 << 24 | 1 << 28, 2),
        (14 << 24 | (2 | 1 << 4) << 28, 1),
        (14 << 24 | 3 << 28, 2),
        (14 << 24 | 4 << 28, 2),
        (14 << 24 | (5 | 1 << 4) << 28, 3),
        (14 << 24 | 6 << 28, 4),
    ],
)
def test_a_block_has_as_many_longs_as_its_table_says(first: int, longs: int) -> None:
    assert block_longs(np.array([first], np.int64)).tolist() == [longs]


@given(st.lists(st.integers(-(1 << 63), (1 << 63) - 1), min_size=1, max_size=40))
def test_any_long_counts_for_at_least_one_block(values: list[int]) -> None:
    assert (block_longs(np.array(values, np.int64)) >= 1).all()
