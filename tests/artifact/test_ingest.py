"""Ingesting archives: each becomes a backup like any other, of its own date, and a bad one leaves none."""

from __future__ import annotations

import os
import shutil
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from helpers.artifacts import (
    MAGICS,
    METADATA,
    artifact,
    differential,
    files_of,
    restored,
    tar_of,
    whole,
    write,
)
from helpers.backups import check, expected, labels, new_repository, take
from helpers.database import Synthetic, make_clean, make_database
from helpers.encrypted import as_writer, encrypted_repository
from neokeep import api
from neokeep.capture.backup import back_up_database
from neokeep.capture.options import CaptureOptions
from neokeep.errors import IntegrityError, SourceError, UsageError
from neokeep.progress import Silent
from neokeep.repository.expire import expire
from neokeep.repository.expiry import Policy
from neokeep.repository.open import init_repository, open_repository

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("magic", MAGICS)
def test_every_kind_of_archive_becomes_a_backup_that_restores(tmp_path: Path, made: Synthetic, magic: str) -> None:
    repository, _ = new_repository()
    report = api.ingest(write(tmp_path / "neo4j.archive", whole(made, magic)), repository)
    (backup,) = report.backups
    assert (backup.type, backup.source, backup.database) == ("full", "archives", "neo4j")
    assert backup.store_id == str(made.opened.store_id())
    assert backup.last_tx == made.logs[-1].last_transaction
    assert restored(repository, backup.label, tmp_path / "home") == expected(made)
    assert check(repository).ok


@pytest.mark.parametrize("kernel", [4, 20, 32])
def test_an_archive_of_any_version_is_like_a_capture_of_the_same_database(tmp_path: Path, kernel: int) -> None:
    made = make_database(tmp_path / "made", kernel=kernel)
    repository, _ = new_repository()
    captured = repository.manifest(take(made, repository).label)
    (backup,) = api.ingest(write(tmp_path / "neo4j.dump", whole(made)), repository).backups
    ingested = repository.manifest(backup.label)
    for name in ("kernel_version", "store_id", "store_format", "checkpoint", "end", "tail", "opens"):
        assert getattr(ingested, name) == getattr(captured, name), name
    assert ingested.files.hash == captured.files.hash
    # Everything is there already, down to the list of files.
    assert (backup.stored_bytes, ingested.statistics.new_blocks) == (0, 0)


def test_files_are_taken_in_any_order(tmp_path: Path, made: Synthetic) -> None:
    hashes = set()
    for number, files in enumerate((files_of(made), dict(reversed(files_of(made).items())))):
        repository, _ = new_repository()
        path = write(tmp_path / "neo4j.dump", artifact("DZV1", files, tar=tar_of(files, dotted=bool(number))))
        (backup,) = api.ingest(path, repository, jobs=1 + 3 * number).backups
        hashes.add(repository.manifest(backup.label).files.hash)
    assert len(hashes) == 1


def test_large_files_are_taken_in_many_pieces(tmp_path: Path) -> None:
    made = make_database(tmp_path / "made")
    made.store["neostore.nodestore.db"] = os.urandom(9 * 1024 * 1024 + 17)
    made.write()
    repository, _ = new_repository()
    captured = repository.manifest(take(made, repository).label)
    (backup,) = api.ingest(write(tmp_path / "neo4j.dump", whole(made)), repository, jobs=3).backups
    assert repository.manifest(backup.label).files.hash == captured.files.hash


def test_the_date_is_that_of_the_order_then_the_header_then_the_log_then_the_file(
    tmp_path: Path, made: Synthetic
) -> None:
    repository, _ = new_repository()
    dump, backup = write(tmp_path / "neo4j.dump", whole(made)), write(tmp_path / "x.backup", whole(made, "BZV2"))
    (of_log,) = api.ingest(dump, repository).backups
    (of_header,) = api.ingest(backup, repository).backups
    told = datetime(2026, 3, 1, 12, tzinfo=UTC)
    (of_order,) = api.ingest(backup, repository, taken_at=told).backups
    assert [(one.ingested.dated_by, one.finished_at) for one in (of_log, of_header, of_order) if one.ingested] == [
        ("log", of_log.last_commit_time),
        ("header", METADATA.time),
        ("option", told),
    ]
    assert of_order.started_at == told
    assert of_order.label == "neo4j-20260301-120000F"


