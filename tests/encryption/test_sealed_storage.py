"""The sealing storage keeps every promise of a storage, and shows nothing but what was sealed under a name."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from helpers.conformance import StorageConformance
from helpers.encrypted import SECRETS
from helpers.storages import MemoryStorage
from neokeep.encryption.sealed import HEAD_SIZE, PIECE, Sealed, content_size, sealed_size
from neokeep.encryption.secrets import Secrets
from neokeep.errors import IntegrityError
from neokeep.storage.local import LocalStorage

if TYPE_CHECKING:
    from pathlib import Path

    from neokeep.storage.base import Storage

SIZES = st.one_of(st.integers(0, 200), st.integers(PIECE - 20, PIECE + 20), st.integers(2 * PIECE - 20, 2 * PIECE + 20))


class TestInADirectory(StorageConformance):
    @pytest.fixture
    def storage(self, tmp_path: Path) -> Storage:
        return Sealed(LocalStorage(tmp_path), SECRETS)

    def test_the_longest_name_is_accepted(self, storage: Storage) -> None:
        # Levels grow when they are encrypted: two of the longest fit, which is what neokeep uses.
        name = "/".join(["x" * 20, "x" * 128, "x" * 128])
        storage.create(name, b"x")
        assert storage.read(name) == b"x"


class TestInMemory(TestInADirectory):
    @pytest.fixture
    def storage(self, tmp_path: Path) -> Storage:
        return Sealed(MemoryStorage(), SECRETS)


def sealed_object(content: bytes, name: str = "backups/one") -> tuple[Sealed, MemoryStorage, str]:
    below = MemoryStorage()
    storage = Sealed(below, SECRETS)
    storage.create(name, content)
    (stored,) = below.objects
    return storage, below, stored


@given(SIZES, st.integers(0, 3 * PIECE), st.none() | st.integers(0, 3 * PIECE))
@example(PIECE, PIECE, 1)
@example(2 * PIECE, PIECE, PIECE)
@example(0, 0, 0)
def test_every_range_is_what_was_created(size: int, offset: int, length: int | None) -> None:
    content = os.urandom(size)
    storage, _, _ = sealed_object(content)
    expected = content[offset:] if length is None else content[offset : offset + length]
    assert storage.read("backups/one", offset, length) == expected


@given(st.integers(0, 10 * PIECE))
def test_sizes_are_those_of_the_content(size: int) -> None:
    assert content_size(sealed_size(size)) == size


@given(st.integers(0, 10 * PIECE))
def test_no_stored_size_makes_it_fail(size: int) -> None:
    assert 0 <= content_size(size) <= size


@given(SIZES, st.data())
def test_a_bit_that_flipped_anywhere_is_found(size: int, data: st.DataObject) -> None:
    storage, below, stored = sealed_object(os.urandom(size))
    content = bytearray(below.objects[stored])
    content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    below.replace(stored, bytes(content))
    with pytest.raises(IntegrityError, match="backups/one"):
        storage.read("backups/one")


@given(SIZES, st.data())
@example(2 * PIECE, None)
def test_an_object_that_was_cut_anywhere_is_found(size: int, data: st.DataObject | None) -> None:
    storage, below, stored = sealed_object(os.urandom(size))
    content = below.objects[stored]
    left = sealed_size(PIECE) if data is None else data.draw(st.integers(0, len(content) - 1))
    below.replace(stored, content[:left])
    with pytest.raises(IntegrityError, match="backups/one"):
        storage.read("backups/one")
    with pytest.raises(IntegrityError, match="backups/one"):
        storage.read("backups/one", size, 10)


@given(st.binary(max_size=300))
def test_bytes_that_were_never_sealed_are_refused(content: bytes) -> None:
    storage, below, stored = sealed_object(b"x")
    below.replace(stored, content)
    with pytest.raises(IntegrityError, match="seal does not hold"):
        storage.read("backups/one")


def test_an_object_in_the_place_of_another_is_refused() -> None:
    storage, below, stored = sealed_object(b"mine")
    storage.create("backups/other", b"other")
    (other,) = set(below.objects) - {stored}
    below.replace(stored, below.objects[other])
    with pytest.raises(IntegrityError, match="backups/one"):
        storage.read("backups/one")


def test_pieces_of_an_object_cannot_change_places() -> None:
    storage, below, stored = sealed_object(os.urandom(3 * PIECE))
    whole = below.objects[stored]
    step = PIECE + 16
    pieces = [whole[HEAD_SIZE + at * step :][:step] for at in range(3)]
    below.replace(stored, whole[:HEAD_SIZE] + pieces[1] + pieces[0] + pieces[2])
    with pytest.raises(IntegrityError):
        storage.read("backups/one")


def test_the_same_content_is_never_stored_twice_as_the_same_bytes() -> None:
    _, first, stored = sealed_object(b"content")
    _, second, same = sealed_object(b"content")
    assert stored == same
    assert first.objects[stored] != second.objects[same]
    assert b"content" not in first.objects[stored]


def test_what_somebody_else_put_there_is_not_listed() -> None:
    storage, below, _ = sealed_object(b"x")
    below.create("backups/neo4j-20261122-173015F", b"forged")
    below.create(f"backups/{'a' * 128}", b"forged")
    assert [item.name for item in storage.list("backups")] == ["backups/one"]


def test_another_repository_s_key_opens_nothing() -> None:
    _, below, stored = sealed_object(b"x")
    other = Sealed(below, Secrets.generate())
    assert list(other.list("backups")) == []
    assert stored.startswith("backups/")


def test_secrets_do_not_show_themselves() -> None:
    assert repr(SECRETS) == "Secrets(role='reader')"
