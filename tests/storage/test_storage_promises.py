"""Every storage keeps the promises of the interface."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.conformance import StorageConformance
from helpers.storages import MemoryStorage, Wrapped
from neokeep.errors import IntegrityError, RepositoryError
from neokeep.repository.probe import probe
from neokeep.storage.base import Storage, checked_name
from neokeep.storage.local import LocalStorage


class TestLocalStorage(StorageConformance):
    @pytest.fixture
    def storage(self, tmp_path: Path) -> Storage:
        return LocalStorage(tmp_path)


class TestMemoryStorage(StorageConformance):
    @pytest.fixture
    def storage(self, tmp_path: Path) -> Storage:
        return MemoryStorage()


@given(st.text(max_size=30))
def test_a_name_that_is_accepted_stays_below_its_root(name: str) -> None:
    try:
        checked_name(name)
    except ValueError:
        return
    path = Path("/root") / name
    assert path.is_relative_to("/root")
    assert ".." not in path.parts
    assert not any(part.startswith(".") for part in path.parts)


def test_the_probe_refuses_a_storage_that_lets_everybody_win() -> None:
    class Replacing(MemoryStorage):
        def create(self, name: str, data: object) -> None:
            self.objects.pop(name, None)
            super().create(name, data)  # type: ignore[arg-type]

    with pytest.raises(RepositoryError, match="let 8 of 8 writers create the same object"):
        probe(Replacing())


def test_the_probe_refuses_a_storage_that_returns_other_bytes() -> None:
    class Garbling(MemoryStorage):
        def read(self, name: str, offset: int = 0, length: int | None = None) -> bytes:
            return super().read(name, offset, length)[:-1] + b"?!"[:1]

    with pytest.raises(IntegrityError, match="returned other bytes"):
        probe(Garbling())


def test_a_wrapped_storage_passes_everything_on() -> None:
    told: list[tuple[str, str]] = []
    storage = Wrapped(MemoryStorage(), lambda operation, name: told.append((operation, name)))
    storage.create("a/b", b"x")
    assert (storage.read("a/b"), storage.stat("a/b").size, len(list(storage.list("a")))) == (b"x", 1, 1)
    storage.delete("a/b")
    assert [operation for operation, _ in told] == ["create", "read", "stat", "list", "delete"]