def test_a_dump_without_any_transaction_is_of_the_time_of_its_file(tmp_path: Path) -> None:
    from helpers.database import log_files, make_logs, store_files

    logs = make_logs(4, files=1, each=0)
    made = Synthetic(tmp_path / "made", 4, "neo4j", store_files(4, 1), logs, log_files(logs, checkpoint_at=0)).write()
    path = write(tmp_path / "neo4j.dump", whole(made))
    os.utime(path, (1_600_000_000, 1_600_000_000))
    repository, _ = new_repository()
    (backup,) = api.ingest(path, repository).backups
    assert backup.ingested is not None
    assert (backup.ingested.dated_by, backup.finished_at) == ("file", datetime.fromtimestamp(1_600_000_000, UTC))


def test_a_time_that_cannot_be_is_refused(tmp_path: Path, made: Synthetic) -> None:
    repository, _ = new_repository()
    path = write(tmp_path / "neo4j.dump", whole(made))
    for moment, words in (
        (datetime.now(UTC) + timedelta(days=1), "still to come"),
        (datetime(2001, 1, 1, tzinfo=UTC), "after the time that was given"),
        (datetime(2025, 1, 1), "no zone"),  # noqa: DTZ001  that is what is refused
    ):
        with pytest.raises(UsageError, match=words):
            api.ingest(path, repository, taken_at=moment)
    assert not labels(repository)


def test_where_it_came_from_is_told(tmp_path: Path, made: Synthetic) -> None:
    repository, _ = new_repository()
    path = write(tmp_path / "neo4j.dump", whole(made))
    api.ingest(path, repository)
    (backup,) = api.info(repository).backups
    assert backup.ingested is not None
    assert (backup.ingested.archive, backup.ingested.type, backup.ingested.format) == (str(path), "dump", "DZV1")
    assert backup.ingested.size_bytes == path.stat().st_size
    assert backup.reason == f"ingested from {path}"


def test_an_archive_that_is_there_already_is_passed_over_unless_told_so(tmp_path: Path, made: Synthetic) -> None:
    repository, _ = new_repository()
    path = write(tmp_path / "neo4j.dump", whole(made))
    (first,) = api.ingest(path, repository).backups
    # The same file, and the same content elsewhere, under another name and packed in another way.
    elsewhere = write(tmp_path / "copy.dump", whole(made, "gzip"))
    for again in (path, elsewhere):
        report = api.ingest(again, repository, ingested_as="neo4j")
        assert not report.backups
        assert [one.label for one in report.skipped] == [first.label]
    assert labels(repository) == [first.label]
    assert len(api.ingest(path, repository, again=True).backups) == 1
    assert len(labels(repository)) == 2


def test_another_archive_in_the_same_file_is_no_repetition(tmp_path: Path, made: Synthetic) -> None:
    repository, _ = new_repository()
    path = write(tmp_path / "neo4j.dump", whole(made))
    api.ingest(path, repository)
    write(path, whole(make_database(tmp_path / "other", seed=50)))
    assert len(api.ingest(path, repository).backups) == 1


def test_the_same_archive_under_another_name_is_another_backup(tmp_path: Path, made: Synthetic) -> None:
    repository, _ = new_repository()
    path = write(tmp_path / "neo4j.dump", whole(made))
    api.ingest(path, repository)
    assert api.ingest(path, repository, ingested_as="other").backups[0].database == "other"
    assert api.ingest(path, repository, from_source="prod").backups[0].source == "prod"


