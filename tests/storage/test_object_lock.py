"""Objects that are locked for a time: nobody removes them before, and what cannot be locked is refused, not ignored."""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.backups import SILENT, check, content, expected, put_back, take
from helpers.canned import Answer, answering, xml_error
from helpers.database import make_database, some_bytes, write_tree
from helpers.servers import locked_bucket
from neokeep.cli.collect import lines_of, refused_by
from neokeep.errors import AccessError, ConfigurationError
from neokeep.repository.collect import collect
from neokeep.repository.expire import expire
from neokeep.repository.expiry import Policy
from neokeep.repository.open import init_repository, open_repository
from neokeep.storage.base import ExtendsLocks, ObjectExists, ObjectLocked, ObjectMissing
from neokeep.storage.layer import innermost
from neokeep.storage.object_lock import ObjectLock
from neokeep.storage.open import open_storage
from neokeep.storage.place import Place, StorageOptions

if TYPE_CHECKING:
    from pathlib import Path

    from helpers.servers import S3Server
    from neokeep.storage.base import Storage

DAY = 86_400


@pytest.fixture
def bucket(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> str:
    """A bucket with object lock, and the environment that leads to it."""
    for name, value in s3.environment.items():
        monkeypatch.setenv(name, value)
    return locked_bucket(s3, f"locked-{time.monotonic_ns()}")


def place(bucket: str, seconds: int | None = DAY) -> Place:
    return Place(f"s3://{bucket}/keep", StorageOptions(region="us-east-1", immutable_for=seconds, retries=1))


def opened(bucket: str, seconds: int | None = DAY) -> Storage:
    return open_storage(place(bucket, seconds))


def test_what_a_restore_needs_cannot_be_removed_and_it_is_told_until_when(bucket: str) -> None:
    storage = opened(bucket)
    for name in ("packs/ab/abcd", "backups/label", "segments/label/1", "holds/label/ab", "config"):
        storage.create(name, b"content")
        with pytest.raises(AccessError, match=r"is locked by the storage until 20\d\d-\d\d-\d\d \d\d:\d\d:\d\dZ"):
            storage.delete(name)
        assert storage.read(name) == b"content"
        with pytest.raises(ObjectExists):
            storage.create(name, b"another")


def test_marks_and_leases_can_be_removed_as_ever(bucket: str) -> None:
    storage = opened(bucket)
    for name in ("writers/1", "leases/collect/1", "index/ab", "probe/1", "verified/ab", "condemned/ab"):
        storage.create(name, b"content")
        storage.delete(name)
        assert list(storage.list(name.split("/")[0])) == []


def test_whoever_asks_for_no_lock_gets_none(bucket: str) -> None:
    storage = opened(bucket, None)
    storage.create("packs/ab/abcd", b"content")
    storage.delete("packs/ab/abcd")
    assert list(storage.list("packs")) == []


@pytest.mark.slow
def test_after_its_date_an_object_can_be_removed(bucket: str) -> None:
    storage = opened(bucket, 2)
    storage.create("packs/ab/abcd", b"content")
    with pytest.raises(AccessError, match="is locked by the storage until"):
        storage.delete("packs/ab/abcd")
    deadline = time.monotonic() + 60
    while list(storage.list("packs")):
        assert time.monotonic() < deadline
        time.sleep(0.5)
        try:
            storage.delete("packs/ab/abcd")
        except AccessError:
            continue


def test_a_bucket_without_object_lock_is_refused(s3: S3Server, bucket: str) -> None:
    assert bucket
    storage = opened(s3.bucket("without-lock"))
    with pytest.raises(ConfigurationError, match="has no object lock"):
        storage.create("packs/ab/abcd", b"content")


def test_a_server_that_ignores_the_date_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    headers = {"ETag": '"1"', "Last-Modified": "Wed, 21 Oct 2026 07:28:00 GMT"}
    with answering(lambda _method, _path: Answer(200, b"", headers)) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        with pytest.raises(ConfigurationError, match="took an object and did not lock it"):
            opened("somewhere").create("packs/ab/abcd", b"content")
        opened("somewhere").create("probe/1", b"")


def test_what_may_not_be_removed_for_another_reason_is_not_called_locked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    with answering(lambda _method, _path: xml_error(403, "AccessDenied")) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        with pytest.raises(AccessError, match="AccessDenied"):
            opened("somewhere", None).delete("packs/ab/abcd")


@pytest.mark.parametrize("url", ["/backup/neo4j", "sftp://me@host/backup", "gs://bucket/p", "az://container/p"])
def test_other_places_refuse_with_the_reason(url: str) -> None:
    with pytest.raises(ConfigurationError, match="cannot keep objects from being removed"):
        open_storage(Place(url, StorageOptions(immutable_for=DAY)))


def test_dates_are_rounded_up_and_go_on_with_time(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[datetime] = []

    def store(headers: dict[str, str]) -> object:
        asked.append(datetime.fromisoformat(headers["x-amz-object-lock-retain-until-date"]))
        assert headers["x-amz-object-lock-mode"] == "COMPLIANCE"
        return object()

    lock = ObjectLock(store, 30 * DAY)  # type: ignore[arg-type]
    begun = time.time()
    for minute in range(0, 240, 10):
        monkeypatch.setattr(time, "time", lambda minute=minute: begun + 60 * minute)
        lock.store()
        due = datetime.fromtimestamp(begun + 60 * minute, UTC) + timedelta(days=30)
        assert timedelta() <= asked[-1] - due <= timedelta(hours=1)
    assert 4 <= len(asked) <= 5


def test_collection_is_refused_what_is_locked_goes_on_with_the_rest_and_says_until_when(
    bucket: str, tmp_path: Path
) -> None:
    made = make_database(tmp_path / "home")
    repository = init_repository(place(bucket))
    first = take(made, repository).label
    changed = {"neostore.nodestore.db": some_bytes(3, 300_000)}
    made.store |= changed
    write_tree(made.store_directory, changed)
    newest = take(made, repository).label
    expired = expire(repository, Policy(last=1))
    assert (expired.locked_objects, expired.refused_objects, expired.removed_backups) == (1, 0, 0)
    assert expired.locked_until is not None
    assert expired.locked_until > datetime.now(UTC)
    # Written without a lock: it can go, whatever is locked beside it.
    free = open_repository(place(bucket, None))
    _garbage(free, b"not needed" * 999)
    _garbage(repository, b"not needed either" * 999)
    grace = timedelta()
    assert collect(repository, grace=grace, progress=SILENT).condemned_packs == 2
    report = collect(repository, grace=grace, progress=SILENT)
    assert (report.removed_packs, report.locked_objects, report.refused_objects) == (1, 1, 0)
    assert "The storage keeps 1 locked object, the first until 20" in "\n".join(lines_of(report))
    assert refused_by(report) is None
    assert check(repository).ok
    assert {item.label for item in repository.manifests()} == {first, newest}
    put_back(repository, tmp_path / "restored", newest)
    assert content(tmp_path / "restored") == expected(made)


def test_the_lock_of_what_is_there_is_extended_once_and_then_lasts(bucket: str) -> None:
    opened(bucket, 2).create("packs/ab/abcd", b"content")
    longer = extending(opened(bucket))
    assert longer.extend_lock("packs/ab/abcd")
    assert not longer.extend_lock("packs/ab/abcd")
    assert locked_for(bucket, "packs/ab/abcd") > timedelta(seconds=DAY)


@pytest.mark.slow
def test_what_was_stored_without_a_lock_can_be_locked(bucket: str) -> None:
    opened(bucket, None).create("packs/ab/abcd", b"content")
    assert extending(opened(bucket)).extend_lock("packs/ab/abcd")
    assert locked_for(bucket, "packs/ab/abcd") > timedelta(seconds=DAY)


@pytest.mark.slow
def test_a_lock_is_never_shortened(bucket: str) -> None:
    opened(bucket, 3 * DAY).create("packs/ab/abcd", b"content")
    assert not extending(opened(bucket)).extend_lock("packs/ab/abcd")
    assert locked_for(bucket, "packs/ab/abcd") > timedelta(days=2)


def test_no_lock_is_looked_for_where_no_object_is(bucket: str) -> None:
    with pytest.raises(ObjectMissing):
        extending(opened(bucket)).extend_lock("packs/ab/abcd")


@pytest.mark.slow
def test_a_bucket_without_object_lock_cannot_extend_either(s3: S3Server, bucket: str) -> None:
    assert bucket
    name = s3.bucket("without-lock-too")
    opened(name, None).create("packs/ab/abcd", b"content")
    with pytest.raises(AccessError, match="the lock of keep/packs/ab/abcd cannot be looked at or moved on"):
        extending(opened(name)).extend_lock("packs/ab/abcd")


def test_whoever_refuses_the_request_is_told_with_the_rights_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hush")
    with answering(lambda _method, _path: xml_error(403, "AccessDenied")) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        with pytest.raises(AccessError) as told:
            extending(opened("somewhere")).extend_lock("packs/ab/abcd")
    assert "s3:PutObjectRetention" in told.value.remedy
    assert "hush" not in told.value.message


@given(st.integers(1, 10 * 365 * DAY), st.integers(-DAY, 11 * 365 * DAY))
def test_a_moved_date_is_late_enough_and_is_not_moved_again_at_once(seconds: int, left: int) -> None:
    lock = ObjectLock(lambda _headers: pytest.fail("nothing is stored"), seconds)
    now = datetime.now(UTC)
    later = lock.later(now + timedelta(seconds=left))
    if later is None:
        assert left >= seconds
    else:
        assert now + timedelta(seconds=left) < datetime.now(UTC) + timedelta(seconds=seconds)
        assert later >= now + timedelta(seconds=seconds)
        assert lock.later(later) is None or seconds < 100


def test_collection_extends_the_locks_of_all_that_kept_backups_need_and_of_nothing_else(
    bucket: str, tmp_path: Path
) -> None:
    made = make_database(tmp_path / "home")
    for_a_minute = init_repository(place(bucket, 60))
    take(made, for_a_minute)
    needed = {item.name for item in for_a_minute.storage.list("packs")}
    _garbage(for_a_minute, b"not needed" * 999)
    garbage = {item.name for item in for_a_minute.storage.list("packs")} - needed
    repository = open_repository(place(bucket))
    report = collect(repository, grace=timedelta(days=7), progress=SILENT)
    kept = ["config", *needed, *(item.name for item in repository.storage.list("backups"))]
    assert report.extended_locks >= len(kept)
    assert all(locked_for(bucket, name) > timedelta(seconds=DAY) for name in kept)
    assert all(locked_for(bucket, name) < timedelta(minutes=2) for name in garbage)
    assert "that backups need for longer" in "\n".join(lines_of(report))
    assert refused_by(report) is None
    assert collect(repository, grace=timedelta(days=7), progress=SILENT).extended_locks == 0


def test_collection_says_when_locks_cannot_be_extended(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make_database(tmp_path / "home")
    take(made, init_repository(place(bucket, 60)))
    monkeypatch.setitem(sys.modules, "botocore.session", None)
    report = collect(open_repository(place(bucket)), grace=timedelta(), progress=SILENT)
    assert report.locks_not_extended > 0
    failure = refused_by(report)
    assert failure is not None
    assert "needs botocore, which is not installed" in failure.message
    assert "neokeep[lock]" in failure.remedy


def extending(storage: Storage) -> ExtendsLocks:
    backend = innermost(storage)
    assert isinstance(backend, ExtendsLocks)
    assert backend.locks
    return backend


def locked_for(bucket: str, name: str) -> timedelta:
    """Try to remove an object, and see for how much longer it stays."""
    with pytest.raises(ObjectLocked) as refused:
        opened(bucket, None).delete(name)
    return refused.value.until - datetime.now(UTC)


def _garbage(repository: object, data: bytes) -> None:
    from neokeep.repository.writer import BlockWriter

    writer = BlockWriter(repository)  # type: ignore[arg-type]
    with writer.worker() as worker:
        worker.put([memoryview(data)])
    writer.finish()
    writer.close()
