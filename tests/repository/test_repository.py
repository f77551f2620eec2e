"""Making and opening repositories, and the index as a cache of the packs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from helpers.backups import check, content, copied, expected, new_repository, put_back, take
from helpers.database import make_database
from helpers.txlog import flipped
from neokeep.errors import IntegrityError, NeokeepError, RepositoryError, UsageError
from neokeep.repository.open import init_repository, open_repository
from neokeep.repository.repository import Repository

if TYPE_CHECKING:
    from pathlib import Path

    from helpers.storages import MemoryStorage


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "new" / "repository"


def test_a_repository_that_was_made_can_be_opened(place: Path) -> None:
    made = init_repository(str(place))
    assert open_repository(f"file://{place}").config == made.config
    assert sorted(item.name for item in place.iterdir() if any(item.rglob("*")) or item.is_file()) == ["config"]


def test_a_repository_is_never_made_over_another_or_over_strangers(place: Path) -> None:
    made = init_repository(str(place))
    with pytest.raises(RepositoryError, match="holds a repository already"):
        init_repository(str(place))
    assert open_repository(str(place)).config == made.config
    (place.parent / "photos").mkdir()
    with pytest.raises(UsageError, match="is not empty: it holds photos"):
        init_repository(str(place.parent))


def test_where_there_is_none_the_way_to_make_one_is_told(tmp_path: Path) -> None:
    for missing in (tmp_path, tmp_path / "none"):
        with pytest.raises(RepositoryError, match="there is no neokeep repository in") as failure:
            open_repository(str(missing))
        assert "neokeep init" in failure.value.remedy


@pytest.mark.parametrize("name", ["", "s3://", "ftp://x"])
def test_places_that_cannot_be_used_are_refused(name: str) -> None:
    with pytest.raises(UsageError):
        open_repository(name)


def config_with(storage: MemoryStorage, **changes: object) -> None:
    config = msgspec.json.decode(storage.objects["config"]) | changes
    storage.replace("config", msgspec.json.encode(config))


@pytest.mark.parametrize(
    "changes", [{"format": 2}, {"features": ["encryption"]}, {"format": 9, "features": ["a", "b"]}]
)
def test_newer_formats_and_unknown_features_are_refused(changes: dict[str, object]) -> None:
    _, storage = new_repository()
    config_with(storage, **changes)
    with pytest.raises(NeokeepError):
        Repository.open(storage)


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"\0" * 200, b'{"format": "x"}', b"\xff\xfe"])
def test_a_config_that_cannot_be_read_is_damaged(data: bytes) -> None:
    _, storage = new_repository()
    storage.replace("config", data)
    with pytest.raises(IntegrityError, match="config object of memory is damaged"):
        Repository.open(storage)


def test_every_flipped_byte_of_the_config_is_noticed() -> None:
    _, storage = new_repository()
    data = storage.objects["config"]
    unnoticed: list[bytes] = []
    for at in range(len(data)):
        storage.replace("config", flipped(data, at, 0x01))
        try:
            Repository.open(storage)
        except NeokeepError:
            continue
        unnoticed.append(storage.objects["config"])
    assert unnoticed == []


def test_the_index_is_made_from_the_packs_where_its_objects_are_gone_or_damaged(tmp_path: Path) -> None:
    repository, storage = new_repository()
    made = make_database(tmp_path / "home")
    take(made, repository)
    blocks = len(repository.read_index())
    (name,) = storage.names("index/")
    whole = storage.objects[name]
    for damaged in (None, b"", flipped(whole, 20), whole[:-1]):
        if damaged is None:
            storage.delete(name)
        else:
            storage.objects.pop(name, None)
            storage.create(name, damaged)
        assert len(Repository.open(storage).read_index()) == blocks
    put_back(repository, tmp_path / "restored")
    assert content(tmp_path / "restored") == expected(made)


@pytest.mark.parametrize("left", [0, 47, *(pytest.param(left, marks=pytest.mark.slow) for left in (1, 48, 100)), -1])
@pytest.mark.parametrize("indexed", [True, False])
def test_a_pack_that_was_cut_is_not_counted_on_and_stops_nobody(tmp_path: Path, left: int, indexed: bool) -> None:
    place = tmp_path / "repository"
    repository = init_repository(str(place))
    made = make_database(tmp_path / "home")
    first = take(made, repository)
    if not indexed:
        for item in list(repository.storage.list("index")):
            repository.storage.delete(item.name)
    for item in list(repository.storage.list("packs")):
        path = place / item.name
        path.write_bytes(path.read_bytes()[:left])
    assert len(open_repository(str(place)).read_index()) == 0
    assert not check(repository).ok
    second = take(made, repository)
    for info in (first, second):
        put_back(repository, tmp_path / info.label, info.label)
        assert content(tmp_path / info.label) == expected(made)


def test_blocks_of_packs_that_vanished_are_stored_anew(tmp_path: Path) -> None:
    repository, storage = new_repository()
    made = make_database(tmp_path / "home")
    first = take(made, repository)
    for name in storage.names("packs/"):
        storage.delete(name)
    assert first.label in check(repository).backups[0].label
    assert not check(repository).ok
    second = take(made, repository)
    assert second.stored_bytes >= first.stored_bytes * 0.9
    assert check(repository).ok
    put_back(repository, tmp_path / "restored", first.label)
    assert content(tmp_path / "restored") == expected(made)


def test_what_one_open_repository_wrote_it_can_read(tmp_path: Path) -> None:
    repository, _ = new_repository()
    made = make_database(tmp_path / "home")
    take(made, repository)
    put_back(repository, tmp_path / "restored")
    assert content(tmp_path / "restored") == expected(made)
    assert take(made, repository).stored_bytes < 10_000
    assert check(repository).ok


def test_strangers_among_the_objects_are_passed_over(tmp_path: Path) -> None:
    repository, storage = new_repository()
    made = make_database(tmp_path / "home")
    take(made, repository)
    for name in ("packs/README", "packs/ab/abcd", "index/notes", "damaged/zz"):
        storage.create(name, b"hello")
    take(made, Repository.open(copied(storage)))
    put_back(repository, tmp_path / "restored")
    assert content(tmp_path / "restored") == expected(made)