def test_a_folder_is_ingested_and_one_bad_archive_does_not_stop_the_others(tmp_path: Path, made: Synthetic) -> None:
    repository, _ = new_repository()
    folder = tmp_path / "dumps"
    (folder / "2025").mkdir(parents=True)
    write(folder / "2025" / "neo4j.dump", whole(made))
    write(folder / "a.dump", b"rubbish")
    write(folder / "broken.dump", whole(made)[:-30])
    write(folder / "d.backup", artifact("BZV2", made.log, metadata=differential(82, 90)))
    for passed_over in (False, True):
        report = api.ingest(folder, repository)
        assert [len(report.backups), len(report.skipped)] == ([0, 1] if passed_over else [1, 0])
        assert {(os.path.basename(failure.subject), failure.kind) for failure in report.failures} == {
            ("a.dump", "source"),
            ("broken.dump", "integrity"),
            ("d.backup", "source"),
        }


def test_a_differential_artifact_is_refused_with_the_reason(tmp_path: Path, made: Synthetic) -> None:
    repository, _ = new_repository()
    path = write(tmp_path / "d.backup", artifact("BZV2", made.log, metadata=differential(82, 90)))
    with pytest.raises(SourceError, match="holds transactions 82 to 90 and no store"):
        api.ingest(path, repository)


def test_several_archives_are_not_of_one_moment(tmp_path: Path, made: Synthetic) -> None:
    repository, _ = new_repository()
    paths = [write(tmp_path / name, whole(made)) for name in ("one.dump", "two.dump")]
    with pytest.raises(UsageError, match="not of one moment"):
        api.ingest(paths, repository, taken_at=datetime(2025, 1, 1, tzinfo=UTC))


def test_an_archive_comes_through_a_pipe(tmp_path: Path, made: Synthetic) -> None:
    repository, _ = new_repository()
    os.mkfifo(tmp_path / "neo4j.dump")
    writer = threading.Thread(target=(tmp_path / "neo4j.dump").write_bytes, args=(whole(made),))
    writer.start()
    (backup,) = api.ingest(tmp_path / "neo4j.dump", repository).backups
    writer.join()
    assert restored(repository, backup.label, tmp_path / "home") == expected(made)
    assert backup.ingested is not None
    assert backup.ingested.size_bytes is None


def test_an_index_that_is_not_whole_is_left_out_and_told(tmp_path: Path, made: Synthetic) -> None:
    repository, _ = new_repository()
    broken = {"schema/index/fulltext-1.0/9/fulltext-1.0/1/segments_1": b"x", "database_lock": b""}
    path = write(tmp_path / "neo4j.dump", artifact("DZV1", files_of(made) | broken))
    (backup,) = api.ingest(path, repository).backups
    assert [(one.path, one.rebuilt) for one in backup.left_out] == [
        ("schema/index/fulltext-1.0/9", True),
        ("database_lock", True),
    ] or {one.path for one in backup.left_out} == {"schema/index/fulltext-1.0/9", "database_lock"}
    assert restored(repository, backup.label, tmp_path / "home") == expected(made)


def test_no_chain_goes_on_with_what_was_ingested(tmp_path: Path) -> None:
    made = make_database(tmp_path / "home")
    repository, _ = new_repository()
    # The very same store and log, of the name that the server has: an archive is hearsay all the same.
    path = write(tmp_path / "neo4j.dump", whole(made))
    api.ingest(path, repository, from_source="test")
    options = CaptureOptions(type="incremental", jobs=1, gentle=False)
    with pytest.raises(SourceError, match="no full backup of this database yet"):
        back_up_database(made.source, made.opened, repository, options, Silent(), None)
    auto = back_up_database(made.source, made.opened, repository, replace(options, type="auto"), Silent(), None)
    assert auto.type == "full"
    following = back_up_database(made.source, made.opened, repository, options, Silent(), None)
    assert following.base == auto.label


