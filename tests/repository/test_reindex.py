"""The index made anew: from the packs alone, and never a loss."""

from __future__ import annotations

import os

import pytest

from helpers.backups import SILENT, new_repository
from helpers.storages import MemoryStorage, Wrapped
from neokeep.errors import AccessError
from neokeep.repository import reindex
from neokeep.repository.block import block_id
from neokeep.repository.reader import BlockReader
from neokeep.repository.reindex import rebuild_index
from neokeep.repository.repository import Repository
from neokeep.repository.verify import verify
from neokeep.repository.writer import BlockWriter


def store(repository: Repository, count: int = 3) -> list[bytes]:
    contents = [os.urandom(500) for _ in range(count)]
    writer = BlockWriter(repository)
    with writer.worker() as worker:
        worker.put([memoryview(content) for content in contents])
    writer.finish()
    writer.close()
    return contents


def readable(repository: Repository, contents: list[bytes]) -> bool:
    reader = BlockReader.of(repository)
    return all(reader.fetch(block_id(content), len(content)) == content for content in contents)


def made(backups: int = 4) -> tuple[Repository, MemoryStorage, list[bytes]]:
    repository, storage = new_repository()
    return repository, storage, [content for _ in range(backups) for content in store(repository)]


@pytest.mark.parametrize("harm", ["nothing", "all gone", "one damaged"])
def test_an_index_is_rebuilt_from_the_packs(harm: str) -> None:
    repository, storage, contents = made()
    names = list(storage.names("index/"))
    if harm == "one damaged":
        storage.replace(names[0], b"damaged")
        assert not verify(repository, None, jobs=1, progress=SILENT).ok
    for name in names if harm == "all gone" else []:
        storage.delete(name)
    report = rebuild_index(repository, jobs=2, progress=SILENT)
    assert (report.packs, report.blocks, report.index_objects, report.unreadable_packs) == (4, 12, 1, ())
    assert report.removed_index_objects == (0 if harm == "all gone" else 4)
    assert len(storage.names("index/")) == 1
    assert not storage.names("damaged/")
    assert readable(repository, contents)
    assert verify(repository, None, jobs=1, progress=SILENT).ok


def test_rebuilding_twice_changes_nothing() -> None:
    repository, storage, _ = made()
    rebuild_index(repository, jobs=1, progress=SILENT)
    (name,) = storage.names("index/")
    assert rebuild_index(repository, jobs=1, progress=SILENT).removed_index_objects == 0
    assert storage.names("index/") == [name]


def test_a_pack_that_cannot_be_read_is_told_and_left_out() -> None:
    repository, storage, _ = made()
    bad = storage.names("packs/")[0]
    storage.replace(bad, bytes(len(storage.objects[bad])))
    report = rebuild_index(repository, jobs=2, progress=SILENT)
    assert (report.packs, report.unreadable_packs) == (3, (bad,))


def test_a_large_index_is_cut_into_several_objects(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reindex, "LARGEST", 6)
    repository, storage, contents = made()
    assert rebuild_index(repository, jobs=1, progress=SILENT).index_objects == 2
    assert len(storage.names("index/")) == 2
    assert readable(repository, contents)


def test_a_storage_that_refuses_to_delete_keeps_the_old_objects_and_works() -> None:
    repository, storage, contents = made()

    def refuse(operation: str, name: str) -> None:
        if operation == "delete" and name.startswith("index/"):
            raise AccessError("append only")

    report = rebuild_index(Repository.open(Wrapped(storage, refuse)), jobs=1, progress=SILENT)
    assert (report.refused_objects, report.refused_because) == (4, "append only")
    assert len(storage.names("index/")) == 5
    assert readable(repository, contents)


def test_what_is_stored_while_it_is_rebuilt_is_not_lost() -> None:
    repository, storage, contents = made()

    def before(operation: str, name: str) -> None:
        if operation == "create" and name.startswith("index/"):
            wrapped._before = lambda *_: None
            contents.extend(store(repository))

    wrapped = Wrapped(storage, before)
    rebuild_index(Repository.open(wrapped), jobs=1, progress=SILENT)
    assert readable(repository, contents)
