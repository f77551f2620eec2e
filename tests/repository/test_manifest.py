"""Manifests: what a backup is, read as it was written, or damaged."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.backups import new_repository
from helpers.manifests import full_manifest
from helpers.properties import examples
from helpers.txlog import flipped
from neokeep.errors import IntegrityError, RepositoryError
from neokeep.repository.info import describe
from neokeep.repository.manifest import (
    BlockList,
    LeftOut,
    LogPoint,
    Manifest,
    Statistics,
    decode_manifest,
    encode_manifest,
    manifest_name,
    new_label,
)
from neokeep.repository.repository import DamagedManifest, Repository

NOW = datetime(2026, 11, 22, 17, 30, 15, 123456, tzinfo=UTC)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SMALL = st.integers(0, 2**40)
TEXTS = st.text(max_size=12)
TIMES = st.integers(0, 10**16).map(lambda micros: EPOCH + timedelta(microseconds=micros))
POINTS = st.builds(
    LogPoint, version=SMALL, offset=SMALL, transaction=st.none() | SMALL, commit_time=st.none() | TIMES,
    checksum=st.none() | st.integers(0, 2**32 - 1),
)  # fmt: skip
STATISTICS = st.builds(
    Statistics, seconds=st.floats(0, 1e6), bytes_read=SMALL, size_bytes=SMALL, stored_bytes=SMALL, blocks=SMALL,
    new_blocks=SMALL, attempts=SMALL, file_retries=SMALL,
)  # fmt: skip


def manifest(label: str = "neo4j-20261122-173015F", database: str = "neo4j", finished: datetime = NOW) -> Manifest:
    return full_manifest(
        label,
        database=database,
        finished_at=finished,
        neo4j_version="5.26.30",
        checkpoint=LogPoint(version=3, offset=4, transaction=5),
        end=LogPoint(version=3, offset=40, transaction=7, commit_time=NOW, checksum=9),
        first_transaction=6,
        left_out=(LeftOut(path="a", reason="b", rebuilt=True),),
        events=("one",),
    )


@examples(40)
@given(
    label=TEXTS,
    events=st.lists(TEXTS, max_size=3),
    checkpoint=POINTS,
    end=POINTS,
    at=TIMES,
    statistics=STATISTICS,
    ids=st.binary(max_size=99),
)
def test_a_manifest_comes_back(
    label: str, events: list[str], checkpoint: LogPoint, end: LogPoint, at: datetime, statistics: Statistics, ids: bytes
) -> None:
    files = BlockList(size=1, block_size=2, depth=1, ids=ids, hash=ids[:5])
    written = msgspec.structs.replace(
        manifest(label, finished=at), events=tuple(events), checkpoint=checkpoint, end=end, files=files,
        statistics=statistics,
    )  # fmt: skip
    assert decode_manifest("m", encode_manifest(written)) == written


def test_every_flipped_byte_and_every_cut_of_a_manifest_is_noticed() -> None:
    data = encode_manifest(manifest())
    for at in range(len(data)):
        for damaged in (flipped(data, at), data[:at]):
            with pytest.raises(IntegrityError, match="the manifest backups/x is damaged"):
                decode_manifest("backups/x", damaged)


def test_a_label_is_made_of_the_database_and_the_begin_in_utc() -> None:
    elsewhere = NOW.astimezone(timezone(timedelta(hours=-7)))
    assert new_label("my-db.2", elsewhere) == "my-db.2-20261122-173015F"


def test_a_backup_of_the_same_second_gets_the_next_free_label() -> None:
    repository, storage = new_repository()
    database = "db-20261231-235959"
    first = new_label(database, datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC))
    labels = [repository.commit(manifest(first, database)).label for _ in range(3)]
    assert labels == [f"{database}-{end}" for end in ("20261231-235959F", "20270101-000000F", "20270101-000001F")]
    assert storage.names("backups/") == [manifest_name(label) for label in labels]
    assert [repository.manifest(label).label for label in labels] == labels


def test_backups_are_listed_oldest_first_and_damaged_ones_are_told() -> None:
    repository, storage = new_repository()
    for days, label in ((3, "a-20260101-000000F"), (1, "b-20260101-000000F"), (2, "c-20260101-000000F")):
        repository.commit(manifest(label, finished=NOW + timedelta(days=days)))
    storage.create("backups/broken", b"nothing")
    storage.create("backups/renamed", storage.objects["backups/c-20260101-000000F"])
    listed = list(repository.manifests())
    assert [item.label for item in listed if isinstance(item, Manifest)] == [
        "b-20260101-000000F", "c-20260101-000000F", "a-20260101-000000F",
    ]  # fmt: skip
    assert {item.label for item in listed if isinstance(item, DamagedManifest)} == {"broken", "renamed"}
    report = describe(repository)
    assert [len(report.backups), [failure.subject for failure in report.damaged]] == [3, ["broken", "renamed"]]
    assert all(failure.remedy for failure in report.damaged)


@pytest.mark.parametrize("label", ["none", "../config", "", "a b"])
def test_a_label_that_is_none_is_told_as_such(label: str) -> None:
    repository, _ = new_repository()
    with pytest.raises(RepositoryError, match="there is no backup") as failure:
        repository.manifest(label)
    assert "neokeep info" in failure.value.remedy


def test_a_second_open_repository_sees_what_the_first_committed() -> None:
    repository, storage = new_repository()
    other = Repository.open(storage)
    label = repository.commit(manifest()).label
    assert other.manifest(label) == repository.manifest(label) == manifest()