def test_archives_do_not_mix_with_what_was_captured(tmp_path: Path) -> None:
    made = make_database(tmp_path / "home")
    repository, _ = new_repository()
    taken = take(made, repository)
    path = write(tmp_path / "neo4j.dump", whole(made))
    with pytest.raises(UsageError, match="captured from its server"):
        api.ingest(path, repository, from_source="test")
    api.ingest(path, repository)
    # Who restores in a hurry gets what was captured, on any machine.
    report = api.restore(repository, tmp_path / "elsewhere", "neo4j")
    assert report.label == taken.label
    assert api.restore(repository, tmp_path / "archived", "neo4j", from_source="archives").label != taken.label


def test_archives_that_lie_in_the_home_of_a_server_are_not_of_it(tmp_path: Path) -> None:
    made = make_database(tmp_path / "home")
    repository, _ = new_repository()
    taken = take(made, repository)
    api.ingest(write(made.home / "neo4j.dump", whole(made)), repository)
    assert api.restore(repository, made.home, "neo4j", overwrite=True).label == taken.label


@pytest.mark.parametrize("milliseconds", [-(10**12), 10**18])
def test_a_time_that_no_archive_is_of_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, milliseconds: int
) -> None:
    # In the log, with checksums that are right.
    monkeypatch.setattr("helpers.txlog.commit_time", lambda _: milliseconds)
    made = make_database(tmp_path / "made")
    repository, _ = new_repository()
    with pytest.raises((UsageError, IntegrityError)) as refused:
        api.ingest(write(tmp_path / "neo4j.dump", whole(made)), repository)
    assert refused.value.remedy
    assert not labels(repository)


def test_it_expires_by_its_own_date(tmp_path: Path) -> None:
    repository, _ = new_repository()
    old, new = make_database(tmp_path / "old"), make_database(tmp_path / "new", seed=50)
    for name, made, year in (("old", old, 2025), ("new", new, 2026)):
        path = write(tmp_path / f"{name}.dump", whole(made))
        api.ingest(path, repository, ingested_as="neo4j", taken_at=datetime(year, 7, 1, tzinfo=UTC))
    expire(repository, Policy(yearly=2))
    assert labels(repository) == ["neo4j-20250701-000000F", "neo4j-20260701-000000F"]
    expire(repository, Policy(within=timedelta(days=30)))
    assert "neo4j-20260701-000000F" in labels(repository)
    expire(repository, Policy(last=1))
    assert labels(repository) == ["neo4j-20260701-000000F"]


def test_it_is_dumped_verified_and_copied_like_any_other(tmp_path: Path) -> None:
    made = make_clean(tmp_path / "made")
    repository = init_repository(str(tmp_path / "one"))
    (backup,) = api.ingest(write(tmp_path / "neo4j.dump", whole(made)), repository).backups
    report = api.dump("neo4j", tmp_path / "again.dump", repository=repository, label=backup.label)
    assert (report.indexes, report.last_tx) == ("copy", backup.last_tx)
    init_repository(str(tmp_path / "two"))
    api.copy_backups(str(tmp_path / "one"), str(tmp_path / "two"))
    shutil.rmtree(tmp_path / "one")
    other = open_repository(str(tmp_path / "two"))
    assert check(other).ok
    (copied,) = api.info(other).backups
    assert copied.ingested == backup.ingested
    assert restored(other, backup.label, tmp_path / "home")[0] == made.store


def test_who_can_only_write_ingests_what_a_reader_restores(tmp_path: Path, made: Synthetic) -> None:
    repository, storage = encrypted_repository()
    path = write(tmp_path / "neo4j.dump", whole(made))
    writer = as_writer(repository, storage)
    (backup,) = api.ingest(path, writer).backups
    assert len(api.ingest(write(tmp_path / "copy.dump", whole(made)), writer, ingested_as="neo4j").skipped) == 1
    assert restored(repository, backup.label, tmp_path / "home") == expected(made)
    assert not any(b"record" in data for data in storage.objects.values())
