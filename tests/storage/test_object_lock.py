"""Objects that are locked for a time: nobody removes them before, and what cannot be locked is refused, not ignored."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

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
from neokeep.storage.base import ObjectExists
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


def _garbage(repository: object, data: bytes) -> None:
    from neokeep.repository.writer import BlockWriter

    writer = BlockWriter(repository)  # type: ignore[arg-type]
    with writer.worker() as worker:
        worker.put([memoryview(data)])
    writer.finish()
    writer.close()
