"""Backups copied into another repository: whole, only what is new, and never over something else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from helpers.backups import SILENT, check, content, new_repository, put_back, take
from helpers.chains import commit_more, run_backup
from helpers.copies import copied_over, restores, two_chains
from helpers.database import make_database, some_bytes, write_tree
from helpers.encrypted import encrypted_repository
from helpers.storages import Wrapped
from neokeep.copies.copy import copy_backups
from neokeep.errors import UsageError
from neokeep.repository.expire import expire
from neokeep.repository.expiry import Policy
from neokeep.repository.holds import list_holds, place_hold
from neokeep.repository.manifest import encode_manifest, manifest_name
from neokeep.repository.repository import Repository
from neokeep.repository.segment import list_segments, read_segment, store_segment
from neokeep.storage.base import ObjectMissing
from neokeep.storage.counting import Counting

if TYPE_CHECKING:
    from pathlib import Path


def test_a_copy_holds_the_same_backups_and_restores_to_the_same(tmp_path: Path) -> None:
    source, target = new_repository()[0], new_repository()[0]
    wanted = two_chains(make_database(tmp_path / "home"), source)
    report = copied_over(source, target)
    assert not report.failures
    assert {one.label: one.state for one in report.backups} == dict.fromkeys(wanted, "copied")
    assert check(target).ok
    assert {item.label for item in target.manifests()} == set(wanted)
    restores(target, wanted, tmp_path)


def test_a_second_copy_takes_nothing_and_reads_no_pack(tmp_path: Path) -> None:
    source, target = new_repository()[0], new_repository()[0]
    wanted = two_chains(make_database(tmp_path / "home"), source)
    copied_over(source, target)
    counted, received = Counting(source.storage), Counting(target.storage)
    report = copied_over(Repository.open(counted), Repository.open(received))
    assert {one.label: one.state for one in report.backups} == dict.fromkeys(wanted, "present")
    assert (report.bytes_read, report.stored_bytes, received.bytes_written) == (0, 0, 0)


def test_a_later_copy_takes_what_is_new_alone(tmp_path: Path) -> None:
    source, target = new_repository()[0], new_repository()[0]
    made = make_database(tmp_path / "home")
    first = take(made, source)
    whole = copied_over(source, target)
    commit_more(made)
    run_backup(made, source)
    changed = {"neostore.nodestore.db": some_bytes(9, 70_000)}
    made.store |= changed
    write_tree(made.store_directory, changed)
    second = take(made, source)
    report = copied_over(source, target)
    states = {one.label: one for one in report.backups}
    assert states[first.label].state == "present"
    assert states[first.label].segments == 1
    assert states[second.label].skipped_blocks > 0
    assert 0 < report.bytes_read < whole.bytes_read
    put_back(target, tmp_path / "restored", second.label)
    assert content(tmp_path / "restored")[0] == made.store


def test_a_copy_is_encrypted_anew_or_not_any_more(tmp_path: Path) -> None:
    source, encrypted, back = new_repository()[0], encrypted_repository()[0], new_repository()[0]
    wanted = two_chains(make_database(tmp_path / "home"), source)
    assert not copied_over(source, encrypted).failures
    assert not copied_over(encrypted, back).failures
    for target in (encrypted, back):
        restores(target, wanted, tmp_path)
        assert check(target).ok


def test_a_backup_alone_comes_with_what_it_needs(tmp_path: Path) -> None:
    source, target = new_repository()[0], new_repository()[0]
    wanted = two_chains(make_database(tmp_path / "home"), source)
    newest = list(wanted)[-1]
    base = newest.split("_")[0]
    assert {one.label for one in copied_over(source, target, newest).backups} == {base, newest}
    restores(target, {base: wanted[base], newest: wanted[newest]}, tmp_path)


def test_only_one_database_is_copied_where_that_is_wanted(tmp_path: Path) -> None:
    source, target = new_repository()[0], new_repository()[0]
    movies = take(make_database(tmp_path / "a", database="movies"), source)
    take(make_database(tmp_path / "b"), source)
    report = copy_backups(source, target, (), "movies", jobs=1, progress=SILENT)
    assert [one.label for one in report.backups] == [movies.label]


def test_another_backup_of_the_same_label_is_left_as_it_is_and_told(tmp_path: Path) -> None:
    source, (target, storage) = new_repository()[0], new_repository()
    wanted = two_chains(make_database(tmp_path / "home"), source)
    bases = [label for label in wanted if "_" not in label]
    stranger = msgspec.structs.replace(source.manifest(bases[0]), store_id="another one", writer=None)
    storage.create(manifest_name(bases[0]), encode_manifest(stranger))
    report = copied_over(source, target)
    assert {failure.subject for failure in report.failures} == {label for label in wanted if label.startswith(bases[0])}
    assert "another backup with the label" in report.failures[0].message
    assert {one.label for one in report.backups} == {label for label in wanted if label.startswith(bases[1])}
    assert target.manifest(bases[0]) == stranger


def test_a_damaged_block_fails_its_backup_and_no_other(tmp_path: Path) -> None:
    (source, storage), target = new_repository(), new_repository()[0]
    one = take(make_database(tmp_path / "a", database="one"), source)
    before = set(storage.names("packs/"))
    two = take(make_database(tmp_path / "b", seed=40, database="two"), source)
    for name in set(storage.names("packs/")) - before:
        storage.replace(name, storage.objects[name].replace(b"record", b"RECORD", 1)[::-1])
    report = copied_over(source, target)
    assert [failure.subject for failure in report.failures] == [two.label]
    assert report.failures[0].kind == "integrity"
    assert [item.label for item in target.manifests()] == [one.label]
    assert check(target).ok


def test_a_repository_is_not_copied_into_itself(tmp_path: Path) -> None:
    source, storage = new_repository()
    take(make_database(tmp_path / "home"), source)
    with pytest.raises(UsageError, match="are one repository"):
        copied_over(source, Repository.open(storage))


def test_a_label_that_is_not_there_is_told_before_anything_is_copied(tmp_path: Path) -> None:
    source, (target, storage) = new_repository()[0], new_repository()
    take(make_database(tmp_path / "home"), source)
    before = dict(storage.objects)
    with pytest.raises(ObjectMissing, match="there is no backup neo4j-1"):
        copied_over(source, target, "neo4j-1")
    assert storage.objects == before


def test_a_backup_that_expires_meanwhile_is_told_as_expired(tmp_path: Path) -> None:
    (source, storage), target = new_repository(), new_repository()[0]
    made = make_database(tmp_path / "home")
    first = take(made, source)
    changed = {"neostore.nodestore.db": some_bytes(9, 70_000)}
    made.store |= changed
    write_tree(made.store_directory, changed)
    take(made, source)
    seen: list[str] = []

    def before(operation: str, name: str) -> None:
        if operation == "read" and name.startswith("packs/"):
            seen.append(name)
        if len(seen) == 1 and operation == "read" and name.startswith("packs/"):
            expire(source, Policy(last=1))
            for pack in storage.names("packs/"):
                storage.delete(pack)

    report = copied_over(Repository.open(Wrapped(storage, before)), target, first.label)
    (failure,) = report.failures
    assert f"{first.label} expired in memory while it was copied" in failure.message


def test_holds_are_not_copied_and_that_is_told(tmp_path: Path) -> None:
    source, target = new_repository()[0], new_repository()[0]
    label = take(make_database(tmp_path / "home"), source).label
    place_hold(source, label, "audit", None)
    assert copied_over(source, target).held == (label,)
    assert not list(list_holds(target.storage))


def test_log_is_told_apart_from_that_of_another_history(tmp_path: Path) -> None:
    (source, here), (target, there) = new_repository(), new_repository()
    made = make_database(tmp_path / "home")
    base = take(made, source).label
    copied_over(source, target)
    commit_more(made)
    run_backup(made, source)
    copied_over(source, target)
    commit_more(made)
    run_backup(made, source)
    (first, *_) = list_segments(here, base)
    header, data = read_segment(there, first)
    there.delete(first.name)
    forked = msgspec.structs.replace(header, tail=msgspec.structs.replace(header.tail, checksum=4711))
    store_segment(there, forked, data)
    report = copied_over(source, target)
    assert "different histories" in report.failures[0].message
