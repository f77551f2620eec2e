"""What incremental backups hold, read and store: the new transactions and nothing else."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from helpers.backups import SILENT, check, content, expected, new_repository, put_back, take
from helpers.chains import commit_more, moment_of, run_backup, span
from helpers.database import make_database
from helpers.storages import MemoryStorage, Wrapped
from helpers.txlog import KERNELS
from neokeep.capture import chain as chains
from neokeep.capture.backup import back_up
from neokeep.capture.options import CaptureOptions
from neokeep.errors import SourceError
from neokeep.neo4j.log.names import log_name
from neokeep.neo4j.source import find_source
from neokeep.repository.chains import chain_of
from neokeep.repository.manifest import NO_BLOCKS, Manifest
from neokeep.repository.repository import Repository
from neokeep.repository.segment import read_segment

if TYPE_CHECKING:
    from pathlib import Path

    from helpers.database import Synthetic
    from neokeep.reports import BackupInfo


@pytest.fixture(autouse=True)
def _soon_sure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chains, "_LIVE_TRIES", 2)
    monkeypatch.setattr(chains, "_LIVE_PAUSE_SECONDS", 0.001)


@pytest.fixture
def made(tmp_path: Path) -> Synthetic:
    return make_database(tmp_path / "home")


@pytest.fixture
def storage() -> MemoryStorage:
    return MemoryStorage()


@pytest.fixture
def repository(storage: MemoryStorage) -> Repository:
    return Repository.create(storage)


def backed_up(made: Synthetic, repository: Repository, kind: str = "incremental") -> BackupInfo:
    report = run_backup(made, repository, kind)
    assert report.failures == ()
    (info,) = report.backups
    return info


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("rotate", [False, True])
def test_incremental_backups_hold_what_was_committed_since_and_restore_to_it(
    tmp_path: Path, repository: Repository, kernel: int, rotate: bool
) -> None:
    made = make_database(tmp_path / "home", kernel)
    base = take(made, repository)
    states = [(base.label, expected(made))]
    for number in (1, 4, 2):
        first = made.logs[-1].last_transaction + 1
        commit_more(made, number, rotate=rotate)
        info = backed_up(made, repository)
        last = made.logs[-1].last_transaction
        assert (info.type, info.base, info.reason) == ("incremental", base.label, f"the chain of {base.label} holds")
        assert (info.first_tx, info.last_tx, info.last_commit_time) == (first, last, moment_of(last))
        assert (info.file_count, info.left_out, info.events, info.attempts) == (0, (), (), 1)
        assert info.label.startswith(f"{base.label}_")
        manifest = repository.manifest(info.label)
        assert (manifest.tail, manifest.files) == (span(made.logs[-1], last), NO_BLOCKS)
        states.append((info.label, expected(made)))
    assert check(repository).ok
    for label, wanted in states:
        report = put_back(repository, tmp_path / label, label)
        assert content(tmp_path / label) == wanted
        assert report.last_tx == repository.manifest(label).end.transaction
    put_back(repository, tmp_path / "newest")
    assert content(tmp_path / "newest") == states[-1][1]


def test_a_backup_of_nothing_new_exists_and_has_no_segments(
    made: Synthetic, repository: Repository, storage: MemoryStorage, tmp_path: Path
) -> None:
    base = take(made, repository)
    before = set(storage.objects)
    info = backed_up(made, repository)
    assert set(storage.objects) - before == {f"backups/{info.label}"}
    assert (info.last_tx, info.first_tx) == (base.last_tx, base.last_tx + 1)
    assert (info.last_commit_time, info.stored_bytes, info.bytes_read) == (base.last_commit_time, 0, 0)
    put_back(repository, tmp_path / "restored", info.label)
    assert content(tmp_path / "restored") == expected(made)
    commit_more(made)
    assert backed_up(made, repository).first_tx == info.first_tx


def test_a_segment_holds_the_bytes_of_the_log_and_is_at_most_as_large_as_it_may_be(
    made: Synthetic, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chains.read_on, "__defaults__", (1500,))
    base = take(made, repository)
    start = made.logs[-1].ends[-1]
    commit_more(made, 12)
    backed_up(made, repository)
    segments = chain_of(repository, repository.manifest(base.label)).segments
    assert len(segments) > 2
    found = b""
    for segment in segments:
        header, data = read_segment(repository.storage, segment)
        assert header.store_id == str(made.opened.store_id())
        assert (header.chain, header.database) == (base.label, "neo4j")
        assert len(data) <= 1500
        found += data
    assert found == made.logs[-1].data[start:]


def test_it_reads_and_stores_in_proportion_to_the_new_log(
    made: Synthetic, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    take(made, repository)
    commit_more(made, 20)
    backed_up(made, repository)
    start = made.logs[-1].ends[-1]
    commit_more(made, 2)
    new = made.logs[-1].ends[-1] - start
    read: list[tuple[str, int]] = []
    pread = os.pread

    def counted(descriptor: int, length: int, offset: int) -> bytes:
        data = pread(descriptor, length, offset)
        read.append((os.readlink(f"/proc/self/fd/{descriptor}"), len(data.rstrip(b"\0"))))
        return data

    monkeypatch.setattr(os, "pread", counted)
    info = backed_up(made, repository)
    from_log = sum(count for name, count in read if "/transactions/" in name)
    assert info.bytes_read == info.size_bytes == new
    assert new <= from_log <= 4 * new + 4096
    assert info.stored_bytes < new + 2048


def test_blocks_packs_and_index_are_not_touched(made: Synthetic, storage: MemoryStorage) -> None:
    take(made, Repository.create(storage))
    commit_more(made)
    touched: list[tuple[str, str]] = []
    backed_up(made, Repository.open(Wrapped(storage, lambda what, name: touched.append((what, name)))))
    assert not [name for _, name in touched if name.split("/")[0] in ("packs", "index")]
    creates = [name.split("/")[0] for what, name in touched if what == "create"]
    assert creates == ["segments", "backups"]


def test_what_was_archived_before_a_gap_is_kept(
    made: Synthetic, repository: Repository, storage: MemoryStorage
) -> None:
    take(made, repository)
    commit_more(made, 2)
    for _ in range(2):
        commit_more(made, rotate=True)
    (made.log_directory / log_name(made.logs[-2].version)).unlink()
    with pytest.raises(SourceError, match=r"cannot be backed up incrementally: .* was pruned before it was archived"):
        run_backup(made, repository)
    (name,) = storage.names("segments/")
    assert name.split("/")[-1].startswith(f"{10:020}-{11:020}-")
    assert len(storage.names("backups/")) == 1


def test_segments_of_a_backup_that_failed_before_its_manifest_are_gone_on_with(
    made: Synthetic, storage: MemoryStorage
) -> None:
    repository = Repository.create(storage)
    take(made, repository)
    commit_more(made, 2)

    def fails(what: str, name: str) -> None:
        if what == "create" and name.startswith("backups/"):
            raise SourceError("no manifest", remedy="-")

    with pytest.raises(SourceError):
        run_backup(made, Repository.open(Wrapped(storage, fails)))
    commit_more(made, 1)
    info = backed_up(made, repository)
    assert (info.first_tx, info.last_tx) == (12, 12)
    assert len(storage.names("segments/")) == 2


def test_a_second_chain_begins_with_the_next_full_backup(made: Synthetic, repository: Repository) -> None:
    for kind in ("full", "incremental", "full", "incremental"):
        commit_more(made, 2)
        backed_up(made, repository, kind)
    fulls = [item for item in repository.manifests() if isinstance(item, Manifest) and item.type == "full"]
    chained = [[(one.first, one.last) for one in chain_of(repository, base).segments] for base in fulls]
    assert chained == [[(12, 13), (14, 15)], [(16, 17)]]


def test_the_newest_kernel_version_of_a_chain_is_in_the_manifest_of_a_backup_that_holds_it(
    made: Synthetic, repository: Repository
) -> None:
    take(made, repository)
    made.logs.append(made.logs[-1].next([b"after the upgrade"], kernel=32))
    checkpoint = made.log["checkpoint.0"]
    made.log[log_name(made.logs[-1].version)] = made.logs[-1].data
    made.log["checkpoint.0"] = checkpoint
    made.write()
    info = backed_up(made, repository)
    assert repository.manifest(info.label).kernel_version == 32
    assert repository.manifest(backed_up(made, repository).label).kernel_version == 32


def test_a_copy_of_the_database_on_another_server_does_not_go_on_with_the_chain_of_the_original(
    made: Synthetic, repository: Repository, storage: MemoryStorage, tmp_path: Path
) -> None:
    base = take(made, repository)
    shutil.copytree(made.home, tmp_path / "staging")
    copy = make_database(tmp_path / "staging")
    commit_more(copy, 3)
    options = CaptureOptions(type="auto", jobs=1, gentle=False)
    staging = find_source(tmp_path / "staging", name="staging")
    (info,) = back_up(staging, repository, ["neo4j"], options=options, progress=SILENT).backups
    assert chain_of(repository, repository.manifest(base.label)).last_transaction == base.last_tx
    assert (info.type, storage.names("segments/")) == ("full", [])
    commit_more(made, 1)
    assert backed_up(made, repository).base == base.label


def test_new_repositories_have_no_chain() -> None:
    repository, _ = new_repository()
    assert list(repository.manifests()) == []
