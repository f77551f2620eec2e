"""What a host with a writer's key can do, what it cannot, and what somebody without any key sees."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from helpers.backups import SILENT, check, content, expected, put_back, take
from helpers.chains import commit_more, run_backup
from helpers.database import make_database
from helpers.encrypted import SECRETS, as_writer, encrypted_repository
from helpers.following import FakeClock, options_of
from neokeep import api
from neokeep.archive.follower import Follower
from neokeep.archive.upkeep import Upkeep
from neokeep.encryption.names import Names
from neokeep.errors import IntegrityError, KeyNeededError
from neokeep.repository.chains import chain_of
from neokeep.repository.collect import collect
from neokeep.repository.info import describe
from neokeep.repository.manifest import Manifest
from neokeep.repository.merging import merge_segments
from neokeep.repository.reindex import rebuild_index
from neokeep.repository.segment import peek, read_segment

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from helpers.database import Synthetic
    from helpers.storages import MemoryStorage
    from neokeep.reports import ArchiveEvent
    from neokeep.repository.repository import Repository
    from neokeep.repository.segment import SegmentName

Opened = tuple["Repository", "MemoryStorage"]


@pytest.fixture
def made(tmp_path: Path) -> Synthetic:
    return make_database(tmp_path / "home")


@pytest.fixture
def opened() -> Opened:
    return encrypted_repository()


def write_backups(made: Synthetic, writer: Repository) -> tuple[str, list[str]]:
    base = take(made, writer).label
    labels = []
    for number in (3, 2):
        commit_more(made, number)
        (info,) = run_backup(made, writer, "incremental").backups
        labels.append(info.label)
    return base, labels


def test_what_a_writer_backs_up_a_reader_restores_to_the_last_bit(
    tmp_path: Path, made: Synthetic, opened: Opened
) -> None:
    reader, storage = opened
    writer = as_writer(reader, storage)
    states = []
    base = take(made, writer)
    states.append((base.label, expected(made)))
    for number in (3, 1):
        commit_more(made, number)
        (info,) = run_backup(made, writer, "auto").backups
        assert info.type == "incremental"
        states.append((info.label, expected(made)))
    for number, (label, state) in enumerate(states):
        home = tmp_path / f"restored{number}"
        put_back(reader, home, label)
        assert content(home) == state
    assert check(reader).ok


def test_a_writer_s_second_full_backup_stores_only_what_is_new(made: Synthetic, opened: Opened) -> None:
    reader, storage = opened
    take(made, as_writer(reader, storage))
    packs = set(storage.names("packs/"))
    again = take(made, as_writer(reader, storage))
    assert again.stored_bytes < 10_000
    assert len(set(storage.names("packs/")) - packs) <= 1


def test_a_writer_follows_a_database_and_tells_that_it_does_not_merge(
    tmp_path: Path, made: Synthetic, opened: Opened
) -> None:
    reader, storage = opened
    events: list[ArchiveEvent] = []
    clock = FakeClock()
    writer = as_writer(reader, storage)
    follower = Follower(made.source, made.database, writer, options_of(), events.append, clock=clock.clock)
    for _ in range(40):
        clock.wait(2)
        follower.tick()
        running = follower._fulls._running
        if running is not None:
            running._thread.join(20)
        if any(event.event == "upkeep failed" for event in events):
            break
    commit_more(made, 3)
    for _ in range(3):
        clock.wait(2)
        follower.tick()
    follower.finish()
    assert [event.kind for event in events if event.event == "upkeep failed"] == ["key_needed"]
    assert "archived" in [event.event for event in events]
    put_back(reader, tmp_path / "restored")
    assert content(tmp_path / "restored") == expected(made)


def test_a_writer_s_upkeep_changes_nothing_and_says_why(made: Synthetic, opened: Opened) -> None:
    reader, storage = opened
    base, _ = write_backups(made, as_writer(reader, storage))
    before = dict(storage.objects)
    done = Upkeep(as_writer(reader, storage)).run(reader.manifest(base))
    assert isinstance(done.problem, KeyNeededError)
    assert storage.objects == before


def test_a_writer_sees_what_there_is(made: Synthetic, opened: Opened) -> None:
    reader, storage = opened
    base, labels = write_backups(made, as_writer(reader, storage))
    found = describe(as_writer(reader, storage))
    assert [item.label for item in found.backups] == [base, *labels]
    assert found.windows == describe(reader).windows


@pytest.mark.parametrize(
    "use",
    [
        put_back,
        lambda writer, home: check(writer),
        lambda writer, home: collect(writer, grace=timedelta(0), progress=SILENT),
        lambda writer, home: api.expire(writer, keep_last=1),
        lambda writer, home: api.consolidate(writer, "neo4j", scratch=home.parent),
        lambda writer, home: api.log(writer, "neo4j"),
        lambda writer, home: merge_segments(writer.storage, segments_of(writer)),
        lambda writer, home: read_segment(writer.storage, segments_of(writer)[0]),
    ],
    ids=["restore", "verify", "collect", "expire", "consolidate", "log", "merge", "segment"],
)
def test_what_needs_a_reader_says_so_and_changes_nothing(
    tmp_path: Path, made: Synthetic, opened: Opened, use: Callable[[Repository, Path], object]
) -> None:
    reader, storage = opened
    writer = as_writer(reader, storage)
    write_backups(made, writer)
    before = dict(storage.objects)
    with pytest.raises(KeyNeededError, match="reader key"):
        use(writer, tmp_path / "restored")
    assert storage.objects == before
    assert not (tmp_path / "restored" / "data").exists()


def segments_of(repository: Repository) -> tuple[SegmentName, ...]:
    base = next(item for item in repository.manifests() if item.label.endswith("F"))
    assert isinstance(base, Manifest)
    return chain_of(repository, base).segments


def test_a_writer_can_rebuild_the_index(tmp_path: Path, made: Synthetic, opened: Opened) -> None:
    reader, storage = opened
    take(made, as_writer(reader, storage))
    for name in storage.names("index/"):
        storage.delete(name)
    rebuild_index(as_writer(reader, storage), jobs=2, progress=SILENT)
    assert storage.names("index/")
    put_back(reader, tmp_path / "restored")
    assert content(tmp_path / "restored") == expected(made)


def test_without_any_index_the_packs_tell_what_they_hold(tmp_path: Path, made: Synthetic, opened: Opened) -> None:
    reader, storage = opened
    take(made, reader)
    for name in storage.names("index/"):
        storage.delete(name)
    put_back(reader, tmp_path / "restored")
    assert content(tmp_path / "restored") == expected(made)


def test_nothing_but_sizes_is_to_be_seen(made: Synthetic, opened: Opened) -> None:
    reader, storage = opened
    marker = b"a name of somebody" * 100
    made.store["tools/metrics"] = marker
    (made.store_directory / "tools").mkdir(exist_ok=True)
    (made.store_directory / "tools" / "metrics").write_bytes(marker)
    base, labels = write_backups(made, reader)
    api.hold(reader, base, reason="for the auditors")
    secret = [base, *labels, "neo4j", "neostore", "auditors", "a name of somebody", str(made.home)]
    for name, data in storage.objects.items():
        if name != "config":
            found = [text for text in secret if text.encode() in data or text in name]
            assert found == [], name


def test_a_bit_that_flipped_in_any_object_is_found_and_told_by_name(made: Synthetic, opened: Opened) -> None:
    reader, storage = opened
    write_backups(made, reader)
    for name, data in list(storage.objects.items()):
        logical = Names(SECRETS.names).logical(name)
        if logical is None or name == "config" or name.startswith("writers/"):
            continue
        damaged = bytearray(data)
        damaged[len(data) // 2] ^= 1
        storage.replace(name, bytes(damaged))
        report = check(reader)
        storage.replace(name, data)
        assert not report.ok
        told = [*report.damaged_objects, *(problem for one in report.backups for problem in one.problems)]
        assert any(logical in text for text in told), (logical, told)
        for mark in storage.names("damaged/"):
            storage.delete(mark)
    assert check(reader).ok


def test_the_header_of_a_segment_is_not_taken_from_another(made: Synthetic, opened: Opened) -> None:
    reader, storage = opened
    write_backups(made, reader)
    first, second = segments_of(reader)
    stored = list(storage.names("segments/"))
    contents = [storage.objects[name] for name in stored]
    for name, other in zip(stored, reversed(contents), strict=True):
        storage.replace(name, other)
    for segment in (first, second):
        with pytest.raises(IntegrityError, match="segments/"):
            read_segment(reader.storage, segment)
        assert peek(reader.storage, segment) is None


def test_a_block_of_one_pack_is_not_taken_for_that_of_another(made: Synthetic, opened: Opened) -> None:
    reader, storage = opened
    take(made, reader)
    (name,) = storage.names("packs/")
    data = bytearray(storage.objects[name])
    data[8:56] = os.urandom(48)  # Salt and ephemeral key: no block opens with another key.
    storage.replace(name, bytes(data))
    for index in storage.names("index/"):
        storage.delete(index)
    report = check(reader)
    assert not report.ok
    assert all(not backup.ok for backup in report.backups)
