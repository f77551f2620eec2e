"""Writers: each block once, nothing counted on that is not there whole."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.backups import new_repository
from helpers.properties import examples
from neokeep.errors import IntegrityError
from neokeep.repository import pack as packs
from neokeep.repository import writer as writing
from neokeep.repository.block import block_id, block_size
from neokeep.repository.blocklist import expand
from neokeep.repository.reader import BlockReader
from neokeep.repository.writer import BlockWriter
from neokeep.workers import run_workers

if TYPE_CHECKING:
    import threading

    from neokeep.repository.repository import Repository


def store(repository: Repository, contents: list[bytes]) -> BlockWriter:
    writer = BlockWriter(repository)
    with writer.worker() as worker:
        ids = worker.put([memoryview(content) for content in contents])
    assert ids == b"".join(map(block_id, contents))
    writer.finish()
    writer.close()
    return writer


def readable(repository: Repository, contents: list[bytes]) -> bool:
    reader = BlockReader.of(repository)
    return all(reader.fetch(block_id(content), len(content)) == content for content in contents)


@examples(40)
@given(st.lists(st.lists(st.binary(max_size=40), max_size=8), max_size=5))
def test_every_block_is_stored_once_whatever_batches_it_comes_in(batches: list[list[bytes]]) -> None:
    repository, storage = new_repository()
    seen: set[bytes] = set()
    for batch in batches:
        assert store(repository, batch).new_blocks == len(set(batch) - seen)
        seen.update(batch)
        assert readable(repository, batch)
    assert len(repository.read_index()) == len(seen)
    assert len(storage.names("packs/")) <= len(batches)


@examples(40)
@given(st.lists(st.binary(max_size=4000), max_size=8), st.lists(st.binary(max_size=4000), max_size=8))
def test_the_compressed_size_of_a_backup_is_that_of_its_blocks_whoever_stored_them(
    before: list[bytes], contents: list[bytes]
) -> None:
    repository, _ = new_repository()
    first, again, alone = (store(made, contents) for made in (repository, repository, new_repository()[0]))
    assert first.compressed_bytes == again.compressed_bytes == alone.compressed_bytes
    assert (again.stored_bytes, again.new_blocks) == (0, 0)
    shared, _ = new_repository()
    store(shared, before)
    assert store(shared, contents * 2).compressed_bytes == first.compressed_bytes
    index = repository.read_index()
    rows = index.find(np.frombuffer(b"".join(map(block_id, set(contents))), "V32"))
    assert first.compressed_bytes == int(index.locate(rows).stored.sum())


def test_threads_together_store_each_block_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packs, "TARGET_SIZE", 20_000)
    monkeypatch.setattr(writing, "INDEX_EVERY", 40)
    repository, storage = new_repository()
    contents = [os.urandom(1000) for _ in range(150)]
    writer = BlockWriter(repository)

    def work(_stopping: threading.Event) -> None:
        with writer.worker() as worker:
            for at in range(0, len(contents), 10):
                worker.put([memoryview(content) for content in contents[at : at + 10]])

    run_workers(work, 4)
    writer.finish()
    writer.close()
    assert (writer.blocks, writer.new_blocks) == (600, 150)
    assert len(repository.read_index()) == 150
    assert len(storage.names("index/")) > 1
    assert writer.stored_bytes == sum(
        len(storage.objects[name]) for name in (*storage.names("packs/"), *storage.names("index/"))
    )
    assert readable(repository, contents)
    for name in storage.names("index/"):
        storage.delete(name)
    assert readable(repository, contents)


@examples(40)
@given(st.integers(0, 400_000))
def test_bytes_of_any_length_come_back(size: int) -> None:
    repository, _ = new_repository()
    data = bytes(range(251)) * (size // 251 + 1)
    writer = BlockWriter(repository)
    with writer.worker() as worker:
        listed = worker.put_bytes(data[:size])
    writer.finish()
    writer.close()
    reader = BlockReader.of(repository)
    ids = expand(listed, reader.fetch)
    assert (listed.size, listed.block_size, len(ids) // 32) == (size, block_size(size), -(-size // listed.block_size))
    found = b"".join(
        reader.fetch(ids[at * 32 : at * 32 + 32], min(listed.block_size, size - at * listed.block_size))
        for at in range(len(ids) // 32)
    )
    assert found == data[:size]


def test_a_backup_without_any_block_can_be_finished() -> None:
    repository, storage = new_repository()
    writer = BlockWriter(repository)
    writer.finish()
    writer.close()
    assert list(storage.objects) == ["config"]


@pytest.mark.parametrize("harm", ["gone", "cut"])
@pytest.mark.parametrize("whose", ["used", "own"])
def test_a_pack_that_vanished_meanwhile_forbids_the_commit(harm: str, whose: str) -> None:
    repository, storage = new_repository()
    store(repository, [b"old" * 100])
    before = storage.names("packs/")
    writer = BlockWriter(repository)
    with writer.worker() as worker:
        worker.put([memoryview(b"old" * 100), memoryview(b"new" * 100)])
        worker.flush()
    (name,) = before if whose == "used" else set(storage.names("packs/")) - set(before)
    if harm == "gone":
        storage.delete(name)
    else:
        storage.replace(name, storage.objects[name][:-1])
    with pytest.raises(IntegrityError, match="vanished or changed during the backup"):
        writer.finish()
    writer.close()


def test_a_pack_that_this_backup_does_not_use_may_vanish() -> None:
    repository, storage = new_repository()
    store(repository, [b"old" * 100])
    (name,) = storage.names("packs/")
    writer = BlockWriter(repository)
    with writer.worker() as worker:
        worker.put([memoryview(b"new" * 100)])
        storage.delete(name)
    writer.finish()
    writer.close()
    assert readable(repository, [b"new" * 100])


def test_packs_marked_as_damaged_are_not_counted_on_and_good_copies_are_preferred() -> None:
    repository, storage = new_repository()
    contents = [bytes([number]) * 50 for number in range(20)]
    store(repository, contents)
    (bad,) = storage.names("packs/")
    storage.replace(bad, bytes(len(storage.objects[bad])))
    repository.mark_damaged(bytes.fromhex(bad.rsplit("/", 1)[1]))
    repository.mark_damaged(bytes.fromhex(bad.rsplit("/", 1)[1]))
    assert store(repository, contents[:15]).new_blocks == 15
    assert readable(repository, contents[:15])
    assert store(repository, contents[:15]).new_blocks == 0
    with pytest.raises(IntegrityError):
        BlockReader.of(repository).fetch(block_id(contents[19]), 50)


def test_a_borrowed_worker_goes_on_with_the_pack_that_was_begun() -> None:
    repository, storage = new_repository()
    writer = BlockWriter(repository)
    for number in range(5):
        with writer.worker() as worker:
            worker.put([memoryview(bytes([number]) * 9)])
    with writer.worker() as one, writer.worker() as other:
        one.put([memoryview(b"one")])
        other.put([memoryview(b"other")])
    writer.finish()
    writer.close()
    assert len(storage.names("packs/")) == 1
    assert readable(repository, [bytes([number]) * 9 for number in range(5)] + [b"one", b"other"])
