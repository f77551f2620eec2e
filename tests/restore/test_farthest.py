"""The newest state is in the newest chain, or in one before it that goes on with the same history."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from helpers.backups import content, expected, new_repository, put_back, take
from helpers.chains import checkpoint_in_the_last_file, commit_more, run_backup, span
from helpers.database import make_database, neostore_bytes, some_bytes
from helpers.txlog import KERNELS, build_log
from neokeep.neo4j.log.names import log_name
from neokeep.repository.chains import chain_of
from neokeep.repository.merging import merge_segments

if TYPE_CHECKING:
    from pathlib import Path

    from helpers.database import Synthetic
    from helpers.storages import MemoryStorage
    from neokeep.repository.repository import Repository


class Overlapping:
    """A full backup, archived log, another full backup, and more log that the older chain alone holds."""

    def __init__(self, home: Path, kernel: int = 20, *, rotate: bool = False, before: int = 3) -> None:
        self.made: Synthetic = make_database(home, kernel)
        found: tuple[Repository, MemoryStorage] = new_repository()
        self.repository, self.storage = found
        self.older = take(self.made, self.repository).label
        if before:
            commit_more(self.made, before)
            run_backup(self.made, self.repository)
        self.newer = take(self.made, self.repository).label
        manifest = self.storage.objects[f"backups/{self.newer}"]
        self.storage.delete(f"backups/{self.newer}")
        commit_more(self.made, 2, rotate=rotate)
        run_backup(self.made, self.repository)
        commit_more(self.made, 2)
        run_backup(self.made, self.repository)
        self.storage.create(f"backups/{self.newer}", manifest)

    def restored(self, home: Path) -> str:
        return put_back(self.repository, home).label


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("rotate", [False, True])
@pytest.mark.parametrize("before", [0, 3])
@pytest.mark.parametrize("merged", [False, True])
def test_what_only_the_chain_before_the_newest_full_backup_holds_is_restored(
    tmp_path: Path, kernel: int, rotate: bool, before: int, merged: bool
) -> None:
    found = Overlapping(tmp_path / "home", kernel, rotate=rotate, before=before)
    if merged:
        assert merge_segments(
            found.storage, chain_of(found.repository, found.repository.manifest(found.older)).segments
        )
    assert found.restored(tmp_path / "restored") == found.older
    assert content(tmp_path / "restored") == expected(found.made)


def test_where_the_newest_chain_reaches_as_far_it_is_taken(tmp_path: Path) -> None:
    found = Overlapping(tmp_path / "home")
    run_backup(found.made, found.repository)
    assert found.restored(tmp_path / "restored") == found.newer
    assert content(tmp_path / "restored") == expected(found.made)


def fork(found: Overlapping) -> None:
    """After a crash, the server has other transactions behind the end of the older full backup, and fewer of them."""
    made = found.made
    old = made.logs[-1]
    made.logs[-1] = build_log(
        made.kernel,
        [some_bytes(300 + at, 340) for at in range(4)],
        version=old.version,
        last_before=old.last_before,
        previous_checksum=made.logs[-2].last_checksum,
    )
    (made.log_directory / log_name(old.version)).unlink()
    checkpoint_in_the_last_file(made)


def test_a_history_that_ended_in_a_crash_is_not_the_newest_state_although_it_reaches_further(tmp_path: Path) -> None:
    found = Overlapping(tmp_path / "home")
    fork(found)
    newest = take(found.made, found.repository)
    assert newest.last_tx < chain_of(found.repository, found.repository.manifest(found.older)).last_transaction
    assert found.restored(tmp_path / "restored") == newest.label
    assert content(tmp_path / "restored") == expected(found.made)


def test_transactions_that_the_server_lost_in_a_crash_are_not_the_newest_state(tmp_path: Path) -> None:
    """They were archived before the newest full backup began, and their ids are not used again yet."""
    found = Overlapping(tmp_path / "home")
    run_backup(found.made, found.repository)
    log = found.made.logs[-1]
    log.data, log.ends = log.data[: log.ends[-3]], log.ends[:-2]
    (found.made.log_directory / log_name(log.version)).unlink()
    checkpoint_in_the_last_file(found.made)
    newest = take(found.made, found.repository)
    older = chain_of(found.repository, found.repository.manifest(found.newer))
    assert older.last_transaction == newest.last_tx + 2
    assert found.restored(tmp_path / "restored") == newest.label
    assert content(tmp_path / "restored") == expected(found.made)


def test_a_store_that_was_replaced_is_not_restored_because_it_had_more_transactions(tmp_path: Path) -> None:
    found = Overlapping(tmp_path / "home")
    found.made.store["neostore"] = neostore_bytes(20, random_id=-78)
    fork(found)
    newest = take(found.made, found.repository)
    assert found.restored(tmp_path / "restored") == newest.label


@pytest.mark.parametrize("damaged", [False, True])
def test_where_the_older_chain_cannot_tell_the_newest_full_backup_is_taken(tmp_path: Path, damaged: bool) -> None:
    found = Overlapping(tmp_path / "home")
    chain = chain_of(found.repository, found.repository.manifest(found.older))
    if damaged:
        found.storage.replace(chain.segments[0].name, b"damaged")
    else:
        for segment in chain.segments:
            found.storage.delete(segment.name)
    assert found.restored(tmp_path / "restored") == found.newer


def test_a_newest_full_backup_without_a_transaction_is_compared_by_what_it_says_of_its_end(tmp_path: Path) -> None:
    found = Overlapping(tmp_path / "home")
    manifest = found.repository.manifest(found.newer)
    found.storage.delete(f"backups/{found.newer}")
    known = span(found.made.logs[-1], manifest.end.transaction or 0)
    assert manifest.end.checksum == known.checksum
    found.repository.commit(msgspec.structs.replace(manifest, tail=None))
    assert found.restored(tmp_path / "with") == found.older
    found.storage.delete(f"backups/{found.newer}")
    unknown = msgspec.structs.replace(manifest.end, checksum=None)
    found.repository.commit(msgspec.structs.replace(manifest, tail=None, end=unknown))
    assert found.restored(tmp_path / "without") == found.newer
