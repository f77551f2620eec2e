"""The catalogue knows what backups there are, and reads each manifest once."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from socket import gethostname

import msgspec
import pytest

from helpers.manifests import NOW, full_manifest
from helpers.storages import MemoryStorage, Wrapped
from neokeep.archive.catalogue import Catalogue
from neokeep.errors import RepositoryError
from neokeep.neo4j.source import future_source
from neokeep.repository.repository import Repository

SOURCE = replace(future_source("/h"), name="test")


class Shelf:
    """A repository of made-up manifests, and the objects that were read of it."""

    def __init__(self) -> None:
        self.storage = MemoryStorage()
        Repository.create(self.storage)
        self.read: list[str] = []
        self.fails = False
        self.repository = Repository.open(Wrapped(self.storage, self._before))

    def _before(self, operation: str, name: str) -> None:
        if operation == "read" and name.startswith("backups/"):
            self.read.append(name.removeprefix("backups/"))
            if self.fails:
                raise RepositoryError("input/output error")

    def put(self, label: str, *, minutes: int = 0, source: str = "test", home: str = "/h", **fields: object) -> None:
        manifest = full_manifest(label, finished_at=NOW + timedelta(minutes=minutes), **fields)
        named = msgspec.structs.replace(manifest.source, name=source, host=gethostname(), home=home)
        Repository.open(self.storage).commit(msgspec.structs.replace(manifest, source=named))


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


def test_each_manifest_is_read_once_and_new_ones_are_found(shelf: Shelf) -> None:
    catalogue = Catalogue(shelf.repository, "neo4j")
    assert catalogue.look() == []
    shelf.put("neo4j-1F")
    assert [item.label for item in catalogue.look()] == ["neo4j-1F"]
    shelf.put("neo4j-2F")
    for _ in range(3):
        assert sorted(item.label for item in catalogue.look()) == ["neo4j-1F", "neo4j-2F"]
    assert shelf.read == ["neo4j-1F", "neo4j-2F"]


def test_a_backup_that_is_gone_is_not_known_any_more(shelf: Shelf) -> None:
    catalogue = Catalogue(shelf.repository, "neo4j")
    shelf.put("neo4j-1F")
    assert len(catalogue.look()) == 1
    shelf.storage.delete("backups/neo4j-1F")
    assert catalogue.look() == []


def test_backups_of_other_databases_do_not_count_even_where_their_names_begin_alike(shelf: Shelf) -> None:
    shelf.put("neo4j-1F")
    shelf.put("neo4j-copy-1F", database="neo4j-copy")
    shelf.put("system-1F", database="system")
    assert [item.label for item in Catalogue(shelf.repository, "neo4j").look()] == ["neo4j-1F"]
    assert "system-1F" not in shelf.read


def test_a_damaged_manifest_is_passed_by_and_one_that_cannot_be_read_now_is_an_error(shelf: Shelf) -> None:
    catalogue = Catalogue(shelf.repository, "neo4j")
    shelf.put("neo4j-1F")
    shelf.put("neo4j-2F")
    shelf.storage.replace("backups/neo4j-1F", b"damaged")
    assert [item.label for item in catalogue.look()] == ["neo4j-2F"]
    shelf.put("neo4j-3F")
    shelf.fails = True
    with pytest.raises(RepositoryError):
        catalogue.look()
    shelf.fails = False
    assert len(catalogue.look()) == 2


def test_full_backups_of_the_source_come_newest_first(shelf: Shelf) -> None:
    shelf.put("neo4j-1F", minutes=5)
    shelf.put("neo4j-2F", minutes=9)
    shelf.put("neo4j-3F", minutes=7)
    shelf.put("neo4j-4F", minutes=11, source="another")
    shelf.put("neo4j-2F_1I", minutes=12, type="incremental", base="neo4j-2F")
    bases = Catalogue(shelf.repository, "neo4j").bases(SOURCE, "a store")
    assert [item.label for item in bases] == ["neo4j-2F", "neo4j-3F", "neo4j-1F"]


def test_another_store_counts_only_where_it_was_at_the_same_place(shelf: Shelf) -> None:
    shelf.put("neo4j-1F", minutes=1, home="/moved")
    shelf.put("neo4j-2F", minutes=2, store_id="another")
    shelf.put("neo4j-3F", minutes=3, store_id="another", home="/elsewhere")
    bases = Catalogue(shelf.repository, "neo4j").bases(SOURCE, "a store")
    assert [item.label for item in bases] == ["neo4j-2F", "neo4j-1F"]
