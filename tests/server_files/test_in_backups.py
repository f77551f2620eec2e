"""The server's other files travel with every backup: shared, kept, verified, copied and healed like its blocks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from helpers.backups import SILENT, check, new_repository
from helpers.chains import NO_POLICY, commit_more
from helpers.copies import OtherNames, copied_over
from helpers.database import make_database
from helpers.encrypted import as_writer, encrypted_repository
from helpers.faulty import Faulty
from helpers.server_home import SECRETS, everything_in, files_in, furnish, put, take
from helpers.storages import MemoryStorage
from neokeep.capture.options import CaptureOptions
from neokeep.capture.several import Destination, back_up_to_several
from neokeep.copies.heal import heal
from neokeep.copies.same import same_backup
from neokeep.errors import KeyNeededError, RepositoryError
from neokeep.repository.collect import collect
from neokeep.repository.expire import expire
from neokeep.repository.expiry import Policy
from neokeep.repository.manifest import manifest_name
from neokeep.repository.repository import Repository
from neokeep.repository.writer import BlockWriter
from neokeep.server_files.carry import carried_over
from neokeep.server_files.choose import choose

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from helpers.database import Synthetic
    from neokeep.repository.manifest import Manifest, ServerFile


NOON = datetime(2027, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def made(tmp_path: Path) -> Synthetic:
    database = make_database(tmp_path / "home")
    furnish(database.home)
    return database


def objects(storage: MemoryStorage, kind: str) -> set[str]:
    return {name for name in storage.objects if name.startswith(kind)}


def server_list(repository: Repository, label: str) -> object:
    server = repository.manifest(label).server
    assert server is not None
    return server.files


def chain_with_changes(made: Synthetic, repository: Repository, **options: str) -> list[str]:
    """A full backup, an incremental one, one after a change of the configuration, and one more."""
    labels = [take(made, repository, **options).label]
    for change in ("", "a.b=c\n", ""):
        commit_more(made)
        conf = made.home / "conf/apoc.conf"
        if change:
            conf.write_text(conf.read_text() + change)
        labels.append(take(made, repository, type="incremental", **options).label)
    return labels


def test_an_incremental_backup_shares_what_did_not_change_and_reads_no_index(made: Synthetic) -> None:
    repository, storage = new_repository()
    full = take(made, repository)
    before = objects(storage, "packs") | objects(storage, "index") | objects(storage, "writers")
    read: list[str] = []

    def note(_operation: str, name: str) -> None:
        read.append(name)

    commit_more(made)
    info = take(made, Repository.open(Faulty(storage, note)), type="incremental")
    assert not [name for name in read if name.startswith(("index", "packs"))]
    assert objects(storage, "packs") | objects(storage, "index") | objects(storage, "writers") == before
    assert info.server_files == full.server_files
    assert server_list(repository, info.label) == server_list(repository, full.label)


def test_an_incremental_backup_after_a_change_has_files_of_its_own_which_the_next_one_shares(made: Synthetic) -> None:
    repository, _ = new_repository()
    labels = chain_with_changes(made, repository)
    lists = [server_list(repository, label) for label in labels]
    assert lists[0] == lists[1] != lists[2] == lists[3]
    assert repository.manifest(labels[2]).writer is not None
    assert repository.manifest(labels[3]).writer is None
    assert check(repository).ok
    assert (
        files_in(repository, labels[1])["conf/apoc.conf"].hash != files_in(repository, labels[3])["conf/apoc.conf"].hash
    )


def test_a_host_with_only_a_writers_key_shares_and_stores_too(made: Synthetic) -> None:
    repository, storage = encrypted_repository()
    writer = as_writer(repository, storage)
    labels = chain_with_changes(made, writer)
    lists = [server_list(repository, label) for label in labels]
    assert lists[0] == lists[1] != lists[2] == lists[3]
    assert files_in(repository, labels[3])["certificates/bolt/private.key"].state == "whole"
    with pytest.raises(KeyNeededError):
        choose(writer, label=labels[0])


def test_a_backup_is_void_when_the_one_that_it_shares_with_expired_meanwhile(made: Synthetic) -> None:
    repository, storage = new_repository()
    labels = chain_with_changes(made, repository)

    def expire_first(operation: str, name: str) -> None:
        if operation == "create" and name.startswith("backups/"):
            storage.delete(manifest_name(labels[3]))

    commit_more(made)
    with pytest.raises(RepositoryError, match="expired meanwhile"):
        take(made, Repository.open(Faulty(storage, expire_first)), type="incremental")
    assert objects(storage, "backups") == {manifest_name(label) for label in labels[:3]}


def test_databases_of_one_server_share_the_same_list(tmp_path: Path) -> None:
    one, other = make_database(tmp_path / "home"), make_database(tmp_path / "home", database="other", seed=5)
    furnish(tmp_path / "home")
    repository, _ = new_repository()
    assert server_list(repository, take(one, repository).label) == server_list(
        repository, take(other, repository).label
    )


def test_collection_keeps_them_and_lets_go_of_what_expired(made: Synthetic) -> None:
    storage = MemoryStorage()
    now = [NOON]

    def tick() -> datetime:
        now[0] += timedelta(milliseconds=1)
        return now[0]

    storage.now = tick
    repository = Repository.create(storage)
    labels = chain_with_changes(made, repository, server_files="all")
    lost = b"only.in.the.first.chain=" + b"x" * 100
    put(made.home, "conf/apoc.conf", lost)
    commit_more(made)
    labels.append(take(made, repository, type="incremental", server_files="all").label)

    def collect_twice() -> None:
        for _ in range(3):
            now[0] += timedelta(days=2)
            collect(repository, grace=timedelta(days=1), progress=SILENT)

    collect_twice()
    assert check(repository).ok
    assert lost in everything_in(repository)
    put(made.home, "conf/apoc.conf", "the.second=chain\n")
    last = take(made, repository, server_files="all").label
    expire(repository, Policy(last=1))
    assert objects(storage, "backups") == {manifest_name(last)}
    collect_twice()
    assert check(repository).ok
    assert lost not in everything_in(repository)
    assert files_in(repository, last)["conf/apoc.conf"].size == 17


@pytest.mark.parametrize("at", [0, 2])
def test_damage_to_them_is_told_of_the_backups_that_have_them(made: Synthetic, at: int) -> None:
    repository, storage = new_repository()
    packs: list[set[str]] = []
    labels = [take(made, repository).label]
    packs.append(objects(storage, "packs"))
    put(made.home, "conf/apoc.conf", "only.here=" + "x" * 100 + "\n")
    for _ in range(2):
        commit_more(made)
        labels.append(take(made, repository, type="incremental").label)
    own = objects(storage, "packs") - packs[0]
    for name in own if at else packs[0]:
        storage.delete(name)
    found = {one.label: one for one in check(Repository.open(storage)).backups}
    assert [found[label].ok for label in labels] == ([True, False, False] if at else [False] * 3)


def test_what_is_lost_of_them_is_healed_from_another_repository(made: Synthetic) -> None:
    repository, storage = new_repository()
    labels = chain_with_changes(made, repository)
    other, _ = new_repository()
    assert not copied_over(repository, other).failures
    for name in objects(storage, "packs"):
        storage.delete(name)
    storage.url = "here"
    report = heal(Repository.open(storage), other, jobs=1, progress=SILENT)
    assert report.ok, report.failures
    assert check(Repository.open(storage)).ok
    assert files_in(Repository.open(storage), labels[2]) == files_in(other, labels[2])


def test_what_comes_back_from_a_repository_without_secrets_says_that_it_lacks_them(made: Synthetic) -> None:
    repository, storage = encrypted_repository()
    label = take(made, repository).label
    plain, _ = new_repository()
    assert not copied_over(repository, plain).failures
    for name in objects(storage, "packs"):
        storage.delete(name)
    storage.url = "here"
    report = heal(repository, plain, jobs=1, progress=SILENT)
    assert report.manifests == (label,)
    assert check(repository).ok
    server = repository.manifest(label).server
    assert server is not None
    assert [item.path for item in server.left_out] == ["certificates/bolt/private.key"]
    assert server.redacted == ("conf/apoc.conf", "conf/neo4j.conf")


def test_a_manifest_of_an_incremental_backup_comes_back_with_its_files(made: Synthetic) -> None:
    repository, storage = new_repository()
    labels = chain_with_changes(made, repository)
    other, _ = encrypted_repository()
    assert not copied_over(repository, other).failures
    wanted = {label: files_in(repository, label) for label in labels}
    for label in labels[1:]:
        storage.replace(manifest_name(label), b"rubbish")
    storage.url = "here"
    report = heal(Repository.open(storage), other, jobs=1, progress=SILENT)
    assert report.ok, report.failures
    again = Repository.open(storage)
    assert {label: hashes(files_in(again, label)) for label in labels} == {
        label: hashes(files) for label, files in wanted.items()
    }
    assert check(again).ok


def hashes(files: Mapping[str, ServerFile]) -> dict[str, str | None]:
    return {name: file.hash for name, file in files.items()}


def test_a_copy_to_a_repository_of_other_names_has_them(made: Synthetic) -> None:
    repository, _ = new_repository()
    labels = chain_with_changes(made, repository, server_files="all")
    empty, _ = new_repository()
    target = OtherNames(empty.storage, empty.config)
    assert not copied_over(repository, target).failures
    assert check(target).ok
    for label in labels:
        assert hashes(files_in(target, label)) == hashes(files_in(repository, label))
        assert same_backup(target.manifest(label), repository.manifest(label))


def test_no_secret_leaves_an_encrypted_repository_for_one_that_is_not(made: Synthetic) -> None:
    repository, _ = encrypted_repository()
    put(made.home, "plugins/helper.cfg", "token=of-a-plugin\n")
    labels = chain_with_changes(made, repository, server_files="all")
    target, _ = new_repository()
    assert not copied_over(repository, target).failures
    content = everything_in(target)
    assert not [secret for secret in (*SECRETS, b"of-a-plugin", b"PRIVATE KEY") if secret in content]
    assert check(target).ok
    for label in labels:
        server = target.manifest(label).server
        assert server is not None
        assert server.redacted == ("conf/apoc.conf", "conf/neo4j.conf")
        assert [item.path for item in server.left_out] == ["certificates/bolt/private.key", "plugins/helper.cfg"]
        assert same_backup(target.manifest(label), repository.manifest(label))
    lists = [server_list(target, label) for label in labels]
    assert lists[0] == lists[1] != lists[2] == lists[3]


def test_a_copy_of_many_incremental_backups_reads_the_index_of_its_target_once_for_those_that_share(
    made: Synthetic, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository, _ = encrypted_repository()
    labels = chain_with_changes(made, repository)
    target, storage = new_repository()
    made_writers: list[int] = []
    real = BlockWriter.__init__

    def counted(self: BlockWriter, of: Repository) -> None:
        made_writers.append(1)
        real(self, of)

    monkeypatch.setattr(BlockWriter, "__init__", counted)
    assert not copied_over(repository, target).failures
    assert len(made_writers) == 2
    assert len(objects(storage, "backups")) == len(labels)


def test_each_of_several_repositories_gets_what_it_may_have(made: Synthetic) -> None:
    plain, _ = new_repository()
    encrypted, _ = encrypted_repository()

    def run(kind: str) -> list[Manifest]:
        options = CaptureOptions(type=kind, policy=NO_POLICY, jobs=1, gentle=False, server_files="config")
        destinations = [Destination("p", lambda: plain), Destination("e", lambda: encrypted)]
        report = back_up_to_several(made.source, destinations, [made.database], options=options, progress=SILENT)
        assert not report.failures + report.others[0].failures
        return [plain.manifest(report.backups[0].label), encrypted.manifest(report.others[0].backups[0].label)]

    for kind in ("full", "incremental", "incremental"):
        if kind == "incremental":
            commit_more(made)
            put(made.home, "conf/apoc.conf", "x.y=z\n")
        one, other = run(kind)
        assert one.label == other.label
        assert same_backup(one, other)
        assert one.server is not None
        assert other.server is not None
        assert [item.path for item in one.server.left_out] == ["certificates/bolt/private.key"]
        assert other.server.left_out == ()
    assert check(plain).ok
    assert check(encrypted).ok
    assert not [secret for secret in SECRETS if secret in everything_in(plain)]


def test_a_consolidated_backup_takes_over_the_newest_of_its_chain(made: Synthetic) -> None:
    repository, _ = new_repository()
    labels = chain_with_changes(made, repository)
    base = repository.manifest(labels[0])
    writer = BlockWriter(repository)
    carried = carried_over(repository, base, writer)
    writer.finish()
    writer.close()
    assert carried.files == repository.manifest(labels[3]).server
    assert carried.events == ()
    assert writer.blocks > 0
    assert writer.new_blocks == 0


def test_a_consolidated_backup_has_none_that_are_not_whole_and_says_so(made: Synthetic) -> None:
    repository, storage = new_repository()
    label = take(made, repository).label
    base = repository.manifest(label)
    for name in objects(storage, "packs") | objects(storage, "index"):
        storage.delete(name)
    again = Repository.open(storage)
    writer = BlockWriter(again)
    carried = carried_over(again, base, writer)
    writer.close()
    assert carried.files is None
    assert "left out" in carried.events[0]
